"""Who may come in, and what is logged about it: password files of htpasswd and openssl, origins, access logs."""

import base64
import contextlib
import itertools
import json
import os
import pathlib
import re
import select
import signal
import stat
import subprocess
import tempfile
import threading
import time
import unittest

import raw
import server
from raw import once, request, upgrade

HTPASSWD, OPENSSL, CURL = server.need("htpasswd"), server.need("openssl"), server.need("curl")
SECRET = b"only for those who are known"
ANN, BOB, COLON = ("ann", "correct horse"), ("bob", "battery staple"), ("cäsar", "a:b:pässwörd")
SLOW_COST = 11  # of bcrypt: some tenths of a second
LATE = 30 * server.SLOW


def output(*arguments):
    return subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True).stdout.decode().strip()


def bcrypt_line(user, password, cost=4):
    return output(HTPASSWD, "-nbB", "-C", str(cost), user, password)


def sha512_line(user, password):
    return f"{user}:{output(OPENSSL, 'passwd', '-6', password)}"


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Passwords(server.Served, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        (cls.folder / "www" / "files").mkdir(parents=True)  # the files behind the password are below / too
        (cls.folder / "www" / "files" / "secret.txt").write_bytes(SECRET)
        (cls.folder / "www" / "index.html").write_bytes(b"<title>For all</title>\n")
        cls.passwords = cls.folder / "htpasswd"
        cls.lines = [bcrypt_line(*ANN), sha512_line(*BOB), bcrypt_line(*COLON), bcrypt_line("slow", "slow", SLOW_COST)]
        cls.passwords.write_text("\n".join(["# who may come in", *cls.lines, ""]), encoding="utf-8")
        cls.www = str(cls.folder / "www")
        cls.arguments = ("--files", cls.folder / "www" / "files", "--password-file", f"/files/={cls.passwords}",
                         "--password-file", f"/status/={cls.passwords}", "-d", "error")
        super().setUpClass()

    def get(self, target="/files/secret.txt", **fields):
        return once(self.server, request(target, **fields))

    def known(self, data, user):
        """The request with a user's password at its end."""
        return data.replace(b"\r\n\r\n", f"\r\nAuthorization: {basic(*user)}\r\n\r\n".encode())

    def check_refused(self, response):
        self.assertEqual((response.status, response["WWW-Authenticate"]), (401, 'Basic realm="wharf", charset="UTF-8"'))
        self.assertNotIn(SECRET, response.body)

    def test_nobody_comes_in_without_a_password(self):
        with raw.Connection(self.server) as connection:
            for method in ("GET", "HEAD", "POST", "OPTIONS", "DELETE"):
                for target in ("/files/secret.txt", "/files/", "/files", "/files/nothing", "/status/", "/status"):
                    with self.subTest(method=method, target=target):
                        self.check_refused(connection.exchange(request(target, method, Content_Length="4") + b"body", method))
            self.assertEqual(connection.exchange(request("/")).status, 200)

    def test_those_who_are_known(self):
        for user in (ANN, BOB, COLON):
            for _ in range(2):  # the second time from memory
                with self.subTest(user=user):
                    self.assertEqual(self.get(Authorization=basic(*user)).body, SECRET)
            got = output(CURL, "-sS", "--noproxy", "*", "--fail", "-u", ":".join(user), self.server.url + "files/secret.txt")
            self.assertEqual(got.encode(), SECRET)
        self.assertEqual(self.get(Authorization=basic(*ANN).replace("Basic ", "bASIC   ")).body, SECRET)
        self.assertEqual(self.get("/files", Authorization=basic(*ANN)).status, 301)

    def test_wrong_passwords(self):
        right = basic(*ANN)
        for value in (basic("ann", "wrong"), basic("ann", BOB[1]), basic("Ann", ANN[1]), basic("nobody", ANN[1]), basic("", ""),
                      basic("ann", ""), basic("", ANN[1]), basic("ann", ANN[1] + "\0"), basic("ann", ANN[1] + " "),
                      basic("ann", self.lines[0].partition(":")[2]), basic("# who may come in", ""), right + "=", right[:-1],
                      right.replace("Basic", "Bearer"), right.replace("Basic ", "Basic"), "Basic", "Basic " + "A" * 2000,
                      right + ", " + right):
            with self.subTest(value=value[:60]):
                self.check_refused(self.get(Authorization=value))
        twice = self.known(request("/files/secret.txt", Authorization=right), ANN)
        self.check_refused(once(self.server, twice))

    def test_no_spelling_of_the_path_leads_past(self):
        encoded = ["/" + "".join(f"%{ord(c):02x}" if chosen else c for c, chosen in zip("files", choice))
                   for choice in itertools.product((False, True), repeat=5)]
        guarded = [prefix + "/secret.txt" for prefix in encoded] + [
            "/files%2fsecret.txt", "/files%2Fsecret.txt", "/files/secret%2etxt", "/files//secret.txt", "/files/?/../x",
            "/files?x", "http://localhost/files/secret.txt", "/files/%2fsecret.txt"]
        for target in guarded:
            with self.subTest(target=target):
                self.check_refused(self.get(target))
        for target in ("//files/secret.txt", "/%2ffiles/secret.txt", "/./files/secret.txt", "/x/../files/secret.txt",
                       "/x/%2e%2e/files/secret.txt", "/x%2f..%2ffiles/secret.txt", "/files%2f..%2ffiles/secret.txt",
                       "/files/..%2ffiles/secret.txt", "/files%2f%2e%2e%2ffiles%2fsecret.txt", "/FILES/secret.txt",
                       "/Files/secret.txt", "/files;x/secret.txt", "/files%00/secret.txt", "/%00/files/secret.txt",
                       "/%2566iles/secret.txt", "/files\\secret.txt", "/files%5csecret.txt", "/x\\..\\files/secret.txt",
                       "/%c0%affiles/secret.txt", "/f%69les%2", "/f%u0069les/secret.txt", "/echo/../files/secret.txt",
                       "/echo/%2e%2e/files/secret.txt", "/files%20/secret.txt", "/files./secret.txt", "/%2e/files/secret.txt",
                       "///files/secret.txt", "files/secret.txt", "/status%2f..%2ffiles/secret.txt", "/ﬁles/secret.txt",
                       "*/files/secret.txt", "http://elsewhere.test/files/secret.txt", "http://h//files/secret.txt"):
            with self.subTest(target=target):
                response = once(self.server, f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
                self.assertIn(response.status, (400, 401, 404), response)
                self.assertNotIn(SECRET, response.body)

    def test_websockets(self):
        for target in ("/files/", "/%66iles/", "/files", "/status/"):
            with self.subTest(target=target):
                handshake = upgrade("echo").replace(b"GET / ", f"GET {target} ".encode())
                self.check_refused(once(self.server, handshake))
                with raw.Connection(self.server) as connection:
                    # the frame comes with the handshake, and waits for the password; it waited for ever
                    response = connection.exchange(self.known(handshake, BOB) + raw.frame(raw.TEXT, "early"))
                    self.assertEqual(response.status, 101)
                    self.assertEqual(connection.frame(), (raw.TEXT, b"early", True))
        raw.opened(self.server, "echo").close()  # at a path that is free

    def test_others_are_served_while_passwords_are_checked(self):
        server.until(lambda: self.get(Authorization=basic(*ANN)).status == 200, LATE, "one who is known comes in")
        with contextlib.ExitStack() as stack:
            guessers = [stack.enter_context(raw.Connection(self.server)) for _ in range(160)]  # and 132 have a place
            other = stack.enter_context(raw.Connection(self.server))
            for number, guesser in enumerate(guessers):
                guesser.socket.settimeout(LATE)
                guesser.send(request("/files/secret.txt", Authorization=basic("slow", f"wrong {number}")))
            served, waiting = 0, guessers
            while waiting:
                self.assertEqual(other.exchange(request("/")).status, 200)
                self.assertEqual(other.exchange(request("/files/secret.txt", Authorization=basic(*ANN))).body, SECRET)
                served += 1
                waiting = [guesser for guesser in waiting if not select.select([guesser.socket], [], [], 0)[0]]
            statuses = [guesser.response().status for guesser in guessers]
        print(f"{served} rounds of another client meanwhile; {statuses.count(503)} of the guesses were too many at once")
        self.assertEqual(set(statuses), {401, 503})
        self.assertGreater(served, 5)
        server.until(lambda: self.get(Authorization=basic("slow", "slow")).status == 200, LATE, "who knows it comes in again")

    def test_a_right_password_of_an_address_is_answered_while_forty_wrong_ones_of_it_wait(self):
        """Nobody gets 503, and neither known clients nor listings wait for them."""
        lines = [bcrypt_line("victim", "slow", 12), bcrypt_line("eve", "slow", 12), bcrypt_line(*ANN)]
        with tempfile.NamedTemporaryFile("w") as file, contextlib.ExitStack() as stack:
            file.write("\n".join(lines) + "\n")
            file.flush()
            one = stack.enter_context(server.Server("--files", self.folder / "www", "--password-file", f"/files/={file.name}"))
            ask = lambda user: request("/files/files/", Authorization=basic(*user))
            self.assertEqual(once(one, ask(ANN)).status, 200)
            guessers = [stack.enter_context(raw.Connection(one)) for _ in range(40)]
            for number, guesser in enumerate(guessers):
                guesser.send(ask(("victim", f"wrong {number}")))
            right = stack.enter_context(raw.Connection(one))
            right.send(ask(("eve", "slow")))
            pending = lambda: sum(not select.select([guesser.socket], [], [], 0)[0] for guesser in guessers)
            self.assertEqual(once(one, ask(ANN)).status, 200)
            known = pending()
            server.until(lambda: select.select([right.socket], [], [], 0)[0], LATE, "the right password is answered")
            waiting = pending()
            self.assertEqual(right.response().status, 200)
            print(f"{known} of 40 wrong passwords waited when a known one was answered, {waiting} when a right one was")
            self.assertGreater(known, 20)
            self.assertGreater(waiting, 10)

    def test_guessers_that_leave(self):
        """A check for somebody who has gone does no harm."""
        for number in range(40):
            with raw.Connection(self.server) as guesser:
                guesser.send(request("/files/secret.txt", Authorization=basic("slow", f"gone {number}")))
                if number % 2:
                    guesser.reset()
        server.until(lambda: self.get(Authorization=basic(*BOB)).status == 200, LATE, "somebody else comes in")

    def test_a_file_that_changes(self):
        new = ("dora", "new here")
        self.assertEqual(self.get(Authorization=basic(*new)).status, 401)
        other = self.folder / "htpasswd.new"
        other.write_text("\n".join([bcrypt_line(*new), *self.lines]), encoding="utf-8")
        other.rename(self.passwords)
        server.until(lambda: self.get(Authorization=basic(*new)).status == 200, 20, "the new file is read")
        self.passwords.write_text("\n".join(self.lines), encoding="utf-8")
        server.until(lambda: self.get(Authorization=basic(*new)).status == 401, 20, "who is not in it any more is not known")
        self.assertEqual(self.get(Authorization=basic(*ANN)).status, 200)

    def test_files_that_are_none(self):
        for content in ("ann:secret\n", "ann\n", ":" + self.lines[0], "ann:$1$abc$def\n", self.lines[0] + "\n" + self.lines[0]):
            with self.subTest(content=content[:20]), tempfile.NamedTemporaryFile("w") as file:
                file.write(content)
                file.flush()
                with self.assertRaisesRegex(AssertionError, "password file"):
                    server.Server("--password-file", f"/={file.name}")
        with self.assertRaisesRegex(AssertionError, "password file"):
            server.Server("--password-file", "/=/nowhere/htpasswd")


class Origins(unittest.TestCase):
    def handshake(self, one, origin=None, **fields):
        return once(one, upgrade("echo", Origin=origin, **fields)).status

    def check(self, one, allowed, refused, **fields):
        for origins, status in ((allowed, 101), (refused, 403)):
            for origin in origins:
                with self.subTest(origin=origin):
                    self.assertEqual(self.handshake(one, origin, **fields), status)

    def test_one_that_is_named(self):
        with server.Server("--allow-origin", "https://app.example", "--allow-origin", "http://other.example:8080") as one:
            here = f"127.0.0.1:{one.port}"
            self.check(one, (None, "https://app.example", "https://app.example:443", "HTTPS://APP.example",
                             "http://other.example:8080"),
                       ("http://app.example", "https://app.example:444", "https://app.example.evil.test",
                        "https://evilapp.example", "https://sub.app.example", "https://app.example/",
                        "https://app.example@evil.test", "null", "", "evil",
                        "https://app.example https://evil.test", "http://other.example", f"http://{here}",
                        "https://app.example\x80"), Host=here)
            twice = upgrade("echo", Origin="https://app.example").replace(b"\r\n\r\n", b"\r\nOrigin: https://evil.test\r\n\r\n")
            self.assertEqual(once(one, twice).status, 403)
            self.assertEqual(once(one, request("/", Origin="https://evil.test")).status, 200)

    def test_the_same(self):
        with server.Server("--allow-origin", "same-origin") as one:
            here = f"127.0.0.1:{one.port}"
            self.check(one, (None, f"http://{here}"),
                       ("http://127.0.0.1", f"http://127.0.0.1:{one.port ^ 1}", f"http://localhost:{one.port}",
                        "https://evil.test", "null", f"ftp://{here}"), Host=here)
            self.check(one, ("http://page.test",), (f"http://{here}", "http://evil.test"), Host="PAGE.test:80")

    def test_all_where_none_is_named(self):
        with server.Server() as one:
            self.check(one, (None, "https://evil.test", "null"), ())

    def test_what_is_no_origin(self):
        for text in ("https://*.example", "example.com", "https://example.com/", "https://example.com/path"):
            with self.subTest(text=text), self.assertRaisesRegex(AssertionError, "origin"):
                server.Server("--allow-origin", text)


COMBINED = re.compile(r'127\.0\.0\.1 - (?P<user>\S+) \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] '
                      r'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}|-) (?P<bytes>\d+|-) '
                      r'"(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"')
ESCAPES = {"b": 8, "n": 10, "r": 13, "t": 9, "v": 11, '"': 34, "\\": 92}


def unescaped(text):
    """The text as it was before it was written into a line of the combined format."""
    def one(match):
        return chr(int(match[1][1:], 16)) if match[1][0] == "x" else chr(ESCAPES[match[1]])
    return re.sub(r"\\(x[0-9a-f]{2}|.)", one, text).encode("latin-1")


# Texts that a User-Agent may have, and that an attacker would like to have in the log.
AGENTS = [b"plain/1.0", b'"quoted"', b'" 200 - "-" "forged', b"back\\slash\\", b"\\x22", b"\\n", b"tab\there",
          "Grüße 👋".encode(), b"\xff\xfe\x80 not UTF-8", b"\xc2\x85 next line", b"\xe2\x80\xa8 line separator",
          b"{\"json\":1}", b"%0d%0a", b"x" * 5000]
AGENTS += [b"byte " + bytes([byte]) + b" there" for byte in range(0x80, 0x100)]
# Texts that it may not have, and that are refused with 400.
BROKEN = [b"a\nb", b"a\rb", b"a\x00b", b"a\x1b[2Jb", b"a\x7fb", b"a\r\n b"]


class Logs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name) / "access.log"

    def serve(self, *arguments):
        one = server.Server("--access-log", self.file, *arguments)
        self.addCleanup(lambda: one.process.poll() is None and one.stop())
        return one

    def lines(self, count):
        """All lines, as soon as there are that many."""
        server.until(lambda: self.file.read_bytes().count(b"\n") >= count, 10, f"{count} lines in the log")
        lines = self.file.read_bytes().split(b"\n")
        self.assertEqual((len(lines), lines[-1]), (count + 1, b""))
        return lines[:-1]

    def attack(self, one):
        for agent in AGENTS:
            response = once(one, b"GET /?q HTTP/1.1\r\nHost: h\r\nReferer: r\r\nUser-Agent: " + agent + b"\r\n\r\n")
            self.assertEqual(response.status, 200)
        for agent in BROKEN:
            response = once(one, b"GET /?q HTTP/1.1\r\nHost: h\r\nUser-Agent: " + agent + b"\r\n\r\n")
            self.assertEqual(response.status, 400, agent)
        return self.lines(len(AGENTS) + len(BROKEN))

    def test_combined(self):
        one = self.serve()
        lines = self.attack(one)
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode) & 0o137, 0)  # not for everybody to read
        for line, agent in zip(lines, AGENTS):
            with self.subTest(agent=agent[:30]):
                self.assertTrue(all(0x20 <= byte < 0x7F for byte in line), line)
                match = COMBINED.fullmatch(line.decode("ascii"))
                self.assertIsNotNone(match, line)
                self.assertEqual((match["user"], match["request"], match["status"], match["referer"]),
                                 ("-", "GET /?q HTTP/1.1", "200", "r"))
                self.assertEqual(int(match["bytes"]), len(once(one, request("/")).body))
                logged = unescaped(match["agent"])
                self.assertEqual(logged, agent if len(agent) < 4096 else agent[:4096] + b"...")
        for line in lines[len(AGENTS):]:
            match = COMBINED.fullmatch(line.decode("ascii"))
            self.assertEqual((match["request"], match["status"], match["agent"]), ("-", "400", "-"), line)

    def test_json(self):
        lines = self.attack(self.serve("--access-log-format", "json"))
        for line, agent in zip(lines, AGENTS):
            with self.subTest(agent=agent[:30]):
                entry = json.loads(line)  # which is strict about control characters
                wanted = {"address": "127.0.0.1", "user": "", "host": "h", "method": "GET", "target": "/?q",
                          "version": "HTTP/1.1", "status": 200, "referer": "r", "complete": True}
                self.assertLessEqual(wanted.items(), entry.items())
                text = agent.decode(errors="replace")
                self.assertEqual(entry["user_agent"], text if len(agent) < 4096 else text[:4096] + "...")
                self.assertFalse(re.search("[\x00-\x1f\x7f-\x9f]", line.decode()), line)
        for line in lines[len(AGENTS):]:
            entry = json.loads(line)
            self.assertEqual((entry["method"], entry["target"], entry["status"]), ("", "", 400))

    def test_every_kind_of_request(self):
        passwords = self.file.with_name("htpasswd")
        passwords.write_text(sha512_line(*ANN), encoding="utf-8")
        large = self.file.with_name("large.bin")
        with open(large, "wb") as file:
            file.truncate(64 * 1024 * 1024)
        one = self.serve("--access-log-format", "json", "--password-file", f"/status/={passwords}", "--files", self.file.parent)
        page = once(one, request("/")).body
        once(one, request("/", "HEAD"), "HEAD")
        once(one, request("/nothing", Host="other.test:80"))
        once(one, request("/status/json"))
        once(one, request("/status/json", Authorization=basic(*ANN)))
        once(one, request("/echo/", "POST", Content_Length="5") + b"12345")
        once(one, request("/", version="HTTP/1.0"))
        with raw.opened(one, "echo") as peer:
            peer.send(raw.frame(raw.TEXT, "not in the log"))
            peer.frame()
        with raw.Connection(one) as leaver:
            leaver.send(request("/files/large.bin"))
            leaver.take(1000)
            leaver.reset()
        entries = [json.loads(line) for line in self.lines(9)]
        members = ("method", "target", "status", "user", "protocol")
        self.assertEqual([tuple(entry[name] for name in members) for entry in entries], [
            ("GET", "/", 200, "", ""), ("HEAD", "/", 200, "", ""), ("GET", "/nothing", 404, "", ""),
            ("GET", "/status/json", 401, "", ""), ("GET", "/status/json", 200, "ann", ""), ("POST", "/echo/", 200, "", ""),
            ("GET", "/", 200, "", ""), ("GET", "/", 101, "", "echo"), ("GET", "/files/large.bin", 200, "", "")])
        self.assertEqual([entry["complete"] for entry in entries], [True] * 8 + [False])
        self.assertEqual([entry["bytes"] for entry in entries[:2]], [len(page), 0])
        self.assertEqual((entries[5]["bytes"], entries[2]["host"], entries[6]["version"]), (5, "other.test:80", "HTTP/1.0"))
        self.assertLess(entries[8]["bytes"], large.stat().st_size)

    def test_renamed_and_opened_again_with_requests_all_the_while(self):
        for loops in (1, 2):
            with self.subTest(loops=loops):
                self.check_renamed(loops)
                self.file.unlink()

    def check_renamed(self, loops):
        one = self.serve("-t", loops)
        asked, leaving = itertools.count(), threading.Event()

        def ask():
            with raw.Connection(one) as client:
                while not leaving.is_set():
                    if client.exchange(request(f"/?{next(asked)}")).status != 200:
                        return

        clients = [threading.Thread(target=ask) for _ in range(8)]
        for client in clients:
            client.start()
        try:
            old = []
            for number in range(5):
                server.until(lambda: self.file.exists() and self.file.stat().st_size > 5000, 10, "lines in the log")
                sizes = [file.stat().st_size for file in old]
                old.append(self.file.with_name(f"access.log.{number}"))
                self.file.rename(old[-1])
                time.sleep(0.1)
                if loops == 1:  # else the other loop may be late
                    self.assertEqual([file.stat().st_size for file in old[:-1]], sizes, "an old log was written to")
                    self.assertFalse(self.file.exists(), "it was opened again too early")
                one.process.send_signal(signal.SIGHUP)
            server.until(lambda: self.file.exists() and self.file.stat().st_size > 5000, 10, "lines in the last log")
        finally:
            leaving.set()
            for client in clients:
                client.join()
        one.stop()
        lines = [line for file in (*old, self.file) for line in file.read_bytes().splitlines()]
        numbers = [int(re.search(rb"GET /\?(\d+) ", line)[1]) for line in lines]
        self.assertEqual(sorted(numbers), list(range(next(asked))))

    def test_a_log_that_can_not_be_written(self):
        with self.assertRaisesRegex(AssertionError, "access log"):
            server.Server("--access-log", "/nowhere/access.log")
        one = self.serve()
        self.file.unlink()
        os.mkdir(self.file)
        one.process.send_signal(signal.SIGHUP)
        server.until(lambda: once(one, request("/")) and "access log" in one.log(), 10, "an error in the log")  # with the next line
        self.assertEqual(once(one, request("/")).status, 200)


if __name__ == "__main__":
    unittest.main()
