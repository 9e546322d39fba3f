"""Many connections in one process: HTTP and WebSocket by hand on asyncio's bare transports, with TLS in memory. Unlike a library, it
tells exactly how a connection ended: properly, which over TLS takes a close_notify, or not."""

import asyncio
import socket
import ssl
import struct
import time

import raw

CHUNK = 65536


class Ended(Exception):
    """The peer has ended the connection properly, and nothing more had come."""


class Link(asyncio.Protocol):
    """Whatever else happens to the connection, such as a reset, or an end in the middle of something, raises AssertionError."""

    def __init__(self, tls, name):
        self.transport, self.waiter, self.problem = None, None, None
        self.received = bytearray()
        self.notified = self.over = False
        self.last_write = self.quiet = 0.0
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls and tls.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.is_open = not tls

    @classmethod
    async def open(cls, port, tls=None, name="localhost"):
        begun = time.monotonic()
        _, link = await asyncio.get_running_loop().create_connection(lambda: cls(tls, name), "127.0.0.1", port)
        link.last_write = begun
        while not link.is_open:
            if link.over:
                raise AssertionError("the server ended the connection within the handshake of TLS")
            await link.more()
        return link

    # ---- What asyncio calls ----

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            self._turn()

    def data_received(self, data):
        if self.tls:
            self.incoming.write(data)
            self._turn()
        else:
            self.received += data
        self._wake()

    def eof_received(self):
        if self.tls and not self.notified:
            self.problem = self.problem or "the connection ended without close_notify"
        self.over = True
        self._wake()
        return True

    def connection_lost(self, exc):
        if exc:
            self.problem = self.problem or f"the connection was lost: {exc!r}"
        self.over = True
        self._wake()

    def _turn(self):
        """Takes what TLS makes of the bytes that came, and sends what it has to say."""
        try:
            if not self.is_open:
                self.tls.do_handshake()
                self.is_open = True
            while piece := self.tls.read(CHUNK):
                self.received += piece
            self.notified = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.problem = self.problem or f"TLS: {error}"
        self._flush()

    def _flush(self):
        if self.outgoing.pending:
            self.transport.write(self.outgoing.read())

    def _wake(self):
        if self.waiter and not self.waiter.done():
            self.waiter.set_result(None)

    # ---- Bytes ----

    def write(self, data):
        """After that, `quiet` tells how many seconds lie between the last write, or the wish to connect, and this one, at most."""
        before = time.monotonic()
        if self.tls:
            self.tls.write(data)
            self._flush()
        else:
            self.transport.write(data)
        self.quiet, self.last_write = time.monotonic() - self.last_write, before

    async def more(self, seconds=None):
        """Waits until something more has come, or the end, or, if seconds are given, until they have passed."""
        if self.problem is None and not self.over:
            loop = asyncio.get_running_loop()
            self.waiter = loop.create_future()
            timer = seconds is not None and loop.call_later(seconds, self._wake)
            await self.waiter
            if timer:
                timer.cancel()
        if self.problem is not None:
            raise AssertionError(f"{self.problem}; unread: {bytes(self.received[:100])!r}")

    async def comes(self, seconds):
        """Waits for that long. Whether something is there to read, if only the end."""
        if not self.received and not self.over:
            await self.more(seconds)
        return bool(self.received) or self.over

    async def need(self, size):
        while len(self.received) < size:
            await self._need_more()

    async def _need_more(self):
        if self.over:
            if self.received:
                raise AssertionError(f"the connection ended in the middle of something: {bytes(self.received[:100])!r}")
            raise Ended
        await self.more()

    def take(self, size):
        data = bytes(self.received[:size])
        del self.received[:size]
        return data

    async def end(self):
        """Insists that the peer ends the connection properly and sends nothing more; then ends it here too."""
        while not self.over:
            await self.more()
        await self.more()  # tells what was wrong with it
        if self.received:
            raise AssertionError(f"more came before the end: {bytes(self.received[:100])!r}")
        self.close()

    def close(self):
        if self.tls and self.problem is None:
            try:
                self.tls.unwrap()
            except ssl.SSLError:  # it wants the peer's close_notify, too
                pass
            if not self.transport.is_closing():
                self._flush()
        self.transport.close()

    def serial(self):
        """Of the certificate that the server has shown."""
        return int(self.tls.getpeercert()["serialNumber"], 16)

    # ---- HTTP and WebSocket ----

    async def response(self):
        """Raises Ended if the connection ended before the response began."""
        while (size := self.received.find(b"\r\n\r\n")) < 0:
            await self._need_more()
        response = raw.Response(self.take(size + 4)[:-4])
        if response.status != 101:
            size = int(response["Content-Length"])
            while len(self.received) < size:
                if self.over:
                    raise AssertionError("the connection ended in the middle of a response")
                await self.more()
            response.body = self.take(size)
        return response

    async def exchange(self, request):
        self.write(request)
        return await self.response()

    async def become_websocket(self, protocol, host="localhost"):
        response = await self.exchange(raw.upgrade(protocol, Host=host))
        if response.status != 101:
            raise AssertionError(f"no WebSocket: {response}")

    async def frame(self):
        """The next whole message or control frame, of servers that do not fragment: opcode and payload."""
        await self.need(2)
        size, begin = self.received[1], 2
        if size > 125:
            begin = 4 if size == 126 else 10
            await self.need(begin)
            size, = struct.unpack("!H" if begin == 4 else "!Q", self.received[2:begin])
        await self.need(begin + size)
        if not self.received[0] & 0x80:
            raise AssertionError("a fragment")
        opcode = self.received[0] & 0x0F
        return opcode, self.take(begin + size)[begin:]
