"""The server's logs and standard streams: dead, stuck, full and closed ones, lines that peers cause, and the end of the server."""

import contextlib
import fcntl
import itertools
import os
import pathlib
import pty
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import unittest

import raw
import server

BAD_FRAMES = 800


class Process:
    """A server with streams of the test's choice. It listens on a unix socket, so that no ready line is needed."""

    def __init__(self, *arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, before_start=None, closed=()):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "socket")

        def prepare():
            if before_start:
                before_start()
            for number in closed:
                os.close(number)

        self.process = subprocess.Popen(server.command("-U", self.path, *arguments), stdin=subprocess.DEVNULL, stdout=stdout,
                                        stderr=stderr, preexec_fn=prepare)
        try:
            server.until(lambda: self.process.poll() is not None or self.can_connect(), 10, "the server listens")
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode} instead of serving")
        except BaseException:
            self.kill()
            raise

    def can_connect(self):
        with contextlib.suppress(OSError), self.connect():
            return True
        return False

    def connect(self, name=None):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(5 * server.SLOW)
        try:
            if name is not None:
                connection.bind(name)
            connection.connect(self.path)
        except OSError:
            connection.close()
            raise
        return connection

    def exchange(self, data, name=None):
        """The bytes that come until the server is done with the connection."""
        with self.connect(name) as connection:
            connection.sendall(data)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer

    def get(self, target="/"):
        return self.exchange(raw.request(target, Connection="close"))

    def bad_frame(self, name=None):
        """A WebSocket that breaks the protocol, which is worth an info line."""
        return self.exchange(raw.upgrade("echo") + raw.frame(3), name)

    def stop(self, seconds=5):
        """Insists on a clean end in time."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds * server.SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end within {seconds} s of SIGTERM") from None
        if status != 0:
            raise AssertionError(f"the server ended with {status}")

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, kind, problem, trace):
        try:
            if kind is None and self.process.poll() is None:
                self.stop()
        finally:
            self.kill()


class Pipe:
    """Both ends of a pipe, or of something like it."""

    def __init__(self, ends=None):
        self.reader, self.writer = ends or os.pipe()
        self.size = self.rounds = 0

    def fill(self):
        """Leaves no room in it; a terminal makes some for a while."""
        os.set_blocking(self.writer, False)
        server.until(self._has_taken_nothing, 5, "it is full")
        os.set_blocking(self.writer, True)

    def _has_taken_nothing(self):
        before = self.size
        with contextlib.suppress(BlockingIOError):
            while True:
                self.size += os.write(self.writer, b"x" * 4095 + b"\n")
        with contextlib.suppress(BlockingIOError):
            while True:
                self.size += os.write(self.writer, b"\n")
        self.rounds = self.rounds + 1 if self.size == before else 0
        return self.rounds == 10

    def close_reader(self):
        if self.reader is not None:
            os.close(self.reader)
            self.reader = None

    def read_in_background(self):
        """Reads everything from now on; returns a function that gives the bytes read so far."""
        pieces = []

        def read():
            with contextlib.suppress(OSError):
                while piece := os.read(self.reader, 65536):
                    pieces.append(piece)

        threading.Thread(target=read, daemon=True).start()
        return lambda: b"".join(pieces).decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        os.close(self.writer)
        self.close_reader()


def terminal():
    """A pseudo-terminal; the reader is its master."""
    return Pipe(pty.openpty())


class StandardError(unittest.TestCase):
    def serves_while(self, stderr, *arguments, bad_frames=BAD_FRAMES):
        with Process("-d", "info", *arguments, stderr=stderr) as one:
            for _ in range(bad_frames):
                one.bad_frame()
            self.assertIn(b" 200 OK\r\n", one.get("/"))
            one.stop()

    def test_a_pipe_whose_reader_has_died(self):
        for threads in (1, 4):
            with self.subTest(threads=threads), Pipe() as pipe:
                pipe.close_reader()
                self.serves_while(pipe.writer, "-t", threads)

    def test_a_pipe_that_nobody_reads(self):
        for threads in (1, 4):
            with self.subTest(threads=threads), Pipe() as pipe:
                pipe.fill()
                self.serves_while(pipe.writer, "-t", threads)

    def test_a_socket_whose_reader_has_died(self):
        ours, theirs = socket.socketpair()
        with theirs:
            ours.close()
            self.serves_while(theirs.fileno(), bad_frames=20)

    def test_a_socket_that_nobody_reads(self):
        ours, theirs = socket.socketpair()
        with ours, theirs, Pipe((os.dup(ours.fileno()), os.dup(theirs.fileno()))) as pipe:
            pipe.fill()
            self.serves_while(theirs.fileno(), bad_frames=20)

    def test_a_terminal_that_nobody_reads(self):
        with terminal() as pipe:
            pipe.fill()
            self.serves_while(pipe.writer, bad_frames=20)

    def test_a_terminal_that_was_stopped(self):
        with terminal() as pipe:
            termios.tcflow(pipe.writer, termios.TCOOFF)
            self.serves_while(pipe.writer, bad_frames=20)

    def test_a_terminal_that_has_gone(self):
        with terminal() as pipe:
            pipe.close_reader()
            self.serves_while(pipe.writer, bad_frames=20)

    def test_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            self.serves_while(full, bad_frames=20)

    def test_the_flags_of_a_pipe_that_others_share_stay(self):
        with Pipe() as pipe:
            before = fcntl.fcntl(pipe.writer, fcntl.F_GETFL)
            with Process("-d", "info", stderr=pipe.writer) as one:
                one.bad_frame()
                server.until(lambda: b"closed with 1002" in os.read(pipe.reader, 65536), 5, "the line")
                self.assertEqual(fcntl.fcntl(pipe.writer, fcntl.F_GETFL), before)

    def test_wrong_usage_with_a_dead_reader(self):
        with Pipe() as pipe:
            pipe.close_reader()
            status = subprocess.run(server.command("--no-such-option"), stdin=subprocess.DEVNULL, stderr=pipe.writer,
                                    timeout=10 * server.SLOW, check=False).returncode
            self.assertEqual(status, 2)


class BackgroundOfATerminal(unittest.TestCase):
    """What a shell does with `server &` after `stty tostop`: a write to the terminal stops the process, and nobody notices."""

    LEADER = """
import fcntl, os, signal, subprocess, sys, termios
name, ready, *command = sys.argv[1:]
os.setsid()
terminal = os.open(name, os.O_RDWR)
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
mode = termios.tcgetattr(terminal)
mode[3] |= termios.TOSTOP
termios.tcsetattr(terminal, termios.TCSANOW, mode)
child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=terminal,
                         preexec_fn=lambda: os.setpgid(0, 0))
print(child.pid, flush=True)
sys.exit(child.wait() & 255)
"""

    def test_a_background_process_is_not_stopped_by_its_own_lines(self):
        with terminal() as pipe, tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "socket")
            leader = subprocess.Popen([sys.executable, "-c", self.LEADER, os.ttyname(pipe.writer), "-",
                                       *server.command("-d", "info", "-U", path)], stdout=subprocess.PIPE, text=True)
            pid = int(leader.stdout.readline())
            try:
                one = Process.__new__(Process)
                one.path = path
                server.until(one.can_connect, 10, "the server listens")
                for _ in range(3):
                    one.bad_frame()
                self.assertIn(b" 200 OK\r\n", one.get())
                text = pipe.read_in_background()
                server.until(lambda: "closed with 1002" in text(), 5, "the line")
                os.kill(pid, signal.SIGTERM)
                self.assertEqual(leader.wait(5 * server.SLOW), 0)
            finally:
                for number in (signal.SIGCONT, signal.SIGKILL):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                leader.wait(5 * server.SLOW)
                leader.stdout.close()


class StandardOutput(unittest.TestCase):
    """The ready line, and the access log at `-`."""

    def serves_while(self, stdout, *arguments):
        with Process("--access-log", "-", *arguments, stdout=stdout) as one:
            for _ in range(100):
                self.assertIn(b" 200 OK\r\n", one.get("/?" + "x" * 1000))
            one.stop()

    def test_a_pipe_whose_reader_has_died(self):
        for threads in (1, 4):
            with self.subTest(threads=threads), Pipe() as pipe:
                pipe.close_reader()
                self.serves_while(pipe.writer, "-t", threads)

    def test_a_pipe_that_nobody_reads(self):
        for threads in (1, 4):
            with self.subTest(threads=threads), Pipe() as pipe:
                pipe.fill()
                self.serves_while(pipe.writer, "-t", threads)

    def test_the_ready_line_comes_first_also_when_it_comes_late(self):
        with Pipe() as pipe:
            pipe.fill()
            with Process("--access-log", "-", stdout=pipe.writer) as one:
                one.get("/first")
                text = pipe.read_in_background()
                server.until(lambda: "/first" in text(), 5, "the request's line")
                lines = [line for line in text().splitlines() if line.strip("x")]
                self.assertRegex(lines[0], r"\Alistening on unix:")
                self.assertIn("GET /first HTTP/1.1", lines[1])


class AccessLog(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name, "access.log")

    def test_a_fifo_that_nobody_reads(self):
        os.mkfifo(self.file)
        with Pipe((os.open(self.file, os.O_RDONLY | os.O_NONBLOCK), os.open(self.file, os.O_WRONLY))) as pipe:
            pipe.fill()
            with Process("--access-log", self.file) as one:
                for _ in range(50):
                    self.assertIn(b" 200 OK\r\n", one.get())
                one.stop()

    def test_the_limit_of_a_file_size_is_no_signal(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        with tempfile.TemporaryFile() as log, Process("--access-log", self.file, stderr=log, before_start=limit) as one:
            for _ in range(100):
                self.assertIn(b" 200 OK\r\n", one.get("/?" + "x" * 200))
            one.stop()
            self.assertEqual(self.file.stat().st_size, 4096)
            log.seek(0)
            self.assertRegex(log.read().decode(), "access log '.*' is not complete at the end; lines lost: [1-9]")

    def test_a_rotation_by_signal_goes_on_in_a_new_file(self):
        for threads in (1, 4):
            with self.subTest(threads=threads), Process("-t", threads, "--access-log", self.file) as one:
                one.get("/old")
                server.until(lambda: "/old" in self.file.read_text(), 5, "the line")
                renamed = self.file.with_suffix(".1")
                self.file.rename(renamed)
                one.process.send_signal(signal.SIGHUP)
                server.until(self.file.exists, 5, "the new file")
                for i in range(20):
                    one.get(f"/new{i}")
                one.stop()
                self.assertEqual(len(re.findall("/new", self.file.read_text() + renamed.read_text())), 20)
                self.assertNotIn("/old", self.file.read_text())
                self.file.unlink()

    def test_nothing_is_lost_at_a_stop(self):
        for threads in (1, 4):
            with self.subTest(threads=threads), Process("-t", threads, "--access-log", self.file) as one:
                for i in range(50):
                    one.get(f"/{i}")
                one.stop()
                targets = re.findall(r"GET (\S+) HTTP", self.file.read_text())
                self.assertEqual(sorted(targets), sorted(f"/{i}" for i in range(50)))
                self.file.unlink()


class Lines(unittest.TestCase):
    def test_lines_that_a_peer_causes_are_limited_in_rate(self):
        with server.Server("-d", "info") as one:
            for _ in range(BAD_FRAMES):
                with raw.opened(one) as connection:
                    connection.send(raw.frame(3))
            one.process.send_signal(signal.SIGTERM)
            one.process.wait(5 * server.SLOW)
            log = one.log()
        shown = len(re.findall("closed with 1002", log))
        suppressed = sum(int(count) for count in re.findall(r"info: (\d+) more lines about bad frames were suppressed", log))
        self.assertGreater(suppressed, 0)
        self.assertEqual(shown + suppressed, BAD_FRAMES)

    def test_the_name_of_a_client_socket_cannot_forge_a_line(self):
        with tempfile.NamedTemporaryFile("ab") as log, Process("-d", "info", stderr=log) as one:
            file = pathlib.Path(log.name)
            one.bad_frame("\0wharf-test\nerror: forged\x1b[31m " + str(os.getpid()))
            server.until(lambda: b"closed with 1002" in file.read_bytes(), 5, "the line")
            text = file.read_bytes()
            self.assertRegex(text, rb"\Ainfo: unix:[^\n]* echo: closed with 1002[^\n]*\n\Z")
            self.assertNotIn(b"\x1b", text)


class ClosedDescriptors(unittest.TestCase):
    def serves_without(self, closed, *arguments):
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as log:
            with Process("-d", "info", *arguments, stdout=output, stderr=log, closed=closed) as one:
                descriptors = pathlib.Path(f"/proc/{one.process.pid}/fd")
                for number in (0, 1, 2):
                    target = os.readlink(descriptors / str(number))
                    self.assertEqual(target == "/dev/null", number == 0 or number in closed, f"{number} is {target}")
                for _ in range(3):
                    self.assertIn(b" 200 OK\r\n", one.get())
                    self.assertNotIn(b"info:", one.bad_frame())
                one.stop()
            output.seek(0)
            log.seek(0)
            self.assertEqual(output.read().startswith(b"listening on unix:"), 1 not in closed)
            self.assertEqual(log.read().count(b"closed with 1002"), 0 if 2 in closed else 3)

    def test_all_combinations(self):
        for count in range(4):
            for closed in itertools.combinations((0, 1, 2), count):
                with self.subTest(closed=closed):
                    self.serves_without(closed)

    def test_with_four_loops_and_an_access_log(self):
        with tempfile.TemporaryDirectory() as folder:
            self.serves_without((0, 1, 2), "-t", "4", "--access-log", os.path.join(folder, "access.log"))

    def test_an_access_log_to_a_stdout_that_is_closed_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            begun = subprocess.run(server.command("-U", os.path.join(folder, "socket"), "--access-log", "-"), stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1), timeout=20 * server.SLOW)
        self.assertNotEqual(begun.returncode, 0)
        self.assertIn(b"cannot write the access log to stdout: it was closed", begun.stderr)


if __name__ == "__main__":
    unittest.main()
