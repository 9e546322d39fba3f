"""HTTP and WebSocket by hand over a plain socket, to send what a well-behaved client never sends."""

import os
import socket
import struct

import server

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # both from RFC 6455 section 1.3

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def request(target="/", method="GET", version="HTTP/1.1", **fields):
    """A request head; field names have _ for -, a value of None leaves the field out."""
    lines = [f"{method} {target} {version}"]
    for name, value in {"Host": "localhost", **fields}.items():
        if value is not None:
            lines.append(f"{name.replace('_', '-')}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def upgrade(protocol=None, method="GET", version="HTTP/1.1", **changes):
    """An opening handshake that is right except for the changes."""
    fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": KEY,
              "Sec_WebSocket_Protocol": protocol}
    return request(method=method, version=version, **{**fields, **changes})


def frame(opcode, payload=b"", final=True):
    """A client's frame, masked."""
    if isinstance(payload, str):
        payload = payload.encode()
    first = opcode | (0x80 if final else 0)
    if len(payload) < 126:
        head = struct.pack("!BB", first, 0x80 | len(payload))
    elif len(payload) < 65536:
        head = struct.pack("!BBH", first, 0x80 | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, len(payload))
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


class Response:
    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.version, status, self.reason = lines[0].split(" ", 2)
        self.status = int(status)
        self.fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.fields[name.lower()] = value.strip()
        self.body = b""

    def __getitem__(self, name):
        return self.fields[name.lower()]

    def __contains__(self, name):
        return name.lower() in self.fields

    def __repr__(self):
        return f"{self.status} {self.reason} {self.fields} {self.body[:200]!r}"


class Connection:
    """One socket. Whatever is awaited and does not come within 5 s raises TimeoutError; the peer's end raises EOFError."""

    def __init__(self, to):
        self.socket = socket.create_connection((to.host, to.port), 5 * server.SLOW)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Leaves with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"the server closed; unread: {self.buffer[:200]!r}")
        self.buffer += data

    def take(self, size):
        while len(self.buffer) < size:
            self._more()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def response(self, method="GET"):
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        response = Response(head)
        if method != "HEAD" and response.status not in (101, 204, 304):
            response.body = self.take(int(response["Content-Length"]))
        return response

    def frame(self):
        """The next frame: opcode, payload, final."""
        first, size = self.take(2)
        if size & 0x80:
            raise AssertionError("the server masked a frame")
        if size == 126:
            size, = struct.unpack("!H", self.take(2))
        elif size == 127:
            size, = struct.unpack("!Q", self.take(8))
        return first & 0x0F, self.take(size), bool(first & 0x80)

    def ended(self):
        """Whether the server closes the connection, sending nothing more."""
        try:
            self._more()
        except (EOFError, ConnectionResetError):
            return not self.buffer
        return False

    def exchange(self, data, method="GET"):
        self.send(data)
        return self.response(method)


def once(to, data, method="GET"):
    """The response to one request on its own connection."""
    with Connection(to) as connection:
        return connection.exchange(data, method)


def opened(to, protocol="echo", kind=None, **fields):
    """A connection that has become a WebSocket. `extensions` is what the server agreed on."""
    connection = (kind or Connection)(to)
    response = connection.exchange(upgrade(protocol, **fields))
    if response.status != 101:
        connection.close()
        raise AssertionError(f"no WebSocket: {response}")
    connection.extensions = response.fields.get("sec-websocket-extensions", "")
    return connection
