"""A new process takes over from a busy server, which drains: curl, python's ssl and websockets."""

import asyncio
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import time
import unittest

import certificates
import server
import websocket_peer
from family import Family, is_alive

CURL = server.need("curl")
PATIENCE = 60 * server.SLOW


class Busy:
    """Clients that never rest. Each says what it lost."""

    def __init__(self, port, tls=None):
        self.port, self.tls = port, tls
        self.over = False
        self.requests = self.messages = self.reconnections = 0

    async def one_request(self):
        """On a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls,
                                                       server_hostname="localhost" if self.tls else None)
        writer.write(b"GET /index.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200"), answer[:100]
        writer.close()
        self.requests += 1

    async def requests_for_long(self):
        while not self.over:
            await self.one_request()

    async def kept_connection(self):
        """One request after the other, until the server says that it was the last; then on a new connection."""
        while not self.over:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls,
                                                           server_hostname="localhost" if self.tls else None)
            last = False
            while not last and not self.over:
                writer.write(b"GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200"), head
                size = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
                await reader.readexactly(size)
                self.requests += 1
                last = b"connection: close" in head.lower()
                await asyncio.sleep(0.01)
            writer.close()

    async def websocket(self, name):
        """Each message comes back, or the close frame before it says 1001; then the client goes on with a new connection."""
        number = 0
        while not self.over:
            scheme = "wss" if self.tls else "ws"
            async with websocket_peer.connect(f"{scheme}://localhost:{self.port}/", subprotocols=["echo"], ssl=self.tls, open_timeout=PATIENCE,
                                              ping_interval=None, compression=None) as client:
                self.reconnections += 1
                while not self.over:
                    text = f"{name} {number}"
                    try:
                        await client.send(text)
                        answer = await client.recv()
                    except websocket_peer.ConnectionClosed as closed:
                        assert closed.rcvd is not None and closed.rcvd.code == 1001, repr(closed)
                        break
                    assert answer == text, (answer, text)
                    number += 1
                    self.messages += 1
                    await asyncio.sleep(0.01)

    async def run(self, count, deed):
        """Half of the clients have WebSockets, a quarter kept connections, a quarter connections for each request."""
        clients = []
        for number in range(count):
            kind = self.websocket(f"client {number}") if number % 2 else (self.kept_connection() if number % 4 else self.requests_for_long())
            clients.append(asyncio.ensure_future(kind))
        loop = asyncio.get_running_loop()
        try:
            deeds = loop.run_in_executor(None, deed)
            done, _ = await asyncio.wait([deeds, *clients], return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()  # a client that ended before its time has lost something
            assert deeds in done
        finally:
            self.over = True
            await asyncio.wait_for(asyncio.gather(*clients), PATIENCE)


class Takeover(unittest.TestCase):
    def family(self, *arguments, **options):
        family = Family(*arguments, **options)
        self.addCleanup(family.close)
        return family

    def keep_busy(self, family, count, handovers, tls=None):
        busy = Busy(family.port, tls)

        def deed():
            for _ in range(handovers):
                before = busy.messages + busy.requests
                family.until(lambda before=before: busy.messages + busy.requests > before + 200, "clients at work")
                family.hand_over()

        asyncio.run(busy.run(count, deed))
        self.assertGreater(busy.messages, 0)
        self.assertGreater(busy.requests, 0)
        return busy

    def test_nobody_notices_five_takeovers(self):
        for threads in ("1", "3"):
            with self.subTest(threads=threads):
                family = self.family("-t", threads)
                busy = self.keep_busy(family, 200, 5)
                self.assertGreater(busy.reconnections, 100)  # those of the first process, at least, were told to go
                log = family.stop()
                self.assertEqual(log.count("has taken over"), 5)
                self.assertNotIn("error:", log)

    def test_nobody_notices_five_takeovers_of_a_port_with_tls(self):
        authority = certificates.Authority()
        self.addCleanup(authority.close)
        certificate, key = authority.sign("localhost")
        family = self.family("--ssl", "-C", certificate, "-K", key, "-t", "2")
        self.keep_busy(family, 60, 5, ssl.create_default_context(cafile=str(authority.file)))
        self.assertNotIn("error:", family.stop())

    def test_another_number_of_threads(self):
        """The program that is started is a script, which adds a number of threads that the next one reads."""
        family = self.family("-t", "4")
        for threads in ("1", "3", "8", "2"):
            family.replace(f'exec -a "$0" "{os.path.abspath(server.SERVER)}" "$@" -t {threads}\n')
            self.keep_busy(family, 40, 1)
            tasks = [line for line in pathlib.Path(f"/proc/{family.pid}/status").read_text(encoding="ascii").splitlines()
                     if line.startswith("Threads:")]
            self.assertGreaterEqual(int(tasks[0].split()[1]), int(threads))
        self.assertNotIn("error:", family.stop())

    def test_connections_that_nobody_has_accepted_yet_are_served_by_one_or_the_other(self):
        family = self.family("-t", "2")
        family.send(signal.SIGSTOP)
        clients = [socket.create_connection(("127.0.0.1", family.port), timeout=PATIENCE) for _ in range(40)]
        family.send(signal.SIGUSR2)
        family.send(signal.SIGCONT)
        for client in clients:
            client.sendall(b"GET /index.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        for client in clients:
            with client, client.makefile("rb") as stream:
                self.assertTrue(stream.read().startswith(b"HTTP/1.1 200"))
        family.until(lambda: "has taken over" in family.log(), "a takeover")
        family.pid = int(re.search(r"process (\d+) has taken over", family.log())[1])
        family.pids.append(family.pid)
        family.stop()

    def test_a_program_that_ends_at_once_leaves_the_old_one_in_place(self):
        family = self.family()
        family.replace("exit 3\n")
        family.send(signal.SIGUSR2)
        family.until(lambda: "ended with status 3, before it served" in family.log(), "a line about it")
        family.until(lambda: "error: this server goes on, for it was not taken over" in family.log(), "another")
        family.program.unlink()
        family.send(signal.SIGUSR2)
        family.until(lambda: "No such file or directory" in family.log(), "a line about it")
        self.get(family.port)
        family.restore()
        self.keep_busy(family, 20, 1)
        family.stop()

    def test_a_program_that_hangs_is_killed_and_meanwhile_no_other_begins(self):
        family = self.family("--limit", "takeover_time=1500")
        mark = pathlib.Path(family.folder.name) / "pid"
        family.replace(f'echo $$ > "{mark}"\nexec sleep 600\n')
        family.send(signal.SIGUSR2)
        family.until(lambda: mark.exists() and mark.read_text(encoding="ascii").strip(), "a new process")
        family.send(signal.SIGUSR2)
        family.until(lambda: "a new process is about to take over already" in family.log(), "a refusal")
        family.until(lambda: "did not serve within 1500 ms, and was killed" in family.log(), "a line about it")
        self.assertFalse(is_alive(int(mark.read_text(encoding="ascii"))))
        self.get(family.port)
        family.stop()

    def test_sigterm_while_a_program_hangs_ends_both(self):
        family = self.family()
        mark = pathlib.Path(family.folder.name) / "pid"
        family.replace(f'echo $$ > "{mark}"\nexec sleep 600\n')
        family.send(signal.SIGUSR2)
        family.until(lambda: mark.exists() and mark.read_text(encoding="ascii").strip(), "a new process")
        family.stop(signal.SIGTERM)
        self.assertFalse(is_alive(int(mark.read_text(encoding="ascii"))))

    def test_sigterm_to_the_one_that_drains_changes_nothing_and_a_second_cuts(self):
        family = self.family()
        with socket.create_connection(("127.0.0.1", family.port), timeout=PATIENCE) as slow:
            slow.sendall(b"GET /index.html HTTP/1.1\r\nHost: localhost\r\n")
            self.get(family.port)
            old = family.pid
            family.hand_over()
            os.kill(old, signal.SIGTERM)
            time.sleep(0.2)
            self.assertTrue(is_alive(old))
            slow.sendall(b"\r\n")
            with slow.makefile("rb") as stream:
                answer = stream.read()
            self.assertIn(b"connection: close", answer.lower())
        family.until(lambda: not is_alive(old), "its end")
        self.get(family.port)
        family.stop()

    def get(self, port):
        result = subprocess.run([CURL, "-sS", "--noproxy", "*", f"http://127.0.0.1:{port}/index.html"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, check=False, timeout=PATIENCE)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"<", result.stdout)

    def test_a_unix_socket_keeps_its_file_until_the_last_one_ends(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "socket")
        family = self.family("-U", path, "-t", "2")
        inode = os.stat(path).st_ino

        def get():
            result = subprocess.run([CURL, "-sS", "--unix-socket", path, "http://localhost/index.html"], stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, check=False, timeout=PATIENCE)
            self.assertEqual(result.returncode, 0, result.stderr)

        get()
        for _ in range(3):
            old = family.pid
            family.hand_over()
            get()
            family.until(lambda old=old: not is_alive(old), "the end of the old one")
            self.assertEqual(os.stat(path).st_ino, inode)
            self.assertTrue(stat.S_ISSOCK(os.stat(path).st_mode))
            get()
        family.replace("exit 1\n")  # one that fails does not remove it either
        family.send(signal.SIGUSR2)
        family.until(lambda: "was not taken over" in family.log(), "a line about it")
        get()
        family.stop()
        self.assertFalse(os.path.exists(path))

    def test_a_file_that_is_another_servers_by_now_was_removed_by_the_successor(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "socket")
        family = self.family("-U", path)
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as another:
            another.bind(path)
            another.listen()
            family.hand_over()
            family.stop()
            self.assertTrue(os.path.exists(path))

    def test_a_door_that_the_new_one_does_not_have_is_closed(self):
        family = self.family()
        old_port = family.port
        other = server.free_port()
        family.replace(f'exec "{os.path.abspath(server.SERVER)}" "$@" -p {other}\n')
        family.hand_over()
        line = f"as it is not configured: descriptor 3, 127.0.0.1:{old_port}"
        family.until(lambda: line in family.log(), "a line about it")
        self.get(other)
        family.until(lambda: not is_alive(family.pids[0]), "the end of the old one")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", old_port), timeout=PATIENCE)
        family.stop()

    def test_the_new_process_has_nothing_else_of_the_old_one(self):
        family = self.family("-t", "2")
        family.hand_over()
        with open(f"/proc/{family.pid}/environ", encoding="utf-8", errors="replace") as file:
            self.assertIn("WHARF_SOCKETS=3;", file.read())  # as it was given; programs that it starts do not see it
        listening = re.findall(r"(\d+);\d+;own", pathlib.Path(f"/proc/{family.pid}/environ").read_text(encoding="utf-8", errors="replace"))
        self.assertEqual(listening, ["3", "4"])
        old = set(os.listdir(f"/proc/{family.pids[0]}/fd")) if is_alive(family.pids[0]) else set()
        self.assertLess(len(os.listdir(f"/proc/{family.pid}/fd")), 60, old)
        family.stop()


class Drain(unittest.TestCase):
    def test_sigterm_spreads_the_ends_of_websockets_over_the_time(self):
        async def talk(one):
            clients = [await websocket_peer.connect(f"ws://127.0.0.1:{one.port}/", subprotocols=["echo"], ping_interval=None)
                       for _ in range(20)]
            begin = time.monotonic()
            one.process.send_signal(signal.SIGTERM)

            async def end(client):
                try:
                    while True:
                        await client.recv()
                except websocket_peer.ConnectionClosed as closed:
                    return closed.rcvd.code, time.monotonic() - begin

            ends = await asyncio.wait_for(asyncio.gather(*map(end, clients)), PATIENCE)
            return [code for code, _ in ends], sorted(when for _, when in ends)

        with server.Server("--limit", "drain_time=4000") as one:
            codes, times = asyncio.run(talk(one))
            self.assertEqual(codes, [1001] * 20)
            self.assertGreater(times[-1], 2.0, times)  # the last is due after 2,850 ms
            self.assertLess(sum(1 for each in times if each < 0.5), 10 if server.SANITIZED else 6, times)
            one.process.wait(PATIENCE)

    def test_sigterm_serves_whoever_waits_to_be_accepted_and_then_refuses(self):
        for threads in ("1", "2"):
            with self.subTest(threads=threads), server.Server("-t", threads) as one:
                one.process.send_signal(signal.SIGSTOP)
                clients = [socket.create_connection(("127.0.0.1", one.port), timeout=PATIENCE) for _ in range(100)]
                one.process.send_signal(signal.SIGTERM)
                one.process.send_signal(signal.SIGCONT)
                for client in clients:
                    client.sendall(b"GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n")
                for client in clients:
                    with client, client.makefile("rb") as stream:
                        self.assertTrue(stream.read().startswith(b"HTTP/1.1 200"))  # and it has ended
                one.process.wait(PATIENCE)
                with self.assertRaises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", one.port), timeout=PATIENCE)

    def test_a_request_that_has_begun_is_finished_and_an_idle_connection_ends(self):
        with server.Server() as one:
            busy, idle = (socket.create_connection(("127.0.0.1", one.port), timeout=PATIENCE) for _ in range(2))
            with busy, idle, busy.makefile("rb") as busy_stream, idle.makefile("rb") as idle_stream:
                for client, stream in ((busy, busy_stream), (idle, idle_stream)):
                    client.sendall(b"HEAD /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    while stream.readline() != b"\r\n":
                        pass
                busy.sendall(b"HEAD /index.html HTTP/1.1\r\n")
                server.until(lambda: not self.waits(one.port, busy), 20, "the server to have read that")
                one.process.send_signal(signal.SIGTERM)
                self.assertEqual(idle_stream.read(), b"")
                busy.sendall(b"Host: localhost\r\n\r\n")
                self.assertIn(b"connection: close", busy_stream.read().lower())
            one.process.wait(PATIENCE)

    @staticmethod
    def waits(port, client):
        """Whether bytes of the client lie unread in the server's socket."""
        local = client.getsockname()[1]
        with open("/proc/net/tcp", encoding="ascii") as table:
            for line in table:
                fields = line.split()
                if fields[1].endswith(f":{port:04X}") and fields[2].endswith(f":{local:04X}"):
                    return fields[4].split(":")[1] != "00000000"
        return True

    def test_sigint_does_not_wait_and_ends_a_drain(self):
        with server.Server("--limit", "drain_time=600000") as one:
            with socket.create_connection(("127.0.0.1", one.port), timeout=PATIENCE) as client, client.makefile("rb") as stream:
                client.sendall(b"HEAD /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n")
                stream.readline()
                one.process.send_signal(signal.SIGTERM)
                one.process.send_signal(signal.SIGINT)
                one.process.wait(PATIENCE)


if __name__ == "__main__":
    unittest.main()
