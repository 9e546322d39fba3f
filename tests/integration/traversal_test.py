"""Paths that try to leave the served folder, or to reach what is hidden in it: none brings a byte or stops the server."""

import ctypes
import errno
import itertools
import os
import pathlib
import socket
import tempfile
import threading
import time
import unittest

import raw
import server

OUTSIDE = b"nobody-outside-may-read-this"
HIDDEN = b"nobody-may-read-what-is-hidden"
FRONT = b"<title>Front</title>\n"
REFUSED = {301, 400, 404, 414, 421}

AT_FDCWD, RENAME_EXCHANGE = -100, 2
LIBC = ctypes.CDLL(None, use_errno=True)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def make_site(root):
    """A folder `www`, secrets beside it and hidden ones in it, and links that lead to them."""
    www = root / "www"
    for name in ("secret.txt", "www-other/secret.txt", "www2/secret.txt", "index.html", "outside/secret.txt",
                 "outside/index.html", "outside/deep/secret.txt"):
        write(root / name, OUTSIDE)
    write(www / "index.html", FRONT)
    for name in ("page.html", "sub/index.html", "sub/page.html", "sub/deep/page.html", "dots..html", "a/b/c/page.html"):
        write(www / name, b"<p>fine</p>\n")
    for name in (".hidden", ".git/config", ".git/HEAD", ".htpasswd", "sub/.env", "sub/.ssh/id", "..secret", "...",
                 "back\\slash.txt", "sub/..data/secret.txt"):
        write(www / name, HIDDEN)
    for name, target in {"out.txt": root / "secret.txt", "out-relative.txt": "../secret.txt", "sub/out.txt": "../../secret.txt",
                         "out-folder": root, "out-parent": "..", "sub/parent": "../..", "chain1": "chain2", "chain2": "out.txt",
                         "root": "/", "up-and-over": "sub/../../secret.txt", "beside": root / "www-other",
                         "loop": "loop", "loop1": "loop2", "loop2": "loop1", "dangling": "nowhere",
                         "proc": "/proc/self/root", "cwd": "/proc/self/cwd", "null": "/dev/null", "zero": "/dev/zero",
                         "page.html.gz": root / "secret.txt", "page.html.br": "../secret.txt",
                         "folder-chain": "out-folder/outside", "sub/page.html.zst": "../../outside/secret.txt"}.items():
        (www / name).symlink_to(target)
    os.mkfifo(www / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(www / "socket"))
    (www / "swapped").mkdir()
    write(www / "swapped/secret.txt", b"not a secret")
    (root / "swap").symlink_to(root / "outside")
    return www


# Names of a parent folder, for a server that is careless with encodings.
UP = ("..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%252e%252e", "%25252e%25252e", "%c0%ae%c0%ae", "%c0%2e%c0%2e",
      "%e0%80%ae%e0%80%ae", "%f0%80%80%ae%f0%80%80%ae", "%fc%80%80%80%80%ae%fc%80%80%80%80%ae", "%uff0e%uff0e",
      "%u002e%u002e", "%%32%65%%32%65", "%ef%bc%8e%ef%bc%8e", "..%00", "..%20", "..%09", "...", "....", ".. ", "..;",
      "..;x=y", "%2e%2e%3b", "\\..", "..\\", ".\\.", "..%5c", "..%2f..", "..%c0%af..", "..%255c..", "..%252f..",
      "..%u2215..", "..%ef%bc%8f..", "..%e2%81%84..", "..%c1%9c..", "./..", ".//..")
SLASH = ("/", "%2f", "%2F", "%5c", "\\", "%252f", "%c0%af", "//", "/./")


def climbing():
    """Up from the root, and from folders that are there and that are not."""
    for up, slash in itertools.product(UP, SLASH):
        yield f"/{up}{slash}secret.txt"
    for up in UP:
        for depth in (2, 3, 8):
            yield "/" + f"{up}/" * depth + "secret.txt"
        yield f"/sub/{up}/{up}/secret.txt"
        yield f"/a/b/c/{up}/{up}/{up}/{up}/secret.txt"
        yield f"/missing/{up}/{up}/secret.txt"
        yield f"/page.html/{up}/{up}/secret.txt"
        yield f"/{up}/www-other/secret.txt"
        yield f"/{up}/www2/secret.txt"
        yield f"/{up}/outside/"
        yield f"/{up}/outside"
        yield f"/{up}/"
        yield f"/{up}"
        yield f"{up}/secret.txt"


def absolute(root):
    for path in (f"{root}/secret.txt", f"{root}/outside/", "/etc/passwd", "/proc/self/environ", "/proc/self/cmdline",
                 "/dev/zero"):
        bare = path.lstrip("/")
        encoded = bare.replace("/", "%2f")
        for target in (f"/{bare}", f"//{bare}", f"///{bare}", f"/%2f{bare}", f"/%2f{encoded}", f"/./{bare}",
                       f"/sub//{bare}", f"/sub/%2f{bare}", f"/%5c{bare}", f"/\\{bare}", f"//localhost/{bare}",
                       f"/file:///{bare}", f"file:///{bare}", f"/C:/{bare}", f"/~/{bare}", f"/~root/{bare}",
                       f"http://localhost//{bare}", f"http://localhost/../{bare}", f"http://localhost/..%2f{bare}"):
            yield target


def hidden():
    for name in (".hidden", ".git/config", ".git/HEAD", ".git/", ".git", ".htpasswd", "sub/.env", "sub/.ssh/id",
                 "..secret", "...", "sub/..data/secret.txt", "back\\slash.txt"):
        for spelling in (name, name.replace(".", "%2e"), name.replace(".", "%2E", 1), name.replace("/", "%2f"),
                         name.replace("\\", "%5c"), f"./{name}", f"sub/../{name}", f"%2f{name}", f"/{name}",
                         f"{name}%00", f"{name}%20", f"{name}.", f"{name}/", f"{name}%00.html", f"{name};x", f"{name}~",
                         f"{name}::$DATA"):
            yield f"/{spelling}"


def links():
    for name in ("out.txt", "out-relative.txt", "sub/out.txt", "out-folder/secret.txt", "out-folder/", "out-folder",
                 "out-folder/www/.hidden", "out-folder/www-other/secret.txt", "out-parent/secret.txt", "out-parent/",
                 "sub/parent/secret.txt", "sub/parent/www/.hidden", "chain1", "chain2", "root/etc/passwd", "root/",
                 "root", "up-and-over", "beside/secret.txt", "beside/", "beside", "loop", "loop/", "loop1", "dangling",
                 "dangling/", "proc/etc/passwd", "proc/", "cwd/", "cwd", "null", "zero", "page.html.gz", "page.html.br",
                 "folder-chain/secret.txt", "folder-chain/", "folder-chain/deep/secret.txt", "sub/page.html.zst",
                 "pipe", "pipe/", "socket", "socket/x"):
        for spelling in (name, name.replace("/", "%2f"), name.replace("o", "%6f", 1), f"{name}?x=/../"):
            yield f"/{spelling}"


def odd():
    """Paths that break code that cuts, joins or copies paths."""
    for target in ("/secret.txt", "/outside/", "/page.html/", "/page.html/.", "/page.html/..", "/page.html%2f",
                   "/page.html/../../secret.txt", "/index.html/x", "/.", "/..", "/./", "/../", "/%2e", "/%2e/",
                   "/%2e%2e", "//", "///", "/%2f", "/%2f%2f", "/%5c", "/%00", "/%00/", "/page.html%00",
                   "/page.html%00.png", "/%00page.html", "/sub/%00/../../secret.txt", "/%", "/%2", "/%zz", "/%g0",
                   "/page%", "/%-1", "/page.html.", "/page.html%20", "/page.html%0a", "/page.html%0d%0a",
                   "/page.html::$DATA", "/PAGE.HTML", "/page.html~", "/con", "/nul", "/%ff%fe", "/%c3%28", "/%ed%a0%80",
                   "/\u00ad".encode().decode("latin-1"), "secret.txt", "../secret.txt", "", "*", "?", "#", "http://",
                   "http:///secret.txt", "http://localhost/../secret.txt", "http://localhost/%2e%2e/secret.txt",
                   "http://localhost\\..\\secret.txt", "https://localhost/..%2fsecret.txt"):
        yield target
    for size in (255, 256, 1000, 4095, 4096, 7900):
        yield "/" + "a" * size
        yield "/" + "../" * (size // 3) + "secret.txt"
        yield "/" + "sub/../" * (size // 7) + "../secret.txt"
        yield "/" + "a/" * (size // 2)
        yield "/sub" + "/" * size + "page.html"
        yield "/" + "%2e%2e%2f" * (size // 9) + "secret.txt"
    yield "/" + "x" * 20_000


def unlike_any_file(target):
    """Bytes of a request that asks for it, however wrong it is."""
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br, zstd\r\n\r\n".encode("latin-1", "replace")


class Traversal(server.Served, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name).resolve()
        cls.www = str(make_site(cls.root))
        super().setUpClass()

    def setUp(self):
        self.descriptors = self.server.descriptors()

    def tearDown(self):
        """The server goes on, and keeps nothing open that it does not need."""
        self.assertEqual(raw.once(self.server, raw.request("/")).body, FRONT)
        server.until(lambda: self.server.descriptors() <= self.descriptors + 2, 5, "descriptors are left open")

    def answer(self, data):
        with raw.Connection(self.server) as connection:
            connection.send(data)
            return connection.response()

    def all_refused(self, targets, least):
        targets = list(dict.fromkeys(targets))
        self.assertGreaterEqual(len(targets), least)
        for target in targets:
            with self.subTest(target=target[:200]):
                response = self.answer(unlike_any_file(target))
                self.assertIn(response.status, REFUSED, response)
                for secret in (OUTSIDE, HIDDEN, b"root:"):
                    self.assertNotIn(secret, response.body)
                if response.status == 301:
                    self.assertRegex(response["Location"], r"^/(?![/\\])")

    def test_climbing(self):
        self.all_refused(climbing(), 500)

    def test_absolute_paths(self):
        self.all_refused(absolute(self.root), 100)

    def test_hidden_names(self):
        self.all_refused(hidden(), 100)

    def test_links_that_leave_and_what_is_no_file(self):
        self.all_refused(links(), 100)

    def test_odd_paths(self):
        self.all_refused(odd(), 80)

    def test_compressed_forms_that_are_links_out_are_not_taken(self):
        for target in ("/page.html", "/sub/page.html"):
            response = self.answer(unlike_any_file(target))
            self.assertEqual((response.status, response.body), (200, b"<p>fine</p>\n"))
            self.assertNotIn("Content-Encoding", response)

    def test_what_is_there_is_served(self):
        """So that all else is not refused for a reason that has nothing to do with it."""
        for target in ("/", "/page.html", "/sub/", "/sub/page.html", "/sub/deep/page.html", "/sub%2fdeep%2Fpage.html",
                       "/%70age.html", "/dots..html", "/a/b/c/page.html", "/page.html?../../secret.txt",
                       "http://localhost/page.html"):
            with self.subTest(target=target):
                self.assertEqual(self.answer(unlike_any_file(target)).status, 200)

    def test_a_folder_that_is_swapped_for_a_link_out_all_the_time(self):
        inside, link = str(self.root / "www/swapped").encode(), str(self.root / "swap").encode()
        over = threading.Event()
        failures = []

        def swap():
            while not over.is_set():
                if LIBC.renameat2(AT_FDCWD, inside, AT_FDCWD, link, RENAME_EXCHANGE) != 0:
                    failures.append(errno.errorcode[ctypes.get_errno()])
                    return

        swapping = threading.Thread(target=swap)
        swapping.start()
        statuses = set()
        deadline = time.monotonic() + 20 * server.SLOW
        try:
            with raw.Connection(self.server) as connection:
                for number in itertools.count():
                    if number >= 3000 and (len(statuses) == 2 or time.monotonic() > deadline):
                        break
                    response = connection.exchange(raw.request("/swapped/secret.txt"))
                    statuses.add(response.status)
                    self.assertIn(response.body, (b"not a secret", b"There is nothing here.\n"))
        finally:
            over.set()
            swapping.join()
        self.assertFalse(failures)
        self.assertEqual(statuses, {200, 404})

    def test_a_root_folder_that_is_swapped_for_another_stays_the_one_that_it_was(self):
        www, away = self.root / "www", self.root / "away"
        www.rename(away)
        try:
            www.symlink_to(self.root / "outside")
            self.assertEqual(self.answer(unlike_any_file("/secret.txt")).status, 404)
            self.assertEqual(self.answer(unlike_any_file("/")).body, FRONT)
        finally:
            www.unlink()
            away.rename(www)


if __name__ == "__main__":
    unittest.main()
