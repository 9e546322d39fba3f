"""A headless Chromium driven over the Chrome DevTools Protocol: just what page_test.py needs."""

import asyncio
import base64
import itertools
import json
import os
import pathlib
import shutil
import signal
import tempfile
import time

import websockets

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--no-proxy-server", "--remote-debugging-port=0",
]


def find():
    """The path of the browser, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Chromium:
    """`async with Chromium(path) as browser`; the process, its children and its profile are gone afterwards."""

    start_limit = 60.0

    def __init__(self, path, authority=None):
        self.path = path
        self.authority = authority
        self.numbers = itertools.count(1)
        self.answers = {}
        self.pages = {}

    async def __aenter__(self):
        self.profile = pathlib.Path(tempfile.mkdtemp(prefix="wharf-browser-"))
        self.process = None
        self.socket = None
        self.reader = None
        try:
            environment = await self.trust() if self.authority else None
            with open(self.profile / "output", "wb") as output:
                self.process = await asyncio.create_subprocess_exec(
                    self.path, *FLAGS, f"--user-data-dir={self.profile / 'profile'}", "about:blank",
                    stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                    env=environment)
            self.socket = await websockets.connect(await self.address(), max_size=None, ping_interval=None, compression=None)
            self.reader = asyncio.create_task(self.read())
        except BaseException:
            await self.end()
            raise
        return self

    async def __aexit__(self, *_):
        await self.end()

    async def trust(self):
        """Puts the authority into a database of its own, which the browser looks for in its home; returns its environment."""
        home = self.profile / "home"
        database = home / ".pki" / "nssdb"
        database.mkdir(parents=True)
        for command in (["-N", "--empty-password"], ["-A", "-n", "tests", "-t", "C,,", "-i", str(self.authority)]):
            process = await asyncio.create_subprocess_exec("certutil", "-d", f"sql:{database}", *command)
            if await process.wait() != 0:
                raise RuntimeError(f"certutil {command[0]} ended with {process.returncode}")
        return {**os.environ, "HOME": str(home)}

    async def address(self):
        file = self.profile / "profile" / "DevToolsActivePort"
        end = time.monotonic() + self.start_limit
        while time.monotonic() < end and self.process.returncode is None:
            lines = file.read_text().split("\n") if file.exists() else []
            if len(lines) > 1:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            await asyncio.sleep(0.05)
        said = (self.profile / "output").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{self.path} did not open its debugging port; it said:\n{said}")

    async def end(self):
        if self.socket:
            try:
                await asyncio.wait_for(self.call("Browser.close"), 5)
                await asyncio.wait_for(self.process.wait(), 10)
            except (asyncio.TimeoutError, websockets.ConnectionClosed, RuntimeError):
                pass
            await self.socket.close()
        if self.reader:
            self.reader.cancel()
        if self.process:
            # The process leads its own group, so this reaches its children and nothing else.
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            await self.process.wait()
        for _ in range(20):
            shutil.rmtree(self.profile, ignore_errors=True)
            if not self.profile.exists():
                break
            await asyncio.sleep(0.1)

    async def read(self):
        try:
            async for text in self.socket:
                message = json.loads(text)
                if "id" in message:
                    answer = self.answers.pop(message["id"], None)
                    if answer and not answer.done():
                        answer.set_result(message)
                elif message.get("sessionId") in self.pages:
                    self.pages[message["sessionId"]].event(message["method"], message["params"])
        except websockets.ConnectionClosed:
            pass
        for answer in self.answers.values():
            if not answer.done():
                answer.set_exception(RuntimeError("the browser went away"))

    async def call(self, method, session=None, **params):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        answer = self.answers[number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps(message))
        message = await asyncio.wait_for(answer, 60)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]

    async def open(self, url):
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = self.pages[attached["sessionId"]] = Page(self, attached["sessionId"], target["targetId"])
        for domain in ("Runtime", "Log", "Page"):
            await page.call(f"{domain}.enable")
        await page.go(url)
        return page


class Page:
    """One tab. `complaints` collects what the console and the engine called an error or a warning."""

    def __init__(self, browser, session, target):
        self.browser = browser
        self.session = session
        self.target = target
        self.complaints = []
        self.phone = False

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    async def go(self, url):
        result = await self.call("Page.navigate", url=url)
        if result.get("errorText"):
            raise RuntimeError(f"{url}: {result['errorText']}")
        await self.wait(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(url[:5])})", 20)

    async def close(self):
        self.browser.pages.pop(self.session, None)
        await self.browser.call("Target.closeTarget", targetId=self.target)

    def event(self, method, params):
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(value.get("value", value.get("description"))) for value in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())

    async def evaluate(self, expression):
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(f"{expression}: {details.get('exception', {}).get('description') or details['text']}")
        return result["result"].get("value")

    async def wait(self, expression, limit):
        """The first true value of `expression`, or the last false one when `limit` seconds have passed."""
        end = time.monotonic() + limit
        while True:
            value = await self.evaluate(expression)
            if value or time.monotonic() > end:
                return value
            await asyncio.sleep(0.03)

    async def text(self, element):
        return await self.evaluate(f"document.getElementById({json.dumps(element)})?.textContent.trim()")

    async def click(self, element):
        """A real click in the middle of the element, so that something that covers it is noticed."""
        box = await self.evaluate(f"""(() => {{
            const element = document.getElementById({json.dumps(element)});
            element.scrollIntoView({{block: 'center', behavior: 'instant'}});
            const {{x, y, width, height}} = element.getBoundingClientRect();
            return [x + width / 2, y + height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    async def drag(self, element, places):
        """Draws with the mouse, or with a finger if the page is a phone's: places are fractions of the element's width and height."""
        await self.call("Page.bringToFront")
        # A touch goes to the last drawn frame, so the place is looked up after the scrolled page has been drawn.
        box = await self.evaluate(f"""(async () => {{
            const element = document.getElementById({json.dumps(element)});
            element.scrollIntoView({{block: 'center', behavior: 'instant'}});
            for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
            const {{x, y, width, height}} = element.getBoundingClientRect();
            return [x, y, width, height];
        }})()""")
        points = [(box[0] + x * box[2], box[1] + y * box[3]) for x, y in places]
        if self.phone:
            for index, (x, y) in enumerate(points):
                await self.call("Input.dispatchTouchEvent", type="touchMove" if index else "touchStart", touchPoints=[{"x": x, "y": y}])
            await self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
            return
        for index, (x, y) in enumerate(points):
            await self.call("Input.dispatchMouseEvent", type="mouseMoved" if index else "mousePressed", x=x, y=y, button="left", buttons=1,
                            clickCount=1)
        await self.call("Input.dispatchMouseEvent", type="mouseReleased", x=points[-1][0], y=points[-1][1], button="left", clickCount=1)

    async def type(self, element, text):
        """Replaces the field's content, then presses Enter."""
        await self.click(element)
        await self.evaluate(f"document.getElementById({json.dumps(element)}).select()")
        await self.call("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13,
                            text="\r" if kind == "keyDown" else "")

    async def size(self, width, height, phone=False):
        self.phone = phone
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                        deviceScaleFactor=2 if phone else 1, mobile=phone)
        await self.call("Emulation.setTouchEmulationEnabled", enabled=phone)

    async def scheme(self, name):
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    async def screenshot(self, path, whole=False):
        result = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        pathlib.Path(path).write_bytes(base64.b64decode(result["data"]))
