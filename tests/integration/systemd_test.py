"""A service of systemd: sockets that are passed, and notifications that are sent. Systemd's part is played by this test, and by systemd-socket-activate if
it is installed."""

import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import server

PATIENCE = 60 * server.SLOW
ACTIVATE = shutil.which("systemd-socket-activate")
ANALYZE = shutil.which("systemd-analyze")
SOURCE = pathlib.Path(__file__).resolve().parents[2]
# Puts the descriptors in place and names them, as systemd does between fork and exec.
START = r"""
import os, sys
numbers, names, program = sys.argv[1].split(","), sys.argv[2], sys.argv[3:]
for place, number in enumerate(filter(None, numbers)):
    os.dup2(int(number), 100 + place)
count = len(list(filter(None, numbers)))
for place in range(count):
    os.dup2(100 + place, 3 + place)
os.closerange(3 + count, 200)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=os.environ.pop("COUNT", str(count)), LISTEN_FDNAMES=names)
if os.environ.get("WATCHDOG_PID") == "own":
    os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execv(program[0], program)
"""


class Systemd:
    """Starts a service and hears what it says."""

    def __init__(self, sockets, names, *arguments, address=None, environment=None):
        self.folder = tempfile.TemporaryDirectory()
        self.address = address or os.path.join(self.folder.name, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + self.address[1:] if self.address.startswith("@") else self.address)
        self.socket.settimeout(PATIENCE)
        self.log_file = open(os.path.join(self.folder.name, "log"), "w", encoding="utf-8")
        numbers = ",".join(str(each.fileno()) for each in sockets)
        self.process = subprocess.Popen([sys.executable, "-c", START, numbers, ":".join(names), os.path.abspath(server.SERVER),
                                         *server.command("-d", "info", *arguments)[1:]],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log_file,
                                        pass_fds=[each.fileno() for each in sockets],
                                        env={**os.environ, "NOTIFY_SOCKET": self.address, **(environment or {})})

    def log(self):
        return pathlib.Path(self.log_file.name).read_text(encoding="utf-8")

    def hear(self, wanted):
        """The next message with that line."""
        while True:
            try:
                message = self.socket.recv(4096).decode()
            except TimeoutError as problem:
                raise AssertionError(f"never heard {wanted}\n{self.log()}") from problem
            if wanted in message:
                return message

    def ready_line(self):
        return self.process.stdout.readline().decode()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log_file.close()
        self.socket.close()
        self.folder.cleanup()


def listening(**options):
    return socket.create_server(("127.0.0.1", 0), **options)


def get(port):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client, client.makefile("rb") as stream:
        client.sendall(b"GET /index.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return stream.read()


class Service(unittest.TestCase):
    def start(self, *arguments, **options):
        service = Systemd(*arguments, **options)
        self.addCleanup(service.close)
        return service

    def socket(self, made):
        self.addCleanup(made.close)
        return made

    def test_a_socket_is_found_by_its_name(self):
        web, other = self.socket(listening()), self.socket(listening())
        port = web.getsockname()[1]
        service = self.start([other, web], ["other", "web"], "--inherited", "web", "-t", "3")
        service.hear("READY=1")
        self.assertIn(f"127.0.0.1:{port}/", service.ready_line())
        for _ in range(10):
            self.assertTrue(get(port).startswith(b"HTTP/1.1 200"))
        server.until(lambda: "as it is not configured: descriptor 3 ('other')" in service.log(), 20, "a line about the other one")
        with open(f"/proc/{service.process.pid}/environ", encoding="utf-8") as file:
            self.assertIn("LISTEN_FDNAMES", file.read())  # what it was given; what it gives on is another test's
        service.process.terminate()
        service.hear("STOPPING=1")
        self.assertEqual(service.process.wait(PATIENCE), 0)
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE):  # systemd goes on listening
            pass

    def test_a_socket_is_found_by_its_address(self):
        web = self.socket(listening())
        port = web.getsockname()[1]
        service = self.start([web], ["web"], "-p", port, "-t", "2")
        service.hear("READY=1")
        self.assertTrue(get(port).startswith(b"HTTP/1.1 200"))
        service.process.terminate()
        self.assertEqual(service.process.wait(PATIENCE), 0)

    def test_a_unix_socket_of_systemd_keeps_its_file(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "socket")
        web = self.socket(socket.socket(socket.AF_UNIX))
        web.bind(path)
        web.listen()
        service = self.start([web], ["web"], "-U", path, address=f"@wharf-test-{os.getpid()}")
        service.hear("READY=1")
        with socket.socket(socket.AF_UNIX) as client, client.makefile("rb") as stream:
            client.connect(path)
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertTrue(stream.read().startswith(b"HTTP/1.1 200"))
        service.process.terminate()
        self.assertEqual(service.process.wait(PATIENCE), 0)
        self.assertTrue(os.path.exists(path))

    def test_settings_of_a_door_are_those_of_its_inherited_socket_or_an_error(self):
        web = self.socket(listening())
        service = self.start([web], ["web"], "--inherited", "web", "--fast-open", "5", "--limit", "tcp_keep_alive_idle=60000")
        service.hear("READY=1")
        self.assertEqual(web.getsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN), 5)  # the socket is the same one
        self.assertEqual(web.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), 60)
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "socket")
        local = self.socket(socket.socket(socket.AF_UNIX))
        local.bind(path)
        local.listen()
        os.chmod(path, 0o666)
        for given, says in ((("--fast-open", "5"), "fast_open is for ports"),
                            (("--unix-mode", "600"), f"cannot listen on unix:{path}: the mode of its file is another than the door's, and "
                                                     "the service manager made it; set SocketMode= in the socket's unit"),
                            (("--unix-owner", "12345"), "set SocketUser= in the socket's unit"),
                            (("--unix-owner", ":12345"), "set SocketGroup= in the socket's unit")):
            service = self.start([local], ["web"], "--inherited", "web", *given, address=f"@wharf-test-{os.getpid()}")
            self.assertEqual(service.process.wait(PATIENCE), 1)
            self.assertIn(says, service.log())
            service.close()
        service = self.start([web], ["web"], "--inherited", "web", "--unix-mode", "600", address=f"@wharf-test-{os.getpid()}")
        self.assertEqual(service.process.wait(PATIENCE), 1)
        self.assertIn("mode, owner and group are those of a unix socket's file, and a port has none", service.log())
        service.close()
        service = self.start([local], ["web"], "--inherited", "web", "--unix-mode", "666", "--unix-owner", str(os.getuid()),
                             address=f"@wharf-test-{os.getpid()}")
        service.hear("READY=1")

    def test_wrong_descriptors_are_errors_that_say_what_is_wrong(self):
        deaf = socket.socket()
        deaf.bind(("127.0.0.1", 0))
        for wrong, says in ((socket.socket(type=socket.SOCK_DGRAM), "it is a datagram socket"), (deaf, "it does not listen"),
                            (open("/dev/null", "rb"), "it is no socket")):
            service = self.start([self.socket(wrong)], ["web"], "--inherited", "web")
            self.assertEqual(service.process.wait(PATIENCE), 1)
            self.assertIn(f"cannot listen on descriptor 3 ('web'): {says}", service.log())
        service = self.start([], [], "--inherited", "web")
        self.assertEqual(service.process.wait(PATIENCE), 1)
        self.assertIn("no socket 'web' was passed to this process; there are: none", service.log())

    def test_a_count_beyond_the_sockets_had_descriptors_of_the_server_itself_closed(self):
        with listening() as one:
            service = self.start([one], ["web"], "--inherited", "web", environment={"COUNT": "20"})
            service.hear("READY=1")
            self.assertTrue(get(one.getsockname()[1]).startswith(b"HTTP/1.1 200"))
            server.until(lambda: "LISTEN_FDS is '20', but descriptor 4 is not open" in service.log(), 20, "the log has a line")

    def test_reloading_has_its_time_and_is_followed_by_ready(self):
        service = self.start([], [])
        service.hear("READY=1")
        before = time.clock_gettime(time.CLOCK_MONOTONIC)
        service.process.send_signal(signal.SIGHUP)
        at = int(re.search(r"MONOTONIC_USEC=(\d+)", service.hear("RELOADING=1"))[1]) / 1e6
        self.assertGreaterEqual(at, before - 0.001)
        self.assertLessEqual(at, time.clock_gettime(time.CLOCK_MONOTONIC))
        service.hear("READY=1")
        service.process.send_signal(signal.SIGINT)
        service.hear("STOPPING=1")
        self.assertEqual(service.process.wait(PATIENCE), 0)

    def test_the_watchdog_hears_of_loops_that_turn_and_nothing_of_those_that_do_not(self):
        service = self.start([], [], "-t", "3", environment={"WATCHDOG_USEC": "400000", "WATCHDOG_PID": "own"})
        for _ in range(4):
            service.hear("WATCHDOG=1")

        def waiting_loops():
            threads = [int(each) for each in os.listdir(f"/proc/{service.process.pid}/task")]
            return [each for each in threads if each != service.process.pid and self.is_loop(service.process.pid, each)]

        loops = server.until(waiting_loops, 20, "a loop that waits")
        with Stopped(loops[-1]):
            time.sleep(0.6)  # what was under way
            service.socket.settimeout(0.01)
            with contextlib.suppress(TimeoutError):
                while True:
                    service.socket.recv(4096)
            service.socket.settimeout(1.2)
            with self.assertRaises(TimeoutError):
                service.socket.recv(4096)
        service.socket.settimeout(PATIENCE)
        service.hear("WATCHDOG=1")
        service.process.terminate()
        self.assertEqual(service.process.wait(PATIENCE), 0)

    @staticmethod
    def is_loop(process, thread):
        """Those wait in epoll_wait."""
        try:
            return pathlib.Path(f"/proc/{process}/task/{thread}/wchan").read_text(encoding="ascii").strip() in ("ep_poll", "do_epoll_wait")
        except OSError:
            return False

    def test_the_watchdog_of_another_process_is_not_ours(self):
        service = self.start([], [], environment={"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
        service.hear("READY=1")
        service.socket.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            service.socket.recv(4096)
        service.process.terminate()
        self.assertEqual(service.process.wait(PATIENCE), 0)

    def test_after_a_takeover_the_successor_is_the_main_process(self):
        web = self.socket(listening())
        port = web.getsockname()[1]
        service = self.start([web], ["web"], "--inherited", "web", environment={"WATCHDOG_USEC": "300000", "WATCHDOG_PID": "own"})
        service.hear("READY=1")
        service.process.send_signal(signal.SIGUSR2)
        successor = int(re.search(r"MAINPID=(\d+)", service.hear("MAINPID="))[1])
        self.assertNotEqual(successor, service.process.pid)
        self.assertEqual(service.process.wait(PATIENCE), 0)
        self.assertTrue(get(port).startswith(b"HTTP/1.1 200"))
        given = pathlib.Path(f"/proc/{successor}/environ").read_text(encoding="utf-8")
        self.assertIn(";lent;", given)
        for variable in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"):
            self.assertNotIn(variable, given)
        service.hear("WATCHDOG=1")  # of the successor
        heard = ""
        os.kill(successor, signal.SIGTERM)
        heard = service.hear("STOPPING=1")
        self.assertIn("STOPPING=1", heard)
        server.until(lambda: not os.path.exists(f"/proc/{successor}/fd") or not os.listdir(f"/proc/{successor}/fd"), 10, "its end")

    def test_a_manager_that_does_not_listen_is_said_once(self):
        service = self.start([], [], address="@wharf-nobody", environment={"NOTIFY_SOCKET": "/no/such/socket"})
        service.ready_line()
        service.process.send_signal(signal.SIGHUP)
        service.process.send_signal(signal.SIGTERM)
        self.assertEqual(service.process.wait(PATIENCE), 0)
        self.assertEqual(service.log().count("/no/such/socket"), 1)

    @unittest.skipUnless(ACTIVATE, "systemd-socket-activate is not installed")
    def test_systemd_socket_activate(self):
        port = server.free_port()
        process = subprocess.Popen([ACTIVATE, "-l", f"127.0.0.1:{port}", "--fdname=web", *server.command("--inherited", "web")],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        try:
            def answer():
                with contextlib.suppress(ConnectionError):
                    return get(port)
                return b""

            self.assertTrue(server.until(answer, 20, "an answer").startswith(b"HTTP/1.1 200"))
        finally:
            process.terminate()
            process.wait(PATIENCE)


class Units(unittest.TestCase):
    """The files that docs/operating.md shows."""

    def test_the_page_shows_what_the_files_have(self):
        page = (SOURCE / "docs/operating.md").read_text(encoding="utf-8")
        blocks = re.findall(r"```ini\n(.*?)```", page, re.DOTALL)
        self.assertEqual(len(blocks), 2)
        for block, end in zip(blocks, ("socket", "service")):
            lines = (SOURCE / f"test-apps/wharf-test-server.{end}").read_text(encoding="utf-8").splitlines()
            for line in filter(None, block.splitlines()):
                self.assertIn(line, lines)

    @unittest.skipUnless(ANALYZE, "systemd-analyze is not installed")
    def test_systemd_takes_the_files(self):
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for end in ("socket", "service"):
                text = (SOURCE / f"test-apps/wharf-test-server.{end}").read_text(encoding="utf-8")
                files.append(pathlib.Path(folder) / f"wharf-test-server.{end}")
                files[-1].write_text(text.replace("/usr/bin/wharf-test-server", os.path.abspath(server.SERVER)), encoding="utf-8")
            result = subprocess.run([ANALYZE, "verify", "--man=no", *map(str, files)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    check=False, timeout=PATIENCE)
            ours = [line for line in result.stdout.decode().splitlines() if "wharf" in line]
            self.assertEqual(ours, [])


class Stopped:
    """A thread of another process stands still, by ptrace: a signal would stop all of them."""

    ATTACH, DETACH = 16, 17

    def __init__(self, thread):
        self.thread = thread
        self.libc = ctypes.CDLL(None, use_errno=True)

    def trace(self, request):
        if self.libc.ptrace(request, self.thread, None, None) != 0:
            raise unittest.SkipTest(f"no ptrace here: {os.strerror(ctypes.get_errno())}")

    def __enter__(self):
        self.trace(self.ATTACH)
        os.waitpid(self.thread, 0x40000000)  # __WALL
        return self

    def __exit__(self, *_):
        self.trace(self.DETACH)


if __name__ == "__main__":
    unittest.main()
