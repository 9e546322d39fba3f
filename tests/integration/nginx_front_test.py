"""Debian's nginx on either side: as a reverse proxy in front of the server, and as the server behind a proxy mount."""

import asyncio
import concurrent.futures
import contextlib
import gzip
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
import zlib

import certificates
import raw
import server
import websocket_peer
from raw import request


NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin") or server.missing_peer("nginx")
MIB = 1024 * 1024
REQUESTS = 200
PATIENCE = 30 * server.SLOW
TEXT = b"a text that is worth compressing\n" * 2000
FILES = {"index.html": b"<title>Behind</title>\n", "text.txt": TEXT, "empty.txt": b"", "random.bin": os.urandom(24 * MIB),
         "sub/with space.txt": b"spaced\n"}

BASE = """daemon off;
{user}worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  log_format connections '$connection $connection_requests $status $http_connection';
  access_log {folder}/access.log connections;
  types {{ text/html html; text/plain txt; }}
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 0;
  {http}
}}
"""

FRONT = """
  map $http_upgrade $connection_field {{ default upgrade; '' ''; }}
  upstream behind {{ server {behind}; keepalive 8; }}
  server {{
    listen {listen};
    location / {{
      proxy_pass http://behind;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection $connection_field;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
    location /unbuffered/ {{
      proxy_pass http://behind/;
      proxy_http_version 1.1;
      proxy_set_header Connection '';
      proxy_request_buffering off;
      proxy_buffering off;
    }}
    location /old/ {{ proxy_pass http://behind/; }}
  }}
"""

FILE_SERVER = """
  gzip on;
  gzip_types text/plain;
  gzip_proxied any;
  keepalive_requests 50;
  server {{
    listen {listen};
    root {www};
    location /missing/ {{ return 503 "not now\\n"; }}
    location /moved {{ return 302 http://elsewhere.test/; }}
    location /says/ {{
      return 200 "$http_host|$http_x_forwarded_for|$http_x_forwarded_proto|$http_via|$request_uri|$server_protocol";
    }}
    location /behind/ {{
      proxy_pass http://{behind}/;
      proxy_http_version 1.1;
      proxy_set_header Connection upgrade;
      proxy_set_header Upgrade $http_upgrade;
    }}
  }}
"""

BY_TLS = FILE_SERVER.replace("listen {listen};", """listen {listen} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_client_certificate {authority};
    ssl_verify_client on;""")


class Nginx:
    """One master and one worker with a folder of their own, both gone after stop()."""

    def __init__(self, http, base=BASE, **values):
        self.place = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.place.name)
        for _ in range(5):  # somebody else may take the port
            self.host, self.port = "127.0.0.1", server.free_port()
            user = "user root;\n" if os.geteuid() == 0 else ""
            text = http.format(**{"listen": f"{self.host}:{self.port}", **values})
            (self.folder / "nginx.conf").write_text(base.format(folder=self.folder, user=user, http=text), encoding="utf-8")
            self.process = subprocess.Popen([NGINX, "-p", self.folder, "-e", self.folder / "error.log", "-c",
                                             self.folder / "nginx.conf"], stdin=subprocess.DEVNULL)
            if self.started():
                return
        log = self.log()
        self.stop()
        raise AssertionError(f"nginx does not start: {log}")

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "error.log").read_text(encoding="utf-8")
        return ""

    def workers(self):
        with contextlib.suppress(FileNotFoundError):
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as children:
                return [int(pid) for pid in children.read().split()]
        return []

    def started(self):
        """nginx writes its file when all is bound, and then forks. False if it ended."""
        server.until(lambda: self.process.poll() is not None or ((self.folder / "nginx.pid").exists() and self.workers()), 20,
                     "nginx ready")
        return self.process.poll() is None

    def stop(self):
        workers = self.workers()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        finally:
            for pid in workers:  # of a master that did not end well
                if self.process.poll() != 0:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            self.process.kill()
            self.place.cleanup()

    def requests(self):
        """A list for each request that nginx has handled: connection, the request's number on it, status, Connection."""
        return [line.split(" ") for line in (self.folder / "access.log").read_text(encoding="utf-8").splitlines()]


def make_files(folder):
    for name, content in FILES.items():
        path = pathlib.Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def connect(url, **options):
    times = {"close_timeout": PATIENCE, "open_timeout": PATIENCE}
    return websocket_peer.connect(url, subprotocols=["echo"], max_size=None, **times, **options)


async def receive(client):
    return await asyncio.wait_for(client.recv(), PATIENCE)


UPLOADED = FILES["random.bin"][:5 * MIB]
UPLOAD_FIELDS = {"Content-Type": "multipart/form-data; boundary=limit", "Accept": "application/json"}
UPLOAD = b'--limit\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + UPLOADED + b"\r\n--limit--\r\n"


def uploaded(body):
    """Whether that is post-demo's response to UPLOAD. http-echo is not for large bodies here: nginx sends no more of a body when
    the response begins, and both would wait."""
    part, = json.loads(body)["parts"]
    return (part["size"], part["crc32"]) == (len(UPLOADED), f"{zlib.crc32(UPLOADED):08x}")


class InFront(unittest.IsolatedAsyncioTestCase):
    """Client, nginx, and then the server."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        make_files(folder.name)
        cls.server = server.Server("-t", "2", www=folder.name)
        cls.addClassCleanup(cls.server.stop)
        cls.nginx = Nginx(FRONT, behind=f"127.0.0.1:{cls.server.port}")
        cls.addClassCleanup(cls.nginx.stop)

    def open(self):
        connection = raw.Connection(self.nginx)
        connection.socket.settimeout(PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def statistics(self):
        return json.loads(raw.once(self.server, request("/status/json")).body)

    def test_requests_come_on_connections_that_are_kept(self):
        client = self.open()
        before = self.statistics()["accepted"]
        for number in range(REQUESTS):
            name = list(FILES)[number % 3]
            answer = client.exchange(request("/" + name))
            self.assertEqual((answer.status, answer.body), (200, FILES[name]))
            answer = client.exchange(request("/echo/", "POST", Content_Length="5") + b"%05d" % number)
            self.assertEqual((answer.status, answer.body), (200, b"%05d" % number))
        self.assertLess(self.statistics()["accepted"] - before, 20)

    def test_every_kind_of_request(self):
        client = self.open()
        tag = client.exchange(request("/text.txt"))["ETag"]
        for method, path, fields, status in (("HEAD", "/text.txt", {}, 200), ("GET", "/nothing", {}, 404),
                                             ("GET", "/text.txt", {"If_None_Match": tag}, 304),
                                             ("OPTIONS", "/text.txt", {}, 204), ("DELETE", "/text.txt", {}, 405),
                                             ("GET", "/text.txt", {"Range": "bytes=-5"}, 206),
                                             ("GET", "/text.txt", {"Accept_Encoding": "gzip"}, 200)):
            with self.subTest(method=method, path=path, fields=fields):
                self.assertEqual(client.exchange(request(path, method, **fields), method).status, status)

    def test_large_bodies_both_ways(self):
        for prefix in ("", "/unbuffered", "/old"):
            with self.subTest(prefix=prefix):
                client = self.open()
                self.assertTrue(client.exchange(request(f"{prefix}/random.bin")).body == FILES["random.bin"])
                head = request(f"{prefix}/upload/", "POST", Content_Length=str(len(UPLOAD)), **UPLOAD_FIELDS)
                answer = client.exchange(head + UPLOAD)
                self.assertTrue(uploaded(answer.body), answer)

    def test_the_fields_of_a_request(self):
        answer = self.open().exchange(request("/echo/?headers", X_Forwarded_For="192.0.2.1", X_Own="as it is"))
        lines = answer.body.decode().splitlines()
        self.assertTrue(lines[0].startswith("GET /echo/?headers"), lines[0])
        for line in ("Host: localhost", "X-Forwarded-For: 192.0.2.1, 127.0.0.1", "X-Own: as it is"):
            self.assertIn(line, lines)

    def test_clients_that_leave(self):
        """nginx leaves too, in the middle of a response."""
        for _ in range(20):
            with raw.Connection(self.nginx) as client:
                client.send(request("/unbuffered/random.bin"))
                client.take(1000)
        self.assertEqual(raw.once(self.nginx, request("/text.txt")).body, TEXT)

    def connect(self, **options):
        return connect(f"ws://127.0.0.1:{self.nginx.port}/", **options)

    async def test_websockets(self):
        for options in ({}, {"compression": None}):
            async with self.connect(**options) as client:
                self.assertEqual(client.subprotocol, "echo")
                for number in range(REQUESTS):
                    message = f"número {number}" if number % 2 else b"\xff" * number
                    await client.send(message)
                    self.assertEqual(await receive(client), message)
                large = "é" * (MIB // 2)
                await client.send(large)
                self.assertTrue(await receive(client) == large)
                await asyncio.wait_for(await client.ping(), PATIENCE)
                await client.close(4001)
            self.assertEqual(client.close_code, 4001)

    async def test_many_websockets_at_once(self):
        clients = [await self.connect() for _ in range(50)]
        for number, client in enumerate(clients):
            await client.send(str(number))
        self.assertEqual([await receive(client) for client in clients], [str(number) for number in range(50)])
        for client in clients:
            websocket_peer.abort(client)
        await asyncio.to_thread(server.until, lambda: all(row["open"] == 0 for row in self.statistics()["rows"]), 20,
                                "all of them gone")


class Behind(unittest.TestCase):
    """Client, the server, and then nginx, over TCP, over a unix socket, and over TLS with certificates on both sides."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        make_files(cls.folder / "www")
        cls.last = server.Server()
        cls.addClassCleanup(cls.last.stop)
        behind = f"127.0.0.1:{cls.last.port}"
        path = cls.folder / "nginx.sock"
        cls.nginx = Nginx(FILE_SERVER, www=cls.folder / "www", behind=behind)
        cls.addClassCleanup(cls.nginx.stop)
        cls.on_path = Nginx(FILE_SERVER, listen=f"unix:{path}", www=cls.folder / "www", behind=behind)
        cls.addClassCleanup(cls.on_path.stop)
        authority = certificates.Authority()
        cls.addClassCleanup(authority.close)
        (certificate, key), (own, own_key) = authority.sign("nginx"), authority.sign("we", "/CN=we", names=None)
        cls.by_tls = Nginx(BY_TLS, www=cls.folder / "www", behind=behind, certificate=certificate, key=key, authority=authority.file)
        cls.addClassCleanup(cls.by_tls.stop)
        options = {"tls_authorities": authority.file, "tls_certificate": own, "tls_key": own_key}
        cls.server = server.Server("--proxy", f"/app/=http://127.0.0.1:{cls.nginx.port}/", "--proxy", f"/path/=unix:{path}:/",
                                   "--proxy", f"/tls/=https://localhost:{cls.by_tls.port}/",
                                   *(word for name, value in options.items() for word in ("--proxy-option", f"/tls/={name}={value}")))
        cls.addClassCleanup(cls.server.stop)
        cls.upstreams = {"/app/": cls.nginx, "/path/": cls.on_path, "/tls/": cls.by_tls}

    def client(self):
        client = http.client.HTTPConnection(self.server.host, self.server.port, timeout=PATIENCE)
        self.addCleanup(client.close)
        return client

    def exchange(self, client, path, method="GET", **options):
        client.request(method, path.replace(" ", "%20"), **options)
        answer = client.getresponse()
        return answer, answer.read()

    def test_files(self):
        for prefix in self.upstreams:
            client = self.client()
            for name, content in FILES.items():
                with self.subTest(prefix=prefix, name=name):
                    answer, body = self.exchange(client, prefix + name)
                    self.assertEqual((answer.status, answer.getheader("Content-Length")), (200, str(len(content))))
                    self.assertTrue(body == content, f"{len(body)} other bytes")

    def test_every_kind_of_answer(self):
        for prefix in self.upstreams:
            client = self.client()
            tag = self.exchange(client, prefix + "text.txt")[0].getheader("ETag")
            for method, path, headers, status, wanted in (
                    ("HEAD", "text.txt", {}, 200, b""), ("GET", "nothing", {}, 404, None),
                    ("GET", "missing/", {}, 503, b"not now\n"), ("GET", "text.txt", {"If-None-Match": tag}, 304, b""),
                    ("GET", "text.txt", {"Range": "bytes=2-5"}, 206, TEXT[2:6]),
                    ("GET", "text.txt", {"Range": "bytes=9999999-"}, 416, None), ("POST", "text.txt", {}, 405, None)):
                with self.subTest(prefix=prefix, method=method, path=path, headers=headers):
                    answer, body = self.exchange(client, prefix + path, method, headers=headers)
                    self.assertEqual((answer.status, body), (status, body if wanted is None else wanted))
                    self.assertIn("nginx", answer.getheader("Server"))
            moved = self.exchange(client, prefix + "moved")[0]
            self.assertEqual((moved.status, moved.getheader("Location")), (302, "http://elsewhere.test/"))

    def test_what_nginx_compresses_comes_in_chunks(self):
        for prefix in self.upstreams:
            answer, body = self.exchange(self.client(), prefix + "text.txt", headers={"Accept-Encoding": "gzip"})
            self.assertEqual((answer.getheader("Content-Encoding"), answer.getheader("Transfer-Encoding")), ("gzip", "chunked"))
            self.assertEqual(gzip.decompress(body), TEXT)

    def test_the_request_as_nginx_sees_it(self):
        for prefix in self.upstreams:
            fields = {"Host": "name.test", "X-Forwarded-For": "::1"}
            _, body = self.exchange(self.client(), prefix + "says/a%20b?x=1&y", headers=fields)
            self.assertEqual(body.decode(), "name.test|127.0.0.1|http|1.1 wharf|/says/a%20b?x=1&y|HTTP/1.1")

    def test_connections_are_kept_as_long_as_nginx_keeps_them(self):
        for prefix, upstream in self.upstreams.items():
            client, before = self.client(), len(upstream.requests())
            for number in range(REQUESTS):
                answer, body = self.exchange(client, f"{prefix}says/{number}")
                self.assertEqual((answer.status, f"|/says/{number}|" in body.decode()), (200, True))
            server.until(lambda: len(upstream.requests()) == before + REQUESTS, 10, "nginx's lines for all of them")
            served = upstream.requests()[before:]
            self.assertLessEqual(len({connection for connection, *_ in served}), REQUESTS / 50 + 2)

    def test_many_clients_at_once(self):
        def work(number):
            client = self.client()
            for _ in range(REQUESTS // 8):
                prefix, name = list(self.upstreams)[number // 3 % 3], ("text.txt", "index.html", "empty.txt")[number % 3]
                if self.exchange(client, prefix + name)[1] != FILES[name]:
                    return name
            return None

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            self.assertEqual(list(pool.map(work, range(16))), [None] * 16)

    def test_there_and_back(self):
        """Through the server, nginx, and another server: a body, and a WebSocket."""
        for prefix in self.upstreams:
            for options in ({}, {"encode_chunked": True, "headers": {**UPLOAD_FIELDS, "Transfer-Encoding": "chunked"}}):
                body = iter([UPLOAD[:MIB], UPLOAD[MIB:]]) if options else UPLOAD
                answer, got = self.exchange(self.client(), f"{prefix}behind/upload/", "POST", body=body,
                                            **{"headers": UPLOAD_FIELDS, **options})
                self.assertEqual((answer.status, uploaded(got)), (200, True))
            asyncio.run(self.talk(f"ws://127.0.0.1:{self.server.port}{prefix}behind/"))

    async def talk(self, url):
        async with connect(url) as client:
            for number in range(REQUESTS):
                await client.send(str(number) * number)
                self.assertEqual(await receive(client), str(number) * number)
            await asyncio.wait_for(await client.ping(), PATIENCE)
            await client.close(4001)
        self.assertEqual(client.close_code, 4001)


if __name__ == "__main__":
    unittest.main()
