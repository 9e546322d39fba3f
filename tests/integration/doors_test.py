"""Several doors at once, unix sockets and their files, and clients that connect or ask too often, by curl."""

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

from server import Server, command, need, until

CURL = need("curl")
OPTIONS = {"plugins": False}


def curl(*arguments):
    """The response with its head."""
    done = subprocess.run([CURL, "-s", "-i", "-k", "--max-time", "20", *arguments], capture_output=True, text=True, check=False)
    return done.stdout


def status(*arguments):
    head = curl(*arguments)
    return int(head.split()[1]) if head else None


def places(server):
    """What the ready line names."""
    return [word for word in server.ready_line.split()[2:] if "://" in word or word.startswith("unix:")]


def refused(*arguments, exit_status=None):
    """The line of a server that cannot start."""
    done = subprocess.run(command(*arguments, plugins=False), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and done.stderr.count("\n") == 1, (done.returncode, done.stderr)
    assert exit_status in (None, done.returncode), (done.returncode, done.stderr)
    return done.stderr


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


class Doors(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "socket")

    def test_several_at_once(self):
        with Server("--listen", "127.0.0.1:0", "--listen", "https://127.0.0.1:0", "--listen", "0", "--listen", "unix:" + self.path,
                    "-U", self.path + "2", **OPTIONS) as server:
            opened = places(server)
            self.assertEqual([place.split(":")[0] for place in opened], ["http", "https", "http", "unix", "unix"])
            for url in opened[:3]:
                self.assertEqual(status(url), 200, url)
            for path in (self.path, self.path + "2"):
                self.assertEqual(status("--unix-socket", path, "http://localhost/"), 200)
        self.assertFalse(os.path.exists(self.path) or os.path.exists(self.path + "2"))

    def test_all_addresses_have_one_port(self):
        with Server("--listen", "*:0", **OPTIONS) as server:
            self.assertEqual(status(f"http://127.0.0.1:{server.port}/"), 200)
            if has_ipv6():
                self.assertEqual(status("-6", f"http://[::1]:{server.port}/"), 200)

    def test_ipv6_alone(self):
        if not has_ipv6():
            self.skipTest("no IPv6")
        with Server("--listen", "[::]:0", **OPTIONS) as server:
            self.assertEqual(status("-6", f"http://[::1]:{server.port}/"), 200)
            self.assertIsNone(status("-4", f"http://127.0.0.1:{server.port}/"))
            with Server("--listen", f"0.0.0.0:{server.port}", **OPTIONS) as other:
                self.assertEqual(other.port, server.port)
                self.assertEqual(status("-4", f"http://127.0.0.1:{server.port}/"), 200)

    def test_a_link_local_address(self):
        found = re.search(r"^(fe80\S+) (?:\S+ ){4}\s*(\S+)$", _interfaces(), re.MULTILINE)
        if not found:
            self.skipTest("no address that is valid on one network only")
        address = f"{found[1]}%{found[2]}"
        with Server("--listen", "127.0.0.1:0", "--listen", f"[{address}]:0", **OPTIONS) as server:
            self.assertEqual(status("-g", places(server)[1].replace("%", "%25")), 200)

    def test_places_that_are_none(self):
        for text in ("nowhere", "127.0.0.1", "::1:80", "127.0.0.1:65536", "127.0.0.1:", "unix:", "ftp://127.0.0.1:80"):
            self.assertIn("--listen takes PORT, ADDRESS:PORT, ", refused("--listen", text), text)
        self.assertIn("--unix-mode takes an octal number", refused("-U", self.path, "--unix-mode", "rw"))
        self.assertIn("must be from 0 to 0777", refused("-U", self.path, "--unix-mode", "1777"))
        self.assertIn("there is no user 'no-such-user'", refused("-U", self.path, "--unix-owner", "no-such-user"))
        self.assertIn("there is no group 'no-such-group'", refused("-U", self.path, "--unix-owner", ":no-such-group"))
        self.assertIn("too long: it has at most 107 bytes", refused("-U", "/tmp/" + "x" * 200))
        self.assertIn("the folder must exist", refused("-U", "/no/such/folder/socket"))


    def test_options_that_have_no_effect(self):
        """Exit status 2: the options contradict each other."""
        unix, abstract, port = ("-U", self.path), ("--listen", "unix:@wharf-doors-test"), ("--listen", "0")
        for arguments, says in (((*port, "--unix-mode", "600"), "--unix-mode needs a unix socket that has a file"),
                                ((*abstract, "--unix-owner", "0"), "--unix-owner needs a unix socket that has a file"),
                                ((*unix, *abstract, "--fast-open", "5"), "--fast-open needs a port"),
                                ((*unix, "--proxy-header-from", "::1"), "--proxy-header-from needs a port, or `unix` a unix socket"),
                                ((*port, "--proxy-header-from", "unix"), "--proxy-header-from needs a port, or `unix` a unix socket"),
                                (("--hsts", "60"), "--hsts needs --ssl"),
                                (("--unknown-hosts", "404"), "--unknown-hosts needs --name"),
                                (("--trust-fields", "forwarded"), "--trust-fields needs --trust"),
                                (("--access-log-format", "json"), "--access-log-format needs --access-log")):
            self.assertIn(says, refused(*arguments, exit_status=2), arguments)
        with Server(*port, *unix, *abstract, "--unix-mode", "600", "--fast-open", "5", "--proxy-header-from", "unix", **OPTIONS) as server:
            self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
            self.assertEqual(status(server.url), 200)
            self.assertEqual(status("--haproxy-protocol", "--unix-socket", self.path, "http://localhost/"), 200)
            self.assertIsNone(status("--unix-socket", self.path, "http://localhost/"))


class UnixSockets(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "socket")

    def server(self, *arguments):
        """Its ready line names a port first, as that of every server of these tests."""
        return Server("--listen", "127.0.0.1:0", "-U", self.path, *arguments, **OPTIONS)

    def test_mode_and_owner(self):
        for mode, given in ((0o660, ()), (0o600, ("--unix-mode", "600")), (0o666, ("--unix-mode", "0666"))):
            with self.server("--unix-owner", f"{os.getuid()}:{os.getgid()}", *given):
                found = os.stat(self.path)
                self.assertEqual((stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid), (mode, os.getuid(), os.getgid()))

    def test_a_file_that_was_left_behind(self):
        first = self.server()
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        first.process.stdout.close()
        first.log_file.close()
        self.assertTrue(os.path.exists(self.path))
        with self.server():
            self.assertEqual(status("--unix-socket", self.path, "http://localhost/"), 200)
        self.assertFalse(os.path.exists(self.path))

    def test_a_server_that_listens(self):
        with self.server():
            self.assertIn("another program listens there", refused("-U", self.path))
            self.assertEqual(status("--unix-socket", self.path, "http://localhost/"), 200)

    def test_a_server_whose_backlog_is_full(self):
        with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as clients:
            listener.bind(self.path)
            listener.listen(0)
            for _ in range(100):
                client = clients.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                if client.connect_ex(self.path) != 0:
                    break
            self.assertIn("another program listens there", refused("-U", self.path))
            self.assertTrue(os.path.exists(self.path))

    def test_files_that_are_no_sockets(self):
        with open(self.path, "w", encoding="ascii") as file:
            file.write("precious")
        link = self.path + "-link"
        os.symlink(self.path, link)
        for path in (self.path, link):
            self.assertIn("a file is in the way", refused("-U", path))
            with open(path, encoding="ascii") as file:
                self.assertEqual(file.read(), "precious")

    def test_a_file_that_another_has_replaced(self):
        with self.server():
            os.unlink(self.path)
            with open(self.path, "w", encoding="ascii"):
                pass
        self.assertTrue(os.path.exists(self.path))

    def test_an_abstract_name(self):
        name = f"wharf-doors-{os.getpid()}"
        with Server("--listen", "127.0.0.1:0", "--listen", "unix:@" + name, **OPTIONS) as server:
            self.assertEqual(places(server)[1], "unix:@" + name)
            self.assertEqual(status("--abstract-unix-socket", name, "http://localhost/"), 200)
            self.assertIn("another program listens there", refused("-U", "@" + name))


class Rates(unittest.TestCase):
    def test_requests_beyond_a_rate(self):
        with Server("--limit", "address_request_rate=1", "--limit", "address_request_burst=3", "-d", "info", **OPTIONS) as server:
            codes = [status(server.url) for _ in range(3)]
            self.assertEqual(codes, [200] * 3)
            head = until(lambda: next((head for head in [curl(server.url)] if " 429 " in head), None), 10, "429")
            wait = int(re.search(r"^Retry-After: (\d+)\r?$", head, re.MULTILINE)[1])
            self.assertGreaterEqual(wait, 1)
            until(lambda: status(server.url) == 200, 20, "a request is let in again")
            self.assertIn("sends requests faster than the server allows", server.log())

    def test_requests_of_a_mount(self):
        with Server("--request-rate", "/=0.001,2", "--proxy", "/other/=http://127.0.0.1:1/", **OPTIONS) as server:
            self.assertEqual([status(server.url) for _ in range(4)], [200, 200, 429, 429])
            self.assertEqual(status(server.url + "other/"), 502)

    def test_the_client_that_a_trusted_front_names(self):
        with Server("--request-rate", "/=0.001,1", "--trust", "127.0.0.1", **OPTIONS) as server:
            ask = lambda client: status("-H", f"X-Forwarded-For: {client}", server.url)
            self.assertEqual([ask("192.0.2.1"), ask("192.0.2.1"), ask("192.0.2.2")], [200, 429, 200])
            self.assertEqual([ask("2001:db8::1"), ask("2001:db8::2"), ask("2001:db8:0:1::1")], [200, 429, 200])

    def test_connections_of_an_address(self):
        with Server("--limit", "address_connections=3", "-d", "info", **OPTIONS) as server, contextlib.ExitStack() as open_ones:
            clients = [open_ones.enter_context(socket.create_connection(("127.0.0.1", server.port), 20)) for _ in range(3)]
            for client in clients:  # each has been accepted
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertTrue(client.recv(12).startswith(b"HTTP/1.1 200"))
            self.assertIsNone(status(server.url))
            until(lambda: "has as many connections as address_connections allows" in server.log(), 20, "the log has a line")
            clients[0].close()
            until(lambda: status(server.url) == 200, 20, "there is room again")

    def test_new_connections_of_an_address(self):
        for scheme, given in (("http", ()), ("https", ("--ssl",))):
            with Server("--limit", "address_connection_rate=1", "--limit", "address_connection_burst=2", *given, **OPTIONS) as server:
                self.assertEqual([status(server.url) for _ in range(2)], [200] * 2, scheme)
                until(lambda: status(server.url) is None, 20, "a connection that is cut")
                until(lambda: status(server.url) == 200, 20, "one that is let in again")

    def test_a_host_without_room(self):
        with Server("--host-connections", "1", "--default-protocol", "echo", **OPTIONS) as server:
            with socket.create_connection(("127.0.0.1", server.port), 20) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
                self.assertTrue(client.recv(12).startswith(b"HTTP/1.1 101"))
                self.assertRegex(curl(server.url), r"(?sm)\AHTTP/1.1 503 .*^Retry-After: 1")
            until(lambda: status(server.url) == 200, 20, "there is room again")

    def test_limits_that_mean_nothing(self):
        self.assertIn("address_request_burst needs address_request_rate", refused("--limit", "address_request_burst=3"))
        self.assertIn("a rate of requests is from 0 to 1,000,000 a second", refused("--request-rate", "/=-1"))
        self.assertIn("--request-rate takes PREFIX=NUMBER", refused("--request-rate", "/=often"))
        self.assertIn("nothing is mounted at '/x/'", refused("--request-rate", "/x/=1"))


def _interfaces():
    """One line for each IPv6 address: the address, five fields, the interface."""
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as file:
            lines = file.read().split("\n")
    except OSError:
        return ""
    return "\n".join(re.sub(r"^(\w{32})", lambda match: socket.inet_ntop(socket.AF_INET6, bytes.fromhex(match[1])), line) for line in lines)


if __name__ == "__main__":
    unittest.main(verbosity=2)
