"""A server and the processes that take over from it, one after the other."""

import contextlib
import ctypes
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading

import server

PATIENCE = 60 * server.SLOW
LIMITS = ("--limit", "drain_time=20000")


def is_alive(pid):
    """Neither gone nor a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def adopt_orphans():
    """Processes whose parent has ended become children of this one (PR_SET_CHILD_SUBREAPER), which can ask how they ended."""
    set_child_subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(set_child_subreaper, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class Family:
    """A server and its successors. The program is a link, or a script, that can be replaced as an upgrade would. `command` is the
    whole line of another program than the test server."""

    def __init__(self, *arguments, environment=None, fixed=(), command=None):
        adopt_orphans()
        self.folder = tempfile.TemporaryDirectory()
        self.program = pathlib.Path(self.folder.name) / "program"
        self.log_file = open(pathlib.Path(self.folder.name) / "log", "w+", encoding="utf-8", errors="replace")
        line = command or server.command("-d", "info", *LIMITS, *arguments)
        self.original = os.path.abspath(line[0])
        os.symlink(self.original, self.program)
        line = [str(self.program), *line[1:]]
        self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log_file, pass_fds=fixed,
                                        env={**os.environ, **(environment or {})})
        self.pid = self.process.pid
        self.pids = [self.pid]
        self.out = b""
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        self.until(lambda: b"\n" in self.out, "the ready line")
        self.ready_line = self.out.decode()
        found = re.search(r"https?://[^ ]*?:(\d+)/", self.ready_line)
        self.port = int(found[1]) if found else None

    def _read(self):
        while piece := os.read(self.process.stdout.fileno(), 4096):
            self.out += piece

    def log(self):
        return (pathlib.Path(self.folder.name) / "log").read_text(encoding="utf-8", errors="replace")

    def until(self, condition, what):
        try:
            return server.until(condition, 30, what)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.log()}") from problem

    def send(self, number):
        os.kill(self.pid, number)

    def hand_over(self):
        """Returns when the successor serves; it is the one that gets signals from here on."""
        count = self.log().count("has taken over")
        self.send(signal.SIGUSR2)
        self.until(lambda: self.log().count("has taken over") > count, "a takeover")
        self.pid = int(re.findall(r"process (\d+) has taken over", self.log())[-1])
        self.pids.append(self.pid)

    def replace(self, script):
        self.program.unlink(missing_ok=True)
        self.program.write_text("#!/bin/bash\n" + script, encoding="ascii")
        self.program.chmod(0o755)

    def restore(self):
        self.program.unlink(missing_ok=True)
        os.symlink(self.original, self.program)

    def stop(self, number=signal.SIGINT):
        with contextlib.suppress(ProcessLookupError):
            self.send(number)
        self.until(lambda: not any(is_alive(pid) for pid in self.pids), "the end of all processes")
        statuses = [self.process.wait(PATIENCE)]
        for pid in self.pids[1:]:
            statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        self.pids = []  # by now they may be others'
        self.reader.join(PATIENCE)
        self.process.stdout.close()
        log = self.log()
        if any(statuses):
            raise AssertionError(f"exit statuses {statuses}\n{log}")
        return log

    def close(self):
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join(PATIENCE)
        self.process.stdout.close()
        self.log_file.close()
        self.folder.cleanup()
