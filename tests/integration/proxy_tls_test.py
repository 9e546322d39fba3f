"""Proxy mounts to servers over TLS that nobody here wrote: python's http.server and websockets with OpenSSL, and bare sockets. Whom the proxy
trusts, what it shows, and how a handshake or a connection may fail."""

import asyncio
import concurrent.futures
import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import unittest

import raw
import server
import websocket_peer
from certificates import Authority
from raw import request
from upstreams import BIG, Proxied, TlsUpstream, digest

PATIENCE = 20 * server.SLOW
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class OverTls(Proxied):
    """The tests have one authority, which signed a certificate for localhost and 127.0.0.1."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority()
        cls.addClassCleanup(cls.authority.close)
        cls.pair = cls.authority.sign("localhost")

    def context(self, pair=None, version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(pair or self.pair))
        context.set_alpn_protocols(["h2", "http/1.1"])
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def upstream(self, context=None):
        upstream = TlsUpstream(("127.0.0.1", 0), context or self.context())
        self.addCleanup(upstream.__exit__, None, None, None)
        return upstream

    def options(self, **options):
        return [word for name, value in options.items() for word in ("--proxy-option", f"/app/={name}={value}")]

    def serve(self, url, *arguments, trusts=True, **options):
        if trusts:
            options = {"tls_authorities": self.authority.file, **options}
        return super().serve(url, *arguments, *self.options(**options))

    def status(self, served):
        return raw.once(served, request("/app/x")).status

    def bad(self, served, reason, status=502):
        """The next request fails, and the log says why, in one line."""
        self.assertEqual(self.status(served), status)
        lines = server.until(lambda: [line for line in served.log().splitlines() if "proxy: " in line], 10, "a line")
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], r"^warn: proxy: https://\S+ is not reached: " + reason)
        self.assertNotIn("no TLS", served.log().replace(lines[0], ""))


class Requests(OverTls):
    def test_what_the_server_sees(self):
        up = self.upstream()
        client = self.connection(self.serve(up.url))
        response, body = self.ask(client, "GET", "/app/a?b")
        head = body.decode().split("\n")
        self.assertEqual((response.status, head[0]), (200, "GET /base/a?b"))
        self.assertIn("X-Forwarded-Proto: http", head)  # that is the client's
        self.assertEqual((up.names, up.protocols, up.versions), (["localhost"], ["http/1.1"], ["TLSv1.3"]))

    def test_bodies_both_ways(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                up = self.upstream(self.context(version=version))
                client = self.connection(self.serve(up.url))
                for name in ("big", "chunks", "big"):
                    response, body = self.ask(client, "GET", f"/app/{name}")
                    self.assertEqual((name, response.status, body == BIG), (name, 200, True))
                self.assertEqual(self.ask(client, "POST", "/app/upload", body=BIG)[1], digest(BIG))
                self.assertEqual(up.connections, 1)

    def test_connections_are_kept_whatever_tickets_lie_in_them(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for tickets in (0, 2, 8):
                with self.subTest(version=version, tickets=tickets):
                    context = self.context(version=version)
                    context.num_tickets = tickets
                    up = self.upstream(context)
                    served = self.serve(up.url)
                    for _ in range(10):
                        self.assertEqual(self.status(served), 200)
                    self.assertEqual(up.connections, 1)

    def test_many_at_once(self):
        up = self.upstream()
        served = self.serve(up.url, "-t", "2")

        def work(number):
            with contextlib.closing(http.client.HTTPConnection(served.host, served.port, timeout=60 * server.SLOW)) as client:
                for turn in range(10):
                    body = BIG[number * 1000:number * 1000 + turn * 20_000]
                    self.assertEqual((turn, *self.ask(client, "POST", "/app/x", body=body)[1:]), (turn, digest(body)))

        with concurrent.futures.ThreadPoolExecutor(20) as clients:
            list(clients.map(work, range(20)))

    def test_sessions_are_resumed(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                context = self.context(version=version)
                up = self.upstream(context)
                served = self.serve(up.url, idle_connections=0)
                for _ in range(5):
                    self.assertEqual(self.status(served), 200)
                self.assertEqual((up.connections, context.session_stats()["hits"]), (5, 4))


class Trust(OverTls):
    def test_who_is_not_trusted(self):
        other = Authority()
        self.addCleanup(other.close)
        expired = self.authority.sign_until("localhost", -3600)
        unnamed = self.authority.sign("unnamed", names="")
        for what, pair, reason in (("another authority", other.sign("localhost"), "unable to get local issuer certificate"),
                                   ("another name", self.authority.sign("other", names="DNS:other.example,DNS:*.localhost"), "[Hh]ostname mismatch"),
                                   ("the name of the subject alone", unnamed, "[Hh]ostname mismatch"),
                                   ("expired", expired, "certificate has expired|[Hh]ostname mismatch")):
            with self.subTest(what):
                up = self.upstream(self.context(pair))
                served = self.serve(up.url)
                self.bad(served, "no TLS, certificate verify failed: .*" + reason)
                self.assertEqual(self.status(self.serve(up.url, trusts=False, tls_verify="off")), 200)

    def test_a_name_of_ones_own(self):
        up = self.upstream(self.context(self.authority.sign("other", names="DNS:other.example")))
        self.assertEqual(self.status(self.serve(up.url, tls_server_name="other.example")), 200)
        self.assertEqual(up.names, ["other.example"])
        self.assertEqual(self.status(self.serve(up.url, tls_server_name="Other.Example.")), 200)
        self.bad(self.serve(up.url, tls_server_name="127.0.0.1"), "no TLS, certificate verify failed: IP address mismatch")

    def test_an_address_is_verified_and_not_asked_for(self):
        up = self.upstream()
        self.assertEqual(self.status(self.serve(up.url.replace("localhost", "127.0.0.1"))), 200)
        self.assertEqual(up.names, [None])

    def test_the_systems_authorities(self):
        up = self.upstream()
        self.bad(self.serve(up.url, trusts=False), "no TLS, certificate verify failed: unable to get local issuer certificate")
        trusting = server.Server("--proxy", f"/app/={up.url}", environment={"SSL_CERT_FILE": str(self.authority.file)})
        self.addCleanup(trusting.stop)
        self.assertEqual(self.status(trusting), 200)

    def test_a_certificate_of_our_own(self):
        certificate, key = self.authority.sign("we", "/CN=we", names=None)
        locked, locked_key = self.authority.sign("locked", "/CN=locked", names=None, passphrase="secret")
        secret = self.authority.folder / "secret"
        secret.write_text("secret\n", encoding="ascii")
        large, large_key = self.authority.sign("large", "/CN=large", names=None, kind="rsa4096")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(version=version)
            context.load_verify_locations(self.authority.file)
            context.verify_mode = ssl.CERT_REQUIRED
            up = self.upstream(context)
            for options in ({"tls_certificate": certificate, "tls_key": key}, {"tls_certificate": large, "tls_key": large_key},
                            {"tls_certificate": locked, "tls_key": locked_key, "tls_passphrase": secret}):
                with self.subTest(version=version, options=options):
                    served = self.serve(up.url, **options)
                    self.assertEqual(self.status(served), 200)
            with self.subTest(version=version):
                served = self.serve(up.url)
                self.assertEqual(self.status(served), 502)
                server.until(lambda log=served.log: "alert" in log(), 10, "the log has the server's alert")

    def test_files_that_are_read_again(self):
        other = Authority()
        self.addCleanup(other.close)
        file = self.authority.folder / "changing.pem"
        shutil.copy(other.file, file)
        up = self.upstream()
        served = self.serve(up.url, tls_authorities=file)
        self.bad(served, "no TLS, certificate verify failed")
        file.write_text("nonsense", encoding="ascii")
        served.process.send_signal(signal.SIGHUP)
        server.until(lambda: "the certificates in use stay: " in served.log(), 10, "a bad file is refused")
        self.assertEqual(self.status(served), 502)
        shutil.copy(self.authority.file, file)
        served.process.send_signal(signal.SIGHUP)
        server.until(lambda: "the files of TLS were read again" in served.log(), 10, "the file is read again")
        self.assertEqual(self.status(served), 200)
        shutil.copy(other.file, file)
        served.process.send_signal(signal.SIGHUP)
        server.until(lambda: served.log().count("the files of TLS were read again") == 2, 10, "the file is read again")
        self.assertEqual(self.status(served), 200)  # on a connection that was kept


class Faults(OverTls):
    def play(self, part):
        """The URL of a server that takes one connection and plays the part, without TLS of its own."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.settimeout(PATIENCE)

        def run():
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                connection.settimeout(PATIENCE)
                part(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.addCleanup(thread.join, PATIENCE)
        return "https://localhost:%d/" % listener.getsockname()[1]

    def over_tls(self, part):
        """The same, with TLS."""

        def run(connection):
            with self.context().wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as secure:
                part(secure)

        return self.play(run)

    def test_who_does_not_speak_tls(self):
        for answer, reason in ((b"HTTP/1.1 400 Bad Request\r\n\r\n", "wrong version number"), (os.urandom(1) * 500, ".+"), (b"", "the peer ended the connection"),
                               (b"\x15\x03\x03\x00\x02\x02\x28", ".*handshake failure")):
            with self.subTest(answer=answer):
                def part(connection, answer=answer):
                    connection.recv(65536)
                    connection.sendall(answer)
                self.bad(self.serve(self.play(part)), f"no TLS, {reason}")

    def test_who_falls_silent_in_the_handshake(self):
        for said in (b"", b"\x16\x03\x03"):
            with self.subTest(said=said):
                def part(connection, said=said):
                    connection.sendall(said)
                    while connection.recv(65536):
                        pass
                self.bad(self.serve(self.play(part), connect_time=300), "no TLS, the handshake took too long", status=504)

    def test_a_client_that_goes_gives_the_handshake_up(self):
        begun, gone = threading.Event(), threading.Event()

        def part(connection):
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(65536):
                    begun.set()
            gone.set()

        served = self.serve(self.play(part), connect_time=600_000, idle_connections=0)
        with raw.Connection(served) as client:
            client.send(request("/app/x"))
            self.assertTrue(begun.wait(PATIENCE))
            client.reset()
        self.assertTrue(gone.wait(PATIENCE), "the server hears that nobody wants the connection")

    def test_a_body_that_ends_with_the_connection(self):
        def says_so(secure):
            secure.recv(65536)
            secure.sendall(b"HTTP/1.1 200 OK\r\n\r\nall of it")
            secure.unwrap()

        def is_cut(secure):
            secure.recv(65536)
            secure.sendall(b"HTTP/1.1 200 OK\r\n\r\nnot all")
            secure.shutdown(socket.SHUT_WR)  # of the socket below: no close_notify

        response, body = self.ask(self.connection(self.serve(self.over_tls(says_so))), "GET", "/app/x")
        self.assertEqual((response.status, body), (200, b"all of it"))
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
            self.ask(self.connection(self.serve(self.over_tls(is_cut))), "GET", "/app/x")

    def test_places_that_the_server_names(self):
        def part(secure):
            for scheme in ("https", "http"):
                host = re.search(rb"\r\nX-Own: (\S+)\r\n", secure.recv(65536))[1].decode()
                secure.sendall(f"HTTP/1.1 302 x\r\nLocation: {scheme}://{host}/here?x\r\nContent-Length: 0\r\n\r\n".encode())

        url = self.over_tls(part)
        served = self.serve(url)
        own = url.removeprefix("https://").rstrip("/")
        self.assertEqual(raw.once(served, request("/app/x", X_Own=own))["Location"], "/app/here?x")
        self.assertEqual(raw.once(served, request("/app/x", X_Own=own))["Location"], f"http://{own}/here?x")

    def test_a_whole_response_before_a_bare_end(self):
        def part(secure):
            secure.recv(65536)
            secure.sendall(WHOLE)
            secure.shutdown(socket.SHUT_WR)

        self.assertEqual(self.ask(self.connection(self.serve(self.over_tls(part))), "GET", "/app/x")[1], b"ok")

    def test_the_server_is_told_of_the_end(self):
        ends = []

        def part(secure):
            try:
                secure.recv(65536)
                secure.sendall(WHOLE)
                ends.append(secure.recv(65536))
            except OSError as error:
                ends.append(error)

        for stops in (False, True):
            with self.subTest(stops=stops):
                served = self.serve(self.over_tls(part), idle_connections=1 if stops else 0)
                self.assertEqual(self.status(served), 200)
                if stops:
                    served.stop()
                server.until(lambda: ends, 10, "the server hears of the end")
                self.assertEqual(ends.pop(), b"")

    def test_a_kept_connection_that_ends_when_it_is_used_again(self):
        up = self.upstream()
        served = self.serve(up.url)
        for number in range(5):
            self.assertEqual(self.status(served), 200)
            self.assertEqual(up.connections, number + 1)
            up.open.pop().shutdown(socket.SHUT_RDWR)

    def test_it_stops_in_a_handshake(self):
        begun = threading.Event()

        def part(connection):
            while connection.recv(65536):
                begun.set()

        served = self.serve(self.play(part), connect_time=600_000)
        with raw.Connection(served) as client:
            client.send(request("/app/x"))
            self.assertTrue(begun.wait(PATIENCE))
            served.stop(signal.SIGINT)


class Settings(OverTls):
    def refused(self, url, **options):
        """What the server says when it does not start."""
        ended = subprocess.run(server.command("--proxy", f"/app/={url}", *self.options(**options)), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
        self.assertEqual((ended.returncode != 0, ended.stdout), (True, ""))
        line = ended.stderr.strip()
        self.assertNotIn("\n", line)
        return line

    def test_what_cannot_work(self):
        certificate, key = self.pair
        other, _ = self.authority.sign("another")
        url = "https://localhost:1/"
        for options, says in (({"tls_authorities": "/nonexistent"}, "cannot read certificates of authorities from '/nonexistent': "),
                              ({"tls_authorities": key}, f"cannot read certificates of authorities from '{key}': "),
                              ({"tls_certificate": "/nonexistent"}, "'/nonexistent'"),
                              ({"tls_certificate": certificate}, "key"),
                              ({"tls_certificate": other, "tls_key": key}, "key"),
                              ({"tls_key": key}, "tls_key has no effect without a tls_certificate"),
                              ({"tls_verify": "off", "tls_authorities": certificate}, "tls_authorities has no effect, as tls_verify is off"),
                              ({"tls_server_name": "*.example"}, "tls_server_name is neither a name of a host nor an address")):
            with self.subTest(options=options):
                self.assertIn(says, self.refused(url, **options))
        self.assertIn("options for TLS have no effect, as it does not begin with https://", self.refused("http://localhost:1/", tls_verify="off"))

    def test_relative_names_and_every_loop(self):
        up = self.upstream()
        served = self.serve(up.url, "-t", "3", tls_authorities=os.path.relpath(self.authority.file))
        for _ in range(12):
            self.assertEqual(self.status(served), 200)


class WebSockets(OverTls, unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # unittest turns it on; it only slows the clients down

    async def test_through(self):
        async def echo(socket_, *_):
            with contextlib.suppress(websocket_peer.ConnectionClosed):
                async for message in socket_:
                    await socket_.send(message)

        async with websocket_peer.serve(echo, "127.0.0.1", 0, max_size=None, ssl=self.context()) as up:
            served = self.serve("https://localhost:%d/" % up.sockets[0].getsockname()[1])
            async with websocket_peer.connect(served.ws_url + "app/x", max_size=None) as client:
                for message in ("", "Grüße", BIG[:125], BIG[:70_000], "x" * 1_000_000, BIG[:900_000]):
                    await client.send(message)
                    self.assertTrue(await asyncio.wait_for(client.recv(), PATIENCE) == message)
                await client.close(4001)
            self.assertEqual(client.close_code, 4001)

    async def test_to_another_of_us_and_on(self):
        """TLS on both sides, and the 101 comes with the first frame."""
        certificate, key = self.pair
        inner = server.Server("--ssl", "-C", certificate, "-K", key)
        self.addCleanup(inner.stop)
        served = self.serve(inner.url.replace("127.0.0.1", "localhost"))
        idle = served.descriptors(), inner.descriptors()
        for _ in range(20):
            with raw.Connection(served) as client:
                client.send(raw.upgrade("echo", target="/app/") + raw.frame(raw.TEXT, "early"))
                self.assertEqual(client.response().status, 101)
                self.assertEqual(client.frame(), (raw.TEXT, b"early", True))
                client.reset()
        server.until(lambda: (served.descriptors(), inner.descriptors()) == idle, 20, "all of them gone")


if __name__ == "__main__":
    unittest.main()
