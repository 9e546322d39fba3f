"""The examples that use the codec on sockets of their own, blocking-echo and socket-chat, against python's websockets and bare sockets."""

import asyncio
import contextlib
import os
import re
import subprocess
import unittest
import urllib.error
import urllib.request

import raw
import server
import websocket_peer

ECHO = os.environ.get("WHARF_BLOCKING_ECHO", "build/plain/test-apps/blocking-echo")
CHAT = os.environ.get("WHARF_SOCKET_CHAT", "build/plain/test-apps/socket-chat")
SIZES = (0, 1, 125, 126, 127, 65535, 65536, 1024 * 1024)
READY = re.compile(rb"listening on (http://(127\.0\.0\.1):(\d+)/)\n")


class Example:
    """A running example; to connect to it, it has host and port."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "-p", "0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        match = READY.fullmatch(self.process.stdout.readline())
        if match is None:
            self.stop()
            raise AssertionError(f"{program} did not say where it listens")
        self.url, self.host, self.port = match[1].decode(), match[2].decode(), int(match[3])
        self.ws_url = self.url.replace("http", "ws", 1)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait()
        self.process.stdout.close()
        return status


class ExampleCase(unittest.IsolatedAsyncioTestCase):
    program = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.example = Example(cls.program)

    @classmethod
    def tearDownClass(cls):
        status = cls.example.stop()
        super().tearDownClass()
        if status != -15:
            raise AssertionError(f"{cls.program} ended with {status} before it was told to")

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)

    def connect(self, **options):
        return websocket_peer.connect(self.example.ws_url, **{"max_size": None, "max_queue": None, **options})

    async def receive(self, client):
        return await asyncio.wait_for(client.recv(), 5 * server.SLOW)

    def check_last_close_after_a_long_message(self, protocol):
        """The last bytes to a client that goes on sending must not be lost, as happens if a socket is closed with bytes unread."""
        for size in (2 * 1024 * 1024, 32 * 1024 * 1024):
            with self.subTest(size=size), raw.opened(self.example, protocol) as connection:
                connection.send(b"\x81\xff" + size.to_bytes(8, "big") + bytes(4))
                sent = 0
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # then the close is what counts
                    while sent < size:
                        connection.send(b"x" * 4096)
                        sent += 4096
                opcode, payload, _ = connection.frame()
                while opcode != raw.CLOSE:
                    opcode, payload, _ = connection.frame()
                self.assertEqual(int.from_bytes(payload[:2], "big"), 1009)
                self.assertEqual(sent, size)
                self.assertTrue(connection.ended())

    def check_usage(self):
        done = subprocess.run([self.program, "--help"], capture_output=True, text=True, check=True)
        self.assertIn("usage: ", done.stdout)
        for wrong in (["-p"], ["-p", "x"], ["-p", "65536"], ["-p", ""], ["-x", "1"], ["-p", "1", "2"]):
            self.assertEqual(subprocess.run([self.program, *wrong], capture_output=True, check=False).returncode, 2, wrong)
        taken = subprocess.run([self.program, "-p", str(self.example.port)], capture_output=True, text=True, check=False)
        self.assertEqual((taken.returncode, "in use" in taken.stderr), (1, True))


class BlockingEcho(ExampleCase):
    program = ECHO

    async def test_echo_of_all_sizes(self):
        for compression in ("deflate", None):
            async with self.connect(compression=compression) as client:
                self.assertEqual(len(websocket_peer.extensions(client)), 1 if compression else 0)
                for size in SIZES:
                    text, noise = "ä€👋x" * (size // 10) + "y" * (size % 10), os.urandom(size)
                    for message in (text, noise, [text[:size // 3], text[size // 3:], "end"]):
                        await client.send(message)
                        expected = "".join(message) if isinstance(message, list) else message
                        if len(expected.encode() if isinstance(expected, str) else expected) <= 1024 * 1024:
                            self.assertEqual(await self.receive(client), expected)
                        else:
                            with self.assertRaises(websocket_peer.ConnectionClosed):
                                await self.receive(client)
                            self.assertEqual(client.close_code, 1009)
                            break

    async def test_ping_and_close(self):
        async with self.connect() as client:
            await asyncio.wait_for(await client.ping(b"p"), 5 * server.SLOW)
            await client.close(4001, "enough")
            self.assertEqual(client.close_code, 4001)

    async def test_several_at_once(self):
        async with self.connect() as one, self.connect() as two:
            await one.send("1")
            await two.send("2")
            self.assertEqual((await self.receive(two), await self.receive(one)), ("2", "1"))

    def test_request_and_frames_in_one_piece_and_byte_by_byte(self):
        conversation = raw.upgrade() + raw.frame(raw.TEXT, "Hel", final=False) + raw.frame(raw.PING, "p") + raw.frame(0, "lo") \
            + raw.frame(raw.CLOSE, b"\x03\xe8")
        for pieces in ([conversation], [bytes([byte]) for byte in conversation]):
            with raw.Connection(self.example) as connection:
                for piece in pieces:
                    connection.send(piece)
                response = connection.response()
                self.assertEqual((response.status, response["Sec-WebSocket-Accept"]), (101, raw.ACCEPT))
                self.assertEqual([connection.frame() for _ in range(3)],
                                 [(raw.PONG, b"p", True), (raw.TEXT, b"Hello", True), (raw.CLOSE, b"\x03\xe8", True)])
                self.assertTrue(connection.ended())

    def test_the_last_close_arrives_after_a_long_message(self):
        self.check_last_close_after_a_long_message(None)

    def test_faults_are_told_and_end_it(self):
        for bad, code in ((b"\x81\x01a", 1002), (raw.frame(raw.TEXT, b"\xff"), 1007)):
            with raw.opened(self.example, None) as connection:
                connection.send(bad)
                opcode, payload, _ = connection.frame()
                self.assertEqual((opcode, int.from_bytes(payload[:2], "big")), (raw.CLOSE, code))
                self.assertTrue(connection.ended())
        for request, status in ((b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426), (b"\0", 400), (raw.upgrade(Sec_WebSocket_Version="8"), 426)):
            with raw.Connection(self.example) as connection:
                self.assertEqual(connection.exchange(request).status, status)
                self.assertTrue(connection.ended())

    def test_usage(self):
        self.check_usage()


class SocketChat(ExampleCase):
    program = CHAT

    def join(self, **options):
        return self.connect(subprotocols=["chat"], **options)

    async def until(self, client, text):
        while await self.receive(client) != text:
            pass

    async def named(self, client, name):
        await client.send("/name " + name)
        while not (await self.receive(client)).endswith(" is now " + name):
            pass

    async def test_everybody_hears_everybody(self):
        async with self.join() as ada, self.join(compression=None) as bob:
            await self.named(ada, "Ada")
            await self.named(bob, "Bob")
            await bob.send("hello")
            await self.until(ada, "Bob: hello")
            await self.until(bob, "Bob: hello")
            await bob.close()
            await self.until(ada, "* Bob left")

    async def test_many_talk_at_once(self):
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(self.join()) for _ in range(6)]
            for number, client in enumerate(clients):
                await self.named(client, f"c{number}")

            async def talk(client, number):
                for count in range(100):
                    await client.send(f"{count}")
                    if count % 10 == 0:
                        await asyncio.wait_for(await client.ping(), 10 * server.SLOW)
                heard = {other: [] for other in range(6)}
                while any(len(said) < 100 for said in heard.values()):
                    match = re.fullmatch(r"c(\d): (\d+)", await self.receive(client))
                    if match:
                        heard[int(match[1])].append(int(match[2]))
                return number, heard

            for _, heard in await asyncio.gather(*(talk(client, number) for number, client in enumerate(clients))):
                self.assertEqual(list(heard.values()), [list(range(100))] * 6)

    def test_the_last_close_arrives_after_a_long_message(self):
        self.check_last_close_after_a_long_message("chat")

    async def test_names_are_checked(self):
        async with self.join() as client:
            await self.receive(client)
            for wrong in ("", "x" * 41, "a\nb"):
                await client.send("/name " + wrong)
                await self.until(client, "* a name has 1 to 40 bytes and no control characters")

    def test_a_client_that_does_not_read_is_cut_and_disturbs_nobody(self):
        with raw.opened(self.example, "chat") as slow, raw.opened(self.example, "chat") as fast:
            said = b"x" * 200_000
            for _ in range(100):
                fast.send(raw.frame(raw.TEXT, said))
                while not fast.frame()[1].endswith(said):
                    pass
            with self.assertRaises((EOFError, ConnectionResetError)):
                while True:
                    slow.frame()

    async def test_only_chat_and_only_its_own_page(self):
        with self.assertRaises(websocket_peer.Refused) as refused:
            await self.connect(subprotocols=["other"])
        self.assertEqual(websocket_peer.status(refused.exception), 400)
        with self.assertRaises(websocket_peer.Refused) as refused:
            await self.join(origin="http://evil.example")
        self.assertEqual(websocket_peer.status(refused.exception), 403)
        async with self.join(origin=self.example.url.rstrip("/")):
            pass

    def test_page(self):
        with urllib.request.urlopen(self.example.url, timeout=5 * server.SLOW) as answer:
            self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
            self.assertIn(b"new WebSocket", answer.read())
        for path, data, status in (("nothing", None, 404), ("", b"x", 405)):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(self.example.url + path, data, timeout=5 * server.SLOW)
            self.assertEqual(refused.exception.code, status)
            refused.exception.close()

    def test_usage(self):
        self.check_usage()


if __name__ == "__main__":
    unittest.main()
