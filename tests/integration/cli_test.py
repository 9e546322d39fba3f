"""The command line of wharf-test-server: what it prints, where, and with which exit status."""

import asyncio
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import raw
import server
import websocket_peer

ROWS = {"chat-protocol", "dumb-increment-protocol", "fraggle-protocol", "lws-mirror-protocol", "reverse-echo"}


def run(*arguments, **options):
    """Runs the server with options with which it should end by itself."""
    return subprocess.run(server.command(*arguments, **options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=10 * server.SLOW, check=False)


def fields_of(structure, header):
    """The names of its members that have a default."""
    text = (pathlib.Path(__file__).parents[2] / "include" / "wharf" / header).read_text(encoding="utf-8")
    members = re.search(r"^struct " + structure + r" \{\n(.*?)^\};", text, re.DOTALL | re.MULTILINE)[1]
    return re.findall(r"^  [\w:<>, ]+ (\w+)(?: = .*|\{.*\});", members, re.MULTILINE)


class Prints(unittest.TestCase):
    def test_help(self):
        for option in ("-h", "--help"):
            result = run(option)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            for name in ("-p", "--port", "-i", "--interface", "-r", "--resource-path", "-P", "--plugin-dir", "-d", "--debug", "-t",
                         "--threads", "--default-protocol", "--list-protocols", "-V", "--version", "7681"):
                self.assertIn(name, result.stdout)

    def test_version(self):
        for option in ("-V", "--version"):
            result = run(option)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertRegex(result.stdout, r"\A[^\n]*\d+\.\d+\.\d+[^\n]*\n\Z")

    def test_list_protocols(self):
        result = run("--list-protocols")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        words = set(re.findall(r"[\w-]+", result.stdout))
        self.assertLessEqual(ROWS | {"echo"}, words)

    def test_list_protocols_without_plugins(self):
        result = run("--list-protocols", plugins=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("echo", set(re.findall(r"[\w-]+", result.stdout)))


class Refuses(unittest.TestCase):
    def refused(self, status, *arguments, **options):
        """The one line on stderr."""
        result = run(*arguments, **options)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, r"\A[^\n]+\n\Z", "one line, not less and not more")
        return result.stderr

    def test_wrong_usage(self):
        for arguments in (("--no-such-option",), ("-Z",), ("stray",), ("-p",)):
            with self.subTest(arguments=arguments):
                self.assertIn(arguments[0].lstrip("-"), self.refused(2, *arguments))

    def test_bad_values(self):
        for option, value in (("-p", "abc"), ("-p", "65536"), ("-p", "-1"), ("-p", "80x"), ("-t", "0"), ("-t", "x"),
                              ("-d", "loud"), ("--connections=", "-1"), ("--connections=", "18446744073709551616")):
            with self.subTest(option=option, value=value):
                self.assertIn(f"not '{value}'", self.refused(2, f"{option}{value}"))

    def test_bad_mounts(self):
        self.assertIn("PREFIX=PROTOCOL, not 'x'", self.refused(2, "--mount", "x"))
        self.assertIn("there is no protocol 'nothing'", self.refused(1, "--mount", "/x/=nothing"))
        self.assertIn("'echo' handles no requests", self.refused(1, "--mount", "/x/=echo"))
        self.assertIn("'/x' must start and end with '/'", self.refused(1, "--mount", "/x=http-echo"))
        self.assertIn("write '/a b/'", self.refused(1, "--mount", "/a%20b/=http-echo"))

    def test_an_unknown_limit(self):
        for limit in ("no_such_limit=1", "=1", "Body_idle=1", "body_idle =1", "bodies=1", "files.body_idle=1", "jobs=1", "files.=1"):
            with self.subTest(limit=limit):
                self.assertIn(f"'{limit}'; the names: request_line, ", self.refused(2, "--limit", limit))

    def test_bad_limits(self):
        for value in ("", "x", "-1", "+1", "5s", "5 ", " 5", "1.5", "0x5", "4294967296", "5=5"):
            with self.subTest(value=value):
                self.assertIn(f"'body_idle={value}'", self.refused(2, "--limit", f"body_idle={value}"))
        self.assertIn("'body_idle'", self.refused(2, "--limit", "body_idle"))
        self.refused(2, "--limit")

    def test_bad_proxy_options(self):
        proxy = "--proxy", "/app/=http://127.0.0.1:1/"
        for option in ("send_via", "send_via=yes", "no_such=on", "most_waiting=on", "most_waiting=-1", "=on"):
            with self.subTest(option=option):
                self.assertIn(f"not '/app/={option}'; the names: add_slash, ", self.refused(2, *proxy, "--proxy-option", f"/app/={option}"))
        for option in ("/other/=send_via=on", "/=send_via=on", "send_via=on", "/app/"):
            with self.subTest(option=option):
                self.assertIn("there is no proxy at '", self.refused(2, *proxy, "--proxy-option", option))
        self.assertIn("waiting_time must be more than 0", self.refused(1, *proxy, "--proxy-option", "/app/=waiting_time=0"))

    def test_bad_files_options(self):
        for option in ("etag", "etag=inode", "listing=yes", "listed=-1", "compress_to=1x", "no_such=on", "=on", "folder=/"):
            with self.subTest(option=option):
                self.assertIn(f"not '/={option}'; the names: cache_control, ", self.refused(2, "--files-option", f"/={option}"))
        for option in ("/files/=listing=on", "/status/=listing=on", "listing=on", "/"):
            with self.subTest(option=option):
                self.assertIn("no folder is served at '", self.refused(2, "--files-option", option))
        self.assertIn("cache_control has a line break", self.refused(1, "--files-option", "/=cache_control=a\nb"))

    def test_a_limit_in_bytes_may_be_beyond_four_gibibytes(self):
        result = run("--limit", "message=5000000000", "--limit", "dropped_body=18446744073709551615", "--list-protocols")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("'message=18446744073709551616'", self.refused(2, "--limit", "message=18446744073709551616"))

    def test_one_bad_limit_among_good_ones(self):
        self.assertIn("'trailer'", self.refused(2, "--limit", "trailer=5", "--limit", "trailer", "--limit", "trailer=6"))

    def test_an_unknown_default_protocol(self):
        result = run("--default-protocol", "no-such-row")
        self.assertIn(result.returncode, (1, 2))
        self.assertIn("no-such-row", result.stderr)
        self.assertEqual(result.stdout, "")

    def test_a_bad_interface(self):
        result = run("-i", "no-such-interface-0")
        self.assertIn(result.returncode, (1, 2))
        self.assertRegex(result.stderr, r"\A[^\n]*no-such-interface-0[^\n]*\n\Z")

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.assertIn(str(port), self.refused(1, "-p", port))

    def test_a_port_of_another_server_like_it(self):
        with server.Server() as first:
            self.assertIn(str(first.port), self.refused(1, "-p", first.port))

    # clang's check of types looks at an object through a pipe, and takes good ones for bad ones if there is no descriptor for it.
    @unittest.skipIf(server.SANITIZED, "the sanitizer needs descriptors itself")
    def test_descriptors_that_do_not_suffice_for_all_loops(self):
        """libuv ends the process if there is no descriptor for a loop's wake-up."""
        for most in (12, 30, 33, 34, 35, 36, 48):
            with self.subTest(most=most):
                ended = subprocess.run(server.command("-p", "0", "-t", "24"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, timeout=10 * server.SLOW, check=False,
                                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))  # noqa: B023
                self.assertEqual((ended.returncode, ended.stdout), (1, ""), ended.stderr)
                self.assertIn("open files", ended.stderr)
                self.assertEqual(ended.stderr.count("\n"), 1, ended.stderr)

    def test_a_missing_resource_folder(self):
        self.assertIn("/no/such/folder", self.refused(1, "-r", "/no/such/folder", www=None))

    def test_a_resource_folder_that_is_a_file(self):
        self.assertIn(__file__, self.refused(1, "-r", __file__, www=None))

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_a_resource_folder_that_may_not_be_read(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0)
            self.assertIn(folder, self.refused(1, "-r", folder, www=None))

    def test_a_missing_plugin_folder(self):
        self.assertIn("/no/such/plugins", self.refused(1, "-P", "/no/such/plugins"))


class Plugins(unittest.TestCase):
    """A file that cannot be used costs one line at error level; the other protocols are served all the same."""

    def serve_with(self, make):
        with tempfile.TemporaryDirectory() as folder:
            make(pathlib.Path(folder))
            with server.Server("-d", "error", "-P", folder) as one:
                self.assertLessEqual(ROWS, set(one.protocols))
                self.assertEqual(raw.once(one, raw.upgrade("reverse-echo")).status, 101)
                one.process.send_signal(signal.SIGTERM)
                one.process.wait(10 * server.SLOW)  # lines may come late, but not after the end
                return one.log()

    def one_line(self, log, name):
        self.assertRegex(log, rf"\A[^\n]*{re.escape(name)}[^\n]*\n\Z")

    def test_a_file_that_is_not_a_shared_object(self):
        self.one_line(self.serve_with(lambda folder: (folder / "garbage.so").write_bytes(b"not a shared object\n")), "garbage.so")

    def test_an_empty_file(self):
        self.one_line(self.serve_with(lambda folder: (folder / "empty.so").touch()), "empty.so")

    def test_a_library_without_the_symbol(self):
        with server.Server() as one:
            maps = pathlib.Path(f"/proc/{one.pid}/maps").read_text(encoding="utf-8")
            library = re.search(r"/\S*/libuv\.so\S*", maps)[0]
        self.one_line(self.serve_with(lambda folder: shutil.copy(library, folder / "library.so")), "library.so")

    @unittest.skipUnless(server.PLUGINS, "the plugins are built in")
    def test_a_name_that_is_there_already(self):
        def copy(folder):
            plugins = (file for path in server.PLUGINS for file in pathlib.Path(path).glob("*reverse*.so"))
            shutil.copy(next(plugins), folder / "again.so")

        self.one_line(self.serve_with(copy), "again.so")

    def test_other_files_are_not_looked_at(self):
        self.assertEqual(self.serve_with(lambda folder: (folder / "README.txt").write_text("hello", encoding="utf-8")), "")


class Serves(unittest.TestCase):
    def test_the_ready_line(self):
        with server.Server() as one:
            self.assertRegex(one.ready_line, rf"\Alistening on http://127\.0\.0\.1:{one.port}/ .*\n\Z")
            self.assertLessEqual(ROWS | {"echo"}, set(one.protocols))
            self.assertNotIn("http", one.protocols)

    def test_the_last_of_two_options_counts(self):
        with tempfile.TemporaryDirectory() as folder, server.Server("-r", folder, "-d", "warn", "-d", "quiet", "-p", "0") as one:
            self.assertEqual(raw.once(one, raw.request("/index.html")).status, 404)

    def test_mounts(self):
        with server.Server("--mount", "/a b/=http-echo", "--mount=/upload/=http-echo") as one:
            for path in ("/a%20b/", "/upload/"):
                self.assertEqual(raw.once(one, raw.request(path, "POST", Content_Length="3") + b"abc").body, b"abc")

    def test_limits(self):
        with server.Server("--limit", "request_line=5", "--limit=request_line=20", "--limit", "request_fields=2") as one:
            self.assertEqual(raw.once(one, raw.request("/")).status, 200)
            self.assertEqual(raw.once(one, raw.request("/?a=b&c=d")).status, 414)
            self.assertEqual(raw.once(one, raw.request("/", A="b", C="d")).status, 431)
        with server.Server("--limit", "message=10", "--limit", "ping_after=50") as one, raw.opened(one) as connection:
            self.assertEqual(connection.frame(), (raw.PING, b"", True))
            connection.send(raw.frame(raw.TEXT, "0123456789+"))
            opcode, payload, _ = connection.frame()
            self.assertEqual((opcode, payload[:2]), (raw.CLOSE, (1009).to_bytes(2, "big")))

    def test_limits_of_files(self):
        with tempfile.TemporaryDirectory() as folder:
            for limit, status in (("files.jobs=0", 503), ("files.jobs_of_mount=0", 503), ("files.jobs=1", 200)):
                with self.subTest(limit=limit), server.Server("--files", folder, "--limit", limit) as one:
                    self.assertEqual(raw.once(one, raw.request("/files/")).status, status)

    def test_options_of_folders(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "page.txt").write_bytes(b"a line\n" * 400)
            os.utime(folder / "page.txt", (1_000_000_000, 1_000_000_000))
            options = ("etag=by_time_and_size", "cache_control=max-age=60, public", "compress_from=5000", "listing=on", "listed=1")
            with server.Server("-r", name, *(word for option in options for word in ("--files-option", f"/={option}")), www=None) as one:
                page = raw.once(one, raw.request("/page.txt", Accept_Encoding="gzip"))
                self.assertEqual((page["Cache-Control"], "Content-Encoding" in page), ("max-age=60, public", False))
                server.until(lambda: raw.once(one, raw.request("/page.txt"))["ETag"] == f'"{2800:x}-{1_000_000_000:x}"', 10, "the tag")
                self.assertIn(b"page.txt", raw.once(one, raw.request("/")).body)
            with server.Server("-r", name, "--files", name, "--files-option", "/files/=listing=off", www=None) as one:
                self.assertNotEqual(raw.once(one, raw.request("/page.txt"))["ETag"], f'"{2800:x}-{1_000_000_000:x}"')
                self.assertEqual(raw.once(one, raw.request("/page.txt", Accept_Encoding="gzip"))["Content-Encoding"], "gzip")
                self.assertEqual(raw.once(one, raw.request("/files/")).status, 404)

    def test_every_option_of_folders_has_its_name(self):
        names = run("--files-option", "/=x=").stderr.rstrip("\n").partition("the names: ")[2].split(", ")
        self.assertEqual(sorted(names), sorted(set(fields_of("Files", "mounts.hpp")) - {"index", "types"}))

    def test_every_limit_has_its_name(self):
        names = run("--limit", "x").stderr.rstrip("\n").partition("the names: ")[2].split(", ")
        of_files = ["files." + name for name in fields_of("FileLimits", "mounts.hpp")]
        self.assertEqual(sorted(names), sorted(fields_of("Limits", "limits.hpp") + of_files))
        for value in (0, 2147483647):
            result = run(*(f"--limit={name}={value}" for name in names), "--list-protocols")
            self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_quiet(self):
        with server.Server("-d", "quiet") as one:
            raw.once(one, b"nonsense\r\n\r\n")
            raw.once(one, raw.upgrade("unknown"))
            with raw.opened(one, "reverse-echo") as connection:
                connection.send(raw.frame(raw.TEXT, "hello") + raw.frame(3))
                connection.frame()
            one.process.send_signal(signal.SIGTERM)
            one.process.wait(5 * server.SLOW)
            self.assertEqual(one.log(), "")

    def test_info_logs_each_message(self):
        with server.Server("-d", "info") as one:
            with raw.opened(one, "reverse-echo") as connection:
                connection.send(raw.frame(raw.TEXT, "look for me"))
                connection.frame()
            server.until(lambda: "look for me" in one.log(), 2, "the message in the log")

    def test_a_message_cannot_forge_a_log_line(self):
        with server.Server("-d", "info") as one:
            with raw.opened(one, "reverse-echo") as connection:
                connection.send(raw.frame(raw.TEXT, "first\nforged line\x1b[31m"))
                connection.frame()
            server.until(lambda: "forged" in one.log(), 2, "the message in the log")
            self.assertNotIn("\nforged", one.log())
            self.assertNotIn("\x1b", one.log())

    def test_ipv6(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("this machine has no IPv6 loopback")
        with server.Server("-i", "::1") as one:
            self.assertEqual(one.url, f"http://[::1]:{one.port}/")
            self.assertEqual(raw.once(one, raw.request(Host=f"[::1]:{one.port}")).status, 200)

    def test_loopback_alone_unless_told_otherwise(self):
        with server.Server() as one:
            port = f":{one.port:04X}"
            tables = [table for table in map(pathlib.Path, ("/proc/net/tcp", "/proc/net/tcp6")) if table.exists()]
            rows = [line.split() for table in tables for line in table.read_text(encoding="ascii").splitlines()]
            self.assertEqual([row[1] for row in rows if row[1].endswith(port) and row[3] == "0A"], ["0100007F" + port])

    def test_threads(self):
        with server.Server("-t", "2", "--default-protocol", "echo") as one:
            for _ in range(20):
                with raw.opened(one) as connection:
                    connection.send(raw.frame(raw.TEXT, "hello"))
                    self.assertEqual(connection.frame(), (raw.TEXT, b"hello", True))


class Stops(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)

    async def read_to_the_end(self, client):
        """A client that stops reading is not told that the server goes."""
        with contextlib.suppress(websocket_peer.ConnectionClosed):
            while True:
                await client.recv()

    async def stop_with_open_websockets(self, number, *arguments):
        one = server.Server(*arguments)
        names = ["reverse-echo", "dumb-increment-protocol", "echo"] * 3
        clients = [await websocket_peer.connect(one.ws_url, subprotocols=[name]) for name in names]
        start = time.monotonic()
        one.process.send_signal(number)
        await asyncio.wait_for(asyncio.gather(*(self.read_to_the_end(client) for client in clients)), 5 * server.SLOW)
        await asyncio.to_thread(one.wait_stopped)
        self.assertLess(time.monotonic() - start, 5 * server.SLOW)
        self.assertEqual([client.close_code for client in clients], [1001] * len(clients))

    async def test_terminate(self):
        await self.stop_with_open_websockets(signal.SIGTERM)

    async def test_interrupt(self):
        await self.stop_with_open_websockets(signal.SIGINT)

    async def test_two_threads(self):
        await self.stop_with_open_websockets(signal.SIGTERM, "-t", "2")

    async def test_a_second_signal_ends_at_once(self):
        await self.stop_twice(signal.SIGTERM, signal.SIGTERM, 1, 8)
        await self.stop_twice(signal.SIGINT, signal.SIGTERM, 4, 8)

    async def test_also_where_the_first_of_several_loops_has_nothing_left_to_do(self):
        for _ in range(5):  # three of four times the one client is another loop's
            await self.stop_twice(signal.SIGTERM, signal.SIGTERM, 4, 1)

    async def stop_twice(self, first, second, threads, clients):
        one = server.Server("-t", threads, "--limit", "stop_grace=600000")
        with contextlib.ExitStack() as stack:
            deaf = [stack.enter_context(raw.opened(one)) for _ in range(clients)]
            one.process.send_signal(first)
            for peer in deaf:
                self.assertEqual(peer.frame()[0], raw.CLOSE)
            self.assertIsNone(one.process.poll())
            await asyncio.to_thread(one.stop, second)

    async def test_a_peer_that_does_not_answer_the_close(self):
        one = server.Server()
        with raw.opened(one) as deaf:
            start = time.monotonic()
            await asyncio.to_thread(one.stop)
            self.assertLess(time.monotonic() - start, 5 * server.SLOW)
            opcode, payload, _ = deaf.frame()
            self.assertEqual((opcode, payload[:2]), (raw.CLOSE, (1001).to_bytes(2, "big")))

    async def test_a_peer_that_does_not_read(self):
        one = server.Server()
        with raw.opened(one) as deaf:
            message = raw.frame(raw.BINARY, bytes(100_000))
            deaf.socket.settimeout(0.5)
            try:
                for _ in range(500):
                    deaf.send(message)
            except TimeoutError:
                pass
            await asyncio.to_thread(one.stop)


if __name__ == "__main__":
    unittest.main()
