"""Certificates that change, several of them, tickets, OCSP and revocation: openssl s_client, curl and websockets."""

import asyncio
import os
import pathlib
import re
import shutil
import signal
import tempfile
import time
import unittest

import server
import websocket_peer
from tls_test import PATIENCE, Site, run


class Certificates(Site):
    def said(self, site, text, seconds=10):
        server.until(lambda: text in site.log(), seconds, text)

    def subject(self, site, *arguments):
        """Of the certificate that a client is shown."""
        return re.search(r"subject=(.*)", self.s_client(site, *arguments)[1])[1].replace(" ", "")

    def install(self, folder, pair, name="own"):
        """Puts a pair where a server has it, each file at once."""
        for file, end in zip(pair, ("pem", "key")):
            new = folder / f"{name}.new"
            shutil.copy(file, new)
            os.replace(new, folder / f"{name}.{end}")
        return folder / f"{name}.pem", folder / f"{name}.key"

    def session(self, site, way, kept, *arguments):
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        return self.s_client(site, way, kept, "-ign_eof", *arguments, data=request)[1]

    def test_a_session_is_resumed_under_the_same_name_alone(self):
        with self.serve() as site, tempfile.TemporaryDirectory() as folder:
            for version in ("-tls1_3", "-tls1_2"):
                kept = pathlib.Path(folder) / f"session{version}"
                self.assertIn("New, ", self.session(site, "-sess_out", kept, version, "-servername", "localhost"))
                self.assertIn("New, ", self.session(site, "-sess_in", kept, version, "-servername", "other.example"))
                self.assertIn("New, ", self.session(site, "-sess_in", kept, version, "-noservername"))
                self.assertIn("Reused, ", self.session(site, "-sess_in", kept, version, "-servername", "LOCALHOST"))

    def test_both_kinds_of_keys_and_each_client_gets_the_one_that_it_can_check(self):
        ec, rsa = self.pairs["ec"], self.pairs["rsa"]
        with server.Server("--ssl", "-C", ec[0], "-K", ec[1], "-C", rsa[0], "-K", rsa[1], www=self.www) as site:
            for version in ("-tls1_3", "-tls1_2"):
                for algorithms, shown in (("ECDSA+SHA256", "ECDSA"), ("RSA-PSS+SHA256:RSA+SHA256", "RSA")):
                    text = self.s_client(site, version, "-sigalgs", algorithms)[1]
                    self.assertRegex(text, rf"(?i)Peer signature type: {shown}")

    def test_new_certificates_without_a_connection_lost(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            first, second = (self.authority.sign(each, subject=f"/CN={each}") for each in ("first", "second"))
            certificate, key = self.install(folder, first)
            with server.Server("--ssl", "-C", certificate, "-K", key, "-d", "info", www=self.www) as site:
                self.assertEqual(self.subject(site), "CN=first")
                kept = folder / "session"
                self.assertIn("New, ", self.session(site, "-sess_out", kept))

                async def talk():
                    async with websocket_peer.connect(f"wss://localhost:{site.port}/", subprotocols=["echo"],
                                                      ssl=self.client_context()) as client:
                        certificate.write_text("no certificate\n", encoding="ascii")
                        site.process.send_signal(signal.SIGHUP)
                        bad = f"error: the certificates in use stay: cannot read a certificate from '{certificate}'"
                        await asyncio.to_thread(self.said, site, bad)
                        self.assertEqual(await asyncio.to_thread(self.subject, site), "CN=first")
                        self.install(folder, second)
                        site.process.send_signal(signal.SIGHUP)
                        await asyncio.to_thread(self.said, site, "the files of TLS were read again")
                        self.assertEqual(await asyncio.to_thread(self.subject, site), "CN=second")
                        await client.send("still there")
                        self.assertEqual(await asyncio.wait_for(client.recv(), PATIENCE), "still there")

                asyncio.run(talk())
                self.assertIn("Reused, ", self.session(site, "-sess_in", kept))
                self.assertEqual(site.log().count("error:"), 1)

    def test_virtual_hosts_show_their_own_and_unknown_names_the_ports_or_an_alert(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            pairs = {each: self.authority.sign(each, subject=f"/CN={each}", kind=each.split("-")[1])
                     for each in ("two-ec", "two-rsa", "three-ec", "new-ec")}
            both = folder / "three.pem"
            both.write_bytes(b"".join(file.read_bytes() for file in pairs["three-ec"]))
            two = ",".join(map(str, self.install(folder, pairs["two-ec"], "two")))
            hosts = ("--name", "one.example", "--vhost", f"two.example,*.two.example={self.www}", "--vhost", f"three.example={self.www}",
                     "--vhost", f"four.example={self.www}", "--vhost-cert", f"two.example={two}", "--vhost-cert", f"three.example={both}")
            rsa = ("--vhost-cert", f"two.example={pairs['two-rsa'][0]},{pairs['two-rsa'][1]}")
            named = lambda site, name, *more: self.subject(site, "-servername", name, *more)
            with self.serve(*hosts, *rsa, "-d", "info") as site:
                for asked, shown in (("two.example", "two-ec"), ("TWO.example", "two-ec"), ("a.two.example", "two-ec"),
                                     ("three.example", "three-ec"), ("one.example", "localhost"), ("four.example", "localhost"),
                                     ("b.a.two.example", "localhost"), ("five.example", "localhost")):
                    self.assertEqual(named(site, asked), f"CN={shown}", asked)
                self.assertEqual(self.subject(site, "-noservername"), "CN=localhost")
                self.assertEqual(named(site, "two.example", "-sigalgs", "RSA-PSS+SHA256"), "CN=two-rsa")
                self.install(folder, pairs["new-ec"], "two")
                site.process.send_signal(signal.SIGHUP)
                self.said(site, "the files of TLS were read again")
                self.assertEqual(named(site, "a.two.example"), "CN=new-ec")
            with self.serve(*hosts, "--unknown-names", "refused") as site:
                for asked in ("one.example", "a.two.example", "four.example"):
                    self.assertIn("Verification: OK", self.s_client(site, "-servername", asked)[1], asked)
                self.assertEqual(self.subject(site, "-noservername"), "CN=localhost")
                for version in ("-tls1_3", "-tls1_2"):
                    status, text = self.s_client(site, version, "-servername", "five.example")
                    self.assertNotEqual(status, 0)
                    self.assertIn("tlsv1 unrecognized name", text)
        for given, says in ((("--ssl", "--unknown-names", "refused"), b"--unknown-names needs --name or --vhost"),
                            (("--name", "a", "--unknown-names", "refused"), b"--unknown-names needs --ssl"),
                            (("--vhost", f"a={self.www}", "--vhost-cert", "a=" + str(self.pairs["ec"][0])), b"cannot read a private key"),
                            (("--vhost", f"a={self.www}", "--vhost-cert", "a=" + ",".join(map(str, self.pairs["ec"]))), b"needs --ssl")):
            result = run(*server.command(*given))
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(says, result.stderr)

    def test_files_are_watched_through_a_symbolic_link(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for number in ("1", "2"):
                self.install(folder, self.authority.sign(f"live{number}", subject=f"/CN=live{number}"), f"archive{number}")

            def point(number):
                for end in ("pem", "key"):
                    (folder / "new").symlink_to(folder / f"archive{number}.{end}")
                    os.replace(folder / "new", folder / f"live.{end}")

            point(1)
            with server.Server("--ssl", "-C", folder / "live.pem", "-K", folder / "live.key", "--ssl-watch", "100", www=self.www) as site:
                self.assertEqual(self.subject(site), "CN=live1")
                point(2)
                server.until(lambda: self.subject(site) == "CN=live2", 20, "the new certificate")
                (folder / "archive2.key").write_text("half", encoding="ascii")
                self.said(site, "error: the certificates in use stay: cannot read a private key from")
                self.assertEqual(self.subject(site), "CN=live2")

    def test_keys_of_tickets_that_two_servers_share(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            keys, kept = folder / "keys", folder / "session"
            old, new = os.urandom(80), os.urandom(80)
            keys.write_bytes(old)
            with self.serve("--ssl-ticket-keys", keys, "-d", "info") as one, self.serve("--ssl-ticket-keys", keys) as other:
                for version in ("-tls1_3", "-tls1_2"):
                    self.assertIn("New, ", self.session(one, "-sess_out", kept, version))
                    self.assertIn("Reused, ", self.session(other, "-sess_in", kept, version))
                keys.write_bytes(new + old)
                one.process.send_signal(signal.SIGHUP)
                self.said(one, "the files of TLS were read again")
                self.assertIn("Reused, ", self.session(one, "-sess_in", kept, "-tls1_2"))
                self.assertIn("New, ", self.session(one, "-sess_out", kept, "-tls1_2"))
                self.assertIn("New, ", self.session(other, "-sess_in", kept, "-tls1_2"))  # has the old one alone
            keys.write_bytes(old[:48])
            certificate, key = self.pairs["ec"]
            result = run(*server.command("--ssl", "-C", certificate, "-K", key, "--ssl-ticket-keys", keys))
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"it has 48 bytes, and not 1 to 64 keys of 80 bytes", result.stderr)

    def test_an_ocsp_response_for_clients_that_ask(self):
        certificate, _ = self.pairs["ec"]
        good = self.authority.ocsp_response("good", certificate)
        with self.serve("--ssl-ocsp", good) as site:
            for version in ("-tls1_3", "-tls1_2"):
                text = self.s_client(site, version, "-status")[1]
                self.assertIn("OCSP Response Status: successful", text)
                self.assertIn("Cert Status: good", text)
                self.assertNotIn("OCSP Response Status", self.s_client(site, version)[1])
            self.assertNotIn("OCSP", site.log())
        garbled = self.authority.folder / "garbled.ocsp"
        garbled.write_bytes(good.read_bytes()[:40])
        foreign = self.authority.ocsp_response("foreign", self.pairs["rsa"][0])
        for file, says in ((garbled, "is not an OCSP response in DER"), (foreign, "is about another certificate")):
            with self.serve("--ssl-ocsp", file) as site:
                self.said(site, f"warn: the OCSP response in '{file}' {says}; it is not sent")
                status, text = self.s_client(site, "-status")
                self.assertEqual(status, 0)
                self.assertIn("OCSP response: no response sent", text)

    def test_a_revoked_certificate_of_a_client_is_refused_even_if_its_session_is_older(self):
        mine = self.authority.sign("bob", subject="/CN=bob", names=None)
        with tempfile.TemporaryDirectory() as name:
            lists, kept = pathlib.Path(name) / "lists.pem", pathlib.Path(name) / "session"
            shutil.copy(self.authority.revocation_list("nobody"), lists)
            own = ("-cert", mine[0], "-key", mine[1])
            with self.serve("-A", self.authority.file, "-v", "-R", lists, "-d", "info") as site:
                self.assertIn("Index", self.session(site, "-sess_out", kept, *own))
                self.assertIn("Reused, ", self.session(site, "-sess_in", kept, *own))
                shutil.copy(self.authority.revocation_list("bob", mine[0]), lists)
                site.process.send_signal(signal.SIGHUP)
                self.said(site, "the files of TLS were read again")
                text = self.session(site, "-sess_in", kept, *own)
                self.assertNotIn("Reused, ", text)
                self.assertNotIn("Index", text)
                self.said(site, "no TLS, certificate verify failed: certificate revoked")

    def test_a_session_ends_with_the_certificate_of_its_client(self):
        with self.serve("-A", self.authority.file, "-v", "-d", "info") as site, tempfile.TemporaryDirectory() as name:
            seconds = 5 * server.SLOW
            mine, end = self.authority.sign_until("brief", seconds), time.monotonic() + seconds
            own = ("-cert", mine[0], "-key", mine[1])
            for version in ("-tls1_3", "-tls1_2"):
                kept = pathlib.Path(name) / version
                self.assertIn("Index", self.session(site, "-sess_out", kept, version, *own))
                self.assertIn("Reused, ", self.session(site, "-sess_in", kept, version, "-sess_out", kept, *own))
            time.sleep(max(end + 1 - time.monotonic(), 0))
            for version in ("-tls1_3", "-tls1_2"):
                text = self.session(site, "-sess_in", pathlib.Path(name) / version, version, *own)
                self.assertNotIn("Reused, ", text)
                self.assertNotIn("Index", text)
            self.said(site, "no TLS, certificate verify failed: certificate has expired")


if __name__ == "__main__":
    unittest.main()
