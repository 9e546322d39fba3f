"""Wharf installed in a temporary folder, and programs built against it: only with the compiler and pkg-config, outside the tree."""

import argparse
import contextlib
import os
import pathlib
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import server

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", required=True, help="the build folder to install from")
    parser.add_argument("--meson", required=True)
    parser.add_argument("--cxx", nargs="+", required=True)
    parser.add_argument("--cc", nargs="+", required=True)
    return parser.parse_args()


class Installed:
    """Use as a context manager; everything is gone after it."""

    def __init__(self, given):
        if shutil.which("pkg-config") is None:
            server.missing_peer("pkg-config")
        self.cxx, self.cc = given.cxx, given.cc
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="wharf-installed-"))
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="wharf-outside-"))
        # --no-rebuild: the tests depend on all that is installed.
        run([given.meson, "install", "-C", given.build, "--no-rebuild", "--quiet", "--destdir", str(self.root)])
        self.pkgconfig = self.only("wharf.pc").parent
        self.library = self.only("libwharf.so").parent
        self.server = self.only("wharf-test-server")
        self.environment = {**os.environ, "PKG_CONFIG_PATH": str(self.pkgconfig), "PKG_CONFIG_SYSROOT_DIR": str(self.root)}

    def only(self, name):
        found = list(self.root.rglob(name))
        if len(found) != 1:
            raise AssertionError(f"installed {len(found)} files {name}: {found}")
        return found[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)
        shutil.rmtree(self.work)

    def flags(self, *options, packages=("wharf",)):
        return shlex.split(run(["pkg-config", *options, *packages], env=self.environment))

    def variable(self, name):
        return run(["pkg-config", f"--variable={name}", "wharf"], env=self.environment).strip()

    def source(self, name, text):
        """A file outside the tree with that text."""
        file = self.work / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def compile(self, source, output, *options):
        output.parent.mkdir(parents=True, exist_ok=True)
        compiler = [*self.cc, "-std=c11"] if source.suffix == ".c" else [*self.cxx, "-std=c++20"]
        run([*compiler, *WARNINGS, str(source), "-o", str(output), *options], cwd=self.work)
        return output

    def plugin(self, source, folder):
        """Builds a plugin, C or C++, from nothing but the headers; `folder` is for wharf-test-server -P."""
        return self.compile(source, self.work / folder / (source.stem + ".so"), "-shared", "-fPIC", *self.flags("--cflags"))

    def program(self, source, *options, packages=("wharf",)):
        """Builds a program against the shared library."""
        return self.compile(source, source.with_suffix(""), *options, *self.flags("--cflags", "--libs", packages=packages))

    def static_program(self, source, *options, packages=("wharf",)):
        """Builds a program against the static library."""
        flags = self.flags("--static", "--cflags", "--libs", packages=packages)
        if not {f"-l{package}" for package in packages} <= set(flags):
            raise AssertionError(f"{packages} are not in {flags}")
        flags = [f"-l:lib{flag[2:]}.a" if flag.startswith("-lwharf") else flag for flag in flags]
        return self.compile(source, source.with_name(source.stem + "-static"), *options, *flags)

    def run_environment(self):
        return {**os.environ, "LD_LIBRARY_PATH": str(self.library)}

    @contextlib.contextmanager
    def running(self, *line):
        """A program that serves: the URL from its line `listening on URL`. It must end with 0 on SIGTERM."""
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen([str(part) for part in line], stdout=subprocess.PIPE, stderr=errors, env=self.run_environment())
            try:
                first = read_line(process.stdout, 10)
                if not first.startswith("listening on http://"):
                    raise AssertionError(f"{line[0]} said {first!r}")
                yield first.split()[2]
                process.send_signal(signal.SIGTERM)
                status = process.wait(10)
                if status != 0:
                    raise AssertionError(f"{line[0]} ended with {status}")
            except BaseException:
                errors.seek(0)
                print(f"stderr of {line[0]}: {errors.read()}", file=sys.stderr)
                raise
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
                process.stdout.close()


def read_line(stream, seconds):
    line = b""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not line.endswith(b"\n") and selector.select(max(0, deadline - time.monotonic())):
            byte = os.read(stream.fileno(), 1)
            if not byte:
                break
            line += byte
    return line.decode()


def run(line, **options):
    """Its stdout; if it fails, an error with all its output."""
    done = subprocess.run(line, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(line)}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
