"""HTTP clients that take their time, byte by byte: each is ended at its deadline, with a thousand others served meanwhile."""

import concurrent.futures
import contextlib
import pathlib
import resource
import select
import selectors
import socket
import tempfile
import time
import unittest

import raw
import server
from raw import request

CLIENTS = 1000
HEAD, BODY_IDLE, GRACE, STALL, KEPT = 2.0, 2.5, 3.0, 2.0, 6.0  # s
RATE = 10_000  # bytes a second
LIMITS = (f"request_head_time={HEAD * 1000:.0f}", f"body_idle={BODY_IDLE * 1000:.0f}", f"body_grace={GRACE * 1000:.0f}",
          f"body_rate={RATE}", f"write_stall={STALL * 1000:.0f}", f"keep_alive_idle={KEPT * 1000:.0f}")
PAUSE = 0.25  # s between two bytes of a slow client
LATE = 10 * server.SLOW  # s that a busy machine may be behind
SMALL = b"a small file\n"
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


class SlowClient:
    """A connection that tells when the server has ended it. Times are from the last call of begin()."""

    def __init__(self, to, receive_buffer=None):
        self.server = to
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.begun = time.monotonic()
        self.socket.connect((to.host, to.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self.socket.getsockname()[1]
        self.received = b""
        self.accepted = False

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.socket.close()

    def is_open(self):
        """Whether the server has it open. Until it is accepted, the kernel lists it without a number, like one that has gone."""
        listed = self.server.holds(self.port)
        self.accepted = self.accepted or listed
        return listed or not self.accepted

    def begin(self):
        self.begun = time.monotonic()

    def passed(self):
        return time.monotonic() - self.begun

    def exchange(self, data):
        """The response to a whole request."""
        self.socket.sendall(data)
        self.socket.settimeout(LATE)
        while b"\r\n\r\n" not in self.received:
            self.received += self.socket.recv(65536)
        head, _, rest = self.received.partition(b"\r\n\r\n")
        response = raw.Response(head)
        while len(rest) < int(response["Content-Length"]):
            rest += self.socket.recv(65536)
        self.received = b""
        return response

    def drip(self, data):
        """Sends one byte after the other until the server ends its side. Returns when that was, and the status of its response."""
        for place in range(len(data) + 1):
            if place < len(data):
                with contextlib.suppress(ConnectionError):
                    self.socket.send(data[place:place + 1])
            until = time.monotonic() + (PAUSE if place < len(data) else LATE)
            while select.select([self.socket], [], [], max(0, until - time.monotonic()))[0]:
                try:
                    piece = self.socket.recv(65536)
                except ConnectionError:
                    piece = b""
                self.received += piece
                if not piece:
                    return self.passed(), int(self.received[9:12] or b"0")
        raise AssertionError(f"not ended after {self.passed():.1f} s, received {self.received[:200]!r}")


def in_head(one):
    with SlowClient(one) as client:
        return client.drip(request("/", X="x" * 10_000))


def in_second_head(one):
    with SlowClient(one) as client:
        client.exchange(request("/small.txt"))
        time.sleep(1)
        client.begin()
        return client.drip(request("/", X="x" * 10_000))


def silent(one):
    with SlowClient(one) as client:
        return client.drip(b"")


def silent_between_requests(one):
    with SlowClient(one) as client:
        client.begin()
        client.exchange(request("/small.txt"))
        return client.drip(b"")


def in_body(one):
    with SlowClient(one) as client:
        client.begin()
        client.socket.sendall(request("/upload/", "POST", Content_Length="60000", **FORM))
        return client.drip(b"x" * 10_000)


def in_body_in_chunks(one):
    with SlowClient(one) as client:
        client.begin()
        client.socket.sendall(request("/upload/", "POST", Transfer_Encoding="chunked", **FORM))
        return client.drip(b"1\r\nx\r\n" * 10_000)


def in_body_that_is_dropped(one):
    with SlowClient(one) as client:
        client.begin()
        client.socket.sendall(request("/small.txt", "POST", Content_Length="10000"))
        return client.drip(b"x" * 10_000)


def in_body_after_much(one):
    """A second's worth comes at once and is time earned; then it drips."""
    with SlowClient(one) as client:
        client.begin()
        client.socket.sendall(request("/upload/", "POST", Content_Length="60000", **FORM) + b"x" * RATE)
        return client.drip(b"x" * 10_000)


def silent_in_body(one):
    with SlowClient(one) as client:
        client.begin()
        client.socket.sendall(request("/upload/", "POST", Content_Length="60000", **FORM) + b"x" * 3 * RATE)
        return client.drip(b"")


def in_body_of_an_answer_that_has_begun(one):
    """http-echo responds as the body comes; no other status can follow."""
    with SlowClient(one) as client:
        client.begin()
        client.socket.sendall(request("/echo/", "POST", Content_Length="100000"))
        return client.drip(b"x" * 10_000)


def reading(one):
    """Takes a byte at a time of a large file. The end is a reset: the system kept megabytes for a client that took nothing."""
    with SlowClient(one, receive_buffer=4096) as client:
        client.begin()
        client.socket.sendall(request("/large.bin"))
        while client.is_open():
            client.socket.recv(1)
            time.sleep(PAUSE / 2)
            if client.passed() > STALL + LATE:
                raise AssertionError("a client that takes a byte at a time is not cut")
        took = client.passed()
        try:
            while client.socket.recv(65536):
                pass
        except ConnectionResetError:
            return took, 0
        raise AssertionError("the answer has an end as if it were whole")


def reading_steadily(one):
    """Takes little, but more than write_progress in each write_stall: it may go on. 200 if it did."""
    with SlowClient(one, receive_buffer=4096) as client:
        client.begin()
        client.socket.sendall(request("/large.bin"))
        while client.passed() < 4 * STALL:
            client.received += client.socket.recv(64 * 1024)
            time.sleep(PAUSE / 2)
        return client.passed(), 200 if client.is_open() else 0


# What must happen to each: after how many seconds, and with which status.
SCENARIOS = {in_head: (HEAD, 408), in_second_head: (HEAD, 408), silent: (HEAD, 0), silent_between_requests: (KEPT, 0),
             in_body: (GRACE, 408), in_body_in_chunks: (GRACE, 408), in_body_that_is_dropped: (GRACE, 405),
             in_body_after_much: (GRACE + 1, 408), silent_in_body: (BODY_IDLE, 408),
             in_body_of_an_answer_that_has_begun: (GRACE, 200), reading: (STALL, 0), reading_steadily: (4 * STALL, 200)}


class Crowd:
    """Clients that ask again and again, each on a connection of its own, all at once."""

    def __init__(self, one, size):
        self.selector = selectors.DefaultSelector()
        self.clients = []
        self.rounds = 0
        self.slowest = 0
        for number in range(size):
            client = socket.create_connection((one.host, one.port), LATE)
            client.setblocking(False)
            self.clients.append(client)
            self.ask(number, client)  # at once: a connection without a request has not long to live here
        self.take_all()

    def close(self):
        self.selector.close()
        for client in self.clients:
            client.close()

    def ask(self, number, client):
        """Every one, in every round, for something else."""
        if (number + self.rounds) % 2:
            data, wanted = request("/small.txt"), SMALL
        else:
            wanted = b"%d of round %d" % (number, self.rounds)
            data = request("/echo/", "POST", Content_Length=str(len(wanted))) + wanted
        if client.send(data) != len(data):
            raise AssertionError("the system takes no request")
        self.selector.register(client, selectors.EVENT_READ, [b"", b"\r\n\r\n" + wanted])

    def take_all(self):
        while self.selector.get_map():
            ready = self.selector.select(LATE)
            if not ready:
                raise AssertionError(f"{len(self.selector.get_map())} clients wait for an answer in round {self.rounds}")
            for key, _ in ready:
                self.take(key)

    def round(self):
        begun = time.monotonic()
        self.rounds += 1
        for number, client in enumerate(self.clients):
            self.ask(number, client)
        self.take_all()
        self.slowest = max(self.slowest, time.monotonic() - begun)

    def take(self, key):
        piece = key.fileobj.recv(4096)
        got = key.data[0] = key.data[0] + piece
        if got.endswith(key.data[1]) and got.startswith(b"HTTP/1.1 200 OK\r\n") and got.count(b"HTTP/1.1") == 1:
            self.selector.unregister(key.fileobj)
        elif not piece or len(got) > 1000:
            raise AssertionError(f"not the answer in round {self.rounds}: {got!r}, wanted {key.data[1]!r}")


def raise_descriptor_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Slow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        cls.addClassCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        hard = raise_descriptor_limit()
        cls.clients = CLIENTS if hard == resource.RLIM_INFINITY else min(CLIENTS, hard - 100)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        (pathlib.Path(folder.name) / "small.txt").write_bytes(SMALL)
        with open(f"{folder.name}/large.bin", "wb") as file:
            file.truncate(64 * 1024 * 1024)
        arguments = [argument for limit in LIMITS for argument in ("--limit", limit)]
        cls.server = server.Server(*arguments, www=folder.name, before_start=raise_descriptor_limit)
        cls.addClassCleanup(cls.server.stop)

    def test_each_meets_its_deadline_while_others_are_served(self):
        idle = self.server.descriptors()
        crowd = Crowd(self.server, self.clients)
        self.addCleanup(crowd.close)
        with concurrent.futures.ThreadPoolExecutor(len(SCENARIOS)) as pool:
            results = {scenario: pool.submit(scenario, self.server) for scenario in SCENARIOS}
            while crowd.rounds < 3 or not all(result.done() for result in results.values()):
                crowd.round()
                time.sleep(0.2)
        print(f"{crowd.rounds} rounds of {self.clients} clients, the slowest in {crowd.slowest:.2f} s")
        self.assertLess(crowd.slowest, 5 * server.SLOW)
        for scenario, (wanted, status) in SCENARIOS.items():
            with self.subTest(scenario=scenario.__name__):
                took, answer = results[scenario].result()
                print(f"{scenario.__name__}: {took:.2f} s, {answer}")
                self.assertEqual(answer, status)
                self.assertGreater(took, wanted - 0.1)
                self.assertLess(took, wanted + LATE)
        crowd.close()
        server.until(lambda: self.server.descriptors() <= idle + 1, 20, "all of them gone")  # the large file may be kept open


if __name__ == "__main__":
    unittest.main()
