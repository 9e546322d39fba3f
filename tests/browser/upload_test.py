#!/usr/bin/python3
"""Drives the pages of plugins: uploads with their progress and results, and the server's status live.

Exit status: 0 every check passed, 1 one failed, 77 there is no Chromium here (1 if the environment says CI=true)."""

import os
import sys
import zlib

import driven
import page_test
from driven import LIMIT

MIB = 1024 * 1024
BIG = 12 * MIB
PART_LIMIT = 20 * MIB
OPTIONS = [f"post-demo.part-limit={PART_LIMIT}", f"post-demo.limit={2 * PART_LIMIT}"]

INLINE = "document.querySelectorAll('script:not([src]), style, [style], [onclick], [onsubmit], [onload]').length"
WATCH_PROGRESS = """(() => {
    window.seen = [];
    new MutationObserver(() => seen.push(byId('progress').value)).observe(byId('progress'), {attributes: true});
})()"""
CELLS = """[...document.querySelectorAll('#parts tr')].map((row) => [...row.children].map((cell) => cell.textContent))"""


async def choose(page, *paths):
    """Puts files into the file control, as a person would."""
    await page.call("DOM.enable")
    root = (await page.call("DOM.getDocument"))["root"]["nodeId"]
    node = (await page.call("DOM.querySelector", nodeId=root, selector="#file"))["nodeId"]
    await page.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])


async def throttle(page, bytes_a_second):
    """-1: as fast as it goes."""
    await page.call("Network.enable")
    await page.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1,
                    uploadThroughput=bytes_a_second)


async def upload(page, limit=LIMIT):
    """Clicks and waits; returns the page's complaint."""
    await page.click("upload")
    await page.wait("!byId('upload').disabled", limit)
    return await page.text("upload-error")


async def check_upload(report, page, folder):
    big, note = folder / "big.bin", folder / "<note> & more.txt"
    block = os.urandom(MIB)
    big.write_bytes(block * (BIG // MIB))
    note.write_text("Grüße\n")
    report.equal("upload: nothing in the page is inline", await page.evaluate(INLINE), 0)
    await page.evaluate("byId('upload-text').value = '<b>bold</b>'")
    await choose(page, big, note)
    await throttle(page, 8 * MIB)
    await page.evaluate(WATCH_PROGRESS)
    await page.click("upload")
    report.check("upload: it is going on", await page.wait("seen.some((value) => value > 0) && !byId('cancel').hidden", LIMIT))
    report.check("upload: and the page says how far", " of 12.6 MB, " in (await page.text("sent") or ""), await page.text("sent"))
    await page.wait("!byId('upload').disabled", 2 * LIMIT)
    await throttle(page, -1)
    report.equal("upload: nothing went wrong", await page.text("upload-error"), "")
    seen = await page.evaluate("seen")
    report.check("upload: the bar moved on, and to its end", len(set(seen)) > 3 and seen == sorted(seen) and seen[-1] > BIG, seen)
    crc = f"{zlib.crc32(big.read_bytes()):08x}"
    report.equal("upload: the table shows what came", await page.evaluate(CELLS), [
        ["text", "", "", "11", f"{zlib.crc32(b'<b>bold</b>'):08x}", "<b>bold</b>"],
        ["file", "big.bin", "application/octet-stream", str(BIG), crc, block[:32].hex()],
        ["file", "<note> & more.txt", "text/plain", "8", f"{zlib.crc32('Grüße'.encode() + chr(10).encode()):08x}", "Grüße\n"],
        ["upload", "", "", "6", f"{zlib.crc32(b'Upload'):08x}", "Upload"]])


async def check_trouble(report, page, folder):
    await choose(page, folder / "big.bin")
    await throttle(page, MIB)
    await page.click("upload")
    await page.wait("byId('progress').value > 0 && !byId('cancel').hidden", LIMIT)
    await page.click("cancel")
    await page.wait("!byId('upload').disabled", LIMIT)
    report.equal("upload: cancelled", await page.text("upload-error"), "Cancelled.")
    await throttle(page, -1)

    long, longer = folder / "long.bin", folder / "longer.bin"
    for path, size in ((long, PART_LIMIT + 1), (longer, 2 * PART_LIMIT + 1)):
        with open(path, "wb") as file:
            file.truncate(size)
    await choose(page, long)
    report.equal("upload: the server's word on a part that is too long", await upload(page), "413: a part is longer than allowed")
    await choose(page, longer)
    report.equal("upload: what is too much is not even sent", await upload(page), "More than 41.9 MB is refused here.")
    await choose(page, folder / "<note> & more.txt")
    report.equal("upload: and then one that goes", await upload(page), "")
    refused = "Failed to load resource: the server responded with a status of 413"
    report.equal("upload: no other errors in the console", [text for text in page.complaints if not text.startswith(refused)], [])


async def check_form(report, page):
    """The browser itself sends the form without files, and the response is a page."""
    await page.type("text", "Grüße & <i>more</i>")
    arrived = await page.wait("document.title === 'Wharf: What came' && document.readyState === 'complete'", LIMIT)
    report.check("form: its answer is a page", arrived)
    cells = await page.evaluate("""[...document.querySelectorAll('#parts tr')].map((row) => [row.children[0].textContent,
        row.children[5].textContent])""")
    report.equal("form: with what came", cells, [["text", "Grüße & <i>more</i>"], ["send", "Send"]])
    shown = await page.evaluate("getComputedStyle(document.querySelector('header')).display")
    report.equal("form: the style is there too", shown, "flex")
    await page.evaluate("document.querySelector('main a').click()")
    report.check("form: and a way back", await page.wait("document.title === 'Wharf: Uploads'", LIMIT))


def figure(name):
    return f"Number(byId('{name}').textContent.replace(/,/g, ''))"


async def check_status(report, browser, server):
    url = f"http://127.0.0.1:{server.port}/status/"
    page = await browser.open(url)
    await page.size(1280, 800)
    report.check("status: it is open", await page.wait("byId('state').textContent === 'open'", LIMIT))
    await page.wait(f"{figure('connections')} >= 1", LIMIT)
    report.equal("status: nothing in the page is inline", await page.evaluate(INLINE), 0)
    row = """(() => {
        const row = [...document.querySelectorAll('#rows tr')].find((each) => each.firstChild.textContent === 'post-demo');
        return Number(row.lastChild.textContent);
    })()"""
    before, all_before = await page.evaluate(row), await page.evaluate(figure("exchanges"))
    await page.evaluate("fetch('../upload/').then((answer) => answer.text())")
    report.check("status: a request shows within seconds", await page.wait(f"{row} === {before + 1}", LIMIT))
    report.check("status: also in the sum", await page.evaluate(figure("exchanges")) > all_before)
    report.check("status: and how many there were a second", await page.wait("/^[0-9.]+$/.test(byId('rate').textContent)", LIMIT))
    count = "document.querySelectorAll('#visitors tr').length"
    report.equal("status: one looks at it", await page.wait(f"{count} === 1 && {count}", LIMIT), 1)
    other = await browser.open(url)
    report.check("status: another comes", await page.wait(f"{count} === 2", LIMIT))
    agent = await page.evaluate("document.querySelector('#visitors tr').lastChild.textContent")
    report.check("status: with its agent, and no address", "Chrome" in agent and
                 await page.evaluate("document.querySelector('#visitors td').textContent") == "hidden", agent)
    await other.close()
    report.check("status: and goes", await page.wait(f"{count} === 1", LIMIT))
    report.equal("status: no errors in the console", page.complaints, [])
    return page


async def check_restart(report, page, server):
    report.equal("status: the server, stopped meanwhile, exits with 0", await server.stop(), 0)
    report.check("status: the page notices", await page.wait("byId('state').textContent !== 'open'", LIMIT))
    await server.start()
    report.check("status: and comes back by itself", await page.wait("byId('state').textContent === 'open'", LIMIT))
    await page.wait(f"{figure('accepted')} < 10", LIMIT)


async def pictures(report, page, name, folder):
    await page.call("Page.bringToFront")
    for look, width, height, scheme in (("", 1280, 800, "light"), ("-dark", 1280, 800, "dark"), ("-phone", 390, 844, "light"),
                                        ("-smallest", 320, 568, "light")):
        await page.size(width, height, phone=width < 600)
        await page.scheme(scheme)
        await page.evaluate("scrollTo(0, 0)")
        await page.screenshot(folder / f"{name}{look}.png", whole=True)
        wide = await page.evaluate("document.documentElement.scrollWidth")
        report.check(f"{name}{look}: nothing sticks out sideways at {width} px", wide <= width, f"{wide} px wide")
    await page.size(1280, 800)
    await page.scheme("light")


async def check_pages(report, browser, server, scratch, folder):
    page = await browser.open(f"http://127.0.0.1:{server.port}/")
    links = await page.evaluate("[...document.querySelectorAll('nav a')].map((link) => link.href)")
    await page.close()
    root = f"http://127.0.0.1:{server.port}"
    report.equal("the first page leads to them", links, [f"{root}/chat.html", f"{root}/upload/", f"{root}/status/"])
    page = await browser.open(links[1])
    await page.size(1280, 800)
    await check_upload(report, page, scratch)
    await page_test.check_labels(report, page)
    await pictures(report, page, "upload", folder)
    await check_trouble(report, page, scratch)
    await check_form(report, page)
    await page.close()
    page = await check_status(report, browser, server)
    await pictures(report, page, "status", folder)
    await check_restart(report, page, server)
    await page.close()


async def run(arguments, report):
    async def check(browser, server, folder, scratch):
        await check_pages(report, browser, server, scratch, folder)

    await driven.drive(arguments, report, check, *(word for option in OPTIONS for word in ("--protocol-option", option)))


if __name__ == "__main__":
    sys.exit(driven.main(__doc__, run))
