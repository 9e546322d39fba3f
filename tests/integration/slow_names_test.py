"""A name server that does not answer: the server serves, and stops, all the same."""

import contextlib
import os
import pathlib
import signal
import tempfile
import unittest

import raw
import server

PRELOADED = os.environ.get("WHARF_SLOW_NAMES_LIBRARY")


class SlowNames(unittest.TestCase):
    def setUp(self):
        if not PRELOADED:
            self.skipTest("there is no library to preload in this build")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.pipe = pathlib.Path(self.folder, "names")
        os.mkfifo(self.pipe)

    def started(self, *arguments):
        environment = {"LD_PRELOAD": PRELOADED, "WHARF_SLOW_NAMES": str(self.pipe)}
        return server.Server("--proxy", "/app/=http://hangs.example:80/", *arguments, environment=environment)

    def looked_up(self):
        return self.pipe.with_suffix(".asked").exists()

    def test_a_stop_does_not_wait_for_a_name(self):
        for threads in ("1", "4"):
            with contextlib.ExitStack() as stack:
                one = self.started("-t", threads, "--limit", "stop_grace=100")
                waiting = [stack.enter_context(raw.Connection(one)) for _ in range(4)]
                for connection in waiting:
                    connection.send(raw.request(target="/app/"))
                server.until(self.looked_up, 5, "the name is looked up")
                one.stop()  # insists on exit 0 within 5 s
            self.pipe.with_suffix(".asked").unlink()

    def test_a_second_signal_does_not_wait_for_it_either(self):
        one = self.started("--limit", "stop_grace=600000")
        with raw.Connection(one) as waiting:
            waiting.send(raw.request(target="/app/"))
            server.until(self.looked_up, 5, "the name is looked up")
            one.process.send_signal(signal.SIGTERM)
            server.until(lambda: raw_refused(one), 5, "the port is closed")
            one.stop()

    def test_files_and_listings_do_not_wait_for_names(self):
        folder = pathlib.Path(self.folder, "files")
        folder.mkdir()
        (folder / "page.txt").write_text("page", encoding="ascii")
        names = range(20)  # more than libuv has threads, or lookups have; each name is looked up once for all who ask
        proxies = [argument for name in names for argument in ("--proxy", f"/app{name}/=http://hangs{name}.example:80/")]
        with self.started("--files", folder, *proxies) as one, contextlib.ExitStack() as stack:
            for name in names:
                connection = stack.enter_context(raw.Connection(one))
                connection.send(raw.request(target=f"/app{name}/"))
            server.until(self.looked_up, 5, "the name is looked up")
            response = raw.once(one, raw.request(target="/files/"))
            self.assertEqual(response.status, 200)
            self.assertIn(b"page.txt", response.body)


def raw_refused(one):
    try:
        raw.Connection(one).close()
    except OSError:
        return True
    return False


if __name__ == "__main__":
    unittest.main()
