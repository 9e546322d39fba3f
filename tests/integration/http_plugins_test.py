"""The rows whose responses show what was sent: http-echo and post-demo, by curl and by hand."""

import html
import json
import os
import re
import select
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import zlib

import raw
import server
from raw import once, request

CURL = server.need("curl")
MIB = 1024 * 1024
BIG = (8 if server.SANITIZED else 64) * MIB
HUGE = (20 if server.SANITIZED else 200) * MIB
BOUNDARY = "----boundary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def curl(*arguments, data=b"", limit=60):
    """The output of curl; the last line is the status."""
    line = [CURL, "--silent", "--show-error", "--max-time", str(limit * server.SLOW), "--noproxy", "*", "-w", "\n%{http_code}"]
    result = subprocess.run(line + list(arguments), input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if result.returncode != 0:
        raise AssertionError(f"curl ended with {result.returncode}: {result.stderr.decode()}")
    body, _, status = result.stdout.rpartition(b"\n")
    return int(status), body


def chunked(data, size):
    pieces = [data[at:at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


class Case(server.Served, unittest.TestCase):
    def read_chunks(self, connection):
        """The body of a chunked response."""
        body = []
        while True:
            while b"\r\n" not in connection.buffer:
                connection._more()
            line, _, connection.buffer = connection.buffer.partition(b"\r\n")
            piece = connection.take(int(line, 16) + 2)
            if len(piece) == 2:
                return b"".join(body)
            body.append(piece[:-2])

    def head(self, connection):
        """The head of a response, whatever its body is."""
        while b"\r\n\r\n" not in connection.buffer:
            connection._more()
        head, _, connection.buffer = connection.buffer.partition(b"\r\n\r\n")
        return raw.Response(head)


class Echo(Case):
    def test_every_size_by_curl(self):
        for size in (0, 1, 2, 1023, 65535, 65536, 65537, MIB, BIG):
            data = os.urandom(size)
            for fields in ((), ("-H", "Transfer-Encoding: chunked")):
                with self.subTest(size=size, fields=fields):
                    status, body = curl("-X", "PUT", "-H", "Content-Type: image/x-own", *fields, "--data-binary", "@-",
                                        self.server.url + "echo/", data=data)
                    self.assertEqual(status, 200)
                    self.assertTrue(body == data, f"{len(body)} other bytes")

    def test_the_fields_of_the_answer(self):
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
            response = once(self.server, request("/echo/", method, Content_Length="5", Content_Type="a/b; c=\"d\"") + b"12345")
            self.assertEqual((response.status, response.body), (200, b"12345"))
            self.assertEqual(response["Content-Type"], 'a/b; c="d"')
            self.assertEqual(response["X-Content-Type-Options"], "nosniff")
        self.assertEqual(once(self.server, request("/echo/", "POST"))["Content-Type"], "application/octet-stream")

    def test_head_has_the_length_and_no_body(self):
        with raw.Connection(self.server) as connection:
            for size in (0, 5):
                response = connection.exchange(request("/echo/", "HEAD", Content_Length=str(size)) + b"x" * size, "HEAD")
                self.assertEqual(response["Content-Length"], str(size))
            in_chunks = request("/echo/", "HEAD", Transfer_Encoding="chunked") + chunked(b"x", 1)
            self.assertEqual(connection.exchange(in_chunks, "HEAD").status, 200)
            self.assertEqual(connection.exchange(request("/echo", "PUT", Content_Length="2") + b"ab").body, b"ab")

    def test_pipelined_bodies_on_one_connection(self):
        bodies = [os.urandom(size) for size in (10, 0, 70_000, 1, 300_000)]
        with raw.Connection(self.server) as connection:
            sent = threading.Thread(target=connection.send, args=(b"".join(
                request("/echo/", "POST", Content_Length=str(len(body))) + body for body in bodies),))
            sent.start()
            for body in bodies:
                self.assertEqual(connection.response().body, body)
            sent.join()

    def test_a_body_in_chunks_of_one_byte_cut_anywhere(self):
        data = os.urandom(300)
        with raw.Connection(self.server) as connection:
            connection.send(request("/echo/", "POST", Transfer_Encoding="chunked"))
            for byte in chunked(data, 1)[:-3]:
                connection.send(bytes([byte]))
            response = self.head(connection)  # while the body is still on its way
            self.assertEqual(response["Transfer-Encoding"], "chunked")
            connection.send(b"0\r\n\r\n"[-3:])
            self.assertEqual(self.read_chunks(connection), data)

    def test_a_client_that_waits_for_100(self):
        with raw.Connection(self.server) as connection:
            connection.send(request("/echo/", "POST", Content_Length="3", Expect="100-continue"))
            self.assertEqual(self.head(connection).status, 100)
            self.assertEqual(connection.exchange(b"abc").body, b"abc")
            self.assertEqual(connection.exchange(request("/echo/")).status, 200)
        status, body = curl("-H", "Expect: 100-continue", "--data-binary", "@-", self.server.url + "echo/", data=b"y" * 3 * MIB)
        self.assertEqual((status, len(body)), (200, 3 * MIB))

    def test_an_offer_of_http_2_with_a_body(self):
        status, body = curl("--http2", "--data-binary", "@-", self.server.url + "echo/", data=b"hello")
        self.assertEqual((status, body), (200, b"hello"))
        with raw.Connection(self.server) as connection:
            offer = request("/echo/", "POST", Connection="Upgrade, HTTP2-Settings", Upgrade="h2c", HTTP2_Settings="AAMAAABk", Content_Length="5")
            connection.send(offer + b"hello" + request("/echo/"))
            self.assertEqual(connection.response().body, b"hello")
            self.assertEqual(connection.response().status, 200)

    def test_http_1_0(self):
        response = once(self.server, request("/echo/", "POST", version="HTTP/1.0", Content_Length="3") + b"abc")
        self.assertEqual((response.status, response.body), (200, b"abc"))

    def test_a_slow_client_gets_all_and_costs_little(self):
        """The client does not read at first: the server must not read on."""
        block = os.urandom(MIB)
        count = 128  # more than the system's buffers of both sockets hold: tcp_rmem may be 32 MiB
        before = self.server.memory("RssAnon")

        def send():
            connection.send(request("/echo/", "POST", Content_Length=str(count * MIB)))
            for _ in range(count):
                connection.send(block)

        with raw.Connection(self.server) as connection:
            connection.socket.settimeout(20 * server.SLOW)
            sent = threading.Thread(target=send)
            sent.start()
            sent.join(1)
            self.assertTrue(sent.is_alive(), "the server takes what it cannot give back")
            if not server.SANITIZED:
                self.assertLess(self.server.memory("RssAnon") - before, 4 * MIB)
            self.assertEqual(self.head(connection)["Content-Length"], str(count * MIB))
            for _ in range(count):
                self.assertTrue(connection.take(MIB) == block)
            sent.join()

    def test_a_client_that_sends_slowly(self):
        data = os.urandom(20)
        with raw.Connection(self.server) as connection:
            connection.send(request("/echo/", "POST", Content_Length="20"))
            for byte in data:
                connection.send(bytes([byte]))
                time.sleep(0.02)
            self.assertEqual(connection.response().body, data)

    def test_a_body_that_breaks_off(self):
        with raw.Connection(self.server) as connection:
            connection.send(request("/echo/", "POST", Content_Length="20") + b"half")
            self.head(connection)
            connection.socket.shutdown(socket.SHUT_WR)
            with self.assertRaises((EOFError, ConnectionError)):
                connection.take(20)

    def test_what_was_understood(self):
        head = request("/echo/a%20b?x=1&headers", "POST", Host="h", x_TWO="1", X_Two="2", Transfer_Encoding="chunked")
        response = once(self.server, head + chunked(b"z" * 1000, 100))
        self.assertEqual(response.body.decode(), "POST /echo/a%20b?x=1&headers HTTP/1.1\nHost: h\nx-TWO: 1\nX-Two: 2\n"
                                                 "Transfer-Encoding: chunked\n\n1000\n")
        self.assertEqual(response["Content-Type"], "text/plain")


def disposition(parameters, data, *fields):
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {parameters}", *fields, "", ""]
    return "\r\n".join(lines).encode() + data + b"\r\n"


def head_of_form(**fields):
    return request("/upload/", "POST", **{"Content_Type": MULTIPART, "Accept": "application/json", **fields})


END = f"--{BOUNDARY}--\r\n".encode()


class Upload(Case):
    arguments = ("--protocol-option", f"post-demo.limit={HUGE + 10_000}", "--protocol-option", f"post-demo.part-limit={HUGE}")

    def post(self, body, content_type=MULTIPART, **fields):
        response = once(self.server, head_of_form(Content_Type=content_type, Content_Length=str(len(body)), **fields) + body)
        return response.status, json.loads(response.body)

    def test_the_page_and_what_it_names(self):
        for path in ("/upload/", "/upload"):
            page = once(self.server, request(path))
            self.assertEqual(page["Content-Type"], "text/html; charset=utf-8")
            for link in re.findall(r'(?:href|src)="([^"]+)"', page.body.decode()):
                part = once(self.server, request(os.path.normpath(os.path.join(os.path.dirname(path), link))))
                self.assertEqual(part.status, 200, link)
                self.assertIn(part["Content-Type"].split(";")[0], ("text/css", "text/javascript", "image/svg+xml"))
        self.assertEqual(once(self.server, request("/upload/nothing")).status, 404)
        self.assertEqual(once(self.server, request("/upload/", "DELETE"))["Allow"], "GET, HEAD, POST")

    def test_a_form_without_files(self):
        status, body = curl("--data-urlencode", "text=Grüße & <b>", "-d", "send=Send", self.server.url + "upload/")
        self.assertEqual(status, 200)
        self.assertIn("<td>Grüße &amp; &lt;b&gt;</td>", body.decode())
        status, answer = self.post(b"text=a%00b&&x", "application/x-www-form-urlencoded; charset=utf-8")
        self.assertEqual(status, 200)
        self.assertEqual([(part["name"], part["size"]) for part in answer["parts"]], [("text", 3), ("x", 0)])
        self.assertEqual(answer["parts"][0]["hex"], "610062")

    def test_files_by_curl(self):
        with tempfile.TemporaryDirectory() as folder:
            files = {"empty": b"", "text": "Grüße\n".encode(), "binary": os.urandom(3 * MIB), 'quo"te;x': b"q"}
            for name, data in files.items():
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(data)
            paths = [os.path.join(folder, name).replace('"', '\\"') for name in files]
            forms = [part for path in paths for part in ("-F", f'file=@"{path}"')]
            status, body = curl("-H", "Accept: application/json", "-F", "text=hello", *forms, self.server.url + "upload/")
            self.assertEqual(status, 200)
            text, *others = json.loads(body)["parts"]
            self.assertEqual((text["name"], text["text"]), ("text", "hello"))
            self.assertEqual([(part["file"], part["size"], part["crc32"]) for part in others],
                             [(name, len(data), f"{zlib.crc32(data):08x}") for name, data in files.items()])
            self.assertEqual(others[1]["text"], "Grüße\n")
            self.assertEqual(others[2]["hex"], files["binary"][:32].hex())
            status, page = curl(*forms, self.server.url + "upload/")
            self.assertIn(html.escape('quo"te;x', quote=False).replace('"', "&quot;"), page.decode())

    def test_a_huge_file_costs_no_memory(self):
        with tempfile.NamedTemporaryFile() as file:
            crc, block = 0, os.urandom(MIB)
            for _ in range(HUGE // MIB):
                file.write(block)
                crc = zlib.crc32(block, crc)
            file.flush()
            before = self.server.memory("VmHWM")
            status, body = curl("-H", "Accept: application/json", "-F", f"file=@{file.name}", self.server.url + "upload/")
            part, = json.loads(body)["parts"]
            self.assertEqual((status, part["size"], part["crc32"]), (200, HUGE, f"{crc:08x}"))
            if not server.SANITIZED:
                self.assertLess(self.server.memory("VmHWM") - before, 2 * MIB)

    def test_boundaries_cut_anywhere(self):
        data = f"\r\n--{BOUNDARY[:-1]}\r\n--{BOUNDARY}".encode()[:-1] + b"\r\r\n-"
        body = disposition('name="file"; filename="a"', data, "Content-Type: x/y") + disposition("name=text", b"") + END
        expected = self.post(body)
        self.assertEqual(expected[1]["parts"][0]["crc32"], f"{zlib.crc32(data):08x}")
        head = head_of_form(Content_Length=str(len(body)))
        with raw.Connection(self.server) as connection:
            for cut in range(0, len(body), 3):
                connection.send(head + body[:cut])
                answer = connection.exchange(body[cut:])
                self.assertEqual((answer.status, json.loads(answer.body)), expected)
            connection.send(head)
            for byte in body:
                connection.send(bytes([byte]))
            self.assertEqual(json.loads(connection.response().body), expected[1])
            in_chunks = head_of_form(Transfer_Encoding="chunked") + chunked(body, 1)
            self.assertEqual(json.loads(connection.exchange(in_chunks).body), expected[1])

    def test_malformed_bodies(self):
        field = disposition("name=a", b"x")
        for body in (b"", b"no delimiter", field, field + END[:-4], b"--" + BOUNDARY.encode() + b"x\r\n",
                     disposition("filename=a", b"") + END, field.replace(b"form-data", b"attachment") + END,
                     disposition("name=a", b"", "broken field") + END):
            with self.subTest(body=body):
                status, answer = self.post(body)
                self.assertEqual((status, list(answer)), (400, ["error"]))
        self.assertEqual(self.post(field + END, "multipart/form-data")[0], 400)
        self.assertEqual(once(self.server, request("/upload/")).status, 200)

    def test_other_bodies(self):
        for content_type in ("text/plain", "multipart/mixed; boundary=x", "application/json", "x"):
            self.assertEqual(self.post(b"text=x", content_type)[0], 415)
        self.assertEqual(self.post(b"text=x", "application/x-www-form-urlencoded", Content_Encoding="gzip")[0], 415)
        self.assertEqual(once(self.server, request("/upload/", "POST")).status, 415)

    def test_too_much(self):
        self.assertEqual(self.post(disposition("name=a", b"") * 101 + END)[0], 413)
        self.assertEqual(self.post(b"a" * 65537, "application/x-www-form-urlencoded")[0], 413)
        self.assertEqual(self.post(disposition('name="' + "n" * 300 + '"', b"") + END)[0], 413)

    def test_too_much_is_refused_before_it_is_sent(self):
        with raw.Connection(self.server) as connection:
            connection.send(head_of_form(Content_Length=str(HUGE + 10_001), Expect="100-continue"))
            self.assertEqual(connection.response().status, 413)
            self.assertTrue(connection.ended())

    def test_a_part_that_grows_too_long_is_refused_at_its_limit(self):
        with raw.Connection(self.server) as connection:
            start = disposition("name=a", b"")[:-2]
            connection.send(head_of_form(Transfer_Encoding="chunked") + b"%x\r\n%s\r\n" % (len(start), start))
            piece, sent = b"%x\r\n%s\r\n" % (MIB, b"x" * MIB), 0
            while sent < 2 * HUGE and not select.select([connection.socket], [], [], 0)[0]:
                connection.send(piece)
                sent += MIB
            self.assertEqual(connection.response().status, 413)
            self.assertGreaterEqual(sent, HUGE)
            self.assertLess(sent, HUGE + 50 * MIB)


class Limits(unittest.TestCase):
    def test_options(self):
        with server.Server("--protocol-option", "post-demo.limit=1000", "--protocol-option", "post-demo.part-limit=10") as one:
            for size, status in ((10, 200), (11, 413)):
                body = disposition("name=a", b"x" * size) + END
                self.assertEqual(once(one, head_of_form(Content_Length=str(len(body))) + body).status, status)
            self.assertIn(b'data-limit="1000"', once(one, request("/upload/")).body)
        for option in ("post-demo.limit=0", "post-demo.part-limit=x", "lws-status.addresses=maybe", "lws-status.most=0"):
            with self.assertRaisesRegex(AssertionError, "option"):
                server.Server("--protocol-option", option)


if __name__ == "__main__":
    unittest.main()
