"""Getting on with others: clients with libwebsockets, gorilla's, and echoes with gorilla and tornado for the codec's client."""

import contextlib
import os
import signal
import subprocess
import sys
import unittest

import raw
import server

CODEC_CLIENT = os.environ.get("WHARF_CODEC_CLIENT", "build/plain/tests/integration/codec-client")
LWS_CLIENT = os.environ.get("WHARF_LWS_CLIENT", "")
GORILLA_ECHO = os.environ.get("WHARF_GORILLA_ECHO", "")
TORNADO_ECHO = os.path.join(os.path.dirname(__file__), "tornado_echo.py")
for program, package in ((LWS_CLIENT, "libwebsockets-dev"), (GORILLA_ECHO, "golang-go or golang-github-gorilla-websocket-dev")):
    if not program:
        server.missing_peer(package)
if subprocess.run([sys.executable, "-c", "import tornado"], check=False, stderr=subprocess.DEVNULL).returncode != 0:
    server.missing_peer("python3-tornado")

# The offers of Debian's test client of libwebsockets, and of programs made from its examples.
LWS_OFFERS = ("permessage-deflate; client_no_context_takeover",
              "permessage-deflate; client_no_context_takeover; client_max_window_bits")
MESSAGES = ("hello", "a", "@0", "@3", "@31", "@126", "@300", "@40000", "last")


def made(message):
    """The message that lws-client makes of an argument."""
    if not message.startswith("@"):
        return message.encode()
    return bytes(ord("a") + i * i % 23 for i in range(int(message[1:])))


class LibwebsocketsCase(unittest.TestCase):
    """Before 4.4, if compression was agreed on, libwebsockets delivers an uncompressed message over and over, and never returns."""

    def lws(self, one, protocol, offer, count, *messages):
        """The messages that came, each as its size, the sum of its bytes and the first of them."""
        done = subprocess.run([LWS_CLIENT, str(one.port), protocol, offer, count, *messages], capture_output=True, text=True,
                              timeout=20 * server.SLOW, check=False)
        self.assertEqual(done.returncode, 0, (protocol, offer, done.stdout[:1000], done.stderr[:1000]))
        lines = [line.split(" ") for line in done.stdout.splitlines()]
        return [(int(size), int(total), bytes.fromhex(begin)) for size, total, begin in lines]

    def check_echo(self, one, offer, messages=MESSAGES):
        came = self.lws(one, "echo", offer, str(len(messages)), *messages)
        sent = [made(message) for message in messages]
        self.assertEqual(came, [(len(message), sum(message), message[:400]) for message in sent])


class LibwebsocketsByDefault(server.Served, LibwebsocketsCase):
    arguments = ("-d", "error", "--protocol-option", "dumb-increment-protocol.period=5")

    def test_each_message_comes_once(self):
        for offer in (*LWS_OFFERS, ""):
            with self.subTest(offer=offer):
                self.check_echo(self.server, offer)

    def test_all_protocols(self):
        for offer in LWS_OFFERS:
            with self.subTest(offer=offer):
                numbers = self.lws(self.server, "dumb-increment-protocol", offer, "+5")
                self.assertEqual([begin for _, _, begin in numbers], [b"0", b"1", b"2", b"3", b"4"])
                strokes = self.lws(self.server, "lws-mirror-protocol", offer, "2", "d #000000 1 2 3 4;", "c #ff0000 5 6 7;")
                self.assertEqual([begin for _, _, begin in strokes], [b"d #000000 1 2 3 4;", b"c #ff0000 5 6 7;"])
                (_, total, _), (size, _, told) = self.lws(self.server, "fraggle-protocol", offer, "+2")
                self.assertEqual((size, int.from_bytes(told, "big")), (4, total))
                (_, _, status), = self.lws(self.server, "lws-status", offer, "+1")
                self.assertTrue(status.startswith(b'{"version"'), status)
                reversed_ones = self.lws(self.server, "reverse-echo", offer, "2", "abc", "@0")
                self.assertEqual([begin for _, _, begin in reversed_ones], [b"cba", b""])
                (_, _, error), = self.lws(self.server, "chat-protocol", offer, "1", "nonsense")
                self.assertTrue(error.startswith(b"error "), error)

    def test_debians_test_client(self):
        """It counts in one conversation and draws in another, until it is told to end: one that spins does neither."""
        program = server.need("libwebsockets-test-client")
        with raw.opened(self.server, "lws-mirror-protocol") as mirror:
            client = subprocess.Popen([program, "127.0.0.1", f"--port={self.server.port}"], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                for _ in range(100):
                    self.assertTrue(mirror.frame()[1].startswith(b"c #"))
                client.send_signal(signal.SIGINT)
                self.assertEqual(client.wait(20 * server.SLOW), 0)
            finally:
                client.kill()
                client.wait()


class LibwebsocketsInEveryMode(LibwebsocketsCase):
    def test_each_message_comes_once(self):
        for mode in ("off", "dedicated"):
            with server.Server("-d", "error", "--compression", mode) as one:
                for offer in LWS_OFFERS:
                    with self.subTest(mode=mode, offer=offer):
                        self.check_echo(one, offer)

    def test_compress_all_helps_those_that_can_not_be_told(self):
        # If it keeps a context, this client aborts when it has to send an empty message itself.
        some = tuple(message for message in MESSAGES if message != "@0")
        for mode, messages in (("shared", MESSAGES), ("dedicated", some)):
            with server.Server("-d", "error", "--compression", mode, "--compress-all") as one:
                for offer in ("permessage-deflate", "permessage-deflate; client_max_window_bits"):
                    with self.subTest(mode=mode, offer=offer):
                        self.check_echo(one, offer, messages)


@contextlib.contextmanager
def running(*command):
    """Another's echo, and its port."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline().rpartition(" ")[2])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class CodecAsClient(unittest.TestCase):
    """Servers agree to less than the codec's client would like."""

    def check(self, port, path="/", limits=()):
        answers = {}
        for mode in ("shared", "dedicated"):
            for limit in ("0", *limits):
                done = subprocess.run([CODEC_CLIENT, str(port), path, mode, limit], capture_output=True, text=True,
                                      timeout=30 * server.SLOW, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""), (mode, limit))
                answers[mode, limit] = done.stdout.strip()
        return answers

    def test_echo_with_gorilla(self):
        with running(GORILLA_ECHO) as port:
            answers = self.check(port, limits=("120000",))
        self.assertEqual(set(answers.values()), {"permessage-deflate; server_no_context_takeover; client_no_context_takeover"})

    def test_echo_with_tornado(self):
        with running(sys.executable, TORNADO_ECHO) as port:
            answers = self.check(port, limits=("120000",))
        for answer in answers.values():
            self.assertTrue(answer.startswith("permessage-deflate"), answers)

    def test_echo_with_the_server(self):
        for mode in ("shared", "dedicated"):
            with server.Server("-d", "error", "--compression", mode, "--default-protocol", "echo") as one:
                self.check(one.port)


class Gorilla(server.Served, unittest.TestCase):
    arguments = ("-d", "error")

    def test_client(self):
        lines = ["", "a", "x" * 191, "y" * 192, "z" * 100_000, "last"]
        done = subprocess.run([GORILLA_ECHO, self.server.ws_url], input="\n".join(lines) + "\n", capture_output=True, text=True,
                              timeout=30 * server.SLOW, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        answer, end = done.stdout.splitlines()
        self.assertEqual(answer, "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
        self.assertIn("close 1000", end)


if __name__ == "__main__":
    unittest.main()
