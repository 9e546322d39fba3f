"""Many requests by load generators, wrk, ab and h2load: none fails, and nothing is left behind."""

import contextlib
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import server

WRK, AB, H2LOAD = server.need("wrk"), server.need("ab"), server.need("h2load")
PATIENCE = 60 * server.SLOW  # s for a request that takes milliseconds on an idle machine
REQUESTS = 2000
FILES = {"small.txt": b"small\n", "text.txt": b"a text that is worth compressing\n" * 1000, "large.bin": os.urandom(300_000)}


class Load(server.Served, unittest.TestCase):
    arguments = ("-t", "2", "-d", "warn")

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        for name, content in FILES.items():
            (pathlib.Path(folder.name) / name).write_bytes(content)
        cls.www = folder.name
        super().setUpClass()

        cls.idle = cls.sockets(cls)

    def sockets(self):
        """How many the server has open; files may be kept open for later."""
        folder = f"/proc/{self.server.pid}/fd"
        count = 0
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                count += os.readlink(f"{folder}/{name}").startswith("socket:")
        return count

    def tearDown(self):
        server.until(lambda: self.sockets() == self.idle, 20, "all connections gone")
        self.assertEqual(self.server.log(), "")

    def run_program(self, *arguments):
        result = subprocess.run([str(argument) for argument in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                check=False, timeout=2 * PATIENCE)
        output = result.stdout.decode(errors="replace")
        self.assertEqual(result.returncode, 0, output)
        return output

    def number(self, pattern, output):
        match = re.search(pattern, output)
        self.assertIsNotNone(match, f"no {pattern!r} in {output}")
        return int(match[1])

    def test_wrk(self):
        for path, connections in (("small.txt", 100), ("large.bin", 20), ("nothing", 5), ("echo/", 20)):
            with self.subTest(path=path):
                output = self.run_program(WRK, "-t", 2, "-c", connections, "-d", "1s", "--timeout", f"{PATIENCE:g}s",
                                          self.server.url + path)
                self.assertGreater(self.number(r"(\d+) requests in", output), connections, output)
                self.assertNotIn("Socket errors", output)
                self.assertEqual("Non-2xx" in output, path == "nothing", output)

    def check_ab(self, path, *arguments):
        output = self.run_program(AB, "-q", "-r", "-n", REQUESTS, "-c", 20, "-s", f"{PATIENCE:.0f}", *arguments,
                                  self.server.url + path)
        self.assertEqual(self.number(r"Complete requests: +(\d+)", output), REQUESTS, output)
        self.assertEqual(self.number(r"Failed requests: +(\d+)", output), 0, output)
        self.assertNotIn("Non-2xx", output)
        return output

    def test_ab(self):
        for name, content in FILES.items():
            output = self.check_ab(name, "-k")
            self.assertEqual(self.number(r"Keep-Alive requests: +(\d+)", output), REQUESTS, output)
            self.assertEqual(self.number(r"HTML transferred: +(\d+)", output), REQUESTS * len(content), output)
        self.assertNotIn("Keep-Alive requests", self.check_ab("text.txt"))
        compressed = self.check_ab("text.txt", "-k", "-H", "Accept-Encoding: gzip")
        self.assertLess(self.number(r"HTML transferred: +(\d+)", compressed), REQUESTS * len(FILES["text.txt"]) / 10)

    def test_ab_with_bodies(self):
        with tempfile.NamedTemporaryFile() as body:
            body.write(FILES["text.txt"])
            body.flush()
            output = self.check_ab("echo/", "-k", "-p", body.name, "-T", "text/plain")
        self.assertEqual(self.number(r"HTML transferred: +(\d+)", output), REQUESTS * len(FILES["text.txt"]), output)
        self.assertEqual(self.number(r"Keep-Alive requests: +(\d+)", output), REQUESTS, output)

    def test_h2load(self):
        """It pipelines too: -m says how many requests are on their way on a connection."""
        for path, pipelined in (("small.txt", 1), ("small.txt", 16), ("large.bin", 4), ("echo/", 4)):
            with self.subTest(path=path, pipelined=pipelined):
                output = self.run_program(H2LOAD, "--h1", "-n", REQUESTS, "-c", 20, "-m", pipelined, "-T", f"{PATIENCE:.0f}",
                                          self.server.url + path)
                self.assertIn(f"{REQUESTS} done, {REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout", output)
                self.assertIn(f"status codes: {REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx", output)


if __name__ == "__main__":
    unittest.main()
