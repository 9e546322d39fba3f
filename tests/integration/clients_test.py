"""Clients that nobody here wrote, python's websockets and node's ws, on both protocols of one port at the same time."""

import asyncio
import json
import os
import pathlib
import subprocess
import time
import unittest

import server
import websocket_peer

NODE = server.need("node")
NODE_CLIENT = pathlib.Path(__file__).with_name("node_client.js")
NODE_ENVIRONMENT = {**os.environ, "NODE_PATH": os.environ.get("NODE_PATH", "/usr/share/nodejs")}
INCREMENT = "dumb-increment-protocol"
LIMIT = 1024 * 1024
SIZES = (0, 1, 125, 126, 127, 65535, 65536, LIMIT)
HELLO, OLLEH = "Hello, wörld! 👋", "👋 !dlröw ,olleH"


if subprocess.run([NODE, "-e", "require('ws')"], env=NODE_ENVIRONMENT, check=False, stderr=subprocess.DEVNULL).returncode != 0:
    server.missing_peer("node-ws")


def text_of(size):
    """Text of that many bytes, with characters of one to four bytes if there is room."""
    text = "aé€👋" * (size // 10)
    return text + "x" * (size - len(text.encode()))


def binary_of(size):
    return bytes(range(256)) * (size // 256) + bytes(range(size % 256))


class ClientCase(server.Served, unittest.IsolatedAsyncioTestCase):
    arguments = ("--default-protocol", "echo")

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # unittest turns it on; it only slows the clients down

    def connect(self, *protocols, **options):
        options = {"compression": None, "max_size": None, "close_timeout": 5 * server.SLOW, **options}
        return websocket_peer.connect(self.server.ws_url, subprotocols=protocols or None, **options)

    async def receive(self, client):
        return await asyncio.wait_for(client.recv(), 5 * server.SLOW)

    async def closed(self, client):
        """The code and reason the server closed with."""
        with self.assertRaises(websocket_peer.ConnectionClosed) as caught:
            while True:
                await self.receive(client)
        received = caught.exception.rcvd
        self.assertIsNotNone(received, f"no close frame arrived: {caught.exception}")
        return received.code, received.reason


class Clients(ClientCase):
    async def run_node(self):
        node = await asyncio.create_subprocess_exec(NODE, NODE_CLIENT, self.server.ws_url, env=NODE_ENVIRONMENT,
                                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, errors = await asyncio.wait_for(node.communicate(), 30 * server.SLOW)
        self.assertEqual(node.returncode, 0, f"{output.decode()}{errors.decode()}")
        return json.loads(output)

    async def test_both_clients_on_both_protocols_at_once(self):
        async with self.connect(INCREMENT) as counter, self.connect("reverse-echo") as echo:
            self.assertEqual(counter.subprotocol, INCREMENT)
            self.assertEqual(echo.subprotocol, "reverse-echo")
            node = asyncio.create_task(self.run_node())
            numbers, rounds = [], 0
            while not node.done() or rounds < 5:
                await echo.send(HELLO)
                self.assertEqual(await self.receive(echo), OLLEH)
                numbers.append(int(await self.receive(counter)))
                rounds += 1
            self.assertEqual(numbers, list(range(len(numbers))))
            report = await node
        self.assertEqual(report["subprotocols"], [INCREMENT, "reverse-echo", "echo"])
        self.assertEqual(report["reversed"], OLLEH)
        self.assertEqual(report["reversedBinary"], [255, 128, 2, 1, 0])
        self.assertEqual(report["numbers"], [0, 1, 2, 3, 4])
        self.assertEqual(report["afterReset"], [0, 1, 2])
        self.assertEqual(report["closed"], {"code": 1001, "reason": "seeya"})
        self.assertEqual(report["echoedSizes"], list(SIZES))
        self.assertEqual(report["tooBig"], 1009)

    async def test_a_client_that_offers_none_gets_the_default_row(self):
        async with self.connect() as client:
            self.assertIsNone(client.subprotocol)  # RFC 6455 forbids naming one that was not offered
            await client.send(HELLO)
            self.assertEqual(await self.receive(client), HELLO)

    async def test_echo_returns_every_size_with_its_type(self):
        for offered in ((), ("echo",)):
            async with self.connect(*offered) as client:
                for size in SIZES:
                    for data in (text_of(size), binary_of(size)):
                        with self.subTest(offered=offered, size=size, kind=type(data).__name__):
                            await client.send(data)
                            answer = await self.receive(client)
                            self.assertIs(type(answer), type(data))
                            self.assertTrue(answer == data, "the bytes differ")

    async def test_echo_joins_fragments(self):
        async with self.connect("echo") as client:
            await client.send(["frag", "", "mén", "ts"])
            self.assertEqual(await self.receive(client), "fragménts")
            await client.send([bytes([number]) for number in range(256)])
            self.assertEqual(await self.receive(client), bytes(range(256)))

    async def test_many_in_flight_come_back_in_order(self):
        async with self.connect("echo", max_queue=None) as client:
            sent = [f"message {number} " + "." * (number % 300) for number in range(2000)]
            for message in sent:
                await client.send(message)
            self.assertEqual([await self.receive(client) for _ in sent], sent)

    async def test_more_than_the_limit_is_closed_with_1009(self):
        half = b"h" * (LIMIT // 2)
        for offered in ("echo", "reverse-echo"):
            for message in (b"b" * (LIMIT + 1), "t" * (LIMIT + 1), b"b" * (3 * LIMIT), [half, half, b"!"]):
                with self.subTest(offered=offered, message=f"{type(message).__name__} of {len(message)}"):
                    async with self.connect(offered) as client:
                        try:
                            await client.send(message)
                        except websocket_peer.ConnectionClosed:
                            pass  # the server need not wait for the whole of it
                        self.assertEqual((await self.closed(client))[0], 1009)

    async def test_compression_that_is_offered_does_no_harm(self):
        async with self.connect("reverse-echo", compression="deflate") as client:
            await client.send(HELLO * 50)
            self.assertEqual(await self.receive(client), OLLEH * 50)

    async def test_ping_is_answered(self):
        async with self.connect("reverse-echo") as client:
            pong = await client.ping(b"with data")
            await asyncio.wait_for(pong, 5 * server.SLOW)

    async def test_a_client_that_closes_is_answered_with_its_code(self):
        client = await self.connect("reverse-echo")
        await client.close(4321, "my own reason")
        self.assertEqual(client.close_code, 4321)


class ReverseEcho(ClientCase):
    async def test_text_is_reversed_by_code_point(self):
        async with self.connect("reverse-echo") as client:
            for text in (HELLO, "", "a", "é", "👋", "ab", "\0\n\r\t", "e\u0301", "\U0010ffff\ue000\ud7ff"):
                with self.subTest(text=text):
                    await client.send(text)
                    self.assertEqual(await self.receive(client), text[::-1])

    async def test_binary_is_reversed_by_byte(self):
        async with self.connect("reverse-echo") as client:
            for data in (b"", b"\xff", HELLO.encode(), bytes(range(256))):
                with self.subTest(data=data):
                    await client.send(data)
                    self.assertEqual(await self.receive(client), data[::-1])

    async def test_every_size(self):
        async with self.connect("reverse-echo") as client:
            for size in SIZES:
                for data in (text_of(size), binary_of(size)):
                    with self.subTest(size=size, kind=type(data).__name__):
                        await client.send(data)
                        self.assertTrue(await self.receive(client) == data[::-1], "not the reverse")


class Increment(ClientCase):
    async def test_counts_from_zero_every_50_ms(self):
        async with self.connect(INCREMENT) as client:
            first = await self.receive(client)
            start = time.monotonic()
            rest = [await self.receive(client) for _ in range(20)]
            elapsed = time.monotonic() - start
        self.assertEqual([first, *rest], [str(number) for number in range(21)])
        self.assertGreater(elapsed, 0.9)
        self.assertLess(elapsed, 1.5 * server.SLOW)

    async def test_each_connection_has_its_own_counter(self):
        async with self.connect(INCREMENT) as early:
            for number in range(5):
                self.assertEqual(await self.receive(early), str(number))
            async with self.connect(INCREMENT) as late:
                for number in range(5):
                    self.assertEqual(await self.receive(late), str(number))
                    self.assertEqual(await self.receive(early), str(number + 5))
                await late.send("reset\n")
            self.assertEqual([await self.receive(early) for _ in range(5)], [str(number) for number in range(10, 15)])

    async def test_reset_sets_it_to_zero(self):
        async with self.connect(INCREMENT) as client:
            while int(await self.receive(client)) < 10:
                pass
            await client.send("reset\n")
            numbers = [int(await self.receive(client)) for _ in range(10)]
        zero = numbers.index(0)
        self.assertLess(zero, 4, numbers)  # what was on its way may still arrive
        self.assertEqual(numbers[:zero], list(range(11, 11 + zero)))
        self.assertEqual(numbers[zero:], list(range(10 - zero)))

    async def test_closeme_closes_with_1001_seeya(self):
        async with self.connect(INCREMENT) as client:
            await client.send("closeme\n")
            self.assertEqual(await self.closed(client), (1001, "seeya"))

    async def test_other_messages_are_ignored(self):
        async with self.connect(INCREMENT) as client:
            await self.receive(client)
            for message in ("", "rese", "close", "reset", "hello, world\n", "RESET\n", b"\xff\xfe"):
                await client.send(message)
            self.assertEqual([await self.receive(client) for _ in range(6)], [str(number) for number in range(1, 7)])


if __name__ == "__main__":
    unittest.main()
