"""Files of several GiB by curl and wget: whole, broken off and resumed, byte for byte, in little memory of the server's."""

import os
import pathlib
import subprocess
import tempfile
import time
import unittest

import raw
import server

CURL, WGET = server.need("curl"), server.need("wget")
KIB, MIB, GIB = 1024, 1024 * 1024, 1024 * 1024 * 1024
SIZE = 3 * GIB + 12345
CUT = 100 * MIB  # where a download is broken off
NEAR_END = SIZE - 24 * MIB - 321
BLOCK = 1 * MIB + 77
BLOCKS = (0, CUT - 1000, GIB - 3, 2 * GIB - BLOCK // 2, NEAR_END - 5, SIZE - BLOCK)  # where there is something else than zeros
BEYOND = 5 * GIB  # a file whose length and offsets need more than 32 bits
MOST_MEMORY = 32 * MIB
PATIENCE = 120 * server.SLOW
THOROUGH = os.environ.get("WHARF_THOROUGH") == "1"


def make_file(path, size, blocks):
    """A file that is longer than its space on the disk."""
    with open(path, "wb") as file:
        file.truncate(size)
        for offset in blocks:
            file.seek(offset)
            file.write(os.urandom(min(BLOCK, size - offset)))


class Large(server.Served, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        (cls.folder / "www").mkdir()
        cls.www = str(cls.folder / "www")
        cls.path = cls.folder / "www" / "large.bin"
        make_file(cls.path, SIZE, BLOCKS)
        make_file(cls.folder / "www" / "beyond.bin", BEYOND, (4 * GIB - 1000, BEYOND - 10))
        if cls.path.stat().st_blocks * 512 > 100 * MIB:
            raise unittest.SkipTest("the temporary folder is on a file system without holes in files")
        super().setUpClass()
        cls.file = open(cls.path, "rb", buffering=0)
        cls.addClassCleanup(cls.file.close)

    @classmethod
    def tearDownClass(cls):
        most = cls.server.memory("VmHWM")
        print(f"the most memory of the server: {most // KIB} KiB")
        super().tearDownClass()
        if not server.SANITIZED and most >= MOST_MEMORY:
            raise AssertionError(f"the server has taken {most // KIB} KiB")

    def curl_line(self, *arguments):
        return [CURL, "--silent", "--show-error", "--fail", "--max-time", str(PATIENCE), "--noproxy", "*", *map(str, arguments),
                self.server.url + "large.bin"]

    def wget_line(self, *arguments):
        return [WGET, "--quiet", "--no-proxy", "--no-config", "--tries=1", f"--timeout={PATIENCE:g}", *map(str, arguments),
                self.server.url + "large.bin"]

    def compare(self, stream, offset, size):
        """Reads up to that many bytes of the stream, which must be those of the file at the offset. Returns their number."""
        got, wanted = bytearray(MIB), bytearray(MIB)
        done = 0
        while done < size:
            count = stream.readinto(memoryview(got)[:min(size - done, MIB)])
            if count == 0:
                break
            view = memoryview(wanted)[:count]
            self.assertEqual(os.preadv(self.file.fileno(), [view], offset + done), count)
            if memoryview(got)[:count] != view:
                self.fail(f"other bytes within {count} at {offset + done}")
            done += count
        return done

    def check_piped(self, line, offset, size):
        """A program writes exactly those bytes of the file to its standard output."""
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
            try:
                self.assertEqual(self.compare(process.stdout, offset, size + 1), size)
                errors = process.stderr.read().decode()
                self.assertEqual((process.wait(PATIENCE), errors), (0, ""))
            finally:
                process.kill()

    @unittest.skipUnless(THOROUGH, "it takes a minute where the system is slow to make up the zeros")
    def test_whole(self):
        begun, before = time.monotonic(), self.server.cpu_seconds()
        self.check_piped(self.curl_line(), 0, SIZE)
        print(f"{SIZE / GIB:.1f} GiB by curl in {time.monotonic() - begun:.1f} s, of the server's CPU time "
              f"{self.server.cpu_seconds() - before:.1f} s")

    def broken_off(self, line, least):
        """Ends a program when its file has that much of the large one. Returns where it ended."""
        copy = self.folder / "copy"
        copy.unlink(missing_ok=True)
        with subprocess.Popen(line) as process:
            try:
                server.until(lambda: process.poll() is not None or (copy.exists() and copy.stat().st_size > least), PATIENCE,
                             f"{least} bytes")
            finally:
                process.kill()
        size = copy.stat().st_size
        self.assertGreater(size, least)
        self.assertLess(size, SIZE, "it was not broken off")
        return size

    def check_resumed(self, first_line, next_line):
        """Broken off; goes on there for a while; and once more near the end, in a file that was cut there as well."""
        copy = self.folder / "copy"
        self.addCleanup(copy.unlink, missing_ok=True)
        size = self.broken_off(first_line, CUT)
        with subprocess.Popen(next_line) as process:
            try:
                server.until(lambda: process.poll() is not None or copy.stat().st_size > size + 10 * MIB, PATIENCE, "more")
            finally:
                process.kill()
        with open(copy, "rb", buffering=0) as file:
            self.assertGreater(self.compare(file, 0, SIZE), size + 10 * MIB)

        make_file(copy, NEAR_END, ())
        with open(copy, "r+b") as file:
            for offset in (offset for offset in BLOCKS if offset < NEAR_END):
                file.seek(offset)
                file.write(os.pread(self.file.fileno(), min(BLOCK, NEAR_END - offset), offset))
        subprocess.run(next_line, check=True, timeout=PATIENCE)
        self.assertEqual(copy.stat().st_size, SIZE)
        with open(copy, "rb", buffering=0) as file:
            file.seek(NEAR_END - MIB)
            self.assertEqual(self.compare(file, NEAR_END - MIB, SIZE), SIZE - NEAR_END + MIB)

    def test_resumed_by_curl(self):
        line = ("--limit-rate", "150M", "-o", self.folder / "copy")
        self.check_resumed(self.curl_line(*line), self.curl_line(*line, "-C", "-"))

    def test_resumed_by_wget(self):
        copy = self.folder / "copy"
        line = ("--limit-rate=150m", "-O", copy)
        self.check_resumed(self.wget_line(*line), self.wget_line(*line, "-c"))
        subprocess.run(self.wget_line(*line, "-c"), check=True, timeout=PATIENCE)  # there is nothing more to get
        self.assertEqual(copy.stat().st_size, SIZE)

    def test_ranges(self):
        for offset in (CUT, 2 * GIB - 1, 2 * GIB, NEAR_END):
            size = min(20 * MIB, SIZE - offset)
            self.check_piped(self.curl_line("-r", f"{offset}-{offset + size - 1}"), offset, size)
        self.check_piped(self.curl_line("-C", NEAR_END - MIB), NEAR_END - MIB, SIZE - NEAR_END + MIB)

    def test_beyond_32_bits(self):
        content = self.folder / "www" / "beyond.bin"
        with raw.Connection(self.server) as connection, open(content, "rb", buffering=0) as file:
            connection.socket.settimeout(PATIENCE)
            head = connection.exchange(raw.request("/beyond.bin", "HEAD"), "HEAD")
            self.assertEqual((head.status, head["Content-Length"]), (200, str(BEYOND)))
            for offset, size in ((4 * GIB - 1000, 2000), (4 * GIB, 1), (BEYOND - 10, 10), (4 * GIB - 2 * MIB, 4 * MIB)):
                answer = connection.exchange(raw.request("/beyond.bin", Range=f"bytes={offset}-{offset + size - 1}"))
                self.assertEqual((answer.status, answer["Content-Range"]),
                                 (206, f"bytes {offset}-{offset + size - 1}/{BEYOND}"))
                self.assertTrue(answer.body == os.pread(file.fileno(), size, offset), f"other bytes at {offset}")
            answer = connection.exchange(raw.request("/beyond.bin", Range=f"bytes={BEYOND}-"))
            self.assertEqual((answer.status, answer["Content-Range"]), (416, f"bytes */{BEYOND}"))

    def test_those_who_leave_in_the_middle(self):
        """They ended the server: sendfile() raises SIGPIPE even if it has sent a part."""
        idle = self.server.descriptors()
        for number in range(50):
            with raw.Connection(self.server) as connection:
                connection.send(raw.request("/large.bin"))
                connection.take(1000)
                if number % 2:
                    connection.reset()
        server.until(lambda: self.server.descriptors() <= idle + 1, 20, "all of them gone")  # the file may have been opened


if __name__ == "__main__":
    unittest.main()
