"""PROXY headers of Debian's haproxy and of curl, and a port that has https and http."""

import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest

import haproxy_test
import server

CURL = shutil.which("curl") or server.missing_peer("curl")
CLIENT = "127.0.0.9"  # haproxy's client; haproxy itself comes from 127.0.0.1
PATIENCE = haproxy_test.PATIENCE

FRONT = """
frontend everybody
  mode {mode}
  bind fd@{listen}
  default_backend wharf
backend wharf
  mode {mode}
  server one {there} {how} check check-send-proxy inter 200ms
"""


def curl(*arguments, given=None):
    return subprocess.run([CURL, "-sS", "--max-time", str(PATIENCE), *arguments], input=given, capture_output=True, timeout=2 * PATIENCE,
                          check=False)


class Balanced(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = pathlib.Path(folder.name) / "access.log"

    def serve(self, *arguments):
        one = server.Server("-d", "info", "--access-log", str(self.log), "--access-log-format", "json", *arguments)
        self.addCleanup(one.stop)
        return one

    def lines(self, target):
        lines = [json.loads(line) for line in self.log.read_text("utf-8").splitlines()] if self.log.exists() else []
        return [line for line in lines if line["target"] == target]

    def balance(self, there, how, mode="tcp"):
        front = haproxy_test.Haproxy(FRONT, mode=mode, there=f"127.0.0.1:{there.port}", how=how)
        self.addCleanup(front.stop)
        return front

    def test_the_real_address_behind_haproxy(self):
        there = self.serve("--proxy-header-from", "127.0.0.1")
        for how in ("send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id", "send-proxy-v2-ssl"):
            for mode in ("tcp", "http"):
                with self.subTest(how=how, mode=mode):
                    front = self.balance(there, how, mode)
                    target = f"/{how.replace(' ', '-')}/{mode}"
                    result = curl("-o", "/dev/null", "-w", "%{http_code}", "--interface", CLIENT, f"http://127.0.0.1:{front.port}{target}")
                    self.assertEqual(result.stdout, b"404", result.stderr)
                    self.assertEqual({line["address"] for line in server.until(lambda t=target: self.lines(t), 20, "a line")}, {CLIENT})
        self.assertNotIn("PROXY header", there.log())  # checks begin with one too

    def test_tls_behind_a_header(self):
        there = self.serve("--proxy-header-from", "127.0.0.1", "--ssl")
        front = self.balance(there, "send-proxy-v2")
        result = curl("-k", "-o", "/dev/null", "-w", "%{http_code}", "--interface", CLIENT, f"https://127.0.0.1:{front.port}/sealed")
        self.assertEqual(result.stdout, b"404", result.stderr)
        self.assertEqual({line["address"] for line in server.until(lambda: self.lines("/sealed"), 20, "a line")}, {CLIENT})

    def test_curl_sends_a_header(self):
        there = self.serve("--proxy-header-from", "127.0.0.1")
        result = curl("--haproxy-protocol", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{there.port}/by-curl")
        self.assertEqual(result.stdout, b"404", result.stderr)
        self.assertEqual(curl(f"http://127.0.0.1:{there.port}/without").returncode, 52)  # an empty reply
        server.until(lambda: "its PROXY header is not taken: there is none" in there.log(), 20, "a line about it")

    def test_a_stranger_may_not_send_one(self):
        there = self.serve("--proxy-header-from", "192.0.2.0/24")
        with socket.create_connection(("127.0.0.1", there.port), timeout=PATIENCE) as client:
            client.sendall(b"PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\nGET /spoofed HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = b""
            while more := client.recv(4096):
                answer += more
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.assertEqual(self.lines("/spoofed"), [])
        self.assertEqual(curl("-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{there.port}/").stdout, b"200")
        server.until(lambda: "is none of the balancers of this door" in there.log(), 20, "the log has a line")


class PlainHttp(unittest.TestCase):
    def ask(self, *arguments):
        with server.Server("--ssl", *arguments) as site:
            head = curl("-i", f"http://localhost:{site.port}/x?y=1").stdout.decode()
            secure = curl("-k", "-i", f"https://localhost:{site.port}/x").stdout.decode()
            return site.port, head, secure

    def test_refused_redirected_served(self):
        _, head, secure = self.ask("--hsts", "60")
        self.assertTrue(head.startswith("HTTP/1.1 400 "), head)
        self.assertNotIn("Strict-Transport-Security", head)
        self.assertIn("\r\nStrict-Transport-Security: max-age=60\r\n", secure)
        port, head, secure = self.ask("--redirect-to-ssl")
        self.assertTrue(head.startswith("HTTP/1.1 308 "), head)
        self.assertIn(f"\r\nLocation: https://localhost:{port}/x?y=1\r\n", head)
        self.assertNotIn("Strict-Transport-Security", secure)
        for letters in (("-a",), ("--allow-non-ssl", "--hsts", "60")):
            _, head, secure = self.ask(*letters)
            self.assertTrue(head.startswith("HTTP/1.1 404 "), head)
            self.assertNotIn("Strict-Transport-Security", head)
            self.assertTrue(secure.startswith("HTTP/1.1 404 "), secure)

    def test_options_that_do_nothing_are_errors(self):
        for arguments, says in ((("-a",), b"--allow-non-ssl needs --ssl"), (("--redirect-to-ssl",), b"--redirect-to-ssl needs --ssl"),
                                (("--ssl", "-a", "--redirect-to-ssl"), b"exclude each other"),
                                (("--proxy-header-from", "everybody"), b"PROXY headers: network 'everybody'")):
            result = subprocess.run(server.command(*arguments), capture_output=True, timeout=PATIENCE, check=False)
            self.assertIn(says, result.stderr)
            self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)


if __name__ == "__main__":
    unittest.main()
