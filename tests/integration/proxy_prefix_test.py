"""Proxy mounts: below a prefix, interim responses, and a bound on connections."""

import contextlib
import threading
import unittest

import raw
import server
from raw import request
from upstreams import Proxied, digest, says, stopped


class BelowAPrefix(Proxied):
    """An application that knows nothing of the prefix that it is below."""

    ANSWER = (b"HTTP/1.1 302\r\nLocation: /login\r\nContent-Location: %sx\r\nRefresh: 1;url=/y\r\nSet-Cookie: a=b; Path=/\r\n"
              b"Content-Length: 0\r\n\r\n")

    def answered(self, *options):
        script = self.script(lambda connection, head: connection.sendall(self.ANSWER % script.url.encode()))
        served = self.serve(script.url, *(word for option in options for word in ("--proxy-option", f"/app/={option}")))
        response, _ = self.ask(self.connection(served), "GET", "/app/x")
        return response, script.heads[0].decode(), script.url

    def test_its_places_are_mapped(self):
        response, head, _ = self.answered()
        self.assertEqual((response.status, response.headers["Location"], response.headers["Content-Location"]), (302, "/app/login", "/app/x"))
        self.assertEqual((response.headers["Refresh"], response.headers["Set-Cookie"]), ("1;url=/app/y", "a=b; Path=/app"))
        self.assertIn("\r\nX-Forwarded-Prefix: /app\r\n", head)
        self.assertIn("\r\nVia: 1.1 wharf\r\n", head)

    def test_each_can_be_switched_off(self):
        response, head, url = self.answered("map_places=off", "map_cookies=off", "send_prefix=off", "send_via=off")
        self.assertEqual((response.headers["Location"], response.headers["Content-Location"]), ("/login", url + "x"))
        self.assertEqual((response.headers["Refresh"], response.headers["Set-Cookie"]), ("1;url=/y", "a=b; Path=/"))
        self.assertNotIn("X-Forwarded-Prefix", head)
        self.assertNotIn("Via", head)

    def test_the_prefix_without_its_slash(self):
        script = self.script(says(b"HTTP/1.1 204\r\n\r\n"), says(b"HTTP/1.1 204\r\n\r\n"))
        served = self.serve(script.url)
        response, _ = self.ask(self.connection(served), "GET", "/app?q=1")
        self.assertEqual((response.status, response.headers["Location"]), (301, "/app/?q=1"))
        self.assertEqual(self.ask(self.connection(served), "DELETE", "/app")[0].status, 204)
        served = self.serve(script.url, "--proxy-option", "/app/=add_slash=off")
        self.assertEqual(self.ask(self.connection(served), "GET", "/app")[0].status, 204)


class Interim(Proxied):
    def test_early_hints_pass_and_can_be_switched_off(self):
        answer = b"HTTP/1.1 103\r\nLink: </a>\r\n\r\nHTTP/1.1 204\r\n\r\n"
        script = self.script(says(answer), says(answer), says(answer))
        served = self.serve(script.url)
        for version, hinted in (("1.1", True), ("1.0", False)):
            with raw.Connection(served) as client:
                client.send(request("/app/x").replace(b"HTTP/1.1", b"HTTP/" + version.encode()))
                self.assertEqual(client.take(12), b"HTTP/1.1 103" if hinted else b"HTTP/1.1 204")
                if hinted:
                    rest = b" Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n"
                    self.assertEqual(client.take(len(rest)), rest)
        self.assertEqual(raw.once(self.serve(script.url, "--proxy-option", "/app/=send_interim=off"), request("/app/x")).status, 204)

    def test_the_server_decides_whether_a_body_is_sent(self):
        def refuses(connection, head):
            self.assertIn(b"\r\nExpect: 100-continue\r\n", head)
            connection.sendall(b"HTTP/1.1 413 no\r\nContent-Length: 0\r\n\r\n")
            self.assertEqual(connection.recv(10), b"")

        def takes(connection, _):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.assertEqual(connection.recv(10), b"abc")
            connection.sendall(b"HTTP/1.1 201 x\r\nContent-Length: 0\r\n\r\n")

        script = self.script(refuses, takes)
        served = self.serve(script.url)
        put = request("/app/x", method="PUT", Content_Length=3, Expect="100-continue")
        self.assertEqual(raw.once(served, put).status, 413)
        with raw.Connection(served) as client:
            client.send(put)
            self.assertEqual(client.take(25), b"HTTP/1.1 100 Continue\r\n\r\n")
            client.send(b"abc")
            self.assertEqual(client.response().status, 201)

    def test_a_server_that_knows_no_100_continue(self):
        up = self.upstream()
        served = self.serve(up.url)
        with raw.Connection(served) as client:
            client.send(request("/app/upload", method="POST", Content_Length=3, Expect="100-continue"))
            self.assertEqual(client.take(25), b"HTTP/1.1 100 Continue\r\n\r\n")
            client.send(b"abc")
            self.assertEqual(client.response().body, digest(b"abc"))


class Bound(Proxied):
    def test_requests_wait_for_the_one_connection_that_there_may_be(self):
        order = []

        def serve_many(connection, head):  # and nobody accepts another
            while head:
                order.append(head.split(b" ")[1])
                connection.sendall(b"HTTP/1.1 204 x\r\n\r\n")
                head = connection.recv(65536)

        script = self.script(serve_many)
        served = self.serve(script.url, "--proxy-option", "/app/=most_connections=1")
        clients = [raw.Connection(served) for _ in range(20)]
        with contextlib.ExitStack() as stack:
            for client in clients:
                stack.enter_context(client)
            with stopped(served):
                for number, client in enumerate(clients):
                    client.send(request(f"/app/{number}"))
            for client in clients:
                self.assertEqual(client.response().status, 204)
        self.assertEqual(sorted(order), sorted(b"/%d" % number for number in range(20)))

    def test_more_than_may_wait(self):
        leave = threading.Event()
        script = self.script(lambda connection, head: leave.wait(20 * server.SLOW) and connection.sendall(b"HTTP/1.1 204 x\r\n\r\n"))
        served = self.serve(script.url, "--proxy-option", "/app/=most_connections=1", "--proxy-option", "/app/=most_waiting=0")
        with raw.Connection(served) as client:
            client.send(request("/app/first"))
            server.until(lambda: script.heads, 10, "the first is upstream")
            refused = raw.once(served, request("/app/second"))
            self.assertEqual((refused.status, refused["Retry-After"]), (503, "1"))
            leave.set()
            self.assertEqual(client.response().status, 204)


if __name__ == "__main__":
    unittest.main()
