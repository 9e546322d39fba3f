"""line-toy: a connection that leaves HTTP, with bytes that came together with the request, and with either side ending first."""

import json
import socket
import threading
import time
import unittest

import raw
import server
from raw import once, request


class Lines(server.Served, unittest.TestCase):
    def upgrade(self, **changes):
        return request("/line/", **{"Connection": "Upgrade", "Upgrade": "line-toy/1", **changes})

    def opened(self):
        connection = raw.Connection(self.server)
        self.addCleanup(connection.close)
        response = connection.exchange(self.upgrade())
        self.assertEqual((response.status, response["Upgrade"], response["Connection"].lower()), (101, "line-toy/1", "upgrade"))
        return connection

    def lines(self, connection, count):
        found = []
        for _ in range(count):
            while b"\n" not in connection.buffer:
                connection._more()
            line, _, connection.buffer = connection.buffer.partition(b"\n")
            found.append(line.decode())
        return found

    def test_commands(self):
        line = self.opened()
        line.send(b"echo one\nupper two\r\nnonsense\n")
        self.assertEqual(self.lines(line, 3), ["one", "TWO", "error"])
        line.send(b"time\n")
        self.assertLess(abs(int(self.lines(line, 1)[0]) - time.time()), 60)
        line.send(b"quit\necho more\n")
        self.assertEqual(self.lines(line, 1), ["bye"])
        self.assertTrue(line.ended())

    def test_lines_together_with_the_request(self):
        with raw.Connection(self.server) as line:
            line.send(self.upgrade() + b"echo 1\necho 2\nec")
            self.assertEqual(line.response().status, 101)
            self.assertEqual(self.lines(line, 2), ["1", "2"])
            line.send(b"ho 3\n")
            self.assertEqual(self.lines(line, 1), ["3"])

    def test_all_at_once_and_nothing_after(self):
        with raw.Connection(self.server) as line:
            line.send(self.upgrade() + b"echo 1\nnot a line")
            line.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(line.response().status, 101)
            self.assertEqual(self.lines(line, 2), ["1", "bye 1"])
            self.assertTrue(line.ended())

    def test_byte_by_byte(self):
        with raw.Connection(self.server) as line:
            for byte in self.upgrade() + b"echo one\r\nquit\n":
                line.send(bytes([byte]))
            self.assertEqual(line.response().status, 101)
            self.assertEqual(self.lines(line, 2), ["one", "bye"])

    def test_many_lines_for_a_client_that_reads_late(self):
        line, count = self.opened(), 100_000
        text = b"".join(b"echo %d\n" % number for number in range(count))
        sent = threading.Thread(target=line.send, args=(text,))
        sent.start()
        time.sleep(0.3)
        self.assertEqual(self.lines(line, count), [str(number) for number in range(count)])
        sent.join()

    def test_cork_and_uncork(self):
        line = self.opened()
        line.send(b"cork\n")
        line.send(b"echo kept back\n")
        line.socket.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            self.lines(line, 1)
        line.socket.settimeout(5 * server.SLOW)
        line.send(b"echo too\nuncork\n")
        self.assertEqual(self.lines(line, 4), ["ok", "kept back", "too", "ok"])

    def test_the_server_ends_its_half_first(self):
        line = self.opened()
        line.send(b"half\n")
        self.assertEqual(self.lines(line, 1), ["ok"])
        self.assertTrue(line.ended())
        line.send(b"echo nobody hears\n" * 1000)  # and is no error
        line.socket.shutdown(socket.SHUT_WR)
        server.until(lambda: self.connections() == 1, 5, "the connection is gone")

    def connections(self):
        """Also the one that asks."""
        return json.loads(once(self.server, request("/status/json")).body)["connections"]

    def test_a_line_that_is_too_long(self):
        line = self.opened()
        line.send(b"echo " + b"x" * 1019 + b"\n")
        self.assertEqual(self.lines(line, 1), ["x" * 1019])
        line.send(b"y" * 2000)
        self.assertEqual(self.lines(line, 1), ["error"])
        self.assertTrue(line.ended())

    def test_who_does_not_ask_for_it(self):
        for data in (request("/line/"), self.upgrade(Upgrade="line-toy/2"), self.upgrade(Connection="close"),
                     self.upgrade(Connection=None), self.upgrade(version="HTTP/1.0")):
            response = once(self.server, data)
            self.assertEqual((response.status, response["Upgrade"]), (426, "line-toy/1"))
        response = once(self.server, self.upgrade(Upgrade="other/1, line-toy/1", Connection="keep-alive, upgrade"))
        self.assertEqual(response.status, 101)

    def test_the_connection_goes_on_after_426(self):
        with raw.Connection(self.server) as connection:
            self.assertEqual(connection.exchange(request("/line/")).status, 426)
            self.assertEqual(connection.exchange(self.upgrade()).status, 101)

    def test_it_is_closed_when_the_server_stops(self):
        one = server.Server()
        with raw.Connection(one) as line:
            self.assertEqual(line.exchange(self.upgrade()).status, 101)
            start = time.monotonic()
            one.stop()
            self.assertLess(time.monotonic() - start, 3 * server.SLOW)
            self.assertTrue(line.ended())


if __name__ == "__main__":
    unittest.main()
