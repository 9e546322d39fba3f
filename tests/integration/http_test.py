"""Protocol zero: the page by curl, and HTTP/1.1 by hand."""

import email.utils
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import raw
import server
from raw import once, request

CURL = server.need("curl")
BIG = 8 * 1024 * 1024
FILES = {
    "index.html": b"<!doctype html>\n<title>Index</title>\n",
    "style.css": b"body { margin: 0 }\n",
    "script.js": b"'use strict';\n",
    "module.mjs": b"export default 1;\n",
    "data.json": b"{}\n",
    "icon.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>\n",
    "picture.png": b"\x89PNG\r\n\x1a\n\x00\x01\x02",
    "notes.txt": "Grüße\n".encode(),
    "unknown.zzz": b"\x00\x01",
    "empty.txt": b"",
    "with space.txt": b"spaced\n",
    "sub/index.html": b"<title>Below</title>\n",
    "sub/page.html": b"<title>Page</title>\n",
}
SECRET = b"nobody outside may read this"


def make_site(folder):
    """A folder `www` with the files, and a secret beside it."""
    folder = pathlib.Path(folder)
    for name, content in FILES.items():
        path = folder / "www" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "www" / "big.bin").write_bytes(os.urandom(BIG))
    (folder / "secret.txt").write_bytes(SECRET)
    (folder / "www-other").mkdir()
    (folder / "www-other" / "secret.txt").write_bytes(SECRET)
    return str(folder / "www")


class Site(server.Served, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.www = make_site(cls.folder.name)
        super().setUpClass()

    def curl(self, *arguments):
        result = subprocess.run([CURL, "--silent", "--show-error", "--max-time", "10", "--noproxy", "*", *arguments],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout


class Page(server.Served, unittest.TestCase):
    """The page that the project ships."""

    curl = Site.curl

    def test_the_page_and_all_it_names(self):
        page = self.curl("--fail", self.server.url)
        self.assertIn(b"<!doctype html", page.lower())
        with raw.Connection(self.server) as connection:
            for file in pathlib.Path(server.WWW).rglob("*"):
                if file.is_file():
                    with self.subTest(file=file.name):
                        response = connection.exchange(request("/" + file.relative_to(server.WWW).as_posix()))
                        self.assertEqual((response.status, response.body), (200, file.read_bytes()))


class Curl(Site):
    def test_two_urls_on_one_connection(self):
        url = self.server.url
        output = self.curl("-w", "%{http_code} %{num_connects}\n", "-o", "/dev/null", url, "-o", "/dev/null", url + "style.css")
        self.assertEqual(output, b"200 1\n200 0\n")

    def test_the_bytes_of_every_file(self):
        for name, content in FILES.items():
            with self.subTest(name=name):
                self.assertEqual(self.curl("--fail", self.server.url + name.replace(" ", "%20")), content)

    def test_a_big_file(self):
        same = self.curl(self.server.url + "big.bin") == (pathlib.Path(self.www) / "big.bin").read_bytes()
        self.assertTrue(same, "the bytes differ")

    def test_a_reader_that_is_slow(self):
        self.assertEqual(len(self.curl("--limit-rate", "16M", self.server.url + "big.bin")), BIG)

    def test_head(self):
        output = self.curl("--head", self.server.url + "style.css").lower()
        self.assertTrue(output.startswith(b"http/1.1 200 "), output)
        self.assertIn(b"content-length: 19\r\n", output)
        self.assertIn(b"content-type: text/css", output)


class Answers(Site):
    def get(self, target, **fields):
        return once(self.server, request(target, **fields))

    def test_content_types(self):
        for name, kind in {"index.html": "text/html; charset=utf-8", "style.css": "text/css; charset=utf-8",
                           "script.js": "text/javascript; charset=utf-8", "module.mjs": "text/javascript; charset=utf-8",
                           "icon.svg": "image/svg+xml", "picture.png": "image/png", "notes.txt": "text/plain; charset=utf-8",
                           "unknown.zzz": "application/octet-stream"}.items():
            with self.subTest(name=name):
                got = self.get("/" + name)["Content-Type"].lower()
                self.assertEqual(got.partition(";")[0] if "svg" in name else got, kind)
        self.assertTrue(self.get("/data.json")["Content-Type"].startswith("application/json"))

    def test_index_pages_and_queries(self):
        self.assertEqual(self.get("/").body, FILES["index.html"])
        self.assertEqual(self.get("/?query=1").body, FILES["index.html"])
        self.assertEqual(self.get("/style.css?v=2#x".partition("#")[0]).body, FILES["style.css"])
        self.assertEqual(self.get("/sub/").body, FILES["sub/index.html"])
        self.assertIn(self.get("/sub").status, (301, 308, 404))  # its page here would break the links in it

    def test_head_is_get_without_the_body(self):
        for target in ("/", "/big.bin", "/missing"):
            with self.subTest(target=target), raw.Connection(self.server) as connection:
                head = connection.exchange(request(target, method="HEAD"), "HEAD")
                get = connection.exchange(request(target))  # would fail if a body had followed
                self.assertEqual((head.status, head["Content-Length"], head["Content-Type"]),
                                 (get.status, get["Content-Length"], get["Content-Type"]))

    def test_date(self):
        for target in ("/", "/missing"):
            date = email.utils.parsedate_to_datetime(self.get(target)["Date"])
            self.assertLess(abs(date.timestamp() - time.time()), 3)

    def test_not_found(self):
        for target in ("/missing", "/sub/missing.html", "/index.html/", "/index.html/x", "/INDEX.HTML", "/" + "a" * 300):
            with self.subTest(target=target[:30]):
                response = self.get(target)
                self.assertEqual(response.status, 404, response)
                self.assertGreater(len(response.body), 0)

    def test_method_not_allowed(self):
        for method in ("POST", "PUT", "DELETE"):
            with self.subTest(method=method):
                response = once(self.server, request(method=method, Content_Length="0"))
                self.assertEqual(response.status, 405)
                self.assertEqual({name.strip() for name in response["Allow"].split(",")} & {"GET", "HEAD"}, {"GET", "HEAD"})

    def test_a_body_that_nobody_wants_is_not_taken_for_a_request(self):
        with raw.Connection(self.server) as connection:
            body = request("/style.css")
            connection.send(request(method="POST", Content_Length=str(len(body))) + body)
            self.assertEqual(connection.response().status, 405)
            try:
                connection.send(request("/notes.txt"))
                self.assertEqual(connection.response().body, FILES["notes.txt"])
            except (EOFError, ConnectionError):
                pass  # closing instead of reading the body is right too

    def test_nothing_outside_the_folder(self):
        for target in ("/../secret.txt", "/sub/../../secret.txt", "/%2e%2e/secret.txt", "/%2E%2E%2Fsecret.txt", "/..%2fsecret.txt",
                       "/.%2e/secret.txt", "/..%5csecret.txt", "/..\\secret.txt", "//secret.txt", "/%2f../secret.txt",
                       "/%00/../secret.txt", "/index.html%00", "/sub/..%00/../secret.txt", "/../www-other/secret.txt",
                       "/%252e%252e/secret.txt", "/%c0%ae%c0%ae/secret.txt", "/....//secret.txt", "/;/../secret.txt", "/%",
                       "/%zz", "../secret.txt", "secret.txt", f"/{self.folder.name}/secret.txt",
                       f"//{self.folder.name}/secret.txt"):
            with self.subTest(target=target):
                response = self.get(target)
                self.assertIn(response.status, (400, 404), response)
                self.assertNotIn(SECRET, response.body)

    def test_dot_segments_inside_the_folder(self):
        response = self.get("/sub/../style.css")
        self.assertTrue(response.status in (400, 404) or response.body == FILES["style.css"], response)

    def test_a_pipe_in_the_folder_blocks_nobody(self):
        pipe = pathlib.Path(self.www) / "pipe"
        os.mkfifo(pipe)
        self.addCleanup(pipe.unlink)
        self.assertIn(self.get("/pipe").status, (403, 404))
        self.assertEqual(self.get("/").status, 200)


class Messages(Site):
    """Requests as messages: their limits, their faults, and several on one connection."""

    def refused(self, data, status):
        with raw.Connection(self.server) as connection:
            response = connection.exchange(data)
            self.assertEqual(response.status, status, response)
            self.assertTrue(connection.ended(), "the connection goes on after a fault in the head")
        return response

    def test_a_long_request_line(self):
        limit = 8 * 1024
        target = "/?" + "q" * (limit - len("GET /? HTTP/1.1"))
        self.assertEqual(once(self.server, request(target)).status, 200)
        self.refused(request(target + "q"), 414)
        self.refused(b"GET /" + b"a" * 100_000, 414)

    def test_a_long_head(self):
        limit = 16 * 1024
        room = limit - len(request(X=""))
        self.assertEqual(once(self.server, request(X="x" * room)).status, 200)
        self.refused(request(X="x" * (room + 1)), 431)
        self.refused(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 100_000, 431)

    def test_many_fields(self):
        self.assertEqual(once(self.server, request(**{f"X{number}": "" for number in range(99)})).status, 200)
        self.refused(request(**{f"X{number}": "" for number in range(100)}), 431)

    def test_other_versions(self):
        for version in ("HTTP/2.0", "HTTP/0.9", "HTTP/3.0"):
            with self.subTest(version=version):
                self.refused(request(version=version), 505)

    def test_a_higher_minor_version_is_served_as_http_1_1(self):  # RFC 9110 section 2.5
        for version in ("HTTP/1.2", "HTTP/1.9"):
            with self.subTest(version=version):
                response = once(self.server, request(version=version))
                self.assertEqual((response.version, response.status), ("HTTP/1.1", 200))

    def test_faults(self):
        for data in (b"GET /\r\n\r\n", b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\nHost: h\n\n",
                     b"\x16\x03\x01\x02\x00", b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: h\r\n x: y\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", b"GET /\x80 HTTP/1.1\r\nHost: h\r\n\r\n"):
            with self.subTest(data=data):
                self.refused(data, 400)

    def test_pipelined_requests_are_answered_in_order(self):
        targets = ["/style.css", "/missing", "/", "/big.bin", "/empty.txt", "/data.json"] * 3
        with raw.Connection(self.server) as connection:
            connection.send(b"".join(request(target) for target in targets))
            for target in targets:
                response = connection.response()
                if target == "/missing":
                    self.assertEqual(response.status, 404)
                elif target == "/big.bin":
                    self.assertEqual(len(response.body), BIG)
                else:
                    self.assertEqual(response.body, FILES[target[1:] or "index.html"])

    def test_byte_by_byte(self):
        with raw.Connection(self.server) as connection:
            for byte in request("/style.css"):
                connection.send(bytes([byte]))
            self.assertEqual(connection.response().body, FILES["style.css"])

    def test_http_1_0_closes_unless_asked_to_stay(self):
        with raw.Connection(self.server) as connection:
            self.assertEqual(connection.exchange(request("/style.css", version="HTTP/1.0", Host=None)).body, FILES["style.css"])
            self.assertTrue(connection.ended())
        with raw.Connection(self.server) as connection:
            for _ in range(2):
                response = connection.exchange(request("/style.css", version="HTTP/1.0", Connection="keep-alive"))
                self.assertEqual(response["Connection"].lower(), "keep-alive")

    def test_connection_close_closes(self):
        with raw.Connection(self.server) as connection:
            response = connection.exchange(request("/big.bin", Connection="close"))
            self.assertEqual(response["Connection"].lower(), "close")
            self.assertEqual(len(response.body), BIG)
            self.assertTrue(connection.ended())

    def test_a_client_that_has_nothing_more_to_say_is_still_answered(self):
        with raw.Connection(self.server) as connection:
            connection.send(request("/big.bin"))
            connection.socket.shutdown(1)
            self.assertEqual(len(connection.response().body), BIG)
            self.assertTrue(connection.ended())


class Stop(unittest.TestCase):
    def test_a_request_in_flight_is_finished(self):
        with tempfile.TemporaryDirectory() as folder:
            site, size = make_site(folder), 64 * 1024 * 1024  # more than the kernel holds
            with open(f"{site}/huge.bin", "wb") as file:
                file.truncate(size)
            one = server.Server(www=site)
            with raw.Connection(one) as connection:
                connection.send(request("/huge.bin"))
                received = len(connection.take(1000)) + len(connection.buffer)
                one.process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
                self.assertIsNone(one.process.poll(), "ended with a request in flight")
                while data := connection.socket.recv(65536):
                    received += len(data)
            self.assertGreater(received, size)
            one.wait_stopped()

    def test_an_idle_connection_does_not_hold_it_up(self):
        one = server.Server()
        with raw.Connection(one) as idle, raw.Connection(one) as silent:
            self.assertEqual(idle.exchange(request()).status, 200)
            silent.send(b"GET / HT")
            start = time.monotonic()
            one.stop()
            self.assertLess(time.monotonic() - start, 5 * server.SLOW)


if __name__ == "__main__":
    unittest.main()
