"""Peers that leave something half done and stay: what each of them costs, what is left when they have gone, how long the server waits."""

import concurrent.futures
import os
import random
import resource
import select
import time
import unittest
import unittest.mock

import frames
import raw
import server
from attack import KIB, MIB, SOON, AttackCase
from frames import COMPRESSED, OFFER

INCREMENT = "dumb-increment-protocol"

os.environ.pop("MALLOC_PERTURB_", None)  # of meson: it fills all that is allocated, also what nobody would ever touch


class Crowd(AttackCase):
    """1,000 peers at once."""

    peers = 1000
    sample, long_sample = random.Random(5).randbytes(1000), random.Random(6).randbytes(36_000)

    @staticmethod
    def before_start():
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

    def setUp(self):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        if before[1] != resource.RLIM_INFINITY and before[1] < self.peers + 100:
            self.peers = before[1] - 100
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
        super().setUp()
        self.order = random.Random(7)

    def round(self, offer, data, answer=None):
        """The server's anonymous memory at first, with all the peers connected, and when it has had `data` from each. They leave in another
        order than they came."""
        sizes = [self.server.memory("RssAnon")]
        peers = [frames.opened(self.server, offer) for _ in range(self.peers)]
        sizes.append(self.server.memory("RssAnon"))
        for peer in peers:
            peer.send(data + frames.frame(raw.PING, b"?"))
            if answer is not None:
                self.assertEqual(peer.message(), (raw.BINARY, answer))
            self.assertEqual(peer.message(), (raw.PONG, b"?"))  # then what came before it has been read
        sizes.append(self.server.memory("RssAnon"))
        for peer in self.order.sample(peers, len(peers)):
            peer.close()
        server.until(lambda: self.server.descriptors() == self.idle, SOON, "all of them gone")
        return sizes

    def check(self, most, offer, data, answer=None):
        """The first round shows what a peer costs. The allocator may keep that afterwards; then the next rounds use it."""
        before, connected, full = self.round(offer, data, answer)
        later = [self.round(offer, data, answer)[2] for _ in range(2)]
        print(f"{self.id()}: {self.peers} peers took {(connected - before) // self.peers} bytes each and then "
              f"{(full - connected) // self.peers} more: {full // KIB} KiB, and {[size // KIB for size in later]} KiB in further rounds")
        if not server.SANITIZED:
            self.assertLess((connected - before) // self.peers, KIB, "bytes for a peer that is connected")
            self.assertLess((full - connected) // self.peers, most, "bytes for a peer")
            self.assertLess(max(later), 1.5 * full)

    def check_freed(self, offer, data, answer=None):
        before = self.server.memory("RssAnon")
        full = self.round(offer, data, answer)[2]
        after = self.server.memory("RssAnon")
        print(f"{self.id()}: {before // KIB} KiB, {full // KIB} KiB with {self.peers} peers, {after // KIB} KiB when they had left")
        if not server.SANITIZED:
            self.assertGreater(full - before, 4 * MIB)
            self.assertLess(after - before, 2 * MIB, "bytes that stayed")

    def unfinished(self, message):
        data = frames.deflated(message)
        return frames.frame(raw.BINARY, data[:len(data) * 9 // 10], final=False, reserved=COMPRESSED)


class Unfinished(Crowd):
    """Each leaves a message that it does not end."""

    def test_with_windows_as_the_server_asks_for(self):
        # 11 KiB to inflate, docs/compression.md; what came of the message
        self.check(16 * KIB, OFFER, self.unfinished(self.sample))

    def test_with_windows_that_cannot_be_limited(self):
        # 39 KiB to inflate, and 32 of the message
        self.check(84 * KIB, "permessage-deflate", self.unfinished(self.long_sample))

    def test_without_compression(self):
        self.check(4 * KIB, None, frames.frame(raw.BINARY, self.sample[:500], final=False))


class UnfinishedOnKeptContexts(Unfinished):
    arguments = ("-d", "error", "--compression", "dedicated")

    def test_between_messages(self):
        """The memory that docs/compression.md names for compressing and inflating, and the allocator's overhead."""
        data = frames.frame(raw.BINARY, frames.deflated(self.long_sample), reserved=COMPRESSED)
        self.check((38 + 11 + 5) * KIB, OFFER, data, self.long_sample)

    def test_between_messages_with_windows_that_cannot_be_limited(self):
        data = frames.frame(raw.BINARY, frames.deflated(self.long_sample), reserved=COMPRESSED)
        self.check((38 + 39 + 5) * KIB, "permessage-deflate", data, self.long_sample)


class Freed(Crowd):
    """With an allocator that returns everything of a page and more to the system, so that it does not hide what is kept."""

    arguments = ("-d", "error", "--compression", "dedicated")

    def setUp(self):
        with unittest.mock.patch.dict(os.environ, GLIBC_TUNABLES="glibc.malloc.mmap_threshold=4096:glibc.malloc.top_pad=0"):
            super().setUp()

    def test_most_of_a_message(self):
        self.check_freed(OFFER, self.unfinished(self.long_sample))

    def test_contexts(self):
        data = frames.frame(raw.BINARY, frames.deflated(self.long_sample), reserved=COMPRESSED)
        self.check_freed(OFFER, data, self.long_sample)


class Patience(unittest.TestCase):
    """Peers that leave the server waiting: it waits as long as docs/limits.md says, for all of them at once."""

    CLOSE, LINGER, STALL = 5, 2, 30  # s

    @classmethod
    def setUpClass(cls):
        cls.server = server.Server("-d", "error")
        cls.idle = cls.server.descriptors()
        with frames.opened(cls.server) as peer:
            peer.send(frames.frame(raw.TEXT, b"first"))
            peer.message()
        cls.pool = concurrent.futures.ThreadPoolExecutor()
        cls.results = {scenario: cls.pool.submit(scenario, cls) for scenario in (cls.silent, cls.talking, cls.staying, cls.not_reading)}

    @classmethod
    def tearDownClass(cls):
        cls.pool.shutdown()
        cls.server.stop()

    def closing(self):
        """A peer to whom the server has just said that it closes."""
        peer = frames.opened(self.server, protocol=INCREMENT)
        peer.send(frames.frame(raw.TEXT, b"closeme\n"))
        while True:
            opcode, payload = peer.message()
            if opcode == raw.CLOSE:
                if payload != b"\x03\xe9seeya":
                    raise AssertionError(f"closed with {payload!r}")
                return peer

    def times(self, peer, begun, talk=b""):
        """Seconds until the server ends its side, and until it has let go of the connection."""
        peer.socket.settimeout(0.1)
        ended = None
        while ended is None or self.server.holds(peer.socket.getsockname()[1]):
            try:
                if talk:
                    peer.socket.send(talk)
                if ended is None and peer.socket.recv(65536) == b"":
                    ended = time.monotonic() - begun
            except TimeoutError:
                pass
            except ConnectionError:
                return ended or time.monotonic() - begun, time.monotonic() - begun
            if ended is not None:
                time.sleep(0.02)
            if time.monotonic() - begun > 60 * server.SLOW:
                raise AssertionError("the server still holds the connection")
        return ended, time.monotonic() - begun

    def silent(self):
        with self.closing(self) as peer:
            return self.times(self, peer, time.monotonic())

    def talking(self):
        with self.closing(self) as peer:
            return self.times(self, peer, time.monotonic(), frames.frame(raw.TEXT, b"not listening"))

    def staying(self):
        with self.closing(self) as peer:
            begun = time.monotonic()
            peer.send(frames.frame(raw.CLOSE, b"\x03\xe9"))
            return self.times(self, peer, begun)

    def not_reading(self):
        """Seconds until a peer is cut that sends and never reads the responses."""
        data = frames.frame(raw.BINARY, bytes(MIB))
        with frames.opened(self.server) as peer:
            peer.socket.setblocking(False)
            poll = select.poll()
            poll.register(peer.socket, select.POLLRDHUP)
            sent = 0
            while select.select([], [peer.socket], [], 1)[1]:
                sent += peer.socket.send(memoryview(data)[sent % len(data):])
            begun = time.monotonic()
            if not poll.poll(100_000 * server.SLOW):
                raise AssertionError("the peer was not cut")
            return time.monotonic() - begun, sent

    def result(self, scenario):
        return self.results[scenario].result()

    def within(self, found, wanted, most=None):
        """Not much too early; too late only as a busy machine is."""
        self.assertGreater(found, wanted / 2)
        self.assertLess(found, (most or wanted) + 15 * server.SLOW)

    def test_a_peer_that_never_answers_a_close(self):
        for scenario in (type(self).silent, type(self).talking):
            with self.subTest(scenario=scenario.__name__):
                ended, gone = self.result(scenario)
                print(f"{scenario.__name__} after the server's close: ended after {ended:.1f} s, gone after {gone:.1f} s")
                self.within(ended, self.CLOSE)
                self.assertLess(gone, ended + self.LINGER + 15 * server.SLOW)

    def test_a_peer_that_answers_a_close_and_stays(self):
        ended, gone = self.result(type(self).staying)
        print(f"close answered: ended after {ended:.1f} s, gone after {gone:.1f} s")
        self.assertLess(ended, self.CLOSE / 2 * server.SLOW, "the server waits for more than the answer")
        self.within(gone, self.LINGER)

    def test_a_peer_that_never_reads(self):
        """And nothing of any of them is left. If the peer's system makes room for some more meanwhile, the time begins anew, once."""
        cut, sent = self.result(type(self).not_reading)
        print(f"never read: cut after {cut:.1f} s, {sent} bytes were let in")
        self.within(cut, self.STALL, 2 * self.STALL)
        for scenario in self.results:
            self.result(scenario)
        server.until(lambda: self.server.descriptors() == self.idle, SOON, "all of them gone")
        self.assertEqual(raw.once(self.server, raw.request()).status, 200)


if __name__ == "__main__":
    unittest.main()
