"""Debian's haproxy on either side: as a trusted front that ends TLS, and behind a proxy mount."""

import asyncio
import http.client
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
import wsgiref.simple_server

import raw
import server
import trusted_front_test
import websocket_peer

HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin") or server.missing_peer("haproxy")
PATIENCE = 30 * server.SLOW
CLIENT = trusted_front_test.CLIENT  # whom haproxy, at 127.0.0.1, is asked by

BASE = """
global
  maxconn 200
defaults
  mode http
  timeout connect 10s
  timeout client 30s
  timeout server 30s
  timeout tunnel 30s
"""

# Its X-Forwarded-For is a line of its own, behind the client's.
FRONT = """
frontend tls
  bind fd@{listen} ssl crt {certificate}
  option forwardfor
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  use_backend renamed if {{ path_beg /renamed/ }}
  use_backend {backend}
backend by_x_forwarded
  option httpchk
  server one {trusting} check inter 200ms fall 1
backend renamed
  http-request set-path %[path,regsub(^/renamed/,/)]
  http-request set-header Host internal.example
  server one {trusting}
backend by_forwarded
  http-request set-header Forwarded "for=%[src];proto=https;host=\\"%[req.hdr(host)]\\""
  server one {forwarded}
"""

BEHIND = """
frontend plain
  bind fd@{listen}
  http-request redirect location /elsewhere code 302 if {{ path /moves }}
  http-request early-hint Link "</style.css>; rel=preload" if {{ path /hinted }}
  http-request return status 200 content-type text/plain lf-string "{says}" if {{ path_beg /says }} or {{ path /hinted }}
  default_backend there
backend there
  server one {there}
"""


def application(environment, start_response):
    """Redirects if it is told to, and otherwise does the same as the other fronts."""
    if "HTTP_WHERE" in environment:
        start_response("302 Found", [("Location", environment["HTTP_WHERE"]), ("Content-Length", "0")])
        return [b""]
    return trusted_front_test.application(environment, start_response)


SAYS = "|".join(f"%[{part}]" for part in ("req.hdr(host)", "req.fhdr(x-forwarded-for)", "req.hdr(x-forwarded-proto)",
                                          "req.hdr(x-forwarded-prefix)", "req.hdr(via)", "url", "req.ver"))


class Haproxy:
    """One process, gone after stop(). It inherits the socket that it listens on, which so cannot be somebody else's."""

    def __init__(self, text, **values):
        self.place = tempfile.TemporaryDirectory()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.host, self.port = listener.getsockname()
            file = pathlib.Path(self.place.name) / "haproxy.cfg"
            file.write_text(BASE + text.format(listen=listener.fileno(), **values), encoding="utf-8")
            self.process = subprocess.Popen([HAPROXY, "-db", "-q", "-f", file], stdin=subprocess.DEVNULL,
                                            pass_fds=[listener.fileno()])

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.place.cleanup()


class InFront(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        trusted_front_test.make_certificate(cls.folder)
        both = cls.folder / "both.pem"
        both.write_bytes((cls.folder / "certificate.pem").read_bytes() + (cls.folder / "key.pem").read_bytes())
        behind = wsgiref.simple_server.make_server("127.0.0.1", 0, application,
                                                   handler_class=trusted_front_test.Quiet)
        cls.addClassCleanup(behind.server_close)
        threading.Thread(target=behind.serve_forever, daemon=True).start()
        cls.addClassCleanup(behind.shutdown)
        common = ("--proxy", f"/app/=http://127.0.0.1:{behind.server_port}/", "--allow-origin", "same-origin", "--trust",
                  "127.0.0.1", "--access-log-format", "json", "--protocol-option", "lws-status.addresses=on")
        served = {}
        for fields in ("x-forwarded", "forwarded"):
            one = server.Server(*common, "--trust-fields", fields, "--access-log", str(cls.folder / f"{fields}.log"))
            cls.addClassCleanup(one.stop)
            served[fields] = f"127.0.0.1:{one.port}"
        cls.fronts = {}
        for fields, backend in (("x-forwarded", "by_x_forwarded"), ("forwarded", "by_forwarded")):
            front = Haproxy(FRONT, certificate=both, backend=backend, trusting=served["x-forwarded"], forwarded=served["forwarded"])
            cls.addClassCleanup(front.stop)
            cls.fronts[fields] = front
        cls.context = ssl.create_default_context(cafile=cls.folder / "certificate.pem")
        cls.context.check_hostname = False

    def by_tls(self, front, path, headers=None):
        """The response that a client at CLIENT gets from haproxy."""
        client = http.client.HTTPSConnection(front.host, front.port, timeout=PATIENCE, context=self.context,
                                             source_address=(CLIENT, 0))
        self.addCleanup(client.close)
        client.request("GET", path, headers=headers or {})
        answer = client.getresponse()
        return answer, answer.read()

    def log_lines(self, fields, **wanted):
        path = self.folder / f"{fields}.log"
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
        return [line for line in lines if all(line[name] == value for name, value in wanted.items())]

    FORGED = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example",
              "Forwarded": "for=6.6.6.6;proto=http;host=evil.example", "X_Forwarded_For": "6.6.6.6"}

    def test_what_is_behind_learns_who_asked_and_how(self):
        for fields, front in self.fronts.items():
            with self.subTest(fields=fields):
                answer, body = self.by_tls(front, "/app/page", self.FORGED)
                self.assertEqual(answer.status, 200, body)
                seen = json.loads(body)
                self.assertEqual(seen["HTTP_X_FORWARDED_PROTO"], "https")
                self.assertEqual(seen["HTTP_X_FORWARDED_HOST"], f"{front.host}:{front.port}")
                chain = f"{CLIENT}, 127.0.0.1"
                self.assertEqual(seen["HTTP_X_FORWARDED_FOR"], f"6.6.6.6, {chain}" if fields == "x-forwarded" else chain)
                self.assertNotIn("evil", str(seen))

    def test_the_access_log_has_the_clients_address(self):
        for fields, front in self.fronts.items():
            with self.subTest(fields=fields):
                self.by_tls(front, "/logged", self.FORGED)
                lines = server.until(lambda fields=fields: self.log_lines(fields, target="/logged"), 20, "a line")
                self.assertEqual({line["address"] for line in lines}, {CLIENT})

    def test_its_checks_are_answered(self):
        server.until(lambda: len(self.log_lines("x-forwarded", method="OPTIONS")) >= 3, 20, "checks")
        self.assertEqual(self.by_tls(self.fronts["x-forwarded"], "/index.html")[0].status, 200)

    def test_places_on_the_clients_host_are_mapped_where_haproxy_gives_another(self):
        front = self.fronts["x-forwarded"]
        where = f"{front.host}:{front.port}"
        answer, _ = self.by_tls(front, "/renamed/app/places", {"Where": f"https://{where}/login"})
        self.assertEqual((answer.status, answer.getheader("Location")), (302, f"https://{where}/app/login"))

    def websocket(self, front, origin):
        async def talk():
            url = f"wss://{front.host}:{front.port}/"
            async with websocket_peer.connect(url, {"Origin": origin}, subprotocols=["lws-status"], ssl=self.context,
                                              local_addr=(CLIENT, 0), open_timeout=PATIENCE, close_timeout=PATIENCE) as client:
                return json.loads(await asyncio.wait_for(client.recv(), PATIENCE))
        return asyncio.run(talk())

    def test_a_websocket_of_the_same_origin(self):
        for fields, front in self.fronts.items():
            with self.subTest(fields=fields):
                here = f"{front.host}:{front.port}"
                self.assertIn(CLIENT, [each["peer"] for each in self.websocket(front, f"https://{here}")["conns"]])
                with self.assertRaises(websocket_peer.Refused) as refused:
                    self.websocket(front, f"http://{here}")
                self.assertEqual(websocket_peer.status(refused.exception), 403)


class Behind(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.there = server.Server()
        cls.addClassCleanup(cls.there.stop)
        cls.haproxy = Haproxy(BEHIND, says=SAYS, there=f"127.0.0.1:{cls.there.port}")
        cls.addClassCleanup(cls.haproxy.stop)
        cls.server = server.Server("--proxy", f"/behind/=http://127.0.0.1:{cls.haproxy.port}/")
        cls.addClassCleanup(cls.server.stop)

    def test_the_request_as_haproxy_sees_it(self):
        with raw.Connection(self.server) as client:
            for number in range(100):
                answer = client.exchange(raw.request(f"/behind/says/{number}?x=1", Host="name.test", X_Forwarded_For="6.6.6.6"))
                self.assertEqual(answer.body.decode(), f"name.test|127.0.0.1|http|/behind|1.1 wharf|/says/{number}?x=1|1.1")

    def test_its_early_hints_and_redirects_pass(self):
        with raw.Connection(self.server) as client:
            client.send(raw.request("/behind/hinted"))
            hint = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n"
            self.assertEqual(client.take(len(hint)).lower(), hint.lower())
        self.assertEqual(raw.once(self.server, raw.request("/behind/moves"))["Location"], "/behind/elsewhere")

    def test_bodies_and_a_websocket_through_it(self):
        body = os.urandom(100_000)
        client = http.client.HTTPConnection(self.server.host, self.server.port, timeout=PATIENCE)
        self.addCleanup(client.close)
        chunked = {"encode_chunked": True, "headers": {"Transfer-Encoding": "chunked"}}
        for options in ({"body": body}, {"body": iter([body]), **chunked}):
            client.request("POST", "/behind/echo/", **options)
            answer = client.getresponse()
            self.assertEqual(answer.status, 200)
            self.assertTrue(answer.read() == body)
        asyncio.run(self.talk())

    async def talk(self):
        url = f"ws://127.0.0.1:{self.server.port}/behind/"
        async with websocket_peer.connect(url, subprotocols=["echo"], open_timeout=PATIENCE, close_timeout=PATIENCE) as client:
            for number in range(50):
                await client.send(str(number) * number)
                self.assertEqual(await asyncio.wait_for(client.recv(), PATIENCE), str(number) * number)


if __name__ == "__main__":
    unittest.main()
