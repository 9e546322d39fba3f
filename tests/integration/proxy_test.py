"""Proxy mounts between clients and servers that nobody here wrote: python's http.server over TCP and a unix socket, python3-websockets, and
bare sockets for what a well-behaved server never sends."""

import asyncio
import concurrent.futures
import contextlib
import http.client
import http.server
import os
import pathlib
import socket
import tempfile
import threading
import time
import unittest

import raw
import server
import websocket_peer
from raw import request
from upstreams import BIG, Handler, Proxied, UnixUpstream, digest, says, stopped


class Http(Proxied):
    def setUp(self):
        self.up = self.upstream()
        self.served = self.serve(self.up.url)
        self.client = self.connection(self.served)

    def test_the_request_upstream(self):
        fields = {"Cookie": "a=b", "Connection": "X-Own", "X-Own": "1"}
        response, body = self.ask(self.client, "DELETE", "/app/a%2Fb/c?x=%20y", headers=fields)
        head = body.decode().split("\n")
        self.assertEqual(response.status, 200)
        self.assertEqual(head[0], "DELETE /base/a%2Fb/c?x=%20y")
        own = f"{self.served.host}:{self.served.port}"
        for line in (f"Host: {own}", "Cookie: a=b", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", f"X-Forwarded-Host: {own}",
                     "Via: 1.1 wharf"):
            self.assertIn(line, head)
        self.assertNotIn("X-Own", body.decode())
        self.assertNotIn("Connection", body.decode())

    def test_every_framing(self):
        for name in ("big", "chunks", "until-close", "big"):
            response, body = self.ask(self.client, "GET", f"/app/{name}")
            self.assertEqual((name, response.status, len(body), body == BIG), (name, 200, len(BIG), True))
        with raw.Connection(self.served) as old:
            old.send(b"GET /app/chunks HTTP/1.0\r\n\r\n")
            self.assertRaises(EOFError, old.take, 2 * len(BIG))
            head, _, body = old.buffer.partition(b"\r\n\r\n")
            self.assertNotIn(b"chunked", head)
            self.assertEqual(body, BIG)

    def test_answers_without_a_body(self):
        response, body = self.ask(self.client, "HEAD", "/app/big")
        self.assertEqual((response.status, response.headers["Content-Length"], body), (200, str(len(BIG)), b""))
        self.assertEqual(self.ask(self.client, "GET", "/app/empty")[0].status, 204)
        response, _ = self.ask(self.client, "GET", "/app/cookies")
        self.assertEqual(response.headers.get_all("Set-Cookie"), ["a=1", "b=2"])
        self.assertIsNone(response.headers["X-Own"])
        self.assertEqual(len(response.headers.get_all("Date")), 1)

    def test_uploads(self):
        for method, body, chunked in (("POST", BIG, False), ("PUT", iter([BIG[:1], BIG[1:5_000_000], BIG[5_000_000:]]), True)):
            with self.subTest(method=method):
                response, answer = self.ask(self.client, method, "/app/upload", body=body, encode_chunked=chunked,
                                            headers={"Transfer-Encoding": "chunked"} if chunked else {})
                self.assertEqual((response.status, answer), (200, digest(BIG)))

    def test_one_connection_serves_many_requests(self):
        for number in range(100):
            response, _ = self.ask(self.client, "GET", f"/app/{number}")
            self.assertEqual(response.status, 200)
        self.assertEqual(self.up.connections, 1)

    def test_many_clients_at_once(self):
        def work(number):
            with contextlib.closing(http.client.HTTPConnection(self.served.host, self.served.port, timeout=60 * server.SLOW)) as client:
                for turn in range(10):
                    body = BIG[number * 1000:number * 1000 + turn * 20_000]
                    self.assertEqual((turn, *self.ask(client, "POST", "/app/x", body=body)[1:]), (turn, digest(body)))

        with concurrent.futures.ThreadPoolExecutor(20) as clients:
            list(clients.map(work, range(20)))
        self.assertLessEqual(self.up.connections, 200)

    def test_a_client_that_does_not_read_holds_the_server_back(self):
        with raw.Connection(self.served) as client:
            client.send(request("/app/endless"))
            server.until(lambda: self.up.sent > 0, 10, "something is sent")
            sent = -1
            while sent != self.up.sent:
                sent = self.up.sent
                time.sleep(0.5 * server.SLOW)
            self.assertLess(sent, 64 * 1024 * 1024)  # what the sockets between them take
            self.assertLess(self.served.memory("RssAnon"), 64 * 1024 * 1024 * server.SLOW)
        self.assertTrue(self.up.broken.wait(20 * server.SLOW), "the server upstream hears that the client has gone")

    def test_a_path_that_leads_out(self):
        self.assertEqual(raw.once(self.served, request("/app/../x")).status, 404)
        self.assertEqual(raw.once(self.served, request("/app/..;/x")).status, 404)
        self.assertEqual(self.up.connections, 0)


class Places(Proxied):
    def test_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "up.socket")
            with UnixUpstream(path):
                for url, line in ((f"unix:{path}", b"GET /x"), (f"unix:{path}:/base/", b"GET /base/x")):
                    client = self.connection(self.serve(url))
                    self.assertEqual(self.ask(client, "GET", "/app/x")[1].split(b"\n")[0], line)
                    self.assertEqual(self.ask(client, "GET", "/app/chunks")[1], BIG)

    def test_a_folder_of_files(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "big.bin").write_bytes(BIG)

            class Files(http.server.SimpleHTTPRequestHandler):
                log_message = Handler.log_message

            with http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *of: Files(*of, directory=folder)) as files:
                threading.Thread(target=files.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
                self.addCleanup(files.shutdown)
                client = self.connection(self.serve("http://localhost:%d" % files.server_address[1]))
                response, body = self.ask(client, "GET", "/app/big.bin")
                self.assertEqual((response.status, body), (200, BIG))
                self.assertEqual(self.ask(client, "GET", "/app/none")[0].status, 404)

    def test_nobody_there(self):
        for url in ("http://127.0.0.1:%d/" % server.free_port(), "unix:/nonexistent/socket", "http://nobody.invalid/"):
            served = self.serve(url)
            self.assertEqual(raw.once(served, request("/app/x")).status, 502)
            server.until(lambda log=served.log: "is not reached" in log(), 10, "the log says so")

    def test_requests_that_go_round_in_circles(self):
        port = server.free_port()
        served = self.serve(f"http://127.0.0.1:{port}/app/", "-p", port)
        self.assertEqual(raw.once(served, request("/app/x")).status, 502)

    def test_two_in_a_row(self):
        up = self.upstream()
        inner = self.serve(up.url, "--trust", "127.0.0.1")
        outer = self.serve(inner.url + "app/")
        client = self.connection(outer)
        head = self.ask(client, "GET", "/app/x")[1].decode()
        self.assertIn("X-Forwarded-For: 127.0.0.1, 127.0.0.1\n", head)
        self.assertEqual(head.count("Via: 1.1 wharf"), 2)
        self.assertEqual(self.ask(client, "GET", "/app/chunks")[1], BIG)


class Faults(Proxied):
    def test_what_is_no_answer(self):
        answers = (b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: b")
        script = self.script(*map(says, answers))
        client = self.connection(self.serve(script.url))
        for answer in answers:
            with self.subTest(answer=answer):
                self.assertEqual(self.ask(client, "GET", "/app/x")[0].status, 502)

    def test_an_answer_that_breaks_off(self):
        script = self.script(says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
                             says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"))
        served = self.serve(script.url)
        for _ in range(2):
            with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                self.ask(self.connection(served), "GET", "/app/x")

    def test_a_kept_connection_that_is_closed(self):
        whole = says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        script = self.script(whole, whole, whole)
        client = self.connection(self.serve(script.url))
        for _ in range(3):
            self.assertEqual(self.ask(client, "GET", "/app/x")[1], b"ok")
        self.assertEqual(len(script.heads), 3)

    def test_a_kept_connection_that_is_closed_when_it_is_used_again(self):
        def twice(connection, head):
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")(connection, head)
            self.assertTrue(connection.recv(65536))  # and no answer

        script = self.script(twice, says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain"))
        client = self.connection(self.serve(script.url))
        self.assertEqual(self.ask(client, "GET", "/app/x")[1], b"ok")
        self.assertEqual(self.ask(client, "GET", "/app/x")[1], b"again")

    def test_a_client_that_waits_does_not_keep_the_server_from_stopping(self):
        script = self.script(lambda connection, head: connection.recv(65536))
        served = self.serve(script.url)
        with raw.Connection(served) as client:
            client.send(request("/app/x"))
            server.until(lambda: script.heads, 10, "the request is upstream")
        served.stop()


class InOneTurn(Proxied):
    """A request and the end of the connection on which it is to go upstream, at once. The test itself is the server upstream."""

    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.listener.settimeout(20 * server.SLOW)
        self.served = self.serve("http://127.0.0.1:%d/" % self.listener.getsockname()[1])

    def accept(self):
        connection, _ = self.listener.accept()
        self.addCleanup(connection.close)
        return connection

    def test_a_kept_connection_is_closed_and_used_again(self):
        client = self.connection(self.served)
        client.request("GET", "/app/x")
        kept = self.accept()
        self.assertTrue(kept.recv(65536))
        says(b"HTTP/1.1 204 x\r\n\r\n")(kept, None)
        self.assertEqual(client.getresponse().read(), b"")
        with stopped(self.served):
            client.request("POST", "/app/x", body=b"not to be sent again")
            kept.close()
        says(b"HTTP/1.1 201 x\r\nContent-Length: 0\r\n\r\n")(self.accept(), None)
        self.assertEqual(client.getresponse().status, 201)

    def test_an_answer_before_the_request_is_complete_and_a_reset(self):
        for meanwhile, body in ((contextlib.nullcontext, b""), (stopped, BIG[:200_000])):
            with self.subTest(meanwhile=meanwhile), raw.Connection(self.served) as client:
                client.send(request("/app/x", method="POST", Content_Length=len(BIG)))
                early = self.accept()
                with meanwhile(self.served):
                    client.send(body)
                    says(b"HTTP/1.1 413 x\r\nContent-Length: 2\r\n\r\nno")(early, None)
                    early.close()  # with a reset, since it has not read the request
                response = client.response()
                self.assertEqual((response.status, response.body), (413, b"no"))


class WebSockets(Proxied, unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # unittest turns it on; it only slows the clients down

    async def echo(self, socket_, *_):
        async for message in socket_:
            await socket_.send(message)

    async def check_echo(self, url, **options):
        async with websocket_peer.connect(url, max_size=None, **options) as client:
            for message in ("", "Grüße", BIG[:125], BIG[:70_000], "x" * 1_000_000, BIG[:900_000]):
                await client.send(message)
                self.assertTrue(await asyncio.wait_for(client.recv(), 20 * server.SLOW) == message)
            await asyncio.gather(*(client.send(str(number)) for number in range(1000)))
            for number in range(1000):
                self.assertEqual(await asyncio.wait_for(client.recv(), 20 * server.SLOW), str(number))
            return client.subprotocol

    def two(self):
        inner = server.Server()
        self.addCleanup(inner.stop)
        return inner, self.serve(inner.url)

    async def test_to_another_library(self):
        async with websocket_peer.serve(self.echo, "127.0.0.1", 0, max_size=None, subprotocols=["toy"]) as up:
            served = self.serve("http://127.0.0.1:%d/" % up.sockets[0].getsockname()[1])
            self.assertEqual(await self.check_echo(served.ws_url + "app/x", subprotocols=["other", "toy"]), "toy")
            self.assertIsNone(await self.check_echo(served.ws_url + "app/x", compression=None))

    async def test_to_another_of_us(self):
        _, served = self.two()
        self.assertEqual(await self.check_echo(served.ws_url + "app/", subprotocols=["echo"]), "echo")
        with self.assertRaises(Exception) as refused:  # the library's name for it changes with its version
            await websocket_peer.connect(served.ws_url + "app/", subprotocols=["nobody-knows-this"])
        self.assertIn("400", str(refused.exception))

    async def test_a_page_of_another_origin_could_open_one_behind_the_proxy(self):
        inner = server.Server()
        self.addCleanup(inner.stop)
        served = self.serve(inner.url, "--allow-origin", "https://good.example")
        for origin, status in (("https://evil.example", 403), ("https://good.example", 101)):
            with raw.Connection(served) as client:
                handshake = raw.upgrade("echo", target="/app/").replace(b"\r\n\r\n", b"\r\nOrigin: %s\r\n\r\n" % origin.encode())
                self.assertEqual(client.exchange(handshake).status, status)

    async def test_the_end_passes_both_ways(self):
        async def leave(socket_, *_):
            await socket_.send("hello")
            await socket_.close(4001, "enough")

        async with websocket_peer.serve(leave, "127.0.0.1", 0) as up:
            served = self.serve("http://127.0.0.1:%d/" % up.sockets[0].getsockname()[1])
            async with websocket_peer.connect(served.ws_url + "app/x") as client:
                self.assertEqual(await client.recv(), "hello")
                with self.assertRaises(websocket_peer.ConnectionClosed):
                    await asyncio.wait_for(client.recv(), 20 * server.SLOW)
                self.assertEqual((client.close_code, client.close_reason), (4001, "enough"))

    async def test_bytes_at_once_and_nothing_left_over(self):
        inner, served = self.two()
        idle = served.descriptors(), inner.descriptors()
        for _ in range(20):
            with raw.Connection(served) as client:
                client.send(raw.upgrade("echo", target="/app/") + raw.frame(raw.TEXT, "early"))
                self.assertEqual(client.response().status, 101)
                self.assertEqual(client.frame(), (raw.TEXT, b"early", True))
                client.reset()
        server.until(lambda: (served.descriptors(), inner.descriptors()) == idle, 20, "all of them gone")

    async def test_open_when_the_server_stops(self):
        _, served = self.two()
        with raw.Connection(served) as client:
            self.assertEqual(client.exchange(raw.upgrade("echo", target="/app/")).status, 101)
            started = time.monotonic()
            served.stop()
            self.assertLess(time.monotonic() - started, 4 * server.SLOW)
            self.assertTrue(client.ended())


if __name__ == "__main__":
    unittest.main()
