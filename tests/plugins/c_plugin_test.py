"""A plugin in plain C in the real server, next to plugins that it refuses, talking to python's websockets."""

import asyncio
import os
import pathlib
import shutil
import tempfile
import unittest

import server
import websocket_peer

C_ECHO = os.environ["WHARF_C_PLUGIN"]
FAULTY = pathlib.Path(os.environ["WHARF_TEST_PLUGINS"])


class CPlugin(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        shutil.copy(C_ECHO, cls.folder.name)
        for name in ("faulty_other_abi.so", "faulty_no_symbol.so", "faulty_newer.so"):
            shutil.copy(FAULTY / name, cls.folder.name)
        folder = pathlib.Path(cls.folder.name)
        (folder / "cut_short.so").write_bytes(pathlib.Path(C_ECHO).read_bytes()[:3000])
        (folder / "folder.so").mkdir()
        os.mkfifo(folder / "pipe.so")
        cls.server = server.Server("-P", cls.folder.name, "-d", "info", plugins=False, www=None)

    @classmethod
    def tearDownClass(cls):
        log = cls.server.log_file
        copy = os.dup(log.fileno())
        cls.server.stop()
        with os.fdopen(copy) as after:
            after.seek(0)
            text = after.read()
        cls.folder.cleanup()
        if "info: c-echo: stopped with no session left" not in text:
            raise AssertionError(f"the row was not stopped in order:\n{text}")

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)

    def connect(self, path="", **options):
        return websocket_peer.connect(self.server.ws_url + path, subprotocols=["c-echo"], compression=None, max_size=None, **options)

    async def receive(self, client):
        return await asyncio.wait_for(client.recv(), 5 * server.SLOW)

    async def test_texts_and_bytes_with_their_numbers(self):
        async with self.connect() as one, self.connect() as two:
            self.assertEqual(one.subprotocol, "c-echo")
            await one.send("hello, w\u00f6rld")
            answer = await self.receive(one)
            self.assertRegex(answer, "^1/[0-9]+ HELLO, W\u00f6RLD$")
            total = int(answer.split("/")[1].split()[0])
            await two.send("second")
            self.assertEqual(await self.receive(two), f"1/{total + 1} SECOND")
            await one.send(b"\0\xff\x80 bytes stay")
            self.assertEqual(await self.receive(one), b"2/%d \0\xff\x80 bytes stay" % (total + 2))
            await one.send("")
            self.assertEqual(await self.receive(one), f"3/{total + 3} ")

    async def test_the_request_reaches_accept_and_open(self):
        async with self.connect("room?who=me") as client:
            self.assertEqual(await self.receive(client), "who=me")
        async with self.connect(fields={"x-token": "secret"}):
            pass
        with self.assertRaises(websocket_peer.Refused) as refused:
            async with self.connect(fields={"X-Token": "wrong"}):
                pass
        self.assertEqual(websocket_peer.status(refused.exception), 403)

    async def test_ticks(self):
        async with self.connect() as client:
            await client.send("numbers")
            self.assertEqual([await self.receive(client) for _ in range(5)], ["0", "1", "2", "3", "4"])

    async def test_close_from_the_plugin(self):
        async with self.connect() as client:
            await client.send("bye")
            with self.assertRaises(websocket_peer.ConnectionClosed):
                await self.receive(client)
            self.assertEqual((client.close_code, client.close_reason), (4000, "bye yourself"))

    async def test_close_from_the_client_is_heard(self):
        async with self.connect() as client:
            await client.send("x")
            await self.receive(client)
            await client.close(3456, "leaving now")
        server.until(lambda: "info: c-echo: closing 3456 'leaving now' after 1" in self.server.log(), 5, "the log line")

    async def test_the_limit_of_the_row(self):
        async with self.connect() as client:
            await client.send("x" * 100_000)
            self.assertEqual(len((await self.receive(client)).split()[1]), 100_000)
            await client.send("x" * 100_001)
            with self.assertRaises(websocket_peer.ConnectionClosed):
                await self.receive(client)
            self.assertEqual(client.close_code, 1009)

    def test_the_others_are_refused_with_the_reason(self):
        self.assertEqual(self.server.protocols, ["c-echo", "echo"])
        reasons = {
            "cut_short": "it cannot be loaded: the file is cut short",
            "faulty_newer": r"it needs ABI 1\.[0-9]+, this server has ABI 1\.[0-9]+;",
            "faulty_no_symbol": ".*exports no symbol wharf_plugin_export",
            "faulty_other_abi": "it was built for ABI 2, this server has ABI 1;",
            "folder": "it cannot be loaded: it is not a regular file",
            "pipe": "it cannot be loaded: it is not a regular file",
        }

        def errors():
            return [line for line in self.server.log().splitlines() if line.startswith("error: ")]

        server.until(lambda: len(errors()) >= len(reasons), 10, "a line for each")
        self.assertEqual(len(errors()), len(reasons), errors())
        for line, (name, reason) in zip(errors(), reasons.items()):
            self.assertRegex(line, rf"^error: plugin '.*/{name}\.so' is refused: {reason}")


if __name__ == "__main__":
    unittest.main()
