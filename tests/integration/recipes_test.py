"""The recipes of docs/tls.md as they stand there: certificates by a webroot, haproxy and nginx in front, certificates of clients."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import certificates
import haproxy_test
import nginx_front_test
import recipes
import server

CURL = server.need("curl")
CLIENT = "127.0.0.9"  # the client of a front, which itself comes from 127.0.0.1
PATIENCE = 30 * server.SLOW
MEMBER = os.environ["WHARF_MEMBER"]  # the plugin of the page
STREAM_MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")

STREAM_BASE = """load_module {module};
daemon off;
{{user}}worker_processes 1;
pid {{folder}}/nginx.pid;
error_log {{folder}}/error.log warn;
events {{{{ worker_connections 512; }}}}
{{http}}
"""


def run(*command, **options):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=PATIENCE, check=False, **options)


class Recipe(unittest.TestCase):
    def setUp(self):
        self.authority = certificates.Authority()
        self.addCleanup(self.authority.close)
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.pair = self.authority.sign("first", subject="/CN=first", names="DNS:example.com")
        self.files = {"fullchain.pem": self.pair[0], "privkey.pem": self.pair[1]}
        self.log = self.folder / "access.log"

    def serve(self, recipe, values, *more):
        """The server that a recipe starts, with its first command that does so."""
        words = next(words for words in recipes.commands(recipe, values) if words[0] == "wharf-test-server")
        one = server.Server(*words[1:], *more, "--access-log", self.log, "--access-log-format", "json")
        self.addCleanup(one.stop)
        return one

    def curl(self, url, port, *more, address="127.0.0.1"):
        """Head and body. `url` is of example.com, which is this machine at that port."""
        place = f"example.com:{443 if url.startswith('https') else 80}"
        done = run(CURL, "-sS", "-i", "--max-time", PATIENCE, "--cacert", self.authority.file, "--connect-to", f"{place}:{address}:{port}",
                   *more, url)
        self.assertEqual(done.returncode, 0, done.stderr)
        head, _, body = done.stdout.decode().partition("\r\n\r\n")
        return head, body

    def addresses(self, target):
        """Of the clients that asked for it, as the log has them."""
        lines = [json.loads(line) for line in self.log.read_text("utf-8").splitlines()] if self.log.exists() else []
        return {line["address"] for line in lines if line["target"] == target}

    def check_front(self, port, hsts):
        head, body = self.curl("https://example.com/?recipe", port, "--interface", CLIENT)
        self.assertTrue(head.startswith("HTTP/1.1 200 "), head)
        self.assertIn("<title>", body)
        self.assertEqual("\r\nStrict-Transport-Security: max-age=31536000" in head, hsts, head)
        server.until(lambda: self.addresses("/?recipe") == {CLIENT}, 20, "a line with the client's address")


class Acme(Recipe):
    def challenge(self, webroot, port):
        """What certbot and the authority do."""
        certbot, = recipes.commands("acme-client", {"/var/lib/wharf/acme": webroot})
        token = pathlib.Path(certbot[certbot.index("-w") + 1]) / ".well-known" / "acme-challenge" / "token-1"
        token.write_text("token-1.thumbprint", encoding="ascii")
        head, body = self.curl(f"http://example.com/.well-known/acme-challenge/{token.name}", port)
        self.assertTrue(head.startswith("HTTP/1.1 200 "), head)
        self.assertEqual(body, "token-1.thumbprint")
        token.unlink()
        self.assertIn(" 404 ", self.curl(f"http://example.com/.well-known/acme-challenge/{token.name}", port)[0])
        return certbot

    def live(self, pair):
        """Where certbot keeps a pair: links to files that have a name of their own."""
        live, archive = self.folder / "live" / "example.com", self.folder / pair[0].stem
        archive.mkdir()
        live.mkdir(parents=True, exist_ok=True)
        for file, name in zip(pair, ("fullchain.pem", "privkey.pem")):
            shutil.copy(file, archive / name)
            (live / "new").symlink_to(archive / name)
            os.replace(live / "new", live / name)

    def test_the_first_and_the_next_certificate(self):
        webroot = self.folder / "acme"
        make, = (words for words in recipes.commands("acme-first", {"/var/lib/wharf/acme": webroot, "*:80": "127.0.0.1:0"}) if words[0] == "mkdir")
        self.assertEqual(run(*make).returncode, 0)
        first = self.serve("acme-first", {"/var/lib/wharf/acme": webroot, "*:80": "127.0.0.1:0"})
        self.challenge(webroot, first.port)

        self.live(self.pair)
        values = {"/var/lib/wharf/acme": webroot, "*:80": "127.0.0.1:0", "*:443": "127.0.0.1:0",
                  "/etc/letsencrypt/live": self.folder / "live"}
        site = self.serve("acme-server", values, "-d", "info")
        secure = int(re.search(r"https://127\.0\.0\.1:(\d+)/", site.ready_line)[1])
        head, _ = self.curl("http://example.com/any?query", site.port)
        self.assertTrue(head.startswith("HTTP/1.1 308 "), head)
        self.assertIn("\r\nLocation: https://example.com/any?query\r\n", head)
        self.assertIn("<title>", self.curl("https://example.com/", secure)[1])
        certbot = self.challenge(webroot, site.port)
        hook = certbot[certbot.index("--deploy-hook") + 1].split()
        self.assertEqual(hook[:4], ["systemctl", "kill", "-s", "HUP"])  # the service is this process here

        self.live(self.authority.sign("second", subject="/CN=second", names="DNS:example.com"))
        site.process.send_signal(signal.SIGHUP)
        server.until(lambda: "the files of TLS were read again" in site.log(), 20, "the new certificate")
        shown = run(certificates.OPENSSL, "s_client", "-connect", f"127.0.0.1:{secure}", "-servername", "example.com").stdout
        self.assertRegex(shown, rb"subject=CN ?= ?second")


class Haproxy(Recipe):
    def front(self, recipe, there, **values):
        named = {":443": "fd@{listen}", "127.0.0.1:7681": f"127.0.0.1:{there.port}", **values}
        one = haproxy_test.Haproxy(recipes.recipe(recipe, named))
        self.addCleanup(one.stop)
        return one

    def test_tls_ends_there(self):
        there = self.serve("haproxy-ends-tls-server", {}, "-d", "info")
        both = self.folder / "both.pem"
        both.write_bytes(b"".join(file.read_bytes() for file in self.pair))
        front = self.front("haproxy-ends-tls", there, **{"/etc/haproxy/example.com.pem": both})
        self.check_front(front.port, hsts=True)
        self.assertNotIn("PROXY header", there.log())

    def test_tls_is_passed_through(self):
        there = self.serve("haproxy-passes-tls-server", self.files, "-d", "info")
        self.check_front(self.front("haproxy-passes-tls", there).port, hsts=False)
        self.assertNotIn("PROXY header", there.log())


class Nginx(Recipe):
    def front(self, recipe, there, values, **options):
        text = recipes.recipe(recipe, {"127.0.0.1:7681": f"127.0.0.1:{there.port}", **values})
        text = text.replace("{", "{{").replace("}", "}}").replace("listen 443", "listen {listen}")
        one = nginx_front_test.Nginx(text, **options)
        self.addCleanup(one.stop)
        return one

    def test_tls_ends_there(self):
        there = self.serve("nginx-ends-tls-server", {})
        front = self.front("nginx-ends-tls", there, {"/etc/nginx/fullchain.pem": self.pair[0], "/etc/nginx/privkey.pem": self.pair[1]})
        self.check_front(front.port, hsts=True)
        head, _ = self.curl("https://example.com/", front.port, "-H", "Upgrade: websocket", "-H", "Connection: Upgrade", "-H",
                            "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "-H",
                            "Sec-WebSocket-Protocol: unknown")
        self.assertTrue(head.startswith("HTTP/1.1 400 "), head)  # nginx has passed the upgrade on

    def test_tls_is_passed_through(self):
        if not STREAM_MODULE.exists():
            server.missing_peer("libnginx-mod-stream")
        there = self.serve("nginx-passes-tls-server", self.files)
        front = self.front("nginx-passes-tls", there, {}, base=STREAM_BASE.format(module=STREAM_MODULE))
        self.check_front(front.port, hsts=False)


class MutualTls(Recipe):
    def test_a_handler_sees_whose_certificate_it_is(self):
        for words in recipes.commands("mutual-authority", {}):
            done = run(*words, cwd=self.folder)
            self.assertEqual(done.returncode, 0, done.stderr)
        plugins = self.folder / "plugins"
        plugins.mkdir()
        shutil.copy(MEMBER, plugins)
        values = {**self.files, "clients.pem": self.folder / "clients.pem", "-P plugins": f"-P {plugins}"}
        site = self.serve("mutual-server", values)
        client, = recipes.commands("mutual-client", {"alice.pem": self.folder / "alice.pem", "alice.key": self.folder / "alice.key"})
        place = ("-sS", "--max-time", str(PATIENCE), "--cacert", self.authority.file, "--connect-to", f"example.com:7681:127.0.0.1:{site.port}")
        done = run(client[0], *place, *client[1:])
        self.assertEqual(done.returncode, 0, done.stderr)
        subject, fingerprint = done.stdout.decode().splitlines()
        self.assertEqual(subject, "CN=alice,O=Example")
        shown = run(certificates.OPENSSL, "x509", "-in", self.folder / "alice.pem", "-noout", "-fingerprint", "-sha256").stdout.decode()
        self.assertEqual(fingerprint, shown.strip().partition("=")[2])
        self.assertNotEqual(run(client[0], *place, client[-1]).returncode, 0)


if __name__ == "__main__":
    unittest.main()
