"""A wharf-test-server for one test or one class of tests, and what /proc says about it."""

import contextlib
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SERVER = os.environ.get("WHARF_SERVER", "build/plain/test-apps/wharf-test-server")
PLUGINS = [folder for folder in os.environ.get("WHARF_PLUGINS", "").split(":") if folder]
WWW = os.environ.get("WHARF_WWW", "test-apps/www")
SLOW = float(os.environ.get("WHARF_SLOW", "1"))  # how much longer things may take, for builds with sanitizers
SANITIZED = SLOW > 1

READY = re.compile(r"listening on (https?://(\[[0-9a-f:]+\]|[0-9.]+):(\d+)/)\s+(\S.*)\n")


def need(program):
    """The path of a program that the tests talk to; without it the test is skipped, or fails if nothing may be skipped."""
    path = shutil.which(program)
    if path is None:
        missing_peer(program)
    return path


def missing_peer(name):
    print(f"{name} is not installed: run scripts/setup test")
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


def until(condition, seconds, what):
    """Waits until the condition holds and returns what it returned."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds * SLOW:g} s: {what}")
        time.sleep(0.01)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def command(*arguments, plugins=True, www=WWW):
    line = [SERVER, "-p", "0"]
    if www:
        line += ["-r", www]
    if plugins:
        for folder in PLUGINS:
            line += ["-P", folder]
    return line + [str(argument) for argument in arguments]


class Server:
    """Started and ready after the constructor. Use as a context manager, or call stop(): both insist on a clean end."""

    def __init__(self, *arguments, plugins=True, www=WWW, before_start=None, environment=None):
        self.log_file = tempfile.TemporaryFile("w+", errors="replace")
        self.process = subprocess.Popen(command(*arguments, plugins=plugins, www=www), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log_file, preexec_fn=before_start,
                                        env={**os.environ, **(environment or {})})
        self.pid = self.process.pid
        try:
            self.ready_line = self._read_line(10 * SLOW)
            match = READY.fullmatch(self.ready_line)
            if match is None:
                raise AssertionError(f"not a ready line: {self.ready_line!r}")
        except BaseException as problem:
            log = self.log()
            self.kill()
            raise AssertionError(f"{problem}\nstderr: {log}") from problem
        self.url, self.host, self.port = match[1], match[2].strip("[]"), int(match[3])
        self.ws_url = self.url.replace("http", "ws", 1)
        self.protocols = re.findall(r"[A-Za-z0-9_.-]+", match[4])

    def _read_line(self, seconds):
        line = b""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise AssertionError(f"no ready line within {seconds:g} s, only {line!r}")
                byte = os.read(self.process.stdout.fileno(), 1)
                if not byte:
                    raise AssertionError(f"ended with {self.process.wait()} and without a ready line, only {line!r}")
                line += byte
        return line.decode()

    def log(self):
        """The server's output on stderr so far."""
        position = self.log_file.tell()
        self.log_file.seek(0)
        text = self.log_file.read()
        self.log_file.seek(position)
        return text

    def stop(self, number=signal.SIGTERM):
        """Sends the signal and insists on exit 0 within 5 s and on silence on stdout after the ready line."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.wait_stopped()

    def wait_stopped(self):
        try:
            status = self.process.wait(5 * SLOW)
        except subprocess.TimeoutExpired:
            log = self.log()
            self.kill()
            raise AssertionError(f"the server did not end within 5 s of the signal\nstderr: {log}") from None
        rest = self.process.stdout.read()
        self.process.stdout.close()
        log = self.log()
        self.log_file.close()
        if status != 0 or rest:
            raise AssertionError(f"exit status {status}, more on stdout: {rest!r}\nstderr: {log}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log_file.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, problem, trace):
        if kind is None:
            self.stop()
            return
        with contextlib.suppress(ValueError):  # the log is closed when stop() has been called
            print("stderr of the server:", self.log(), file=sys.stderr)
        self.kill()

    # What the kernel knows about it.

    def memory(self, field="VmRSS"):
        """Bytes: VmRSS, or RssAnon for what the server itself allocated."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise AssertionError(f"no {field} in /proc/{self.pid}/status")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def holds(self, port):
        """Whether the server has the connection of the client's port open: then the kernel lists it with a socket's number."""
        with open("/proc/net/tcp", encoding="ascii") as table:
            for line in table:
                fields = line.split()
                if fields[1].endswith(f":{self.port:04X}") and fields[2].endswith(f":{port:04X}"):
                    return fields[9] != "0"
        return False

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Served:
    """A unittest mixin: one server for all the tests of the class, stopped cleanly after them."""

    arguments = ()
    www = WWW

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(*cls.arguments, www=cls.www)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        super().tearDownClass()
