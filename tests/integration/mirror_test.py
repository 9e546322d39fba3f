"""The protocols in which clients meet, lws-mirror-protocol and chat-protocol, on one loop and on four; and fraggle-protocol on the wire."""

import asyncio
import re
import socket
import struct
import time
import unittest

import raw
import server
import websocket_peer

MIRROR, CHAT, FRAGGLE = "lws-mirror-protocol", "chat-protocol", "fraggle-protocol"
CUT = "cut, a member that took nothing for 3 s"
LONG = 32 * 1024


class Case(server.Served, unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # unittest turns it on; it only slows the clients down

    def connect(self, protocol, path=""):
        return websocket_peer.connect(self.server.ws_url + path, subprotocols=[protocol], compression=None, max_size=None,
                                      max_queue=None, ping_interval=None, close_timeout=5 * server.SLOW)

    async def receive(self, client, seconds=20):
        return await asyncio.wait_for(client.recv(), seconds * server.SLOW)

    async def leave(self, clients):
        await asyncio.gather(*(client.close() for client in clients))

    def unread(self, path):
        """A member of the mirror that does not read, whose system takes little for it."""
        silent = raw.Connection.__new__(raw.Connection)
        silent.socket, silent.buffer = socket.socket(), b""
        silent.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        silent.socket.settimeout(20 * server.SLOW)
        silent.socket.connect((self.server.host, self.server.port))
        self.addCleanup(silent.close)
        self.assertEqual(silent.exchange(raw.upgrade(MIRROR, target="/" + path)).status, 101)
        return silent


class OneLoop(Case):
    arguments = ("-d", "info", "-t", "1")

    async def test_all_get_everything_in_one_order(self):
        path = "?mirror=order"
        clients = [await self.connect(MIRROR, path) for _ in range(8)]
        each = 200

        async def speak(number):
            for count in range(each):
                await clients[number].send(f"{number} {count}")

        async def listen(client):
            return [await self.receive(client) for _ in range(each * len(clients))]

        heard = await asyncio.gather(*map(listen, clients), *map(speak, range(len(clients))))
        first = heard[0]
        for number in range(len(clients)):
            self.assertEqual([text for text in first if text.startswith(f"{number} ")], [f"{number} {n}" for n in range(each)])
        for other in heard[1:len(clients)]:
            self.assertEqual(other, first)
        await self.leave(clients)

    async def test_rooms_do_not_hear_each_other(self):
        clients = [await self.connect(MIRROR, f"?mirror=room%20{number % 3}") for number in range(12)]
        for number, client in enumerate(clients[:3]):
            await client.send(f"for {number}")
        for number, client in enumerate(clients):
            self.assertEqual(await self.receive(client), f"for {number % 3}")
        await self.leave(clients)

    async def listen_for(self, client, count, size):
        for _ in range(count):
            self.assertEqual(len(await self.receive(client)), size)

    async def test_one_that_does_not_read_is_cut_and_the_others_go_on(self):
        path, count = "?mirror=cut", 400
        before = self.server.log().count(CUT)
        silent = self.unread(path)
        clients = [await self.connect(MIRROR, path) for _ in range(4)]
        memory = self.server.memory("RssAnon")

        async def speak(client):
            for _ in range(count // 2):
                await client.send("x" * LONG)

        await asyncio.gather(*(self.listen_for(client, count, LONG) for client in clients), *map(speak, clients[:2]))
        self.assertEqual(self.server.log().count(CUT), before + 1)
        with self.assertRaises((EOFError, ConnectionError)):
            while True:
                silent.frame()
        if not server.SANITIZED:
            self.assertLess(self.server.memory("RssAnon") - memory, 12_000_000)
        await self.leave(clients)

    async def test_one_that_reads_slowly_but_steadily_is_waited_for(self):
        path, count = "?mirror=slow", 150
        before = self.server.log().count(CUT)
        slow = self.unread(path)
        speaker = await self.connect(MIRROR, path)

        async def speak():
            for _ in range(count):
                await speaker.send("x" * LONG)

        def read_slowly():
            end = time.monotonic() + 6  # twice what one that takes nothing is given
            while time.monotonic() < end:
                slow.buffer += slow.socket.recv(4 * 1024)
                time.sleep(0.25)
            return [len(slow.frame()[1]) for _ in range(count)]

        sizes, *_ = await asyncio.gather(asyncio.to_thread(read_slowly), self.listen_for(speaker, count, LONG), speak())
        self.assertEqual(sizes, [LONG] * count)
        self.assertEqual(self.server.log().count(CUT), before)
        await self.leave([speaker])

    async def test_members_come_and_go_while_others_speak(self):
        path, count = "?mirror=hurry", 2000
        one, two = await self.connect(MIRROR, path), await self.connect(MIRROR, path)

        async def speak():
            for number in range(count):
                await one.send(str(number))
            await one.send("end")

        async def come_and_go():
            for number in range(60):
                with raw.Connection(self.server) as passing:
                    passing.send(raw.upgrade(MIRROR, target="/" + path) + raw.frame(raw.TEXT, "hello"))
                    if number % 3 == 0:
                        passing.reset()
                await asyncio.sleep(0)

        async def listen(client):
            heard = []
            while not heard or heard[-1] != "end":
                heard.append(await self.receive(client))
            return heard

        first, second, *_ = await asyncio.gather(listen(one), listen(two), speak(), come_and_go())
        self.assertEqual(first, second)
        self.assertEqual([text for text in first if text.isdigit()], [str(number) for number in range(count)])
        await self.leave([one, two])

    async def test_chat(self):
        clients = [await self.connect(CHAT) for _ in range(6)]
        for number, client in enumerate(clients):
            await client.send(f"join n{number}")
            while await self.receive(client) != f"joined n{number}":
                pass
        for number, client in enumerate(clients):
            for later in range(number + 1, len(clients)):
                self.assertEqual(await self.receive(client), f"joined n{later}")
        await clients[0].send("to n5 psst")
        await clients[1].send("say hello")
        for client in (clients[0], clients[5]):
            texts = [await self.receive(client), await self.receive(client)]
            self.assertEqual(sorted(re.sub("[0-9]{10,}", "T", text) for text in texts), ["private T n0 n5 psst", "said T n1 hello"])
        self.assertRegex(await self.receive(clients[2]), "^said [0-9]+ n1 hello$")
        await clients[5].close()
        self.assertEqual(await self.receive(clients[0]), "left n5")
        await clients[0].send("nonsense")
        self.assertEqual(await self.receive(clients[0]), "error there are the commands join, say, to, rename and who")
        await self.leave(clients)


class FourLoops(OneLoop):
    arguments = ("-d", "info", "-t", "4")


class Fraggle(Case):
    arguments = ("--protocol-option", f"{FRAGGLE}.period=1")

    async def test_sums(self):
        async with self.connect(FRAGGLE) as client:
            sizes = set()
            for _ in range(10):
                data, total = await self.receive(client), await self.receive(client)
                self.assertTrue(1 <= len(data) <= 1024 * 512)
                self.assertEqual(total, struct.pack("!I", sum(data)))
                sizes.add(len(data))
            self.assertGreater(len(sizes), 1)

    def test_fragments_on_the_wire(self):
        with raw.opened(self.server, FRAGGLE) as connection:
            counts = []
            for _ in range(10):
                opcode, data, final = connection.frame()
                self.assertEqual(opcode, raw.BINARY)
                fragments = [data]
                while not final:
                    opcode, data, final = connection.frame()
                    self.assertEqual(opcode, 0)
                    fragments.append(data)
                self.assertTrue(all(1 <= len(fragment) <= 512 for fragment in fragments))
                self.assertLessEqual(len(fragments), 1024)
                self.assertEqual(connection.frame(), (raw.BINARY, struct.pack("!I", sum(b"".join(fragments))), True))
                counts.append(len(fragments))
            self.assertGreater(max(counts), 50)

    async def test_compressed(self):
        async with websocket_peer.connect(self.server.ws_url, subprotocols=[FRAGGLE], max_size=None) as client:
            self.assertTrue(websocket_peer.extensions(client))
            for _ in range(5):
                data, total = await self.receive(client), await self.receive(client)
                self.assertEqual(total, struct.pack("!I", sum(data)))


if __name__ == "__main__":
    unittest.main()
