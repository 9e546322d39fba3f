"""Common parts of the tests of hostile peers: another client that must be served, and a check of the server's memory."""

import contextlib
import threading
import time
import unittest

import frames
import raw
import server
from frames import COMPRESSED, OFFER

KIB, MIB = 1024, 1024 * 1024
SOON = 20  # s for what takes one at most on an idle machine


class Watch(threading.Thread):
    """Another client, served all the while, and the most memory that the server takes meanwhile."""

    def __init__(self, one):
        super().__init__()
        self.server = one
        self.leaving = threading.Event()
        self.problem = None
        self.slowest = self.rounds = self.grown = 0

    def run(self):
        try:
            with frames.opened(self.server) as client:
                while not self.leaving.wait(0.01) or self.rounds == 0:
                    begun = time.monotonic()
                    client.send(raw.frame(raw.TEXT, f"round {self.rounds}"))
                    if client.message() != (raw.TEXT, f"round {self.rounds}".encode()):
                        raise AssertionError("another client got a wrong answer")
                    self.slowest = max(self.slowest, time.monotonic() - begun)
                    self.rounds += 1
        except Exception as problem:  # to be raised where the test sees it
            self.problem = problem

    def __enter__(self):
        with contextlib.suppress(OSError):  # then the mark says less, but nothing wrong
            with open(f"/proc/{self.server.pid}/clear_refs", "w", encoding="ascii") as high_water_mark:
                high_water_mark.write("5")
        self.before = self.server.memory("VmHWM")
        self.start()
        return self

    def __exit__(self, kind, problem, trace):
        self.leaving.set()
        self.join()
        if kind is None:
            self.grown = self.server.memory("VmHWM") - self.before
            if self.problem:
                raise AssertionError("another client was not served") from self.problem


class AttackCase(unittest.TestCase):
    """Each test has a server of its own, which has seen a message of every kind and ends cleanly."""

    arguments = ("-d", "error")

    def setUp(self):
        self.server = server.Server(*self.arguments, before_start=self.before_start)
        self.addCleanup(self.server.stop)
        self.idle = self.server.descriptors()
        with frames.opened(self.server, OFFER) as peer:
            for size in (1, 1000, 65536):
                self.echo(peer, raw.TEXT, b"t" * size, frames.frame(raw.TEXT, b"t" * size))
                self.echo(peer, raw.TEXT, b"t" * size, frames.frame(raw.TEXT, frames.deflated(b"t" * size), reserved=COMPRESSED))

    @staticmethod
    def before_start():
        pass

    def echo(self, peer, opcode, message, data):
        peer.send(data)
        kind, back = peer.message()
        self.assertEqual(kind, opcode)
        self.assertTrue(back == message, f"{len(back)} bytes came back, not the {len(message)} that were sent")

    @contextlib.contextmanager
    def bounded(self, memory, seconds=SOON):
        """The attack within costs the server no more memory than that, no more time, and costs other clients nothing."""
        begun = time.monotonic()
        with Watch(self.server) as watch:
            yield
        took = time.monotonic() - begun
        print(f"{self._testMethodName}: {took:.2f} s, {watch.grown // KIB} KiB more, another client waited {watch.slowest * 1000:.0f} ms "
              f"at most in {watch.rounds} rounds", flush=True)
        self.assertLess(took, seconds * server.SLOW, "seconds")
        if not server.SANITIZED:
            self.assertLess(watch.grown, memory, "bytes more than before")

    def closes_with(self, code, data, offer=OFFER):
        with frames.opened(self.server, offer) as peer:
            with contextlib.suppress(ConnectionError):  # the server need not take all of it
                peer.send(data)
            self.assertEqual(peer.close_code(), code)
