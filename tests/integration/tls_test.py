"""TLS on a port: curl, openssl s_client, python's ssl and websockets, with an authority of the tests' own."""

import asyncio
import contextlib
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import tempfile
import unittest

import certificates
import server
import websocket_peer

CURL = server.need("curl")
OPENSSL = certificates.OPENSSL
PATIENCE = 30 * server.SLOW
NODE = server.need("node")
NODE_CLIENT = pathlib.Path(__file__).with_name("node_client.js")
NODE_RESUMES = """
const options = {host: '127.0.0.1', port: process.argv[1], servername: 'localhost', ca: require('fs').readFileSync(process.argv[2]),
                 maxVersion: process.argv[3]};
const first = require('tls').connect(options);
first.once('session', (session) => {
  const second = require('tls').connect({...options, session}, () => {
    console.log(second.getProtocol(), second.isSessionReused());
    process.exit(0);
  });
});
"""
BIG = os.urandom(3_000_001)


def run(*arguments, data=b"", timeout=PATIENCE):
    return subprocess.run([str(part) for part in arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          timeout=timeout, env={**os.environ, "no_proxy": "*"})


class Site(unittest.TestCase):
    """Servers with certificates of an authority of their own, and clients."""

    @classmethod
    def setUpClass(cls):
        cls.authority = certificates.Authority()
        cls.pairs = {kind: cls.authority.sign(kind, kind=kind) for kind in ("ec", "rsa")}
        cls.folder = tempfile.TemporaryDirectory()
        www = pathlib.Path(cls.folder.name)
        (www / "index.html").write_text("<title>Index</title>\n", encoding="ascii")
        (www / "big").write_bytes(BIG)
        cls.www = str(www)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()
        cls.authority.close()

    def serve(self, *arguments, pair="ec"):
        certificate, key = self.pairs[pair]
        return server.Server("--ssl", "-C", certificate, "-K", key, *arguments, www=self.www)

    def curl(self, site, path, *arguments):
        result = run(CURL, "-sS", "--cacert", self.authority.file, *arguments, f"https://localhost:{site.port}{path}")
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def s_client(self, site, *arguments, data=b""):
        result = run(OPENSSL, "s_client", "-connect", f"127.0.0.1:{site.port}", "-CAfile", self.authority.file, "-verify_return_error",
                     *arguments, data=data)
        return result.returncode, (result.stdout + result.stderr).decode(errors="replace")

    def client_context(self, **pair):
        context = ssl.create_default_context(cafile=str(self.authority.file))
        if pair:
            context.load_cert_chain(**pair)
        return context


class Tls(Site):
    def test_curl_gets_files_whole_with_either_kind_of_key_and_version(self):
        for pair in ("ec", "rsa"):
            with self.serve(pair=pair) as site:
                self.assertTrue(site.url.startswith("https://"))
                for version in ((), ("--tls-max", "1.2")):
                    self.assertIn(b"Index", self.curl(site, "/", *version))
                    self.assertEqual(self.curl(site, "/big", *version), BIG)
                    self.assertEqual(self.curl(site, "/big", "-r", "1000000-2000000", *version), BIG[1000000:2000001])

    def test_versions_before_1_2_are_refused_and_modern_refuses_that(self):
        with self.serve() as site:
            for version, accepted in (("-tls1_3", True), ("-tls1_2", True), ("-tls1_1", False)):
                status, text = self.s_client(site, version, "-cipher", "ALL:@SECLEVEL=0")
                self.assertEqual(status == 0 and "Verify return code: 0" in text, accepted, text)
        with self.serve("--ssl-profile", "modern") as site:
            self.assertEqual(self.s_client(site, "-tls1_3")[0], 0)
            self.assertNotEqual(self.s_client(site, "-tls1_2")[0], 0)

    def test_sessions_are_resumed(self):
        with self.serve() as site, tempfile.TemporaryDirectory() as folder:
            for version in ("-tls1_3", "-tls1_2"):
                kept = pathlib.Path(folder) / f"session{version}"
                request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                _, text = self.s_client(site, version, "-sess_out", kept, "-ign_eof", data=request)
                self.assertIn("New, ", text)
                _, text = self.s_client(site, version, "-sess_in", kept, "-ign_eof", data=request)
                self.assertIn("Reused, ", text)
                self.assertIn("Index", text)

    def test_python_and_node_resume_sessions(self):
        with self.serve() as site:
            for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
                context = self.client_context()
                context.maximum_version = version
                session = None
                for reused in (False, True):
                    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE) as plain, \
                            context.wrap_socket(plain, server_hostname="localhost", session=session) as client:
                        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                        while client.recv(1 << 16):
                            pass
                        self.assertEqual(client.session_reused, reused, version)
                        session = client.session
            for version in ("TLSv1.3", "TLSv1.2"):
                result = run(NODE, "-e", NODE_RESUMES, site.port, self.authority.file, version)
                self.assertEqual(result.stdout.decode(), f"{version} true\n", result.stderr)

    def test_the_access_log_and_the_statistics_tell_what_was_agreed_on(self):
        with tempfile.NamedTemporaryFile() as log, \
                self.serve("--access-log", log.name, "--access-log-format", "json", "--default-protocol", "echo") as site:
            for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
                context = self.client_context()
                context.maximum_version = version
                session = None
                for _ in range(2):
                    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE) as plain, \
                            context.wrap_socket(plain, server_hostname="localhost", session=session) as client:
                        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                        while client.recv(1 << 16):
                            pass
                        session = client.session
            self.assertNotEqual(self.s_client(site, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")[0], 0)
            statistics = json.loads(self.curl(site, "/status/json"))
            self.assertEqual(statistics["tls"], {"handshakes": 5, "version_1_2": 2, "resumed": 2, "failed": 1, "cut": 0})
            self.assertEqual(set(statistics["refused"].values()), {0})
            file = pathlib.Path(log.name)
            server.until(lambda: file.read_bytes().count(b"\n") == 5, 10, "five lines")
            lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            facts = [(line["tls_version"], line["tls_cipher"], line["tls_resumed"]) for line in lines]
            suites = ("TLS_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256")
            self.assertEqual(facts, [("TLSv1.3", suites[0], "no"), ("TLSv1.3", suites[0], "yes"), ("TLSv1.2", suites[1], "no"),
                                     ("TLSv1.2", suites[1], "yes"), ("TLSv1.3", suites[0], "no")])

    def test_node_talks_to_all_protocols_at_once(self):
        with self.serve("--default-protocol", "echo") as site:
            result = run(NODE, NODE_CLIENT, f"wss://localhost:{site.port}/", self.authority.file)
            self.assertEqual(result.returncode, 0, result.stderr)
            report = json.loads(result.stdout)
            self.assertEqual(report["reversed"], "👋 !dlröw ,olleH")
            self.assertEqual(report["echoedSizes"], [0, 1, 125, 126, 127, 65535, 65536, 1048576])

    def test_many_handshakes_with_a_large_key_at_once(self):
        pair = self.authority.sign("large", kind="rsa4096")
        with server.Server("--ssl", "-C", pair[0], "-K", pair[1], www=self.www) as site:
            context = self.client_context()

            async def one():
                reader, writer = await asyncio.open_connection("127.0.0.1", site.port, ssl=context, server_hostname="localhost")
                writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                text = await reader.read()
                writer.close()
                return b"Index" in text

            async def all_of_them():
                return await asyncio.wait_for(asyncio.gather(*[one() for _ in range(60)]), PATIENCE)

            self.assertEqual(asyncio.run(all_of_them()), [True] * 60)
            self.assertIn(b"Index", self.curl(site, "/", "--tls-max", "1.2"))

    def hello(self, context):
        """A connection between two BIOs, and its first bytes."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        return tls, incoming, outgoing

    def test_clients_leave_at_any_moment_of_the_handshake(self):
        context = self.client_context()
        for pair in (self.pairs["ec"], self.authority.sign("leaving", kind="rsa4096")):
            with server.Server("--ssl", "-C", pair[0], "-K", pair[1], www=self.www) as site:
                before = site.descriptors()
                silent = []
                for number in range(200):  # a part of a hello, then an end or nothing more
                    client = socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE)
                    first = self.hello(context)[2].read()
                    client.sendall(first[:number * 3 % (len(first) + 1)])
                    silent.append(client)
                    if number % 2:
                        client.close()
                for _ in range(50):  # a whole one, then the end: while the key signs, or waits for its turn
                    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE) as client:
                        client.sendall(self.hello(context)[2].read())
                for _ in range(20):  # the whole handshake and a request, then the end before a ticket or a response was read
                    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE) as client:
                        tls, incoming, outgoing = self.hello(context)
                        done = False
                        while not done:
                            client.sendall(outgoing.read())
                            incoming.write(client.recv(65536))
                            with contextlib.suppress(ssl.SSLWantReadError):
                                tls.do_handshake()
                                done = True
                        tls.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                        client.sendall(outgoing.read())
                self.assertIn(b"Index", self.curl(site, "/"))
                for client in silent:
                    client.close()
                server.until(lambda: site.descriptors() <= before, 15, "all connections are gone")
                for _ in range(20):  # and the server ends while keys sign
                    silent.append(socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE))
                    silent[-1].sendall(self.hello(context)[2].read())
            for client in silent:
                client.close()

    def test_alpn(self):
        with self.serve() as site:
            self.assertIn("ALPN protocol: http/1.1", self.s_client(site, "-alpn", "h2,http/1.1")[1])
            status, text = self.s_client(site, "-alpn", "imap")
            self.assertNotEqual(status, 0)
            self.assertIn("no application protocol", text)

    def test_renegotiation_is_refused(self):
        with self.serve() as site:
            status, text = self.s_client(site, "-tls1_2", data=b"R\n")
            self.assertIn("no renegotiation", text + str(status))

    def test_a_response_ends_with_close_notify(self):
        with self.serve() as site:
            with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE) as plain, \
                    self.client_context().wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as client:
                client.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                received = b""
                while piece := client.recv(1 << 16):  # a missing close_notify would raise SSLEOFError
                    received += piece
                self.assertTrue(received.endswith(BIG))

    def test_websockets_of_all_protocols(self):
        with self.serve() as site:
            self.assertTrue(site.ws_url.startswith("wss://"))

            async def talk():
                for protocol, says, hears in (("echo", "hello", "hello"), ("reverse-echo", "hello", "olleh")):
                    if protocol not in site.protocols:
                        continue
                    async with websocket_peer.connect(f"wss://localhost:{site.port}/", subprotocols=[protocol],
                                                      ssl=self.client_context()) as client:
                        await client.send(says)
                        self.assertEqual(await asyncio.wait_for(client.recv(), PATIENCE), hears)
                async with websocket_peer.connect(f"wss://localhost:{site.port}/", subprotocols=["echo"],
                                                  ssl=self.client_context()) as client:
                    for size in (0, 1, 1300, 16384, 16385, 65536, 1 << 20):
                        message = os.urandom(size)
                        await client.send(message)
                        self.assertEqual(await asyncio.wait_for(client.recv(), PATIENCE), message)

            asyncio.run(talk())

    def test_certificates_of_clients(self):
        mine = self.authority.sign("alice", subject="/CN=alice/O=Test", names=None)
        stranger = certificates.Authority()
        self.addCleanup(stranger.close)
        foreign = stranger.sign("mallory", subject="/CN=mallory", names=None)
        own = ("--cert", mine[0], "--key", mine[1])
        with self.serve("-A", self.authority.file, "-v") as site:
            self.assertIn(b"Index", self.curl(site, "/", *own))
            for pair in ((), ("--cert", foreign[0], "--key", foreign[1])):
                result = run(CURL, "-sS", "--cacert", self.authority.file, *pair, f"https://localhost:{site.port}/")
                self.assertNotEqual(result.returncode, 0)
        with self.serve("-A", self.authority.file) as site:
            self.assertIn(b"Index", self.curl(site, "/"))
            self.assertIn(b"Index", self.curl(site, "/", *own))
            result = run(CURL, "-sS", "--cacert", self.authority.file, "--cert", foreign[0], "--key", foreign[1],
                         f"https://localhost:{site.port}/")
            self.assertNotEqual(result.returncode, 0)

    def test_an_encrypted_key_and_its_passphrase(self):
        certificate, key = self.authority.sign("locked", passphrase="open sesame")
        good, bad = pathlib.Path(self.folder.name) / "good", pathlib.Path(self.folder.name) / "bad"
        good.write_text("open sesame\nnot this\n", encoding="ascii")
        bad.write_text("close sesame\n", encoding="ascii")
        with server.Server("--ssl", "-C", certificate, "-K", key, "--ssl-passphrase", good, www=self.www) as site:
            self.assertIn(b"Index", self.curl(site, "/"))
        for more in ((), ("--ssl-passphrase", bad)):
            result = run(*server.command("--ssl", "-C", certificate, "-K", key, *more))
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"cannot read a private key from", result.stderr)

    def test_without_files_a_certificate_is_made_and_its_fingerprint_said(self):
        with server.Server("--ssl", www=self.www) as site:
            certificate = ssl.get_server_certificate(("127.0.0.1", site.port))
            shown = run(OPENSSL, "x509", "-noout", "-fingerprint", "-sha256", "-ext", "subjectAltName",
                        data=certificate.encode()).stdout.decode()
            fingerprint = shown.split("\n", 1)[0].split("=")[1]
            self.assertIn(fingerprint, site.log())
            for name in ("DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1"):
                self.assertIn(name, shown)
            trusted = pathlib.Path(self.folder.name) / "made.pem"
            trusted.write_text(certificate, encoding="ascii")
            self.assertIn(b"Index", run(CURL, "-sS", "--cacert", trusted, f"https://localhost:{site.port}/").stdout)

    def test_a_certificate_that_expires_soon_is_warned_of(self):
        certificate, key = self.authority.sign("old", days=10)
        with server.Server("--ssl", "-C", certificate, "-K", key, www=self.www) as site:
            line = r"warn: the certificate in '.*old\.pem' expires in (9|10) days\n"
            server.until(lambda: re.search(line, site.log()), 10, "a warning")

    def test_what_cannot_take_effect_is_said(self):
        certificate, key = self.pairs["ec"]
        _, other = self.pairs["rsa"]
        for arguments, status, says in (
                (("-C", certificate), 2, b"options of TLS need --ssl"), (("--ssl", "-K", key), 2, b"--ssl-key needs --ssl-cert"),
                (("--ssl", "-C", certificate, "-C", certificate, "-K", key), 2, b"give --ssl-key once for each --ssl-cert"),
                (("--ssl", "-R", certificate), 2, b"--ssl-crl needs --ssl-ca"),
                (("--ssl", "--ssl-ocsp", certificate), 2, b"--ssl-ocsp needs --ssl-cert"),
                (("--ssl-watch", "1000"), 2, b"options of TLS need --ssl"),
                (("--ssl", "-v"), 2, b"--ssl-verify-client needs --ssl-ca"),
                (("--ssl", "-U", "/tmp/never"), 2, b"--ssl is for a port"),
                (("--ssl", "-C", "/no/such.pem"), 1, b"cannot read a certificate from '/no/such.pem': No such file"),
                (("--ssl", "-C", certificate, "-K", other), 1, b"does not belong to the certificate")):
            result = run(*server.command(*arguments))
            self.assertEqual(result.returncode, status, (arguments, result.stderr))
            self.assertIn(says, result.stderr)
            self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)

    def test_a_client_that_speaks_no_tls_is_refused_with_a_line(self):
        with self.serve("-d", "info") as site:
            with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                while client.recv(4096):
                    pass
            server.until(lambda: "no TLS, an HTTP request without it was refused" in site.log(), 5, "a line about it")

    def test_a_request_knows_its_scheme(self):
        with self.serve("--proxy", "/p/=http://127.0.0.1:1/") as site:
            self.assertEqual(run(CURL, "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", self.authority.file, "--request-target",
                                 f"https://localhost:{site.port}/", f"https://localhost:{site.port}/").stdout, b"200")


if __name__ == "__main__":
    unittest.main()
