#!/usr/bin/python3
"""Opens the page over https with an authority of the tests' own, and talks to all protocols over wss at once.

Exit status: 0 every check passed, 1 one failed, 77 there is no Chromium or no certutil here (1 if the environment says CI=true)."""

import pathlib
import sys

import driven

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import certificates
import server as programs

TALK = """(async () => {
    const open = (protocols) => new Promise((resolve, reject) => {
        const socket = new WebSocket(`wss://${location.host}/`, protocols);
        socket.binaryType = 'arraybuffer';
        socket.arrived = [];
        socket.onmessage = (event) => {
            socket.arrived.push(event.data);
            if (socket.waiting) socket.waiting();
        };
        socket.onopen = () => resolve(socket);
        socket.onerror = () => reject(new Error(`no ${protocols}`));
    });
    const next = async (socket) => {
        while (socket.arrived.length === 0) await new Promise((resolve) => { socket.waiting = resolve; });
        return socket.arrived.shift();
    };
    const echo = async () => {
        const socket = await open([]);
        const found = [];
        for (const size of [0, 1, 1300, 16384, 16385, 65536, 1048576]) {
            const sent = new Uint8Array(size).map((_, index) => index * 7);
            socket.send(sent);
            const came = new Uint8Array(await next(socket));
            found.push(came.length === size && came.every((byte, index) => byte === sent[index]) ? size : -1);
        }
        socket.close();
        return found;
    };
    const reverse = async () => {
        const socket = await open(['reverse-echo']);
        socket.send('abc');
        return next(socket);
    };
    const count = async () => {
        const socket = await open(['dumb-increment-protocol']);
        const first = Number(await next(socket));
        return Number(await next(socket)) - first;
    };
    return Promise.all([echo(), reverse(), count(), fetch('/').then((response) => response.status)]);
})()"""


async def check_page(report, browser, server):
    page = await browser.open(f"https://localhost:{server.port}/")
    report.equal("the page is there", await page.evaluate("location.protocol"), "https:")
    report.equal("it is a secure context", await page.evaluate("isSecureContext"), True)
    report.equal("all protocols at once", await page.evaluate(TALK), [[0, 1, 1300, 16384, 16385, 65536, 1048576], "cba", 1, 200])
    report.equal("no errors in the console", page.complaints, [])
    await page.close()


async def run(arguments, report):
    authority = certificates.Authority()
    certificate, key = authority.sign("browser")

    async def check(browser, server, _folder, _scratch):
        await check_page(report, browser, server)

    try:
        await driven.drive(arguments, report, check, "--ssl", "-C", str(certificate), "-K", str(key), "--default-protocol", "echo",
                           authority=authority.file)
    finally:
        authority.close()


if __name__ == "__main__":
    programs.need("certutil")
    sys.exit(driven.main(__doc__, run))
