"""Files over sockets: several ranges, compressing on other threads, listings, and files that change under many readers."""

import ctypes
import email.parser
import email.policy
import gzip
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import raw
import server

KIB, MIB = 1024, 1024 * 1024
TEXT = b"".join(b"Line %d of a text that is longer than it has to be.\n" % number for number in range(40_000))
GZIP = {"Accept_Encoding": "gzip, deflate, br, zstd"}


class Folder(server.Served, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.www = str(cls.folder)
        cls.noise = random.Random(1).randbytes(3 * MIB)
        (cls.folder / "noise.bin").write_bytes(cls.noise)
        (cls.folder / "text.txt").write_bytes(TEXT)
        cls.arguments = ("--files", cls.www)
        super().setUpClass()


class Ranges(Folder):
    def get(self, ranges, **fields):
        return raw.once(self.server, raw.request("/noise.bin", Range=f"bytes={ranges}", **fields))

    def parts(self, response):
        """The parts of a multipart, read by a mail reader."""
        head = f"Content-Type: {response['Content-Type']}\r\n\r\n".encode()
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + response.body)
        return [(part["Content-Range"], part["Content-Type"]) for part in message.iter_parts()]

    def test_several_long_and_short(self):
        ranges = [(0, 0), (10, MIB), (2 * MIB, 3 * MIB - 100), (MIB + 5, MIB + 9), (3 * MIB - 1, 3 * MIB - 1)]
        response = self.get(",".join(f"{first}-{last}" for first, last in ranges))
        self.assertEqual(response.status, 206)
        self.assertEqual(int(response["Content-Length"]), len(response.body))
        kind = "application/octet-stream"
        self.assertEqual(self.parts(response), [(f"bytes {first}-{last}/{3 * MIB}", kind) for first, last in ranges])
        boundary = response["Content-Type"].partition("boundary=")[2].encode()
        pieces = response.body.split(b"--" + boundary)[1:-1]
        for (first, last), piece in zip(ranges, pieces):
            self.assertTrue(piece.partition(b"\r\n\r\n")[2] == self.noise[first:last + 1] + b"\r\n", f"{first}-{last} differs")

    def test_a_slow_reader_of_several(self):
        with raw.Connection(self.server) as connection:
            connection.send(raw.request("/noise.bin", Range=f"bytes=0-{MIB},{2 * MIB}-") + raw.request("/text.txt"))
            time.sleep(0.2)
            self.assertEqual(connection.response().status, 206)
            self.assertEqual(connection.response().body, TEXT)

    def test_a_download_that_is_resumed(self):
        first = self.get(f"0-{MIB - 1}")
        rest = self.get(f"{MIB}-", If_Range=first["ETag"])
        self.assertTrue(first.body + rest.body == self.noise, "the bytes differ")
        self.assertEqual(self.get(f"{MIB}-", If_Range='"other"').status, 200)


class Coding(Folder):
    def test_compressed_for_all_who_ask_at_once(self):
        (self.folder / "one.txt").write_bytes(TEXT)
        server.until(lambda: "Content-Encoding" in raw.once(self.server, raw.request("/one.txt", **GZIP)), 20, "room for another job")
        path = self.folder / "many.txt"
        path.write_bytes(TEXT)
        os.utime(path, (1_700_000_000, 1_700_000_000))
        connections = [raw.Connection(self.server) for _ in range(50)]
        for connection in connections:
            connection.send(raw.request("/many.txt", **GZIP))
        bodies = set()
        for connection in connections:
            response = connection.response()
            self.assertEqual(response["Content-Encoding"], "gzip")
            bodies.add(response.body)
            connection.close()
        self.assertEqual(len(bodies), 1)
        self.assertEqual(gzip.decompress(bodies.pop()), TEXT)

    def test_a_client_that_does_not_wait(self):
        for number in range(20):
            (self.folder / f"left{number}.txt").write_bytes(TEXT)
            with raw.Connection(self.server) as connection:
                connection.send(raw.request(f"/left{number}.txt", **GZIP))
                if number % 2:
                    connection.reset()
        self.assertEqual(raw.once(self.server, raw.request("/text.txt")).body, TEXT)

    def test_it_is_kept(self):
        server.until(lambda: time.time() - (self.folder / "text.txt").stat().st_ctime > 2.1, 5, "the file settles")
        server.until(lambda: "Content-Encoding" in raw.once(self.server, raw.request("/text.txt", **GZIP)), 20, "room for a job")
        before = self.server.cpu_seconds()
        with raw.Connection(self.server) as connection:
            for _ in range(200):
                self.assertEqual(connection.exchange(raw.request("/text.txt", **GZIP))["Content-Encoding"], "gzip")
        if not server.SANITIZED:  # once takes some 20 ms
            self.assertLess(self.server.cpu_seconds() - before, 1)


class Listing(Folder):
    def test_a_folder_of_thousands(self):
        folder = self.folder / "thousands"
        folder.mkdir()
        for number in range(5000):
            (folder / f"file {number:04}").touch()
        response = raw.once(self.server, raw.request("/files/thousands/"))
        self.assertEqual(response.status, 200)
        links = re.findall(rb'<a href="(.*?)"', response.body)
        self.assertEqual(links[0], b"../")
        self.assertEqual(links[1:], [b"./file%%20%04d" % number for number in range(5000)])
        self.assertEqual(raw.once(self.server, raw.request("/files/thousands/" + links[1].decode()[2:])).status, 200)
        self.assertEqual(raw.once(self.server, raw.request("/thousands/")).status, 404)


class Changes(Folder):
    """Nobody is ever sent a mixture of two versions of a short file, whatever way it is replaced."""

    VERSIONS = [bytes([letter]) * size for letter, size in zip(b"abcdefgh", (1, 5000, 5000, 30_000, 60_000, 60_000, 100, 0))]

    def check(self, change):
        path = self.folder / "changing.bin"
        path.write_bytes(self.VERSIONS[0])
        over = threading.Event()

        def keep_changing():
            for number in range(10 ** 9):
                if over.is_set():
                    return
                change(path, self.VERSIONS[number % len(self.VERSIONS)])

        changing = threading.Thread(target=keep_changing)
        changing.start()
        seen = {}
        try:
            with raw.Connection(self.server) as connection:
                deadline = time.monotonic() + 10 * server.SLOW
                while (len(seen) < 4 or sum(seen.values()) < 500) and time.monotonic() < deadline:
                    response = connection.exchange(raw.request("/changing.bin"))
                    self.assertEqual(response.status, 200)
                    self.assertIn(response.body, self.VERSIONS)
                    seen[response.body] = seen.get(response.body, 0) + 1
        finally:
            over.set()
            changing.join()
        self.assertGreater(len(seen), 1)

    def test_by_renaming(self):
        def change(path, content):
            new = path.with_suffix(".new")
            new.write_bytes(content)
            new.rename(path)
        self.check(change)

    def test_the_last_version_is_the_one_that_stays(self):
        path = self.folder / "last.txt"
        with raw.Connection(self.server) as connection:
            for number in range(300):
                content = b"%04d" % number  # always as long, and often within one tick of the file system's clock
                path.write_bytes(content)
                self.assertEqual(connection.exchange(raw.request("/last.txt")).body, content)


class Overlay:
    """A folder whose parts are an image's, as in a container: what a server that is started within sees below `merged`."""

    NEW_MOUNTS, NEW_USER, PRIVATE = 0x20000, 0x10000000, 0x44000

    def __init__(self, folder):
        self.folder, self.merged = folder, folder / "merged"

    def enter(self):
        """Before the server is started, in its process."""
        libc = ctypes.CDLL(None, use_errno=True)
        user = os.geteuid()
        self.check(libc.unshare(self.NEW_MOUNTS | (self.NEW_USER if user else 0)))
        if user:
            pathlib.Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
            pathlib.Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        self.check(libc.mount(None, b"/", None, self.PRIVATE, None))
        self.check(libc.mount(b"tmpfs", bytes(self.folder), b"tmpfs", 0, None))
        for name in ("lower/www", "upper", "work", "merged"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "lower/www/page.txt").write_bytes(b"of the image")
        layers = ",".join(f"{name}dir={self.folder}/{name}" for name in ("lower", "upper", "work"))
        self.check(libc.mount(b"overlay", bytes(self.merged), b"overlay", 0, f"{layers}{',userxattr' if user else ''}".encode()))

    @staticmethod
    def check(result):
        if result != 0:
            raise OSError(ctypes.get_errno(), "no overlay")


class FolderOfAnImage(unittest.TestCase):
    def test_one_that_was_removed_and_made_anew_was_never_found_again(self):
        with tempfile.TemporaryDirectory() as folder:
            overlay = Overlay(pathlib.Path(folder))
            try:
                one = server.Server(before_start=overlay.enter, www=str(overlay.merged / "www"))
            except subprocess.SubprocessError:
                self.skipTest("this system has no overlay for the likes of us")
            with one:
                self.assertEqual(raw.once(one, raw.request("/page.txt")).body, b"of the image")
                www = pathlib.Path(f"/proc/{one.pid}/root{overlay.merged}/www")
                shutil.rmtree(www)
                self.assertEqual(raw.once(one, raw.request("/page.txt")).status, 404)
                www.mkdir()
                (www / "page.txt").write_bytes(b"made anew")
                self.assertEqual(raw.once(one, raw.request("/page.txt")).body, b"made anew")


class FolderThatIsReplaced(unittest.TestCase):
    def test_it_is_found_at_sighup_and_the_old_one_is_served_until_then(self):
        with tempfile.TemporaryDirectory() as folder:
            www = pathlib.Path(folder, "www")
            www.mkdir()
            (www / "page.txt").write_bytes(b"old")
            with server.Server(www=str(www)) as one:
                def page():
                    return raw.once(one, raw.request("/page.txt")).body

                self.assertEqual(page(), b"old")
                www.rename(pathlib.Path(folder, "away"))
                www.mkdir()
                (www / "page.txt").write_bytes(b"new")
                self.assertEqual(page(), b"old")
                one.process.send_signal(signal.SIGHUP)
                server.until(lambda: page() == b"new", 10, "the new folder is served")


class Stop(unittest.TestCase):
    def test_while_files_are_compressed(self):
        with tempfile.TemporaryDirectory() as folder:
            for number in range(8):
                (pathlib.Path(folder) / f"{number}.txt").write_bytes(TEXT * 3)
            one = server.Server(www=folder)
            connections = [raw.Connection(one) for _ in range(8)]
            for number, connection in enumerate(connections):
                connection.send(raw.request(f"/{number}.txt", **GZIP))
            one.process.send_signal(signal.SIGTERM)
            one.wait_stopped()
            for connection in connections:
                connection.close()


if __name__ == "__main__":
    unittest.main()
