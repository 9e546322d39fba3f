#!/usr/bin/python3
"""Has a real page send messages of many sizes over `echo`, with every --compression, and compares each byte that comes back there.

Exit status: 0 every check passed, 1 one failed, 77 there is no Chromium here (1 if the environment says CI=true)."""

import json
import pathlib
import sys
import tempfile

import driven
from driven import chromium

SIZES = (0, 1, 125, 126, 127, 65535, 65536, 1024 * 1024)
AGREED = {"off": "",
          "shared": "permessage-deflate; client_no_context_takeover; client_max_window_bits=12",
          "dedicated": "permessage-deflate; client_max_window_bits=12"}

# Sends each message when the one before has come back. Twice, so that kept contexts have something to build on. The result is the
# extensions that were agreed on, how many messages came back, how many bytes, and what is wrong with any.
SCRIPT = """
(async (url, sizes) => {
  const bytesOf = (size, noisy) => {
    const bytes = new Uint8Array(size);
    let state = 1;
    for (let i = 0; i < size; i++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      bytes[i] = !noisy && i > 600 && state % 100 < 97 ? bytes[i - 17 - (i >>> 11) % 577] : state >>> 24;
    }
    return bytes;
  };
  const textOf = (size) => 'aé€👋'.repeat(size / 10) + 'x'.repeat(size % 10);
  const coder = new TextEncoder();
  const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
  const socket = new WebSocket(url, 'echo');
  socket.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onclose = () => reject(new Error('no connection')); });
  const report = {extensions: socket.extensions, echoed: 0, bytes: 0, wrong: []};
  const echo = (message) => new Promise((resolve, reject) => {
    socket.onmessage = (event) => resolve(event.data);
    socket.onclose = (event) => reject(new Error(`closed with ${event.code} ${event.reason} on a message of ${message.length}`));
    socket.send(message);
  });
  for (let round = 0; round < 2; round++) {
    for (const size of sizes) {
      for (const message of [bytesOf(size, false), bytesOf(size, true), textOf(size)]) {
        const back = await echo(message);
        const isText = typeof message === 'string';
        const [sent, received] = isText ? [message, back].map((text) => coder.encode(text)) : [message, new Uint8Array(back)];
        report.echoed++;
        report.bytes += received.length;
        if (isText !== (typeof back === 'string') || sent.length !== size || !same(sent, received))
          report.wrong.push(`${isText ? 'text' : 'binary'} of ${size}: ${received.length} bytes came back`);
      }
    }
  }
  const closed = new Promise((resolve) => { socket.onclose = (event) => resolve([event.code, event.wasClean]); });
  socket.close(1000);
  report.closed = await closed;
  return report;
})"""


async def check(report, browser, server, mode):
    url = await server.start()
    try:
        page = await browser.open(url)
        result = await page.evaluate(f"{SCRIPT}({json.dumps(url.replace('http', 'ws', 1))}, {json.dumps(SIZES)})")
        await page.close()
        report.equal(f"{mode}: what was agreed on", result["extensions"], AGREED[mode])
        report.equal(f"{mode}: every message came back", (result["echoed"], result["bytes"]), (6 * len(SIZES), 6 * sum(SIZES)))
        report.equal(f"{mode}: byte for byte", result["wrong"], [])
        report.equal(f"{mode}: closed cleanly", result["closed"], [1000, True])
    finally:
        report.equal(f"{mode}: the server exits with 0", await server.stop(), 0)


async def run(arguments, report):
    with tempfile.TemporaryDirectory(prefix="wharf-browser-test-") as scratch:
        log = pathlib.Path(scratch) / "server.log"
        log.touch()
        try:
            async with chromium.Chromium(chromium.find()) as browser:
                for mode in AGREED:
                    await check(report, browser, driven.Server(arguments, log, "-d", "info", "--compression", mode), mode)
        except Exception as error:
            report.equal("the test ran to its end", f"{type(error).__name__}: {error}", "")
        if report.failed:
            print(f"the server's log:\n{log.read_text(errors='replace')[-2000:]}")


if __name__ == "__main__":
    sys.exit(driven.main(__doc__, run))
