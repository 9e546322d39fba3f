"""Debian's testssl.sh looks at the default configuration, with either kind of key: nothing of medium severity or worse."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

import certificates
import server

TESTSSL = server.need("testssl")
PATIENCE = 400 * server.SLOW
GOOD = {"OK", "INFO", "LOW", "DEBUG", "WARN"}

# What it says of the tests' own authority and of this machine, not of the server.
EXCEPTED = {
    "cert_revocation": "the tests' authority has neither revocation lists nor OCSP",
    "security_headers": "what a mount sends is its own choice (SecurityFields); the page of the test server sends none",
    "BREACH": "static files are compressed, and have no secrets",
}


class Testssl(unittest.TestCase):
    def look_at(self, kind):
        authority = certificates.Authority()
        self.addCleanup(authority.close)
        certificate, key = authority.sign(kind, kind=kind)
        # In a group of its own, as it starts many programs, which have to go with it.
        with server.Server("--ssl", "-C", certificate, "-K", key) as site, tempfile.TemporaryDirectory() as folder:
            found = pathlib.Path(folder) / "found.json"
            process = subprocess.Popen([TESTSSL, "--quiet", "--color", "0", "--warnings", "off", "--ip", "127.0.0.1", "--add-ca",
                                        str(authority.file), "--jsonfile", str(found), f"localhost:{site.port}"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       start_new_session=True, env={**os.environ, "no_proxy": "*"})
            try:
                text = process.communicate(timeout=PATIENCE)[0].decode(errors="replace")
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            self.assertTrue(found.exists(), text)
            rows = json.loads(found.read_text(encoding="utf-8"))
        self.assertGreater(len(rows), 100, text)
        bad = [f"{row['id']}: {row['severity']}: {row['finding']}" for row in rows
               if row["severity"] not in GOOD and row["id"].split(" ")[0] not in EXCEPTED]
        self.assertEqual(bad, [], text)

    def test_nothing_of_medium_severity_with_a_key_of_p_256(self):
        self.look_at("ec")

    def test_nothing_of_medium_severity_with_a_key_of_rsa(self):
        self.look_at("rsa")


if __name__ == "__main__":
    unittest.main()
