"""Servers behind a proxy: one that responds as it should, and one that does anything else."""

import contextlib
import random
import socket
import struct
import threading
import time

FINE = b"all is well\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(FINE), FINE)
ENDLESS = 4 * 1024 * 1024


class Upstream:
    """`port` is that of the wild one, `fine_port` that of the other."""

    def __init__(self, seed):
        self.choice = random.Random(seed)
        self.sockets = [socket.create_server(("127.0.0.1", 0), backlog=100) for _ in range(2)]
        self.port, self.fine_port = (each.getsockname()[1] for each in self.sockets)
        for listening, serve in zip(self.sockets, (self.misbehave, self.behave)):
            threading.Thread(target=self.accept, args=(listening, serve), daemon=True).start()

    def close(self):
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    @staticmethod
    def accept(listening, serve):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listening.accept()
                peer.settimeout(20)
                threading.Thread(target=Upstream.one, args=(peer, serve), daemon=True).start()

    @staticmethod
    def one(peer, serve):
        with peer, contextlib.suppress(OSError, EOFError):
            serve(peer)

    @staticmethod
    def head(peer):
        data = b""
        while b"\r\n\r\n" not in data:
            more = peer.recv(65536)
            if not more:
                raise EOFError
            data += more

    def behave(self, peer):
        while True:
            self.head(peer)
            peer.sendall(ANSWER)

    def misbehave(self, peer):
        if self.choice.random() < 0.2:
            return
        self.head(peer)
        answers = (self.right, self.chunks, self.half, self.interim, self.noise, self.late, self.endless, self.reset)
        for piece in self.choice.choice(answers)():
            peer.sendall(piece)
        if self.choice.random() < 0.3:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def right(self):
        yield ANSWER

    def chunks(self):
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _ in range(self.choice.randrange(10)):
            piece = self.choice.randbytes(self.choice.randrange(1, 5000))
            yield b"%x\r\n%s\r\n" % (len(piece), piece)
        yield self.choice.choice((b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"nonsense\r\n", b""))

    def half(self):
        yield ANSWER[:self.choice.randrange(len(ANSWER))]

    def interim(self):
        yield b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" * self.choice.randrange(1, 30)
        yield ANSWER

    def noise(self):
        yield self.choice.randbytes(self.choice.randrange(1, 3000))

    def late(self):
        time.sleep(self.choice.random() * 3)
        yield ANSWER

    def endless(self):
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        for _ in range(ENDLESS // 65536):
            yield bytes(65536)

    def reset(self):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
        yield bytes(1000)
