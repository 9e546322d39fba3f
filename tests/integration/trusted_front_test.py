"""Servers in front that are trusted: nginx that ends TLS, and python's WSGI server behind a proxy mount."""

import asyncio
import http.client
import json
import pathlib
import ssl
import subprocess
import tempfile
import threading
import unittest
import wsgiref.simple_server

import nginx_front_test
import raw
import server
import websocket_peer
from raw import request

OPENSSL = server.need("openssl")
PATIENCE = 30 * server.SLOW
CLIENT = "127.0.0.2"  # whom nginx, at 127.0.0.1, is asked by

FRONT = """
  map $http_upgrade $connection_field {{ default upgrade; '' ''; }}
  server {{
    listen {listen} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    underscores_in_headers on;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Connection $connection_field;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    location / {{ proxy_pass http://{behind}; }}
    location /by-path/ {{ proxy_pass http://unix:{path}:/; }}
  }}
"""


def application(environment, start_response):
    """Insists on https, as frameworks do."""
    seen = {name: value for name, value in environment.items() if name.startswith("HTTP_")}
    if seen.get("HTTP_X_FORWARDED_PROTO") != "https" and not environment["PATH_INFO"].endswith("/seen"):
        start_response("301 Moved Permanently", [("Location", "https://" + seen["HTTP_HOST"] + environment["PATH_INFO"])])
        return [b""]
    body = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


def make_certificate(folder):
    subprocess.run([OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class TrustedFront(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        make_certificate(cls.folder)
        cls.behind = wsgiref.simple_server.make_server("127.0.0.1", 0, application, handler_class=Quiet)
        cls.addClassCleanup(cls.behind.server_close)
        threading.Thread(target=cls.behind.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.behind.shutdown)
        common = ("--proxy", f"/app/=http://127.0.0.1:{cls.behind.server_port}/", "--allow-origin", "same-origin",
                  "--protocol-option", "lws-status.addresses=on")
        logs = ("--access-log-format", "json", "--access-log")
        cls.path = cls.folder / "wharf.sock"
        cls.trusting = server.Server("--trust", "127.0.0.1", *common, *logs, str(cls.folder / "tcp.log"))
        cls.addClassCleanup(cls.trusting.stop)
        cls.on_path = subprocess.Popen(server.command("-U", cls.path, "--trust", "unix", *common, *logs,
                                                      cls.folder / "unix.log"), stdout=subprocess.PIPE)
        cls.addClassCleanup(cls.end, cls.on_path)
        cls.on_path.stdout.readline()
        cls.wary = server.Server("--trust", "192.0.2.0/24", *common)
        cls.addClassCleanup(cls.wary.stop)
        cls.nginx = nginx_front_test.Nginx(FRONT, behind=f"127.0.0.1:{cls.trusting.port}", path=cls.path,
                                           certificate=cls.folder / "certificate.pem", key=cls.folder / "key.pem")
        cls.addClassCleanup(cls.nginx.stop)
        cls.context = ssl.create_default_context(cafile=cls.folder / "certificate.pem")
        cls.context.check_hostname = False

    @staticmethod
    def end(process):
        process.terminate()
        process.communicate(timeout=PATIENCE)

    def by_tls(self, path, headers=None):
        """The response that a client at CLIENT gets from nginx."""
        client = http.client.HTTPSConnection(self.nginx.host, self.nginx.port, timeout=PATIENCE, context=self.context,
                                             source_address=(CLIENT, 0))
        self.addCleanup(client.close)
        client.request("GET", path, headers=headers or {})
        answer = client.getresponse()
        return answer.status, answer.read()

    def log_lines(self, name, count):
        path = self.folder / name
        server.until(lambda: path.exists() and len(path.read_text("utf-8").splitlines()) >= count, 20, "lines of the access log")
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    def test_an_application_that_insists_on_https_does_not_redirect_for_ever(self):
        for prefix in ("", "/by-path"):
            with self.subTest(prefix=prefix):
                status, body = self.by_tls(f"{prefix}/app/page", {"X-Forwarded-For": "6.6.6.6", "X_Forwarded_Proto": "http",
                                                                  "X_Forwarded_For": "6.6.6.7"})
                self.assertEqual(status, 200, body)
                seen = json.loads(body)
                self.assertEqual(seen["HTTP_X_FORWARDED_PROTO"], "https")
                self.assertEqual(seen["HTTP_X_FORWARDED_HOST"], f"{self.nginx.host}:{self.nginx.port}")
                chain = f"6.6.6.6, {CLIENT}"
                self.assertEqual(seen["HTTP_X_FORWARDED_FOR"], chain if prefix else chain + ", 127.0.0.1")

    def test_the_access_log_has_the_clients_address(self):
        for prefix, name in (("", "tcp.log"), ("/by-path", "unix.log")):
            with self.subTest(prefix=prefix):
                self.by_tls(f"{prefix}/app/logged", {"X-Forwarded-For": "6.6.6.6"})
                server.until(lambda name=name: any(line["target"] == "/app/logged" for line in self.log_lines(name, 1)), 20, "its line")
                line = [line for line in self.log_lines(name, 1) if line["target"] == "/app/logged"][-1]
                self.assertEqual(line["address"], CLIENT)

    def test_of_anybody_else_nothing_is_believed(self):
        forged = {"X_Forwarded_For": "6.6.6.6", "X_Forwarded_Proto": "https", "X_Forwarded_Host": "evil.example",
                  "Forwarded": "for=6.6.6.6;proto=https;host=evil.example"}
        forged_lines = "".join(f"{spelt}: {value}\r\n" for name, value in forged.items()
                               for spelt in (name, name.replace("_", "-"), name.lower(), name.upper().replace("_", ".")))
        head = f"GET /app/seen HTTP/1.1\r\nHost: site.example\r\n{forged_lines}\r\n".encode()
        seen = json.loads(raw.once(self.wary, head).body)
        self.assertEqual(seen["HTTP_X_FORWARDED_FOR"], "127.0.0.1")
        self.assertEqual(seen["HTTP_X_FORWARDED_PROTO"], "http")
        self.assertEqual(seen["HTTP_X_FORWARDED_HOST"], "site.example")
        self.assertEqual(seen["HTTP_FORWARDED"], 'for=127.0.0.1;host="site.example";proto=http')
        self.assertNotIn("6.6.6.6", str(seen))
        self.assertNotIn("evil", str(seen))

    def websocket(self, origin):
        async def talk():
            url = f"wss://{self.nginx.host}:{self.nginx.port}/"
            async with websocket_peer.connect(url, {"Origin": origin}, subprotocols=["lws-status"], ssl=self.context,
                                              local_addr=(CLIENT, 0), open_timeout=PATIENCE, close_timeout=PATIENCE) as client:
                return json.loads(await asyncio.wait_for(client.recv(), PATIENCE))
        return asyncio.run(talk())

    def test_same_origin_is_that_of_the_page_behind_tls_and_rows_see_the_client(self):
        here = f"{self.nginx.host}:{self.nginx.port}"
        self.assertEqual([each["peer"] for each in self.websocket(f"https://{here}")["conns"]], [CLIENT])
        for other in (f"http://{here}", f"https://{self.nginx.host}", "https://evil.example"):
            with self.subTest(origin=other), self.assertRaises(websocket_peer.Refused) as refused:
                self.websocket(other)
            self.assertEqual(websocket_peer.status(refused.exception), 403)

    def test_absurd_chains_are_no_more_than_that(self):
        for value in ("for=" + "\"" * 4000, "for=a," * 1500, "," * 8000, "10.0.0.1, " * 900, "[" * 8000, "for=\"" + "\\" * 8000):
            for name in ("Forwarded", "X_Forwarded_For", "X_Forwarded_Proto", "X_Forwarded_Host", "X_Forwarded_Port"):
                answer = raw.once(self.trusting, request("/app/seen", **{name: value}))
                self.assertEqual(answer.status, 200, (name, value[:20]))
                self.assertEqual(json.loads(answer.body)["HTTP_X_FORWARDED_PROTO"], "http")


class Options(unittest.TestCase):
    def fault(self, *arguments):
        done = subprocess.run(server.command("-p", "0", *arguments), capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def test_a_network_that_is_none_is_refused_in_one_line(self):
        for network, hint in (("10.0.0.1/8", "write 10.0.0.0/8 or 10.0.0.1"), ("localhost", "as in 192.0.2.0/24"),
                              ("::/129", "0 to 128"), ("", "as in 192.0.2.0/24")):
            with self.subTest(network=network):
                text = self.fault("--trust", network)
                self.assertIn(hint, text)
                self.assertEqual(text.count("\n"), 1)
        self.assertIn("--trust-fields", self.fault("--trust-fields", "x"))


if __name__ == "__main__":
    unittest.main()
