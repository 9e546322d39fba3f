"""Echo is byte-exact at every size, whole and in fragments of one byte, compressed in every way that can be agreed on and not at all."""

import asyncio
import json
import os
import pathlib
import random
import subprocess
import unittest

import frames
import raw
import server
import websocket_peer

NODE = server.need("node")
NODE_CLIENT = pathlib.Path(__file__).with_name("echo_client.js")
NODE_ENVIRONMENT = {**os.environ, "NODE_PATH": os.environ.get("NODE_PATH", "/usr/share/nodejs"), "UV_THREADPOOL_SIZE": "1"}
LIMIT = 1024 * 1024
SIZES = (0, 1, 125, 126, 127, 65535, 65536, LIMIT)
FEW_SIZES = (0, 1, 127, 65536)
# Bytes that clients send one by one. They take ten microseconds and more for each, and a multiple of that if they compress it.
THOROUGH = os.environ.get("WHARF_THOROUGH") == "1"
MOST_IN_FRAGMENTS, MOST_WITH_CONTEXT = (LIMIT, LIMIT) if THOROUGH else (65536, 127)
WINDOW = 12                # the server's own, docs/compression.md
CONTEXTS = {"snct": "server_no_context_takeover", "cnct": "client_no_context_takeover"}

if subprocess.run([NODE, "-e", "require('ws')"], env=NODE_ENVIRONMENT, check=False, stderr=subprocess.DEVNULL).returncode != 0:
    server.missing_peer("node-ws")


def words(size):
    """Bytes that repeat others from all distances up to 64 KiB, with some noise between: every window finds something else in them."""
    source = random.Random(size)
    data = bytearray(source.randbytes(min(size, 200)))
    while len(data) < size:
        back = source.randrange(1, min(len(data), 1 << source.randrange(4, 17)) + 1)
        data += data[len(data) - back:][:source.randrange(3, 200)]
        data += source.randbytes(source.randrange(3))
    return bytes(data[:size])


def ascii_text(size):
    return "".join(chr(97 + byte % 26) for byte in words(size))


def text(size):
    """Text of that many bytes, with characters of one to four bytes if there is room."""
    return "aé€👋" * (size // 10) + "x" * (size % 10)


BINARY, ASCII, TEXT = ({size: make(size) for size in SIZES} for make in (words, ascii_text, text))
SAMPLES = (BINARY, ASCII, TEXT)


def answer(mode, snct=False, cnct=False, server_bits=None, client_bits=None):
    """What the server answers to an offer of permessage-deflate, by the table in docs/compression.md. client_bits is True without value."""
    parts = ["permessage-deflate"]
    if snct:
        parts.append(CONTEXTS["snct"])
    if cnct or mode == "shared":
        parts.append(CONTEXTS["cnct"])
    if server_bits:
        parts.append(f"server_max_window_bits={min(server_bits, WINDOW)}")
    if client_bits:
        parts.append(f"client_max_window_bits={min(15 if client_bits is True else client_bits, WINDOW)}")
    return "; ".join(parts)


def offer_text(snct=False, cnct=False, server_bits=None, client_bits=None):
    parts = ["permessage-deflate"] + [name for name, given in zip(CONTEXTS.values(), (snct, cnct)) if given]
    if server_bits:
        parts.append(f"server_max_window_bits={server_bits}")
    if client_bits:
        parts.append("client_max_window_bits" + ("" if client_bits is True else f"={client_bits}"))
    return "; ".join(parts)


def variants(least_client_bits):
    """Every window of either side and every choice of contexts. zlib cannot compress with a window of 2^8, so no client here may say so."""
    windows = [{"server_bits": bits} for bits in range(8, 16)]
    windows += [{"server_bits": bits, "client_bits": True} for bits in (8, 9, 15)]
    windows += [{"client_bits": bits} for bits in range(least_client_bits, 16)]
    windows += [{}, {"client_bits": True}, {"server_bits": 9, "client_bits": 9}, {"server_bits": 15, "client_bits": 15}]
    contexts = [{"snct": True}, {"cnct": True}, {"snct": True, "cnct": True}]
    return windows + [{**context, **window} for context in contexts for window in ({}, {"server_bits": 8, "client_bits": 9})]


class Modes(unittest.IsolatedAsyncioTestCase):
    """A server for each value of --compression."""

    @classmethod
    def setUpClass(cls):
        cls.servers = {mode: server.Server("-d", "error", "--compression", mode) for mode in ("off", "shared", "dedicated")}

    @classmethod
    def tearDownClass(cls):
        for one in cls.servers.values():
            one.stop()

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # unittest turns it on; it only slows the clients down


class Python(Modes):
    def connect(self, mode, offer=None):
        extensions = None if offer is None else [
            websocket_peer.Offer(server_no_context_takeover=offer.get("snct", False),
                                 client_no_context_takeover=offer.get("cnct", False),
                                 server_max_window_bits=offer.get("server_bits"), client_max_window_bits=offer.get("client_bits"))]
        return websocket_peer.connect(self.servers[mode].ws_url, subprotocols=["echo"], extensions=extensions, compression=None,
                                      max_size=None, ping_interval=None, close_timeout=5 * server.SLOW)

    async def echo(self, client, data, sent):
        await client.send(sent)
        back = await asyncio.wait_for(client.recv(), 20 * server.SLOW)
        self.assertIs(type(back), type(data))
        self.assertTrue(back == data, "the bytes differ")

    def negotiated(self, client, wanted):
        self.assertEqual(websocket_peer.field(client, "Sec-WebSocket-Extensions"), wanted)
        self.assertEqual(len(websocket_peer.extensions(client)), 1 if wanted else 0)

    async def every_size(self, mode, offer, wanted):
        async with self.connect(mode, offer) as client:
            self.negotiated(client, wanted)
            for size in SIZES:
                for sample in SAMPLES:
                    with self.subTest(mode=mode, size=size, kind=type(sample[0]).__name__):
                        await self.echo(client, sample[size], sample[size])

    async def test_whole_and_not_compressed(self):
        for mode, offer in (("off", None), ("off", {}), ("off", {"client_bits": True}), ("shared", None), ("dedicated", None)):
            await self.every_size(mode, offer, "")

    async def test_whole_and_compressed(self):
        for mode in ("shared", "dedicated"):
            await self.every_size(mode, {"client_bits": True}, answer(mode, client_bits=True))

    async def test_fragments_of_one_byte(self):
        for mode, offer, most in (("off", None, MOST_IN_FRAGMENTS), ("shared", {"client_bits": True}, MOST_IN_FRAGMENTS),
                                  ("dedicated", {"client_bits": True}, MOST_WITH_CONTEXT)):
            async with self.connect(mode, offer) as client:
                self.negotiated(client, "" if offer is None else answer(mode, **offer))
                for size in (size for size in SIZES if size <= most):
                    binary, characters = BINARY[size], ASCII[size]
                    with self.subTest(mode=mode, size=size):
                        await self.echo(client, binary, [binary[at:at + 1] for at in range(size)] or binary)
                        await self.echo(client, characters, list(characters) or characters)

    async def test_every_offer_that_can_be_accepted(self):
        for mode in ("shared", "dedicated"):
            for offer in variants(9):
                async with self.connect(mode, offer) as client:
                    with self.subTest(mode=mode, offer=offer):
                        self.negotiated(client, answer(mode, **offer))
                        for size in (*FEW_SIZES, 65536):  # the last builds on the one before where contexts are kept
                            await self.echo(client, BINARY[size], BINARY[size])
                            await self.echo(client, ASCII[size], ASCII[size])


class Node(Modes):
    async def run_node(self, mode, scenarios):
        """The reports of echo_client.js, one for each scenario."""
        node = await asyncio.create_subprocess_exec(NODE, NODE_CLIENT, self.servers[mode].ws_url, env=NODE_ENVIRONMENT,
                                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, errors = await asyncio.wait_for(node.communicate(json.dumps(scenarios).encode()), 60 * server.SLOW)
        self.assertEqual(node.returncode, 0, f"{output.decode()}{errors.decode()}")
        reports = json.loads(output)
        self.assertEqual(len(reports), len(scenarios))
        for scenario, report in zip(scenarios, reports):
            with self.subTest(mode=mode, **scenario):
                self.assertEqual(report["wrong"], [])
                self.assertGreaterEqual(report["echoed"], 2 * len(SIZES))
                self.assertEqual(report["closed"], 1000)
        return reports

    async def test_every_size_whole_and_in_fragments(self):
        plain, offers = {"perMessageDeflate": False}, {"perMessageDeflate": {"threshold": 0}}
        reports = await asyncio.gather(
            self.run_node("off", [{"options": plain, "fragments": MOST_IN_FRAGMENTS}, {"options": offers, "fragments": 127}]),
            self.run_node("shared", [{"options": offers, "fragments": MOST_IN_FRAGMENTS}, {"options": plain, "fragments": 127}]),
            self.run_node("dedicated", [{"options": offers, "fragments": MOST_WITH_CONTEXT}]))
        for report in (*reports[0], reports[1][1]):
            self.assertEqual(report["extensions"], "")
            self.assertGreater(min(report["sent"], report["received"]), 2 * LIMIT)
        for mode, report in (("shared", reports[1][0]), ("dedicated", reports[2][0])):
            self.assertEqual(report["extensions"], answer(mode, client_bits=True))
            self.assertLess(max(report["sent"], report["received"]), LIMIT, "not much of it was compressed")

    async def test_every_offer_that_can_be_accepted(self):
        names = {"snct": "serverNoContextTakeover", "cnct": "clientNoContextTakeover", "server_bits": "serverMaxWindowBits",
                 "client_bits": "clientMaxWindowBits"}
        offers = variants(9)

        def scenario(offer):
            options = {names[name]: value for name, value in offer.items()}
            return {"options": {"perMessageDeflate": {"threshold": 0, "clientMaxWindowBits": False, **options}}, "fragments": 127}

        modes = ("shared", "dedicated")
        reports = await asyncio.gather(*(self.run_node(mode, [scenario(offer) for offer in offers]) for mode in modes))
        for mode, of_mode in zip(modes, reports):
            self.assertEqual([report["extensions"] for report in of_mode], [answer(mode, **offer) for offer in offers])


class Bare(Modes):
    """Frames by hand: a MiB in fragments of one byte, and the exact bytes on the wire."""

    def echo(self, peer, opcode, message, data):
        peer.send(data)
        kind, back = peer.message()
        self.assertEqual(kind, opcode)
        self.assertTrue(back == message, f"{len(back)} bytes came back, not the {len(message)} that were sent")

    def samples(self, size):
        return ((raw.BINARY, BINARY[size]), (raw.TEXT, TEXT[size].encode()), (raw.TEXT, ASCII[size].encode()))

    def test_fragments_of_one_byte(self):
        for mode, one in self.servers.items():
            with frames.opened(one, frames.OFFER) as peer:
                self.assertEqual(peer.extensions, "" if mode == "off" else answer(mode, client_bits=True))
                for size in SIZES:
                    for opcode, message in self.samples(size):
                        with self.subTest(mode=mode, size=size, opcode=opcode):
                            self.echo(peer, opcode, message, frames.single_bytes(opcode, message))

    def test_compressed_and_then_cut_into_fragments(self):
        for mode in ("shared", "dedicated"):
            with frames.opened(self.servers[mode], frames.OFFER) as peer:
                for size in SIZES:
                    for opcode, message in self.samples(size):
                        data = frames.deflated(message)
                        with self.subTest(mode=mode, size=size, opcode=opcode):
                            self.echo(peer, opcode, message, frames.single_bytes(opcode, data, frames.COMPRESSED))
                            self.echo(peer, opcode, message, frames.in_pieces(opcode, data, 7, frames.COMPRESSED))
                            if size < 64 or size > 1000:  # in between it depends on whether that makes it shorter
                                self.assertEqual(peer.compressed, size > 1000)

    def test_a_mebibyte_that_does_not_compress_in_fragments_of_one_byte(self):
        message = random.Random(1).randbytes(LIMIT)
        data = frames.deflated(message)
        self.assertGreater(len(data), LIMIT)
        for mode in ("shared", "dedicated"):
            with frames.opened(self.servers[mode], frames.OFFER) as peer:
                self.echo(peer, raw.BINARY, message, frames.single_bytes(raw.BINARY, data, frames.COMPRESSED))

    def test_every_answer(self):
        for mode, one in self.servers.items():
            for offer in variants(8):
                with self.subTest(mode=mode, offer=offer), frames.opened(one, offer_text(**offer)) as peer:
                    self.assertEqual(peer.extensions, "" if mode == "off" else answer(mode, **offer))

    def test_offers_that_are_passed_over(self):
        bad = ("permessage-deflate; unknown", "permessage-deflate; server_max_window_bits=7", "permessage-deflate; client_max_window_bits=16",
               "permessage-deflate; server_max_window_bits", "permessage-deflate; server_no_context_takeover=1", "x-webkit-deflate-frame",
               "permessage-deflate; client_max_window_bits; client_max_window_bits")
        for mode, one in self.servers.items():
            for offer in bad:
                for more, wanted in (("", ""), (", permessage-deflate; server_max_window_bits=10", answer(mode, server_bits=10))):
                    with self.subTest(mode=mode, offer=offer + more), frames.opened(one, offer + more) as peer:
                        self.assertEqual(peer.extensions, "" if mode == "off" else wanted)
                        self.echo(peer, raw.TEXT, b"still served", frames.frame(raw.TEXT, b"still served"))


if __name__ == "__main__":
    unittest.main()
