"""Connections that come and go at every stage leave nothing behind, and too many of them do not bring the server down."""

import resource
import socket
import time
import unittest

import raw
import server
from raw import frame, request, upgrade

CONNECTIONS = 1000
AT_ONCE = 40
INCREMENT = "dumb-increment-protocol"
GROWTH = 64 * 1024  # bytes that a second round may add: a page or two of the allocator, not what a connection holds


def nothing(_):
    pass


def half_a_request(connection):
    connection.send(upgrade("reverse-echo")[:60])


def half_a_page_request(connection):
    connection.send(request("/")[:-2])


def whole_request(connection):
    connection.send(upgrade("reverse-echo"))


def page_not_read(connection):
    connection.send(request("/") * 3)


def page_read(connection):
    connection.exchange(request("/"))


def refused(connection):
    connection.exchange(upgrade("unknown"))


def not_http(connection):
    connection.send(b"\x00\x01\x02 nonsense\r\n\r\n")


def after_101(connection, protocol="reverse-echo"):
    connection.exchange(upgrade(protocol))


def counting(connection):
    after_101(connection, INCREMENT)
    connection.frame()


def after_a_message(connection):
    after_101(connection)
    connection.send(frame(raw.TEXT, "hello"))
    connection.frame()


def messages_not_read(connection):
    after_101(connection)
    connection.send(frame(raw.BINARY, b"x" * 5000) * 10)


def half_a_frame(connection):
    after_101(connection)
    connection.send(frame(raw.TEXT, "cut off in the middle")[:-7])


def half_a_big_message(connection):
    after_101(connection)
    connection.send(frame(raw.TEXT, "t" * 20_000, final=False) + frame(0, b"u" * 20_000)[:-1])


def promised_but_not_sent(connection):
    after_101(connection)
    connection.send(b"\x82\xff" + (1024 * 1024).to_bytes(8, "big") + b"mask")


def close_sent(connection):
    after_101(connection)
    connection.send(frame(raw.CLOSE, b"\x03\xe8"))


def close_answered(connection):
    close_sent(connection)
    connection.frame()


def closed_by_the_server(connection):
    after_101(connection, INCREMENT)
    connection.send(frame(raw.TEXT, "closeme\n"))
    while connection.frame()[0] != raw.CLOSE:
        pass


STAGES = (nothing, half_a_request, half_a_page_request, whole_request, page_not_read, page_read, refused, not_http, after_101,
          counting, after_a_message, messages_not_read, half_a_frame, half_a_big_message, promised_but_not_sent, close_sent,
          close_answered, closed_by_the_server)


class Drops(server.Served, unittest.TestCase):
    arguments = ("-d", "error")

    def round(self):
        """Every stage in turn, with several connections open at once, half of them leaving with FIN and half with RST."""
        for first in range(0, CONNECTIONS, AT_ONCE):
            connections = [raw.Connection(self.server) for _ in range(min(AT_ONCE, CONNECTIONS - first))]
            for index, connection in enumerate(connections, first):
                STAGES[index // 2 % len(STAGES)](connection)
            for index, connection in enumerate(connections, first):
                connection.reset() if index % 2 else connection.close()

    def rest(self, baseline):
        server.until(lambda: self.server.descriptors() == baseline, 10, f"back to {baseline} descriptors")

    def test_nothing_is_left_behind(self):
        raw.once(self.server, request())
        time.sleep(0.2)
        baseline = self.server.descriptors()
        self.round()
        self.rest(baseline)
        before = self.server.memory("RssAnon")
        self.round()
        self.rest(baseline)
        grown = self.server.memory("RssAnon") - before
        if not server.SANITIZED:  # a sanitizer keeps freed memory to itself; it looks for leaks at the end instead
            self.assertLessEqual(grown, GROWTH, f"bytes more after a second round of {CONNECTIONS} connections")
        self.assertEqual(self.server.log(), "")
        busy = self.server.cpu_seconds()
        time.sleep(0.5)
        self.assertLess(self.server.cpu_seconds() - busy, 0.1, "the server is busy with nobody there")
        self.assertEqual(raw.once(self.server, request()).status, 200)

    def test_a_promised_length_takes_no_memory(self):
        before = self.server.memory("RssAnon")
        connections = [raw.opened(self.server) for _ in range(100)]
        for connection in connections:
            connection.send(b"\x82\xff" + (1024 * 1024).to_bytes(8, "big") + b"mask" + b"x" * 100)
        time.sleep(0.3)
        grown = self.server.memory("RssAnon") - before
        for connection in connections:
            connection.close()
        if not server.SANITIZED:
            self.assertLess(grown, 4 * 1024 * 1024, "bytes for 100 MiB that were promised and not sent")


class Full(unittest.TestCase):
    """More connections than the process may have descriptors."""

    def overrun(self, one, connections):
        """Connects more than fit, then lets go of them: the server must be calm meanwhile and serve again afterwards."""
        clients = [socket.create_connection((one.host, one.port), 5) for _ in range(connections)]
        time.sleep(0.5)
        busy = one.cpu_seconds()
        time.sleep(1)
        self.assertLess(one.cpu_seconds() - busy, 0.3, "the server spins while it is full")
        self.assertIsNone(one.process.poll(), "the server ended")
        for client in clients[:connections - 10]:
            client.close()
        self.assertEqual(raw.once(one, request()).status, 200)
        for client in clients:
            client.close()
        lines = one.log().splitlines()
        self.assertEqual(len(lines), 1, lines[:5])
        with raw.opened(one, "reverse-echo") as connection:
            connection.send(frame(raw.TEXT, "abc"))
            self.assertEqual(connection.frame(), (raw.TEXT, b"cba", True))

    def test_a_low_limit_from_the_start(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        with server.Server("-d", "warn", before_start=limit) as one:
            self.overrun(one, 120)

    def test_out_of_descriptors(self):
        with server.Server("-d", "warn") as one:
            raw.once(one, request())
            resource.prlimit(one.pid, resource.RLIMIT_NOFILE, (one.descriptors() + 20,) * 2)
            self.overrun(one, 80)


if __name__ == "__main__":
    unittest.main()
