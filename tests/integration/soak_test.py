"""A server among bad peers of every kind at once, for WHARF_SOAK seconds, while others get their responses and nothing is left behind.

    WHARF_SOAK=1800 meson test -C build/sanitize --timeout-multiplier 20 --print-errorlogs soak

Random clients, servers behind a proxy, plugins with faults, readers of logs that stall and die, password files that change under the
server, signals.
WHARF_SOAK_SEED repeats a choice of acts. What was seen is printed at the end.
"""

import base64
import contextlib
import os
import pathlib
import random
import signal
import statistics
import subprocess
import tempfile
import threading
import time
import unittest

import frames
import raw
import server
import soak_upstream

SECONDS = float(os.environ.get("WHARF_SOAK") or os.environ.get("WHARF_SOAK_DEFAULT") or "20")
SEED = int(os.environ.get("WHARF_SOAK_SEED", "0")) or int.from_bytes(os.urandom(4), "big")
LOOPS = int(os.environ.get("WHARF_SOAK_THREADS", "1"))
LIMIT = 10 * server.SLOW  # s for the answer to one who does nothing wrong
MISCHIEF = 6              # who do wrong at the same time
MIB = 1024 * 1024
# bcrypt of "right", cost 5
HASH = "$2y$05$ZcWVMmH2Ws.k1aqudSWw2u0fnAwbsZjiRNaYg.l6MtsQmpvAWCNkm"
UNRULY = pathlib.Path(os.environ.get("WHARF_UNRULY", "build/plain/tests/integration/unruly.so"))  # the plugin with all the faults
EXPECTED = (OSError, EOFError, TimeoutError, AssertionError, KeyError, ValueError)  # of a server that ends what is wrong


class Place:
    """A folder with the files that the server serves, its pipes, and the reports of sanitizers."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.files = self.folder / "files"
        self.files.mkdir()
        (self.files / "large.bin").write_bytes(random.Random(1).randbytes(4 * MIB))
        for number in range(2000):
            (self.files / f"a file with the number {number}").touch()
        self.passwords = self.folder / "passwords"
        self.passwords.write_text(f"someone:{HASH}\n", encoding="ascii")
        self.plugins = self.folder / "plugins"
        self.plugins.mkdir()
        plugin = UNRULY.read_bytes()
        for name, size in {"unruly.so": len(plugin), "cut.so": 3000, "cut_later.so": len(plugin) // 2, "empty.so": 0}.items():
            (self.plugins / name).write_bytes(plugin[:size])
        self.access_log = self.folder / "access.log"
        os.mkfifo(self.access_log)

    def environment(self):
        found = f"log_path={self.folder}/found"
        changes = {name: f"{os.environ.get(name, '')}:{found}:{more}" for name, more in
                   {"ASAN_OPTIONS": "quarantine_size_mb=16", "TSAN_OPTIONS": "history_size=4", "UBSAN_OPTIONS": ""}.items()}
        return {**os.environ, **changes}

    def findings(self):
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("found*")))


class LogReader(threading.Thread):
    """Reads a log now and then, stops reading for a while, dies, and comes back if there is a path to open. One without a
    path dies for good in the middle of it all."""

    def __init__(self, descriptor, path, until, choice):
        super().__init__(daemon=True)
        self.descriptor, self.path, self.leaving, self.random = descriptor, path, until, choice
        self.death = time.monotonic() + SECONDS / 2
        self.lines = 0

    def dies(self):
        return time.monotonic() > self.death if self.path is None else self.random.random() < 0.01

    def run(self):
        while not self.leaving.wait(self.random.choice((0, 0.001, 0.1, 3))):
            if self.descriptor is not None:
                with contextlib.suppress(BlockingIOError):
                    self.lines += os.read(self.descriptor, 65536).count(b"\n")
                if self.dies():
                    os.close(self.descriptor)
                    self.descriptor = None
            elif self.path is not None and self.random.random() < 0.3:
                self.descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        if self.descriptor is not None:
            os.close(self.descriptor)


class Site(server.Server):
    """A wharf-test-server whose logs are pipes."""

    def __init__(self, place, upstream, readers_leave, choice):
        access = os.open(place.access_log, os.O_RDONLY | os.O_NONBLOCK)
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        line = server.command("-t", str(LOOPS), "-d", "info", "--files", place.files, "--access-log", place.access_log,
                              "--proxy", f"/wild/=http://127.0.0.1:{upstream.port}/",
                              "--proxy", f"/fine/=http://127.0.0.1:{upstream.fine_port}/", "--proxy", "/gone/=http://127.0.0.1:9/",
                              "-P", place.plugins, "--mount", "/unruly/=unruly",
                              "--password-file", f"/status/={place.passwords}", "--limit", "stop_grace=2000",
                              "--limit", "tcp_keep_alive_idle=5000")
        self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writing,
                                        env=place.environment())
        os.close(writing)
        self.pid = self.process.pid
        self.readers = [LogReader(reading, None, readers_leave, choice), LogReader(access, place.access_log, readers_leave, choice)]
        match = server.READY.fullmatch(self._read_line(20 * server.SLOW))
        self.url, self.host, self.port = match[1], match[2].strip("[]"), int(match[3])
        self.protocols = match[4].split()
        if "unruly" not in match[4]:
            raise AssertionError(f"the plugin with faults is not there: {match[4]}")
        for reader in self.readers:
            reader.start()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15 * server.SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError("the server did not end") from None


# ---- The attacks: each once, on a connection of its own ----


TARGETS = ("/", "/files/", "/files/large.bin", "/echo/", "/wild/x", "/gone/", "/status/", "/upload/", "/%2e%2e/", "/nothing")
BODIES = ({"Content_Length": "100000"}, {"Transfer_Encoding": "chunked"}, {"Content_Length": "5", "Expect": "100-continue"})


def some_request(choice):
    target = choice.choice(TARGETS)
    method = choice.choice(("GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "BREW"))
    fields = dict(choice.choice(BODIES)) if method == "POST" else {}
    if choice.random() < 0.3:
        fields["Range"] = f"bytes={choice.randrange(5 * MIB)}-"
    if choice.random() < 0.3:
        fields["Accept_Encoding"] = "gzip"
    return raw.request(target, method, choice.choice(("HTTP/1.1", "HTTP/1.1", "HTTP/1.0")), **fields)


def leave(peer, choice):
    if choice.random() < 0.5:
        peer.reset()
    else:
        peer.close()


def half_a_request(peer, choice):
    data = some_request(choice)
    peer.send(data[:choice.randrange(len(data))])
    time.sleep(choice.random() / 4)


def noise(peer, choice):
    data = bytearray(some_request(choice) + b"abc")
    for _ in range(choice.randrange(1, 8)):
        data[choice.randrange(len(data))] = choice.randrange(256)
    peer.send(bytes(data))
    time.sleep(choice.random() / 10)


def many_and_no_reading(peer, choice):
    peer.send(b"".join(some_request(choice) for _ in range(choice.randrange(1, 200))))
    time.sleep(choice.random())


def slow_reader(peer, choice):
    peer.send(raw.request("/files/large.bin") * 2)
    for _ in range(choice.randrange(5)):
        peer.take(choice.randrange(1, 100_000))
        time.sleep(choice.random() / 5)


def body_with_lies(peer, choice):
    peer.send(raw.request(choice.choice(("/echo/", "/upload/", "/wild/")), "POST", Transfer_Encoding="chunked",
                          Content_Type="multipart/form-data; boundary=x"))
    for _ in range(choice.randrange(20)):
        piece = choice.randbytes(choice.randrange(1, 20_000))
        peer.send(b"%x\r\n%s%s" % (len(piece), piece, choice.choice((b"\r\n", b"\r\n", b"\r\n", b"\n", b""))))
    peer.send(choice.choice((b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"zz\r\n", b"")))
    time.sleep(choice.random() / 10)


def wrong_password(peer, choice):
    token = base64.b64encode(f"{choice.choice(('someone', 'nobody'))}:{choice.random()}".encode()).decode()
    peer.exchange(raw.request("/status/", Authorization=f"Basic {token}"))


def odd_frames(choice):
    payload = choice.choice((b"", b"x", "grüße".encode(), b"reset\n", b"closeme\n", choice.randbytes(300), b"z" * 70_000))
    kinds = (
        lambda: frames.frame(choice.choice((raw.TEXT, raw.BINARY, raw.PING, raw.PONG, raw.CLOSE)), payload[:125]),
        lambda: frames.frame(raw.TEXT, frames.deflated(payload * choice.choice((1, 30))), reserved=frames.COMPRESSED),
        lambda: frames.frame(raw.BINARY, frames.deflated(bytes(MIB - 1)), reserved=frames.COMPRESSED),
        lambda: frames.in_pieces(raw.BINARY, payload + b"end", choice.randrange(1, 50_000)),
        lambda: frames.single_bytes(raw.BINARY, payload[:1000]),
        lambda: frames.frame(choice.randrange(16), payload, choice.random() < 0.5, choice.choice((0, 0x40, 0x20, 0x10))),
        lambda: frames.head(raw.BINARY, 2 ** choice.randrange(1, 62)),
    )
    return choice.choice(kinds)()


def websocket(peer, choice):
    protocol = choice.choice(("echo", "reverse-echo", "dumb-increment-protocol", "lws-mirror-protocol", "chat-protocol",
                              "fraggle-protocol", "lws-status", "none-such"))
    offer = choice.choice((None, frames.OFFER, "permessage-deflate; client_no_context_takeover; client_max_window_bits"))
    peer.send(raw.upgrade(protocol, Sec_WebSocket_Extensions=offer) + (odd_frames(choice) if choice.random() < 0.5 else b""))
    peer.response()
    for _ in range(choice.randrange(30)):
        peer.send(odd_frames(choice))
        if choice.random() < 0.3:
            peer.take(choice.randrange(1, 1000))
    time.sleep(choice.random() / 3)


def unruly_messages(peer, choice):
    """The first byte of a message, and the query of a request, say which fault of the plugin it shall be."""
    query = choice.choice(("",) * 8 + ("?throws", "?refuses", "?opened-throws", "?opened-closes", "?opened-aborts"))
    peer.send(raw.upgrade("unruly", target="/" + query) + frames.frame(raw.BINARY, choice.randbytes(3)))
    peer.response()
    for _ in range(choice.randrange(10)):
        peer.send(frames.frame(raw.TEXT, bytes([choice.randrange(128)])))
        if choice.random() < 0.2:
            peer.send(frames.frame(raw.PONG, b"abort") + frames.frame(raw.CLOSE, b"\x03\xe8"))
        if choice.random() < 0.5:
            peer.take(choice.randrange(1, 300_000))


def unruly_requests(peer, choice):
    for _ in range(choice.randrange(1, 10)):
        target = f"/unruly/?{chr(ord('a') + choice.randrange(20))}"
        if choice.random() < 0.3:
            body = choice.randbytes(choice.randrange(1, 30_000))
            peer.send(raw.request(target, "POST", Content_Length=str(len(body))) + body)
        else:
            tunnel = {"Upgrade": "tunnel", "Connection": "upgrade"} if choice.random() < 0.3 else {}
            peer.send(raw.request(target, **tunnel) + choice.randbytes(3 if tunnel else 0))
        if choice.random() < 0.7:
            peer.take(choice.randrange(1, 300_000))


ACTS = (half_a_request, noise, many_and_no_reading, slow_reader, body_with_lies, wrong_password, websocket, websocket, unruly_messages,
        unruly_requests)


# ---- Well-behaved clients ----


def page(site):
    if raw.once(site, raw.request("/")).status != 200:
        raise AssertionError("no page")


def proxied(site):
    if raw.once(site, raw.request("/fine/x")).body != soak_upstream.FINE:
        raise AssertionError("not what the server behind the proxy said")


def statistics_page(site):
    token = base64.b64encode(b"someone:right").decode()
    status = raw.once(site, raw.request("/status/", Authorization=f"Basic {token}")).status
    if status not in (200, 401):  # the file of passwords may have no users just now
        raise AssertionError(f"status {status}")


def echoed(site):
    text = "x" * random.randrange(2000)
    with frames.opened(site, frames.OFFER) as peer:
        for _ in range(5):
            peer.send(raw.frame(raw.TEXT, text))
            if peer.message() != (raw.TEXT, text.encode()):
                raise AssertionError("not what was sent")


class Soak(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.place = Place(folder.name)
        self.over, self.readers_leave = threading.Event(), threading.Event()
        self.upstream = soak_upstream.Upstream(SEED)
        self.addCleanup(self.upstream.close)
        self.site = Site(self.place, self.upstream, self.readers_leave, random.Random(SEED))
        self.addCleanup(self.site.kill)
        self.slowest, self.answers, self.acts = {}, 0, 0
        self.problems, self.sizes = [], []

    def do_wrong(self, number):
        choice = random.Random(SEED + number)
        while not self.over.is_set():
            act = choice.choice(ACTS)
            peer = None
            try:
                peer = frames.Peer(self.site)
                peer.socket.settimeout(2)
                act(peer, choice)
            except EXPECTED:
                pass
            finally:
                if peer is not None:
                    leave(peer, choice)
            self.acts += 1

    def do_right(self, what):
        while not self.over.wait(0.05):
            begun = time.monotonic()
            try:
                what(self.site)
            except Exception as problem:
                self.problems.append(f"{what.__name__} after {time.monotonic() - begun:.1f} s: {problem!r}")
                return self.over.set()
            took = time.monotonic() - begun
            self.slowest[what.__name__] = max(took, self.slowest.get(what.__name__, 0))
            self.answers += 1
            if took > LIMIT:
                self.problems.append(f"{what.__name__} took {took:.1f} s")

    def meddle(self):
        """The operator: password files that change, logs that are renamed, a machine that sleeps."""
        choice = random.Random(SEED - 1)
        while not self.over.wait(choice.random() * 2):
            if self.site.process.poll() is not None:
                self.problems.append(f"the server ended with {self.site.process.returncode}")
                return self.over.set()
            self.sizes.append(self.site.memory("RssAnon"))
            match choice.randrange(5):
                case 0:
                    users = (f"someone:{HASH}\n", "", "rubbish", f"someone:{HASH}\nother:{HASH}\n")
                    self.place.passwords.write_text(choice.choice(users), encoding="ascii")
                case 1:
                    new = self.place.passwords.with_suffix(".new")
                    new.write_text(f"someone:{HASH}\n", encoding="ascii")
                    new.replace(self.place.passwords)
                case 2:
                    self.site.process.send_signal(signal.SIGHUP)
                case 3:
                    self.site.process.send_signal(signal.SIGSTOP)
                    time.sleep(choice.random() / 2)
                    self.site.process.send_signal(signal.SIGCONT)

    def test_soak(self):
        idle = self.site.descriptors()
        threads = [threading.Thread(target=self.do_wrong, args=(number,)) for number in range(MISCHIEF)]
        threads += [threading.Thread(target=self.do_right, args=(what,)) for what in (page, proxied, statistics_page, echoed)]
        threads.append(threading.Thread(target=self.meddle))
        for thread in threads:
            thread.start()
        self.over.wait(SECONDS)
        self.over.set()
        for thread in threads:
            thread.join()
        lines = [reader.lines for reader in self.site.readers]
        slowest = {name: round(took, 2) for name, took in self.slowest.items()}
        print(f"seed {SEED}, {SECONDS:g} s, {LOOPS} loops: {self.acts} acts, {self.answers} answers, log lines {lines}, "
              f"the slowest {slowest}", flush=True)
        if self.site.process.poll() is None and not self.problems:
            # Kept connections to servers behind the proxy may stay a while, 16 for each of the three targets and loops.
            server.until(lambda: self.site.descriptors() <= idle + 48 * LOOPS, 60, "the connections are gone")
        status = self.site.end() if self.site.process.poll() is None else self.site.process.returncode
        self.readers_leave.set()
        for reader in self.site.readers:
            reader.join()
        self.assertEqual(self.problems, [], f"seed {SEED}; {self.place.findings()}")
        self.assertEqual(self.place.findings(), "", f"seed {SEED}")
        self.assertEqual(status, 0, f"seed {SEED}")
        self.check_growth()

    def check_growth(self):
        quarter = len(self.sizes) // 4
        if quarter < 5:
            return
        early, late = statistics.median(self.sizes[quarter:2 * quarter]), statistics.median(self.sizes[-quarter:])
        print(f"memory: {early / MIB:.1f} MiB in the second quarter, {late / MIB:.1f} MiB in the last, "
              f"{max(self.sizes) / MIB:.1f} MiB at most")
        self.assertLess(late, early * 1.25 + 16 * MIB * server.SLOW, f"seed {SEED}: the server grows")


if __name__ == "__main__":
    unittest.main()
