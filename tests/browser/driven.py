"""What the tests in a browser have in common: a report, the server, and a program around both."""

import argparse
import asyncio
import os
import pathlib
import re
import shutil
import signal
import tempfile

try:
    import chromium
except ImportError as error:
    chromium = None
    missing = f"the Python module {error.name} is missing (Debian: python3-websockets)"

LIMIT = 20  # s for anything that should happen soon


class Report:
    def __init__(self):
        self.failed = 0

    def check(self, name, passed, detail=""):
        self.failed += not passed
        print(f"{'ok  ' if passed else 'FAIL'} {name}" + (f": {detail}" if detail != "" and not passed else ""), flush=True)
        return passed

    def equal(self, name, found, wanted):
        return self.check(name, found == wanted, f"found {found!r}, wanted {wanted!r}")


class Server:
    """The server under test. `start` returns its address; a second start asks for the same port again."""

    def __init__(self, arguments, log, *options):
        self.command = [arguments.server, "-r", arguments.www, *options]
        for folder in arguments.plugin_dir:
            self.command += ["-P", folder]
        self.log = log
        self.port = 0
        self.process = None

    async def start(self):
        with open(self.log, "ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, "-p", str(self.port), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log)
        try:
            line = (await asyncio.wait_for(self.process.stdout.readline(), LIMIT)).decode()
        except asyncio.TimeoutError:
            line = ""
        found = re.match(r"listening on (https?://127\.0\.0\.1:(\d+)/)", line)
        if not found:
            raise RuntimeError(f"the server printed {line!r} where its ready line should be; its log: {self.said()}")
        self.port = int(found[2])
        return found[1]

    async def stop(self):
        """The exit status, or None when it had to be killed."""
        if self.process is None or self.process.returncode is not None:
            return self.process and self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.process.wait(), 10)
        except asyncio.TimeoutError:
            self.process.kill()
            await self.process.wait()
            return None

    def said(self):
        return pathlib.Path(self.log).read_text(errors="replace")[-2000:]


async def drive(arguments, report, check, *options, authority=None):
    """Has check(browser, server, folder for pictures, scratch folder) look at a server with these options. The browser trusts the
    authority, a PEM file."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    folder = pathlib.Path(arguments.screenshot_dir or tempfile.gettempdir())
    folder.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="wharf-browser-test-"))
    server = Server(arguments, scratch / "server.log", *options)
    try:
        await server.start()
        async with chromium.Chromium(chromium.find(), authority) as browser:
            await check(browser, server, folder, scratch)
        report.equal("the server exits with 0", await server.stop(), 0)
    except Exception as error:
        report.check("the test ran to its end", False, f"{type(error).__name__}: {error}")
    finally:
        await server.stop()
        if report.failed:
            print(f"the server's log:\n{server.said()}")
        shutil.rmtree(scratch, ignore_errors=True)


def main(about, run):
    """The exit status of a program that does run(arguments, report)."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the test server's binary")
    parser.add_argument("--plugin-dir", action="append", default=[], help="a folder with plugins; may be given again")
    parser.add_argument("--www", required=True, help="the folder of the page")
    parser.add_argument("--screenshot-dir", help="where the pictures go")
    arguments = parser.parse_args()
    lacking = missing if chromium is None else None if chromium.find() else "Chromium is missing (Debian: chromium)"
    if lacking:
        print(f"{'FAIL' if os.environ.get('CI') == 'true' else 'skip'} {lacking}")
        return 1 if os.environ.get("CI") == "true" else 77
    report = Report()
    asyncio.run(run(arguments, report))
    pictures = f"; pictures are in {arguments.screenshot_dir}" if arguments.screenshot_dir else ""
    print(f"{report.failed} failed{pictures}" if report.failed else "all passed")
    return 1 if report.failed else 0
