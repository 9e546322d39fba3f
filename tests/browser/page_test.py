#!/usr/bin/python3
"""Drives the page of the test server in a real browser: several protocols at once, drops, and the page opened as a file.

Exit status: 0 every check passed, 1 one failed, 77 there is no Chromium here (1 if the environment says CI=true)."""

import asyncio
import json
import pathlib
import re
import sys

import driven
from driven import LIMIT

GREETING = "Hello, wörld! 👋"
PAGE_BYTES = 64_000  # of all pages and their scripts together
CARDS = {"counter": "dumb-increment-protocol", "reverse": "reverse-echo", "echo": "echo", "canvas": "lws-mirror-protocol",
         "fraggle": "fraggle-protocol"}
BLANK, PIXELS = "new Board(document.getElementById('canvas-board').cloneNode()).canvas.toDataURL()", """
    document.getElementById('canvas-board').toDataURL()"""


def all_open():
    return " && ".join(f"document.getElementById('{card}-state').textContent === 'open'" for card in CARDS)


async def number(page):
    return await page.evaluate("Number(document.getElementById('counter-value').textContent)")


async def check_open(report, page, where):
    """All cards are open at one and the same moment, each with its own subprotocol."""
    found = await page.wait(all_open(), LIMIT)
    report.check(f"{where}: all {len(CARDS)} protocols are open at once", found,
                 {card: await page.text(f"{card}-state") for card in CARDS})
    for card, protocol in CARDS.items():
        report.equal(f"{where}: {card} negotiated {protocol}", await page.text(f"{card}-protocol"), protocol)
        extensions = await page.text(f"{card}-extensions")
        report.check(f"{where}: {card} shows its extensions", extensions not in ("", "–", None), extensions)


async def check_rising(report, page, where):
    await page.wait("Number(document.getElementById('counter-value').textContent) >= 0", LIMIT)
    first = await number(page)
    await page.wait(f"Number(document.getElementById('counter-value').textContent) >= {first + 3}", 5)
    second = await number(page)
    report.check(f"{where}: the counter rises by at least 3 within 5 s", second >= first + 3, f"from {first} to {second}")


async def check_reset(report, page):
    await page.wait("Number(document.getElementById('counter-value').textContent) >= 40", LIMIT)
    before = await number(page)
    await page.click("counter-reset")
    after = await page.wait(f"""(() => {{
        const value = Number(document.getElementById('counter-value').textContent);
        return value < {before} && [value];
    }})()""", LIMIT)
    report.check("reset brings the counter back near 0", after and after[0] < 20, f"{before} before, {after} after")


async def reverse(page, text):
    """What the log shows as received after `text` was typed."""
    before = await page.evaluate("document.querySelectorAll('#reverse-log .received').length")
    await page.type("reverse-input", text)
    await page.wait(f"document.querySelectorAll('#reverse-log .received').length > {before}", LIMIT)
    return await page.evaluate("""(() => {
        const entry = document.querySelector('#reverse-log li');
        return ['sent', 'received', 'time'].map((name) => entry?.querySelector('.' + name)?.textContent);
    })()""")


async def check_reverse(report, page, where):
    sent, received, time = await reverse(page, GREETING)
    report.equal(f"{where}: the log shows what was sent", sent, GREETING)
    report.equal(f"{where}: it comes back reversed by code point", received, "👋 !dlröw ,olleH")
    report.check(f"{where}: with the round-trip time", re.fullmatch(r"\d+\.\d ms", time or ""), time)


async def check_echo(report, page):
    found = await page.wait("/\\d\\.\\d/.test(document.getElementById('echo-value').textContent)", LIMIT)
    report.check("echo: the same bytes come back", found and "changed" not in await page.text("echo-summary"),
                 await page.text("echo-summary"))


async def check_fraggle(report, page):
    found = await page.wait("Number(document.getElementById('fraggle-value').textContent) >= 5", LIMIT)
    report.check("fraggle: sums are right", found, await page.text("fraggle-value"))
    report.equal("fraggle: and none is wrong", await page.text("fraggle-wrong"), "0")


async def draw(report, name, page, pages, places):
    """Draws on one page; all boards then show the same. The last line comes last, so its end shows that all is there."""
    await page.drag("canvas-board", places)
    x, y = places[-1]
    end = f"""(() => {{
        const board = document.getElementById('canvas-board');
        const copy = new OffscreenCanvas(1, 1).getContext('2d');
        copy.drawImage(board, -{x} * board.width, -{y} * board.height);
        return copy.getImageData(0, 0, 1, 1).data[3] > 0;
    }})()"""
    drawn = [await each.wait(end, LIMIT) for each in pages]
    shown = [await each.evaluate(PIXELS) for each in pages]
    report.check(name, all(drawn) and len(set(shown)) == 1, f"drawn: {drawn}, {len(set(shown))} different boards")
    return shown[0]


async def check_canvas(report, browser, server, page):
    other = await browser.open(f"http://127.0.0.1:{server.port}/?mirror=the%20pier")
    await other.size(390, 844, phone=True)
    await other.wait(all_open(), LIMIT)
    report.equal("canvas: the room is taken from the page's address",
                 await other.evaluate("document.getElementById('canvas-room').value"), "the pier")
    blank = await page.evaluate(BLANK)
    await draw(report, "canvas: what is drawn shows on the own board", page, [page], [(0.1, 0.2), (0.5, 0.8), (0.7, 0.1)])
    report.check("canvas: another room does not see it", await other.evaluate(PIXELS) == blank)

    await page.type("canvas-room", "the pier")
    await page.wait(all_open(), LIMIT)
    report.check("canvas: a room is entered with a clean board", await page.evaluate(PIXELS) == blank)
    await page.evaluate("document.getElementById('canvas-colour').value = '#17704c'")
    both = [page, other]
    await draw(report, "canvas: two pages show the same, drawn with a mouse", page, both, [(0.1, 0.1), (0.9, 0.9), (0.9, 0.1)])
    shown = await draw(report, "canvas: and drawn with a finger", other, both, [(0.1, 0.9), (0.5, 0.5), (0.95, 0.5)])
    await other.click("canvas-clear")
    report.check("canvas: a view is cleared", await other.evaluate(PIXELS) == blank)
    report.check("canvas: the other's is not", await page.evaluate(PIXELS) == shown)
    report.equal("canvas: no errors in the console", other.complaints, [])
    await other.close()
    await page.call("Page.bringToFront")


async def check_commands(report, page):
    """Commands as they come over the wire."""
    drawn = await page.evaluate("""(() => {
        const board = new Board(document.getElementById('canvas-board').cloneNode());
        const blank = board.canvas.toDataURL();
        const marks = (text) => {
            board.clear();
            board.obey(text);
            return board.canvas.toDataURL() !== blank;
        };
        const good = ['c #ff0000 50 50 10;', 'd #ff0000 1 1 50 50;', 'c #FF0000 5 5 1; nonsense; ', ' x;;d #0000ff 0 0 9 9', 'c #ff0000 5.5 5 1e1;'];
        const bad = ['', ';', 'c', 'c #ff0000', 'c red 5 5 5;', 'c #ff0000 5 5;', 'c #ff0000 5 5 -5;', 'd #ff0000 1 1 5;', 'e #ff0000 5 5 5;',
            'c #ff0000 a b c;', 'c #ff0000 5 5 Infinity;', 'c #ff00000 5 5 5;', 'c,#ff0000,5,5,5;', 'c #ff0000 5 5 5 5;'];
        return [good.filter((text) => !marks(text)), bad.filter(marks)];
    })()""")
    report.equal("canvas: commands draw, and what is none does not", drawn, [[], []])


async def log_of(page, count):
    """The last entries of the chat, without the time."""
    return await page.evaluate(f"""[...document.querySelectorAll('#chat-log li')].slice(-{count}).map((entry) =>
        entry.querySelector('b') ? entry.querySelector('b').textContent + ': ' + entry.querySelector('span').textContent
                                 : entry.textContent)""")


async def check_chat(report, browser, server, folder):
    url = f"http://127.0.0.1:{server.port}/"
    one = await browser.open(url)
    await one.go(url + await one.evaluate("document.querySelector('nav a').getAttribute('href')"))
    await one.wait("document.getElementById('chat-state').textContent === 'open'", LIMIT)
    two = await browser.open(url + "chat.html")
    await two.wait("document.getElementById('chat-state').textContent === 'open'", LIMIT)
    await one.size(1280, 800)
    await two.size(390, 844, phone=True)

    await one.type("chat-name", "Zoë")
    report.check("chat: joined", await one.wait("!document.getElementById('chat-form').hidden", LIMIT), await one.text("chat-error"))
    await two.type("chat-name", "Zoë")
    await two.wait("document.getElementById('chat-error').textContent !== ''", LIMIT)
    report.equal("chat: a name that is taken", await two.text("chat-error"), "Somebody else has that name")
    await two.type("chat-name", "max")
    report.check("chat: the other joined", await one.wait("document.querySelectorAll('#chat-people li').length === 2", LIMIT))

    await one.type("chat-text", "<b>hello</b> & welcome")
    said = "document.getElementById('chat-log').textContent.includes(%s)"
    for page in (one, two):
        await page.wait(said % "'welcome'", LIMIT)
        report.equal("chat: all read it, as text", (await log_of(page, 1))[0], "Zoë: <b>hello</b> & welcome")
    await two.evaluate("document.getElementById('chat-to').value = 'Zoë'")
    await two.type("chat-text", "psst")
    await one.wait(said % "'psst'", LIMIT)
    report.equal("chat: a private message", await log_of(one, 1), ["max, privately: psst"])
    await two.wait(said % "'psst'", LIMIT)
    report.equal("chat: and its own copy", await log_of(two, 1), ["to Zoë: psst"])
    await two.type("chat-name", "Max")
    await one.wait(said % "'is now'", LIMIT)
    report.equal("chat: another name", await log_of(one, 1), ["max is now Max"])
    await check_labels(report, one)
    for name, page, width, scheme in (("chat", one, 1280, "light"), ("chat-dark", one, 1280, "dark"), ("chat-phone", two, 390, "light")):
        await page.call("Page.bringToFront")
        await page.scheme(scheme)
        await page.screenshot(folder / f"{name}.png")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        report.check(f"{name}: nothing sticks out sideways at {width} px", wide <= width, f"{wide} px wide")
    await two.close()
    await one.wait(said % "'Max left'", LIMIT)
    report.equal("chat: one leaves", await log_of(one, 1), ["Max left"])
    report.equal("chat: no errors in the console", one.complaints + two.complaints, [])
    await one.close()


async def check_close(report, page):
    others = [card for card in CARDS if card != "counter"]
    await page.click("counter-close")
    closed = await page.wait(f"""(() => {{
        const part = (id) => document.getElementById(id);
        return part('counter-closing').textContent.startsWith('Closed') && {{
            text: part('counter-closing').textContent,
            others: {json.dumps(others)}.map((card) => part(card + '-state').textContent),
            offered: !part('counter-reconnect').hidden,
        }};
    }})()""", LIMIT) or {}
    report.equal("closeme shows the close code 1001 and the reason seeya", closed.get("text"), "Closed 1001 seeya")
    report.equal("the others stay open meanwhile", closed.get("others"), ["open"] * len(others))
    report.check("Reconnect is offered", closed.get("offered"))
    report.check("the counter comes back by itself", await page.wait(all_open(), LIMIT), await page.text("counter-state"))
    await page.click("counter-close")
    await page.wait("!document.getElementById('counter-reconnect').hidden", LIMIT)
    await page.click("counter-reconnect")
    report.check("the Reconnect button brings it back", await page.wait(all_open(), LIMIT), await page.text("counter-state"))
    await check_rising(report, page, "after closing")


async def check_restart(report, page, server):
    """Failed connections are errors in the console, and here they are wanted: only others count."""
    before = len(page.complaints)
    report.equal("the server, stopped while the page is open, exits with 0", await server.stop(), 0)
    none_open = " && ".join(f"document.getElementById('{card}-state').textContent !== 'open'" for card in CARDS)
    report.check("every card notices that the server is gone", await page.wait(none_open, LIMIT))
    await page.type("reverse-input", "kept")
    report.equal("a text typed meanwhile stays in the box",
                 await page.evaluate("document.getElementById('reverse-input').value"), "kept")
    await asyncio.sleep(1)
    await server.start()
    report.check("with the server back on its port, every card reconnects", await page.wait(all_open(), 2 * LIMIT),
                 {card: await page.text(f"{card}-state") for card in CARDS})
    await check_rising(report, page, "after the restart")
    await check_reverse(report, page, "after the restart")
    page.complaints[before:] = [text for text in page.complaints[before:] if not text.startswith("WebSocket connection to")]


async def check_labels(report, page):
    unnamed = await page.evaluate("""[...document.querySelectorAll('button, input, select')].filter((control) =>
        !(control.textContent.trim() || control.labels?.length || control.ariaLabel)).map((control) => control.id)""")
    report.equal("every control has a name", unnamed, [])


async def pictures(report, page, folder):
    """Screenshots, and no sideways scrolling at any of these widths."""
    await page.evaluate("document.getElementById('reverse-clear').click()")
    for text in ("Grüße aus dem Hafen", "A man, a plan, a canal", "Many protocols, one port"):
        await reverse(page, text)
    await page.evaluate("document.activeElement.blur()")
    await page.wait("document.querySelectorAll('#echo-chart path')[1].getAttribute('d').split('M').length > 24", LIMIT)
    looks = [("desktop-light", 1280, 800, "light"), ("desktop-dark", 1280, 800, "dark"), ("tablet", 820, 1180, "light"),
             ("phone", 390, 844, "light"), ("phone-dark", 390, 844, "dark"), ("smallest", 320, 568, "light")]
    for name, width, height, scheme in looks:
        await page.size(width, height, phone=width < 600)
        await page.scheme(scheme)
        await page.evaluate("scrollTo(0, 0)")
        await asyncio.sleep(0.6)
        await page.screenshot(folder / f"{name}.png")
        if name.startswith(("phone", "desktop")):
            await page.screenshot(folder / f"{name}-whole.png", whole=True)
        wide = await page.evaluate("document.documentElement.scrollWidth")
        report.check(f"{name}: nothing sticks out sideways at {width} px", wide <= width, f"{wide} px wide")
    await page.size(1280, 800)
    await page.scheme("light")


async def check_served(report, browser, server, folder):
    page = await browser.open(f"http://127.0.0.1:{server.port}/")
    await page.size(1280, 800)
    await check_open(report, page, "served")
    report.equal("served: the address is the server's own", await page.evaluate("document.getElementById('address').value"),
                 f"ws://127.0.0.1:{server.port}/")
    await check_rising(report, page, "served")
    await check_reset(report, page)
    await check_reverse(report, page, "served")
    await check_echo(report, page)
    await check_fraggle(report, page)
    await check_commands(report, page)
    await check_canvas(report, browser, server, page)
    await check_close(report, page)
    await check_labels(report, page)
    await pictures(report, page, folder)
    await check_restart(report, page, server)
    report.equal("served: no errors in the console", page.complaints, [])
    await page.close()


async def check_file(report, browser, server, www):
    address = f"ws://127.0.0.1:{server.port}/"
    page = await browser.open((pathlib.Path(www).resolve() / "index.html").as_uri())
    await page.size(1280, 800)
    report.equal("file: the address box starts with the usual port",
                 await page.evaluate("document.getElementById('address').value"), "ws://127.0.0.1:7681/")
    await page.type("address", "mailto://nobody")
    report.check("file: an address that cannot work is refused with a reason", await page.text("address-error"))
    await page.type("address", f"127.0.0.1:{server.port}")
    await check_open(report, page, "file")
    report.equal("file: the typed address is completed", await page.evaluate("document.getElementById('address').value"), address)
    await check_rising(report, page, "file")
    await check_reverse(report, page, "file")
    await page.go("about:blank")
    await page.go((pathlib.Path(www).resolve() / "index.html").as_uri())
    report.equal("file: the address is remembered", await page.evaluate("document.getElementById('address').value"), address)
    await check_open(report, page, "file, opened again")
    # Before the address was typed the page looked for a server on the usual port, where there may be none.
    usual = "WebSocket connection to 'ws://127.0.0.1:7681/'"
    report.equal("file: no errors in the console", [text for text in page.complaints if not text.startswith(usual)], [])
    await page.close()


async def run(arguments, report):
    size = sum(file.stat().st_size for file in pathlib.Path(arguments.www).iterdir() if file.is_file())
    report.check(f"the page weighs at most {PAGE_BYTES // 1000} kB", size <= PAGE_BYTES, f"{size} bytes")

    async def check(browser, server, folder, _scratch):
        await check_served(report, browser, server, folder)
        await check_chat(report, browser, server, folder)
        await check_file(report, browser, server, arguments.www)

    await driven.drive(arguments, report, check)


if __name__ == "__main__":
    sys.exit(driven.main(__doc__, run))
