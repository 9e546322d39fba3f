"""Hostile peers: their cost in memory and time is bounded, and other clients are served meanwhile."""

import contextlib
import functools
import os
import random
import select
import time
import unittest
import zlib

import frames
import raw
import server
from attack import KIB, MIB, SOON, AttackCase
from frames import COMPRESSED, CONTINUATION, OFFER

LIMIT = MIB  # of a message
MILLION = 1_000_000


@functools.cache
def bomb(size, window_bits):
    """That many zeros as a compressed message of about a thousandth of it."""
    stream = zlib.compressobj(9, wbits=-window_bits)
    zeros = bytes(MIB)
    data = [stream.compress(zeros) for _ in range(size // MIB)]
    data.append(stream.flush(zlib.Z_SYNC_FLUSH))
    return b"".join(data)[:-len(frames.TAIL)]


class Bombs(AttackCase):
    """256 MiB of zeros as about 256 KiB."""

    def test_in_one_frame(self):
        for window_bits, offer in ((12, OFFER), (15, "permessage-deflate")):
            data = bomb(256 * MIB, window_bits)
            self.assertLess(len(data), 300 * KIB)
            for opcode in (raw.BINARY, raw.TEXT):
                with self.subTest(window_bits=window_bits, opcode=opcode), self.bounded(4 * MIB):
                    self.closes_with(1009, frames.frame(opcode, data, reserved=COMPRESSED), offer)

    def test_in_fragments(self):
        for size in (1, 1000):
            with self.subTest(size=size), self.bounded(4 * MIB):
                self.closes_with(1009, frames.in_pieces(raw.BINARY, bomb(256 * MIB, 12)[:20_000], size, COMPRESSED))

    def test_many_at_once(self):
        data = frames.frame(raw.BINARY, bomb(256 * MIB, 12), reserved=COMPRESSED)
        peers = [frames.opened(self.server, OFFER) for _ in range(20)]
        # Each has its turn, and collects up to its limit meanwhile, in memory that doubles: if all grow in step, what one has given up
        # is too small for the next step of the others, and up to twice the limit is taken for each.
        with self.bounded(4 * MIB + 2 * len(peers) * LIMIT):
            for peer in peers:
                with contextlib.suppress(ConnectionError):
                    peer.send(data)
            self.assertEqual([peer.close_code() for peer in peers], [1009] * len(peers))
        for peer in peers:
            peer.close()

    def test_right_up_to_the_limit_it_is_a_message_like_any_other(self):
        with frames.opened(self.server, OFFER) as peer:
            self.echo(peer, raw.BINARY, bytes(LIMIT), frames.frame(raw.BINARY, frames.deflated(bytes(LIMIT)), reserved=COMPRESSED))
        self.closes_with(1009, frames.frame(raw.BINARY, frames.deflated(bytes(LIMIT + 1)), reserved=COMPRESSED))

    def test_blocks_that_hold_nothing(self):
        """16 MiB of empty blocks inflate to an empty message."""
        data = b"\0\0\0\xff\xff" * (16 * MIB // 5) + b"\0"
        with self.bounded(MIB), frames.opened(self.server, OFFER) as peer:
            self.echo(peer, raw.BINARY, b"", frames.frame(raw.BINARY, data, reserved=COMPRESSED))


class BombsOnKeptContexts(Bombs):
    arguments = ("-d", "error", "--compression", "dedicated")


class Fragments(AttackCase):
    """A message is collected in up to twice its bytes, and its echo waits in the queue: as much as the limit each, and what the queue and
    the receive buffer of the loop have besides."""

    most = 2 * LIMIT + MIB

    def test_a_million_of_one_byte(self):
        text = ("aé€👋" * (MILLION // 10)).encode()
        for opcode, message in ((raw.BINARY, random.Random(1).randbytes(MILLION)), (raw.TEXT, text)):
            data = frames.single_bytes(opcode, message)
            with self.subTest(opcode=opcode), self.bounded(self.most), frames.opened(self.server) as peer:
                self.echo(peer, opcode, message, data)
                self.echo(peer, opcode, b"after", frames.frame(opcode, b"after"))

    def test_one_more_than_the_limit(self):
        for opcode in (raw.BINARY, raw.TEXT):
            data = frames.single_bytes(opcode, b"x" * (LIMIT + 1))
            with self.subTest(opcode=opcode), self.bounded(self.most):
                self.closes_with(1009, data)

    def test_a_million_that_are_empty(self):
        data = frames.frame(raw.TEXT, final=False) + frames.frame(CONTINUATION, final=False) * MILLION + frames.frame(CONTINUATION)
        for offer in (None, OFFER):
            with self.bounded(MIB), frames.opened(self.server, offer) as peer:
                self.echo(peer, raw.TEXT, b"", data)

    def test_a_million_that_are_empty_and_compressed(self):
        data = frames.frame(raw.TEXT, frames.deflated(b"be")[:1], final=False, reserved=COMPRESSED)
        data += frames.frame(CONTINUATION, final=False) * MILLION + frames.frame(CONTINUATION, frames.deflated(b"be")[1:])
        with self.bounded(MIB), frames.opened(self.server, OFFER) as peer:
            self.echo(peer, raw.TEXT, b"be", data)

    def test_many_peers_that_never_end_their_message(self):
        """Memory follows the bytes received, not those announced."""
        peers = [frames.opened(self.server) for _ in range(100)]
        with self.bounded(100 * 3 * 20_000):
            for peer in peers:
                peer.send(frames.single_bytes(raw.BINARY, b"x" * 20_000)[:-7])
        for peer in peers:
            peer.close()


class PingFlood(AttackCase):
    """A million pings of 125 bytes, 1,000 of them different, none of whose pongs is read until the server has stopped to read too."""

    def setUp(self):
        super().setUp()
        payloads = [number.to_bytes(4, "big") + bytes(121) for number in range(1000)]
        self.pings = b"".join(frames.frame(raw.PING, payload) for payload in payloads)
        self.pongs = b"".join(b"\x8a\x7d" + payload for payload in payloads)

    def send_until_stuck(self, peer, sent, most):
        """Sends on from there until the server takes no more. How much of `most` bytes of pings it has let in then."""
        while sent < most and select.select([], [peer.socket], [], 0.5 * server.SLOW)[1]:
            sent += peer.socket.send(memoryview(self.pings)[sent % len(self.pings):])
        return sent

    def send_and_receive(self, peer, sent, most):
        """Sends the rest while it reads, and checks each byte that comes; until all have, or nothing more does."""
        received, expected = 0, memoryview(self.pongs * 5)
        while received < len(self.pongs) * MILLION // 1000:
            waiting = [peer.socket] if sent < most else []
            readable, writable, _ = select.select([peer.socket], waiting, [], 5 * server.SLOW)
            if not readable and not writable:
                break
            if writable:
                sent += peer.socket.send(memoryview(self.pings)[sent % len(self.pings):])
            if readable:
                data = peer.socket.recv(4 * len(self.pongs))
                at = received % len(self.pongs)
                self.assertTrue(data == expected[at:at + len(data)], f"a wrong pong in {len(data)} bytes after {received}")
                if not data:
                    break
                received += len(data)
        return received

    def test_of_a_peer_that_reads_in_the_end(self):
        most = len(self.pings) * MILLION // 1000
        with frames.opened(self.server) as peer:
            peer.socket.setblocking(False)
            with self.bounded(MIB, 3 * SOON):
                sent = self.send_until_stuck(peer, 0, most)
                self.assertLess(sent, most, "the server took all the pings while nobody read its pongs")
                time.sleep(0.3)
                self.assertEqual(self.send_until_stuck(peer, sent, most), sent, "the server reads on")
                received = self.send_and_receive(peer, sent, most)
            self.assertEqual(received, len(self.pongs) * MILLION // 1000, f"bytes of pongs for {most} bytes of pings")
            peer.socket.settimeout(5 * server.SLOW)
            self.echo(peer, raw.TEXT, b"after", frames.frame(raw.TEXT, b"after"))

    def test_of_many_peers_at_once(self):
        """Each leaves at most what the queue holds, 64 KiB and a frame, and one receive buffer of 256 KiB."""
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(frames.opened(self.server)) for _ in range(8)]
            with self.bounded(len(peers) * (256 + 64 + 16) * KIB, 3 * SOON):
                for peer in peers:
                    peer.socket.setblocking(False)
                sent = [self.send_until_stuck(peer, 0, 4 * MIB) for peer in peers]
                sent = [self.send_until_stuck(peer, before, 40 * MIB) for peer, before in zip(peers, sent)]
            self.assertLess(max(sent), 40 * MIB, "the server took all the pings while nobody read its pongs")


class Lengths(AttackCase):
    def test_a_length_that_no_memory_has_is_refused_at_once(self):
        lengths = {LIMIT + 1: 1009, 1 << 32: 1009, 1 << 40: 1009, 1 << 62: 1009, (1 << 63) - 1: 1009, 1 << 63: 1002, (1 << 64) - 1: 1002}
        with self.bounded(256 * KIB):
            for length, code in lengths.items():
                for opcode in (raw.BINARY, raw.TEXT):
                    with self.subTest(length=length, opcode=opcode):
                        head = frames.head(opcode, length) + b"mask"
                        self.closes_with(code, head)
                        self.closes_with(code, frames.frame(opcode, b"x", final=False) + bytes([head[0] & 0xF0]) + head[1:])

    def test_a_sum_of_lengths_beyond_the_limit(self):
        with self.bounded(2 * LIMIT + MIB):
            self.closes_with(1009, frames.frame(raw.BINARY, bytes(LIMIT), final=False) + frames.head(CONTINUATION, 1) + b"mask")
            self.closes_with(1009, frames.frame(raw.BINARY, b"x", final=False) + frames.head(CONTINUATION, (1 << 63) - 1) + b"mask")

    def test_a_length_that_is_promised_for_a_compressed_message(self):
        """How long it gets is not known by its length: it is read as far as it inflates, to no more than the limit."""
        start = frames.head(raw.BINARY, 1 << 62, reserved=COMPRESSED)
        key = os.urandom(4)
        with self.bounded(4 * MIB):
            self.closes_with(1002, frames.head(raw.BINARY, 1 << 63, reserved=COMPRESSED) + key)
            self.closes_with(1009, start + key + frames.masked(bomb(4 * MIB, 12), key))

    def test_a_mebibyte_that_comes_in_a_trickle(self):
        message = random.Random(2).randbytes(LIMIT)
        data = frames.frame(raw.BINARY, message)
        peers = [frames.opened(self.server) for _ in range(50)]
        sent, allocated = 0, self.server.memory("VmData")
        for upto in (14, 1_000, 30_000):
            most = len(peers) * (2 * upto + 8 * KIB)
            with self.bounded(most):
                for begin in range(sent, upto, 500):
                    for peer in peers:
                        peer.send(data[begin:min(begin + 500, upto)])
            sent = upto
            if not server.SANITIZED:
                self.assertLess(self.server.memory("VmData") - allocated, most + MIB, "bytes allocated, used or not")
        self.echo(peers[0], raw.BINARY, message, data[sent:])
        for peer in peers:
            peer.close()


class Nonsense(AttackCase):
    def test_reserved_bits(self):
        compressed = frames.deflated(b"abc")
        for name, data, offer in (
                ("compressed, and nothing was agreed on", frames.frame(raw.TEXT, compressed, reserved=COMPRESSED), None),
                ("RSV2", frames.frame(raw.TEXT, b"abc", reserved=frames.RSV2), OFFER),
                ("RSV3", frames.frame(raw.TEXT, b"abc", reserved=frames.RSV3), OFFER),
                ("RSV1 and RSV3", frames.frame(raw.TEXT, compressed, reserved=COMPRESSED | frames.RSV3), OFFER),
                ("a compressed ping", frames.frame(raw.PING, compressed, reserved=COMPRESSED), OFFER),
                ("a compressed close", frames.frame(raw.CLOSE, b"\x03\xe8", reserved=COMPRESSED), OFFER),
                ("a continuation", frames.frame(raw.TEXT, compressed[:2], False, COMPRESSED)
                 + frames.frame(CONTINUATION, compressed[2:], reserved=COMPRESSED), OFFER)):
            with self.subTest(name):
                self.closes_with(1002, data, offer)

    def test_what_does_not_inflate(self):
        whole = frames.deflated(random.Random(3).randbytes(3000))
        for name, data in (("an unknown block", b"\xff" * 20), ("a stored block whose length lies", b"\0\5\0\xfb\0abcde"),
                           ("cut within a block", whole[:-1000]), ("back beyond the beginning", b"\x02\x13\x00"),
                           ("a stored block cut short", b"\0\5\0\xfa\xffabc")):
            for opcode in (raw.BINARY, raw.TEXT):
                with self.subTest(name, opcode=opcode):
                    self.closes_with(1007, frames.frame(opcode, data, reserved=COMPRESSED))

    def test_random_bytes_instead_of_compressed_ones(self):
        source = random.Random(4)
        with self.bounded(2 * MIB):
            for _ in range(300):
                size = source.choice((1, 5, 100, 3000))
                with frames.opened(self.server, OFFER) as peer:
                    peer.send(frames.frame(raw.BINARY, source.randbytes(size), reserved=COMPRESSED))
                    opcode, payload = peer.message()
                    if opcode == raw.CLOSE:  # a few bytes may be a message by chance
                        self.assertEqual(payload[:2], (1007).to_bytes(2, "big"))
                    else:
                        self.assertEqual((opcode, size < 100), (raw.BINARY, True))

    def test_text_that_inflates_to_something_else(self):
        for name, text in (("overlong", b"\xc0\xaf"), ("surrogate", b"\xed\xa0\x80"), ("cut short", b"\xf0\x9f\x91"),
                           ("late", b"a" * 100_000 + b"\xff" + b"a" * 100), ("beyond the last", b"\xf4\x90\x80\x80")):
            data = frames.deflated(text)
            with self.subTest(name):
                self.closes_with(1007, frames.frame(raw.TEXT, data, reserved=COMPRESSED))
                self.closes_with(1007, frames.single_bytes(raw.TEXT, data, COMPRESSED))

    def test_text_is_refused_before_its_message_ends(self):
        stream = zlib.compressobj(wbits=-12)
        data = stream.compress(b"good so far \xff and so on") + stream.flush(zlib.Z_SYNC_FLUSH)
        self.closes_with(1007, frames.frame(raw.TEXT, data, final=False, reserved=COMPRESSED))
        self.closes_with(1007, frames.head(raw.TEXT, 900_000, reserved=COMPRESSED) + b"\0\0\0\0" + data)


if __name__ == "__main__":
    unittest.main()
