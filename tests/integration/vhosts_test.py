"""Virtual hosts of wharf-test-server as curl asks for them: by Host, by SNI, and where the two disagree."""

import asyncio
import contextlib
import pathlib
import subprocess
import tempfile
import unittest

import server
import websocket_peer

CURL = server.need("curl")


def curl(*arguments):
    """The status and the body."""
    done = subprocess.run([CURL, "-s", "-w", "\n%{http_code}", *arguments], capture_output=True, text=True, timeout=30 * server.SLOW, check=False)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body, done.stderr


class VirtualHosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        root = pathlib.Path(cls.folder.name)
        for name in ("one", "two"):
            (root / name).mkdir()
            (root / name / "index.html").write_text(name, encoding="ascii")
        cls.one, cls.two = root / "one", root / "two"

    def serve(self, *arguments):
        running = server.Server("--vhost", f"two.example,*.two.example={self.two}", *arguments, www=self.one)
        self.addCleanup(running.stop)
        return running

    def ask(self, running, host, *more):
        return curl("-H", f"Host: {host}", *more, f"http://127.0.0.1:{running.port}/")[:2]

    def test_by_host(self):
        running = self.serve()
        for host in ("two.example", "TWO.example.", "a.two.example", f"two.example:{running.port}"):
            self.assertEqual(self.ask(running, host), (200, "two"), host)
        for host in ("one.example", "a.b.two.example", "127.0.0.1"):
            self.assertEqual(self.ask(running, host), (200, "one"), host)

    def test_unknown_hosts(self):
        for word in ("421", "404"):
            running = self.serve("--name", "one.example,127.0.0.1", "--unknown-hosts", word)
            self.assertEqual(self.ask(running, "one.example"), (200, "one"))
            self.assertEqual(self.ask(running, "two.example"), (200, "two"))
            self.assertEqual(self.ask(running, "three.example")[0], int(word))
            self.assertEqual(curl("--http1.0", "-H", "Host:", f"http://127.0.0.1:{running.port}/")[0], int(word))

    def test_names_in_handshakes(self):
        running = self.serve("-s", "--name", "one.example")

        def ask(name, host):
            return curl("-k", "--resolve", f"{name}:{running.port}:127.0.0.1", "-H", f"Host: {host}", f"https://{name}:{running.port}/")[:2]

        self.assertEqual(ask("one.example", "one.example"), (200, "one"))
        self.assertEqual(ask("two.example", "two.example"), (200, "two"))
        self.assertEqual(ask("a.two.example", "b.two.example"), (200, "two"))
        self.assertEqual(ask("one.example", "two.example")[0], 421)
        self.assertEqual(ask("two.example", "one.example")[0], 421)
        self.assertEqual(curl("-k", "-H", "Host: two.example", f"https://127.0.0.1:{running.port}/")[:2], (200, "two"))

    def test_rooms_belong_to_one_host(self):
        running = self.serve()

        def join(stack, host):
            url = f"ws://{host}:{running.port}/"
            return stack.enter_async_context(websocket_peer.connect(url, host="127.0.0.1", port=running.port, subprotocols=["chat-protocol"]))

        async def talk():
            async with contextlib.AsyncExitStack() as stack:
                said = {}
                for host in ("one.example", "two.example", "a.two.example"):
                    client = await join(stack, host)
                    await client.send(f"join {host}")
                    while not said.get(host, "").startswith("here "):
                        said[host] = await asyncio.wait_for(client.recv(), 30 * server.SLOW)
                return {host: sorted(line.split()[1:]) for host, line in said.items()}

        self.assertEqual(asyncio.run(talk()), {"one.example": ["one.example"], "two.example": ["two.example"],
                                               "a.two.example": ["a.two.example", "two.example"]})

    def test_limits_of_a_host(self):
        running = self.serve("--limit", "body=100", "--vhost-limit", "two.example=body=1000", "--vhost-limit", "two.example=message=2000")
        echo = f"http://127.0.0.1:{running.port}/echo/"
        for host, size, status in (("one.example", 100, 200), ("one.example", 101, 413), ("two.example", 1000, 200), ("two.example", 1001, 413)):
            for framing in ((), ("-H", "Transfer-Encoding: chunked")):
                self.assertEqual(curl("-H", f"Host: {host}", "-H", "Expect:", *framing, "--data-binary", "x" * size, echo)[0], status,
                                 (host, size, framing))

    def test_bad_options(self):
        for arguments, says in ((("--vhost", "x"), "--vhost takes NAMES=FOLDER, not 'x'"),
                                (("--vhost", f"a:80={self.two}"), "'a:80'"),
                                (("--vhost", f"a={self.two}", "--vhost", f"A.={self.one}"), "there are two virtual hosts 'A.'"),
                                (("--vhost-cert", "a=b"), "there is no --vhost 'a'"),
                                (("--vhost-limit", "a=body=1"), "there is no --vhost 'a'"),
                                (("--vhost", f"a={self.two}", "--vhost-limit", "a=request_head=1"), "the limits: body, body_idle, "),
                                (("--vhost", f"a={self.two}", "--vhost-limit", "a=body=much"), "--vhost-limit takes NAME=LIMIT=NUMBER")):
            done = subprocess.run(server.command(*arguments), capture_output=True, text=True, timeout=30 * server.SLOW, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(says, done.stderr)


if __name__ == "__main__":
    unittest.main()
