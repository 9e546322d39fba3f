"""Servers behind a proxy mount: python's http.server over TCP and a unix socket, and bare sockets, to send what a good server never sends."""

import contextlib
import hashlib
import http.client
import http.server
import os
import random
import signal
import socket
import socketserver
import threading
import unittest

import server

BIG = random.Random(1).randbytes(8 * 1024 * 1024)


def digest(body):
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()


class Handler(http.server.BaseHTTPRequestHandler):
    """Responds by path."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format, *arguments):  # pylint: disable=redefined-builtin
        pass

    def begin(self, *fields):
        self.send_response(200)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()

    def answer(self, body, *fields):
        self.begin(*fields, ("Content-Length", len(body)))
        self.wfile.write(body if self.command != "HEAD" else b"")

    def do_GET(self):
        name = self.path.partition("?")[0].rpartition("/")[2]
        if name == "big":
            self.answer(BIG)
        elif name == "chunks":
            self.in_chunks(BIG)
        elif name == "until-close":
            self.begin()
            self.wfile.write(BIG)
            self.close_connection = True
        elif name == "cookies":
            self.answer(b"", ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Connection", "X-Own"), ("X-Own", "1"))
        elif name == "empty":
            self.send_response(204)
            self.end_headers()
        elif name == "endless":
            self.endless()
        else:
            self.answer(f"{self.command} {self.path}\n{self.headers}".encode())

    do_HEAD = do_DELETE = do_GET

    def in_chunks(self, body):
        self.begin(("Transfer-Encoding", "chunked"))
        for at in range(0, len(body), 0x20000):
            self.wfile.write(b"20000\r\n%s\r\n" % body[at:at + 0x20000])
        self.wfile.write(b"0\r\n\r\n")

    def endless(self):
        self.begin()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(BIG[:65536])
                self.server.sent += 65536
        self.server.broken.set()

    def do_POST(self):
        """The digest of the body that came."""
        body = b""
        if self.headers["Transfer-Encoding"] == "chunked":
            while length := int(self.rfile.readline(), 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(digest(body))

    do_PUT = do_POST


class Counted:
    """Counts its connections."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address):
        self.connections, self.sent, self.broken = 0, 0, threading.Event()
        super().__init__(address, Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def get_request(self):
        self.connections += 1
        return super().get_request()

    def __exit__(self, *problem):
        self.shutdown()
        super().__exit__(*problem)


class Upstream(Counted, socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True

    @property
    def url(self):
        return "http://127.0.0.1:%d/base/" % self.server_address[1]


class TlsUpstream(Upstream):
    """Over TLS, with that context. Shakes hands on the thread of the connection, and notes what clients ask for."""

    def __init__(self, address, context):
        self.context, self.names, self.protocols, self.versions, self.open = context, [], [], [], []
        context.sni_callback = lambda connection, name, context: self.names.append(name)
        super().__init__(address)

    @property
    def url(self):
        return "https://localhost:%d/base/" % self.server_address[1]

    def get_request(self):
        connection, address = super().get_request()
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def finish_request(self, request, client_address):
        with contextlib.suppress(OSError):  # a client that does not like the certificate
            request.do_handshake()
            self.protocols.append(request.selected_alpn_protocol())
            self.versions.append(request.version())
            self.open.append(request)
            super().finish_request(request, client_address)


class UnixUpstream(Counted, socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    def get_request(self):
        connection, _ = super().get_request()
        return connection, ("unix", 0)


class Script(threading.Thread):
    """A server that takes one connection after the other, reads a request's head and plays a part: a function of connection and head."""

    def __init__(self, *parts):
        super().__init__(daemon=True)
        self.parts, self.heads = parts, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d/" % self.listener.getsockname()[1]
        self.start()

    def run(self):
        for part in self.parts:
            connection, _ = self.listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(20 * server.SLOW)
                head = b""
                while b"\r\n\r\n" not in head and (more := connection.recv(65536)):
                    head += more
                if head:
                    self.heads.append(head)
                    part(connection, head)

    def stop(self):
        self.listener.close()
        self.join(20 * server.SLOW)


def says(answer):
    return lambda connection, head: connection.sendall(answer)


@contextlib.contextmanager
def stopped(served):
    """The server finds everything that happens meanwhile in one turn of its loop, in this order."""
    served.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, served.pid, os.WSTOPPED)
    try:
        yield
    finally:
        served.process.send_signal(signal.SIGCONT)


class Proxied(unittest.TestCase):
    """A server with one proxy mount at /app/ for each test."""

    def serve(self, url, *arguments):
        served = server.Server("--proxy", f"/app/={url}", "-d", "info", *arguments)
        self.addCleanup(lambda: served.process.stdout.closed or served.stop())
        return served

    def upstream(self):
        upstream = Upstream(("127.0.0.1", 0))
        self.addCleanup(upstream.__exit__, None, None, None)
        return upstream

    def script(self, *parts):
        script = Script(*parts)
        self.addCleanup(script.stop)
        return script

    def connection(self, served):
        connection = http.client.HTTPConnection(served.host, served.port, timeout=20 * server.SLOW)
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection, method, path, **more):
        connection.request(method, path, **more)
        response = connection.getresponse()
        return response, response.read()
