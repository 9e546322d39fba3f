"""Proxy mounts between clients and servers that nobody here wrote: python's http.server over TCP and a unix socket, python3-websockets, and
bare sockets for what a well-behaved server never sends."""

import asyncio
import concurrent.futures
import contextlib
import hashlib
import http.client
import http.server
import os
import pathlib
import random
import signal
import socket
import socketserver
import tempfile
import threading
import time
import unittest

import raw
import server
import websocket_peer
from raw import request


BIG = random.Random(1).randbytes(8 * 1024 * 1024)


def digest(body):
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format, *arguments):  # pylint: disable=redefined-builtin
        pass

    def begin(self, *fields):
        self.send_response(200)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()

    def answer(self, body, *fields):
        self.begin(*fields, ("Content-Length", len(body)))
        self.wfile.write(body if self.command != "HEAD" else b"")

    def do_GET(self):
        name = self.path.partition("?")[0].rpartition("/")[2]
        if name == "big":
            self.answer(BIG)
        elif name == "chunks":
            self.in_chunks(BIG)
        elif name == "until-close":
            self.begin()
            self.wfile.write(BIG)
            self.close_connection = True
        elif name == "cookies":
            self.answer(b"", ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Connection", "X-Own"), ("X-Own", "1"))
        elif name == "empty":
            self.send_response(204)
            self.end_headers()
        elif name == "endless":
            self.endless()
        else:
            self.answer(f"{self.command} {self.path}\n{self.headers}".encode())

    do_HEAD = do_DELETE = do_GET

    def in_chunks(self, body):
        self.begin(("Transfer-Encoding", "chunked"))
        for at in range(0, len(body), 0x20000):
            self.wfile.write(b"20000\r\n%s\r\n" % body[at:at + 0x20000])
        self.wfile.write(b"0\r\n\r\n")

    def endless(self):
        self.begin()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(BIG[:65536])
                self.server.sent += 65536
        self.server.broken.set()

    def do_POST(self):
        """What came, as its digest."""
        body = b""
        if self.headers["Transfer-Encoding"] == "chunked":
            while length := int(self.rfile.readline(), 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(digest(body))

    do_PUT = do_POST


class Counted:
    """Counts its connections."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address):
        self.connections, self.sent, self.broken = 0, 0, threading.Event()
        super().__init__(address, Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def get_request(self):
        self.connections += 1
        return super().get_request()

    def __exit__(self, *problem):
        self.shutdown()
        super().__exit__(*problem)


class Upstream(Counted, socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True

    @property
    def url(self):
        return "http://127.0.0.1:%d/base/" % self.server_address[1]


class UnixUpstream(Counted, socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    def get_request(self):
        connection, _ = super().get_request()
        return connection, ("unix", 0)


class Script(threading.Thread):
    """A server that takes one connection after the other, reads a request's head and plays a part: a function of connection and head."""

    def __init__(self, *parts):
        super().__init__(daemon=True)
        self.parts, self.heads = parts, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d/" % self.listener.getsockname()[1]
        self.start()

    def run(self):
        for part in self.parts:
            connection, _ = self.listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(20 * server.SLOW)
                head = b""
                while b"\r\n\r\n" not in head and (more := connection.recv(65536)):
                    head += more
                if head:
                    self.heads.append(head)
                    part(connection, head)

    def stop(self):
        self.listener.close()
        self.join(20 * server.SLOW)


def says(answer):
    return lambda connection, head: connection.sendall(answer)


@contextlib.contextmanager
def stopped(served):
    """What happens meanwhile the server finds in one turn of its loop, in this order."""
    served.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, served.pid, os.WSTOPPED)
    try:
        yield
    finally:
        served.process.send_signal(signal.SIGCONT)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Proxied(unittest.TestCase):
    """A server with one proxy mount at /app/ for each test."""

    def serve(self, url, *arguments):
        served = server.Server("--proxy", f"/app/={url}", "-d", "info", *arguments)
        self.addCleanup(lambda: served.process.stdout.closed or served.stop())
        return served

    def upstream(self):
        upstream = Upstream(("127.0.0.1", 0))
        self.addCleanup(upstream.__exit__, None, None, None)
        return upstream

    def script(self, *parts):
        script = Script(*parts)
        self.addCleanup(script.stop)
        return script

    def connection(self, served):
        connection = http.client.HTTPConnection(served.host, served.port, timeout=20 * server.SLOW)
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection, method, path, **more):
        connection.request(method, path, **more)
        response = connection.getresponse()
        return response, response.read()


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
        for url in ("http://127.0.0.1:%d/" % free_port(), "unix:/nonexistent/socket", "http://nobody.invalid/"):
            served = self.serve(url)
            self.assertEqual(raw.once(served, request("/app/x")).status, 502)
            server.until(lambda log=served.log: "is not reached" in log(), 10, "the log says so")

    def test_requests_that_go_round_in_circles(self):
        port = free_port()
        served = self.serve(f"http://127.0.0.1:{port}/app/", "-p", port)
        self.assertEqual(raw.once(served, request("/app/x")).status, 502)

    def test_two_in_a_row(self):
        up = self.upstream()
        inner = self.serve(up.url)
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
