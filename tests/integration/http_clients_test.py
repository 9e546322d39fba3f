"""HTTP by clients that nobody here wrote: curl, wget and python's http.client."""

import email.utils
import filecmp
import gzip
import http.client
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import unittest

import raw
import server
from raw import request

CURL = server.need("curl")
WGET = server.need("wget")
MIB = 1024 * 1024
PATIENCE = 60 * server.SLOW  # s for what takes one at most on an idle machine
CHANGED = 1_700_000_000  # when all the files were
TEXT = "".join(f"line {number} of a text that is worth compressing\n" for number in range(2000)).encode()
READY = "".join(f"line {number} of a text that somebody has compressed\n" for number in range(2000)).encode()
FILES = {
    "index.html": b"<!doctype html>\n<title>Index</title>\n",
    "digits.txt": b"0123456789",
    "text.txt": TEXT,
    "ready.txt": READY,
    "ready.txt.gz": gzip.compress(READY),
    "random.bin": os.urandom(3 * MIB + 1),
    "empty.txt": b"",
    "sub/page.html": b"<title>Page</title>\n",
}
ODD_NAMES = ("with space.txt", "100%.txt", "100%2g.txt", "q?x=1&y#z.txt", "<tag>&amp;.txt", "'quotes\".txt", "ümläut.txt",
             "semi;colon:.txt", "sub/deep/er/file.txt", "sub/with space/file+plus.txt", "~tilde", "(brackets) [too].txt")


def run(*arguments, data=b"", status=0):
    """The program's output."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "no_proxy": "*"}
    result = subprocess.run(arguments, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, check=False,
                            timeout=2 * PATIENCE)
    if result.returncode != status:
        raise AssertionError(f"{arguments} ended with {result.returncode}: {result.stdout[-2000:]!r} {result.stderr.decode()}")
    return result.stdout


def make_site(folder):
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (CHANGED, CHANGED))


class Case(server.Served, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        make_site(cls.folder / "www")
        cls.www = str(cls.folder / "www")
        cls.odd = cls.folder / "odd"
        for name in ODD_NAMES:
            (cls.odd / name).parent.mkdir(parents=True, exist_ok=True)
            (cls.odd / name).write_text(f"this is {name}\n", encoding="utf-8")
        cls.arguments = ("--files", cls.odd)
        super().setUpClass()


class Curl(Case):
    def curl(self, *arguments, path="", data=b"", status=0):
        return run(CURL, "--silent", "--show-error", "--max-time", str(PATIENCE), "--noproxy", "*", *arguments,
                   self.server.url + path, data=data, status=status)

    def answer(self, *arguments, path="", data=b""):
        """Head and body of the last response."""
        with tempfile.NamedTemporaryFile() as head:
            body = self.curl("-D", head.name, *arguments, path=path, data=data)
            return raw.Response(head.read().rpartition(b"\r\n\r\n")[0].rpartition(b"\r\n\r\n")[2]), body

    def test_every_file(self):
        for name, content in FILES.items():
            with self.subTest(name=name):
                answer, body = self.answer(path=name)
                self.assertEqual((answer.version, answer.status), ("HTTP/1.1", 200))
                self.assertTrue(body == content, f"{len(body)} other bytes")

    def test_head(self):
        for name, content in FILES.items():
            answer, _ = self.answer("--head", path=name)
            self.assertEqual((answer.status, answer["Content-Length"]), (200, str(len(content))), name)
        self.assertEqual(self.answer("--head", path="nothing")[0].status, 404)

    def test_a_hundred_at_once_and_one_after_the_other(self):
        (self.folder / "out").mkdir(exist_ok=True)
        for manner in ((), ("--parallel", "--parallel-max", "20")):
            self.curl(*manner, "--no-progress-meter", "--fail", "-o", f"{self.folder}/out/#1-#2",
                      path="{text.txt,digits.txt}?[1-50]")
            for number in range(1, 51):
                self.assertEqual((self.folder / "out" / f"digits.txt-{number}").read_bytes(), FILES["digits.txt"])
                self.assertEqual((self.folder / "out" / f"text.txt-{number}").read_bytes(), TEXT)

    def test_post_to_a_file(self):
        for size, fields in ((0, ()), (5, ()), (70_000, ()), (2 * MIB, ()), (70_000, ("-H", "Transfer-Encoding: chunked"))):
            with self.subTest(size=size, fields=fields):
                answer, _ = self.answer("--data-binary", "@-", *fields, path="digits.txt", data=b"x" * size)
                self.assertEqual(answer.status, 405)
                self.assertEqual(answer["Allow"], "GET, HEAD, OPTIONS")

    def test_a_body_that_is_refused_is_not_sent(self):
        """curl asks before it sends more than one MiB."""
        sent = self.curl("--expect100-timeout", str(PATIENCE), "-o", os.devnull, "-w", "%{http_code} %{size_upload}",
                         "--data-binary", "@-", path="digits.txt", data=b"x" * 8 * MIB)
        self.assertEqual(sent, b"405 0")

    def test_ranges(self):
        for spec, wanted, content_range in (("0-0", b"0", "bytes 0-0/10"), ("3-5", b"345", "bytes 3-5/10"),
                                            ("7-", b"789", "bytes 7-9/10"), ("-2", b"89", "bytes 8-9/10"),
                                            ("5-100", b"56789", "bytes 5-9/10"), ("-100", b"0123456789", "bytes 0-9/10")):
            with self.subTest(spec=spec):
                answer, body = self.answer("-r", spec, path="digits.txt")
                self.assertEqual((answer.status, body, answer["Content-Range"]), (206, wanted, content_range))
        answer, body = self.answer("-r", f"{MIB}-{2 * MIB}", path="random.bin")
        self.assertTrue(body == FILES["random.bin"][MIB:2 * MIB + 1])

    def test_several_ranges(self):
        answer, body = self.answer("-r", "0-1,4-5,-1", path="digits.txt")
        kind, _, boundary = answer["Content-Type"].partition("; boundary=")
        self.assertEqual((answer.status, kind), (206, "multipart/byteranges"))
        start, *parts, end = body.split(b"--" + boundary.encode())
        self.assertEqual((start.strip(), end.strip()), (b"", b"--"))
        self.assertEqual([part.partition(b"\r\n\r\n")[2] for part in parts], [b"01\r\n", b"45\r\n", b"9\r\n"])

    def test_a_range_behind_the_end(self):
        answer, _ = self.answer("-r", "10-", path="digits.txt")
        self.assertEqual((answer.status, answer["Content-Range"]), (416, "bytes */10"))

    def test_conditions_on_the_time(self):
        same, before, after = (email.utils.formatdate(CHANGED + seconds, usegmt=True) for seconds in (0, -1, 1))
        for condition, status in ((same, 304), (before, 200), ("-" + after, 200), ("-" + before, 412)):
            with self.subTest(condition=condition):
                answer, body = self.answer("-z", condition, path="digits.txt")
                self.assertEqual((answer.status, body == FILES["digits.txt"]), (status, status == 200))
        self.assertEqual(self.answer(path="digits.txt")[0]["Last-Modified"], same)

    def test_a_copy_is_renewed_by_its_tag(self):
        tag, copy = self.folder / "tag", self.folder / "copy"
        changing = self.folder / "www" / "changing.txt"
        for content, status in ((b"first", b"200"), (b"first", b"304"), (b"second", b"200"), (b"second", b"304")):
            if not changing.exists() or changing.read_bytes() != content:
                changing.write_bytes(content)
            got = self.curl("--etag-compare", tag, "--etag-save", tag, "-o", copy, "-w", "%{http_code}", path="changing.txt")
            self.assertEqual((got, copy.read_bytes()), (status, content))

    def test_compressed(self):
        for name in ("text.txt", "ready.txt", "random.bin", "digits.txt", "empty.txt"):
            with self.subTest(name=name):
                answer, body = self.answer("--compressed", path=name)
                self.assertTrue(body == FILES[name], f"{len(body)} other bytes")
                self.assertEqual(answer.fields.get("content-encoding"), "gzip" if name in ("text.txt", "ready.txt") else None)
                if "content-encoding" in answer:
                    self.assertLess(int(answer["Content-Length"]), len(body) / 4)
                    self.assertIn("accept-encoding", answer["Vary"].lower())
        self.assertEqual(self.answer(path="text.txt")[0]["Content-Length"], str(len(TEXT)))

    def test_http_1_0(self):
        answer, body = self.answer("--http1.0", path="text.txt")
        self.assertEqual((answer.status, body), (200, TEXT))
        connects = self.curl("--http1.0", "-o", os.devnull, "-w", "%{num_connects}\n", path="{digits.txt,text.txt}")
        self.assertEqual(connects, b"1\n1\n")
        connects = self.curl("--http1.0", "-H", "Connection: keep-alive", "-o", os.devnull, "-w", "%{num_connects}\n",
                             path="{digits.txt,text.txt}")
        self.assertEqual(connects, b"1\n0\n")
        answer, body = self.answer("--http1.0", "--data-binary", "@-", path="echo/", data=TEXT)
        self.assertEqual((answer.status, body), (200, TEXT))

    def test_paths_as_they_are(self):
        secret = self.folder / "secret.txt"
        secret.write_text("nobody outside may read this", encoding="ascii")
        for path in ("../secret.txt", "sub/../../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", f"/{secret}",
                     "files/../../secret.txt", "files/%2e%2e/secret.txt", "sub/../digits.txt"):
            with self.subTest(path=path):
                answer, body = self.answer("--path-as-is", path=path)
                self.assertIn(answer.status, (400, 404))
                self.assertNotIn(b"nobody", body)
        self.assertEqual(self.curl(path="sub/../digits.txt"), FILES["digits.txt"])  # curl has taken it out

    def test_uploads_that_wait_for_100(self):
        """Without it, curl would wait for longer than it may take in all."""
        for size, fields in ((0, ()), (1, ()), (70_000, ()), (5 * MIB, ()), (5 * MIB, ("-H", "Transfer-Encoding: chunked"))):
            with self.subTest(size=size, fields=fields):
                data = os.urandom(size)
                answer, body = self.answer("--expect100-timeout", str(2 * PATIENCE), "-H", "Expect: 100-continue", *fields,
                                           "-T", "-", path="echo/", data=data)
                self.assertEqual(answer.status, 200)
                self.assertTrue(body == data, f"{len(body)} other bytes")

    def test_a_form(self):
        body = self.curl("-F", f"file=@{self.www}/random.bin", "-H", "Accept: application/json", path="upload/")
        self.assertIn(f'"size":{len(FILES["random.bin"])}'.encode(), body)


class BrokenOff(unittest.TestCase):
    """Half a response of a server behind this one. Without a length, only a reset shows the client that it is incomplete."""

    def answer_half(self, listener):
        for _ in range(2):
            with listener.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

    def test_by_curl(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=self.answer_half, args=(listener,), daemon=True)
            thread.start()
            with server.Server("--proxy", f"/app/=http://127.0.0.1:{listener.getsockname()[1]}/") as one:
                for version in ("--http1.0", "--http1.1"):
                    with self.subTest(version=version):
                        run(CURL, "-sS", "--noproxy", "*", "--max-time", str(PATIENCE), version, one.url + "app/", status=56)
            thread.join(PATIENCE)


class Wget(Case):
    def wget(self, *arguments, path="", status=0):
        return run(WGET, "--no-verbose", "--no-proxy", "--tries=1", f"--timeout={PATIENCE}", "--no-config", *arguments,
                   self.server.url + path, status=status)

    def test_files(self):
        for name, content in FILES.items():
            self.assertTrue(self.wget("-O", "-", path=name) == content, name)

    def test_whether_it_is_there(self):
        self.wget("--spider", path="text.txt")
        self.wget("--spider", path="nothing.txt", status=8)  # an error status
        self.wget("-O", "-", path="nothing.txt", status=8)

    def test_a_post(self):
        self.assertEqual(self.wget("-O", "-", "--post-data", "a=b&c=d", path="echo/"), b"a=b&c=d")

    def test_compressed(self):
        self.assertTrue(self.wget("-O", "-", "--compression=gzip", path="text.txt") == TEXT)

    def test_a_copy_is_renewed_by_its_time(self):
        folder = self.folder / "renewed"
        copy = folder / "digits.txt"
        self.wget("-N", "-P", folder, path="digits.txt")
        self.assertEqual((copy.read_bytes(), copy.stat().st_mtime), (FILES["digits.txt"], CHANGED))
        copy.write_bytes(b"9876543210")
        os.utime(copy, (CHANGED, CHANGED))
        self.wget("-N", "-P", folder, path="digits.txt")
        self.assertEqual(copy.read_bytes(), b"9876543210")
        os.utime(copy, (CHANGED - 1, CHANGED - 1))
        self.wget("-N", "-P", folder, path="digits.txt")
        self.assertEqual(copy.read_bytes(), FILES["digits.txt"])

    def test_a_tree_by_its_listings(self):
        copy = self.folder / "tree"
        self.wget("-r", "-np", "-nH", "--cut-dirs=1", "--level=10", "--restrict-file-names=unix,nocontrol", "-R", "index.html*",
                  "-e", "robots=off", "-P", copy, path="files/")
        found = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
        self.assertEqual(found, set(ODD_NAMES))
        _, different, errors = filecmp.cmpfiles(self.odd, copy, ODD_NAMES, shallow=False)
        self.assertEqual((different, errors), ([], []))


class HttpClient(Case):
    def setUp(self):
        self.client = http.client.HTTPConnection(self.server.host, self.server.port, timeout=PATIENCE)
        self.addCleanup(self.client.close)
        self.client.connect()
        self.port = self.client.sock.getsockname()[1]

    def exchange(self, method, path, **options):
        self.client.request(method, path, **options)
        answer = self.client.getresponse()
        return answer, answer.read()

    def same_connection(self):
        return self.client.sock is not None and self.client.sock.getsockname()[1] == self.port

    def test_all_kinds_of_requests_on_one_connection(self):
        tag = self.exchange("GET", "/digits.txt")[0].getheader("ETag")
        for method, path, options, status, body in (
                ("GET", "/text.txt", {}, 200, TEXT), ("HEAD", "/text.txt", {}, 200, b""), ("GET", "/empty.txt", {}, 200, b""),
                ("GET", "/digits.txt", {"headers": {"If-None-Match": tag}}, 304, b""),
                ("GET", "/digits.txt", {"headers": {"Range": "bytes=2-3"}}, 206, b"23"), ("HEAD", "/nothing", {}, 404, b""),
                ("OPTIONS", "/digits.txt", {}, 204, b""), ("OPTIONS", "*", {}, 204, b""),
                ("POST", "/echo/", {"body": b"abc"}, 200, b"abc"), ("PUT", "/echo/", {"body": TEXT * 3}, 200, TEXT * 3),
                ("POST", "/digits.txt", {"body": b"y" * 100}, 405, None),
                ("GET", "/files", {}, 301, None), ("HEAD", "/echo/", {}, 200, b""), ("GET", "/%zz", {}, 400, None),
                ("DELETE", "/nothing", {}, 405, None), ("GET", "/digits.txt", {"headers": {"Range": "bytes=99-"}}, 416, None),
                ("GET", "/", {}, 200, FILES["index.html"])):
            with self.subTest(method=method, path=path):
                answer, got = self.exchange(method, path, **options)
                self.assertEqual(answer.status, status)
                self.assertTrue(body is None or got == body, f"{len(got)} other bytes")
                self.assertTrue(self.same_connection())

    def test_it_closes_when_asked_to(self):
        answer, body = self.exchange("GET", "/text.txt", headers={"Connection": "close"})
        self.assertEqual((answer.getheader("Connection"), body), ("close", TEXT))
        self.assertFalse(self.same_connection())

    def test_uploads_in_chunks(self):
        pieces = [os.urandom(size) for size in (1, 70_000, 3, MIB, 1)]
        for _ in range(3):
            answer, body = self.exchange("POST", "/echo/", body=iter(pieces), encode_chunked=True,
                                         headers={"Transfer-Encoding": "chunked"})
            self.assertEqual((answer.status, answer.getheader("Transfer-Encoding")), (200, "chunked"))
            self.assertTrue(body == b"".join(pieces), f"{len(body)} other bytes")
            self.assertTrue(self.same_connection())

    def test_pipelined(self):
        """http.client cannot; this is by hand."""
        names = ["digits.txt", "text.txt", "random.bin", "empty.txt"] * 25
        with raw.Connection(self.server) as connection:
            connection.socket.settimeout(PATIENCE)
            connection.send(b"".join(request("/" + name) + request("/echo/", "POST", Content_Length="3") + b"%03d" % number
                                     for number, name in enumerate(names)))
            for number, name in enumerate(names):
                self.assertTrue(connection.response().body == FILES[name], name)
                self.assertEqual(connection.response().body, b"%03d" % number)


if __name__ == "__main__":
    unittest.main()
