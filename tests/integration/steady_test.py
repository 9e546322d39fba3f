"""A thousand connections stay busy, half of them WebSockets and half of them with TLS, while certificates are replaced and virtual
hosts come and go a hundred times each, and a new process takes over five times.

No connection is refused, reset or cut, and nothing is lost: all messages and requests are answered, once, rightly and in their order,
and the servers have handled not one more than their clients have answers to. So what had no answer when a connection ended was not
handled, and a client may send it again: messages that crossed the server's close frame with 1001 (RFC 6455 section 5.5.1), and
requests that crossed the end of a connection (RFC 9112 section 9.3.1), which a server that drains does not end within a second."""

import asyncio
import collections
import contextlib
import os
import random
import re
import resource
import shutil
import signal
import ssl
import time
import unittest

import certificates
import frames
import raw
import server
from family import Family, is_alive
from links import Ended, Link

PROGRAM = os.environ["WHARF_STEADY_SERVER"]
CONNECTIONS = int(os.environ.get("WHARF_STEADY_CONNECTIONS", "1000"))
TIMES = 100
TAKEOVERS = 5
VISITORS = 20
DRAIN_TIME = 30 if server.SANITIZED else 20  # s; WebSockets are told to go within three quarters of it
PATIENCE = 60 * server.SLOW
READ_AGAIN = "the files of TLS were read again"
LINE = re.compile(r"info: (the files of TLS were read again|starting '.*' to take over|process \d+ has taken over; this one drains|"
                  r"[0-9.:]+ asks for the host 'host\d+\.guest\.example', which it has not|"
                  r"\d+ more lines about requests for other hosts were suppressed)")
GONE_NORMALLY, GOING_AWAY = b"\x03\xe8", b"\x03\xe9"  # 1000 and 1001
REST = (0.3, 0.9)  # s between two exchanges of a client
LAST_WAIT = 0.95  # s: a server that drains waits for one more request for a second


class Busy:
    """Clients that go on all the time, each on one connection after another."""

    def __init__(self, ports, tls):
        self.ports, self.tls = ports, tls
        self.over = self.visiting = False
        self.serial = 0  # of the certificate in use; later ones have higher serials
        self.counts = collections.Counter()
        self.choice = random.Random(1)

    @property
    def exchanges(self):
        return self.counts["messages"] + self.counts["requests"]

    async def connection(self, sealed):
        serial = self.serial
        link = await Link.open(self.ports[sealed], self.tls if sealed else None)
        self.counts["connections"] += 1
        if sealed:
            self.counts["handshakes"] += 1
            assert link.serial() >= serial, "a certificate that was replaced before the connection began"
        return link

    def rest(self):
        return self.choice.uniform(*REST)

    def text(self, name, number):
        """Sometimes more than a segment, and more than a record of TLS."""
        size = 40_000 if self.choice.random() < 0.01 else self.choice.randrange(200)
        return f"{name} {number} ".encode() + size * b"."

    def must_send_again(self, what, link):
        """The server has ended the connection instead of a response, as it may if nothing came for a second."""
        assert link.quiet > LAST_WAIT, f"the server ended a connection that was quiet for {link.quiet:.3f} s"
        self.counts[f"{what} sent again"] += 1
        link.close()

    # ---- WebSockets ----

    async def websocket(self, name, sealed):
        unanswered, number = collections.deque(), 0
        while not self.over:
            link = await self.connection(sealed)
            try:
                await link.become_websocket("echo")
            except Ended:
                self.must_send_again("openings", link)
                continue
            for text in unanswered:
                link.write(frames.frame(raw.TEXT, text))
            while await self.answers(link, unanswered):
                if await link.comes(self.rest()):
                    continue
                if self.over:
                    link.write(frames.frame(raw.CLOSE, GONE_NORMALLY))
                    assert await link.frame() == (raw.CLOSE, GONE_NORMALLY)
                    await link.end()
                    break
                for number in range(number + 1, number + 1 + self.choice.randint(1, 3)):
                    unanswered.append(self.text(name, number))
                    link.write(frames.frame(raw.TEXT, unanswered[-1]))

    async def answers(self, link, unanswered):
        """All that are due, in their order. False: the server has ended the connection instead."""
        while unanswered or link.received or link.over:
            opcode, payload = await link.frame()
            if opcode == raw.CLOSE:
                assert payload.startswith(GOING_AWAY), payload
                link.write(frames.frame(raw.CLOSE, GOING_AWAY))
                await link.end()
                self.counts["websockets told to go"] += 1
                self.counts["messages sent again"] += len(unanswered)
                return False
            assert (opcode, payload) == (raw.TEXT, unanswered.popleft()), (opcode, payload[:100])
            self.counts["messages"] += 1
        return True

    # ---- Requests ----

    async def requests(self, name, sealed):
        number, text = 0, None
        while not self.over:
            link = await self.connection(sealed)
            kept = True
            while kept:
                if text is None:
                    number += 1
                    text = self.text(name, number)
                try:
                    kept = await self.request(link, text) and await self.keep(link)
                    text = None
                except Ended:
                    self.must_send_again("requests", link)
                    break

    async def request(self, link, text, **fields):
        """False: it was the last one on its connection."""
        text = text.replace(b" ", b"-")
        if len(text) > 1000:
            request = raw.request("/echo/", "POST", Content_Length=len(text), **fields) + text
        else:
            request = raw.request(f"/echo/?{text.decode()}", **fields)
        response = await link.exchange(request)
        assert response.status == 200 and response.body == text, (response, text[:100])
        self.counts["requests"] += 1
        is_last = response.fields.get("connection", "").lower() == "close"
        if is_last:
            self.counts["last responses"] += 1
            await link.end()
        return not is_last

    async def keep(self, link):
        """The time between two requests. False: this connection ends."""
        if await link.comes(self.rest()):
            self.counts["ends between requests"] += 1
            await link.end()
            return False
        if self.over:
            link.close()
        return not self.over

    async def visit(self, sealed):
        """One request on each connection, one after the other."""
        while self.visiting:
            link = await self.connection(sealed)
            try:
                kept = await self.request(link, b"visit", Connection="close")
                assert not kept
                self.counts["visits"] += 1
            except Ended:
                self.must_send_again("requests", link)

    # ---- All ----

    def clients(self):
        """A quarter of each kind."""
        for number in range(CONNECTIONS):
            kind = self.websocket if number % 2 else self.requests
            yield kind(f"client {number}", number % 4 >= 2)

    async def run(self, deeds):
        clients = [asyncio.ensure_future(client) for client in self.clients()]
        deeds = asyncio.ensure_future(deeds)
        everybody = [deeds, *clients]
        try:
            done, _ = await asyncio.wait(everybody, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()  # a client that ended before its time has lost something
            assert deeds in done
            self.over = True
            await asyncio.wait_for(asyncio.gather(*clients), PATIENCE)
        finally:
            for each in everybody:
                each.cancel()
            await asyncio.gather(*everybody, return_exceptions=True)


def inodes(pid):
    """Of the sockets that a process has open."""
    found = set()
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.update(re.findall(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{descriptor}")))
    return found


def listening(ports):
    """Inodes of the sockets that listen there."""
    ends = tuple(f":{port:04X}" for port in ports)
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table]
    return {row[9] for row in rows if row[3] == "0A" and row[1].endswith(ends)}


def allow_descriptors(count):
    """For this process and those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


class Steady(unittest.TestCase):
    def setUp(self):
        allow_descriptors(2 * CONNECTIONS + 500)
        self.authority = certificates.Authority()
        self.addCleanup(self.authority.close)
        self.tls = ssl.create_default_context(cafile=str(self.authority.file))
        self.any_name = ssl.create_default_context(cafile=str(self.authority.file))
        self.any_name.check_hostname = False
        for name in ("even", "odd"):
            self.authority.sign(name)
        self.guest = self.authority.sign("guest", names="DNS:*.guest.example")
        self.guest_serial = int(self.authority.serial(self.guest[0]), 16)
        self.install(0)
        live = [self.authority.folder / name for name in ("live.pem", "live.key")]
        self.family = Family(command=[PROGRAM, *map(str, [*live, *self.guest, round(DRAIN_TIME * 1000)])])
        self.addCleanup(self.family.close)
        self.ports = [int(port) for port in re.findall(r":(\d+)/", self.family.ready_line)]
        self.busy = Busy(self.ports, self.tls)
        self.echoed = 0  # for hosts that come and go
        self.idle = len(inodes(self.family.pid))

    def install(self, number):
        """A certificate with that number, whose key is another one than that of the certificate before."""
        name = "odd" if number % 2 else "even"
        made = self.authority.sign_again(name, number + 1)
        for file, end in ((made, "pem"), (self.authority.folder / f"{name}.key", "key")):
            new = self.authority.folder / "new"
            shutil.copy(file, new)
            os.replace(new, self.authority.folder / f"live.{end}")

    async def until(self, condition, what):
        return await asyncio.to_thread(self.family.until, condition, what)

    # ---- What is done to the server ----

    async def reload(self, number):
        await asyncio.to_thread(self.install, number)
        before = self.family.log().count(READ_AGAIN)
        self.family.send(signal.SIGHUP)
        await self.until(lambda: self.family.log().count(READ_AGAIN) > before, "new certificates")
        self.busy.serial = number + 1
        link = await Link.open(self.ports[1], self.tls)
        self.assertEqual(link.serial(), number + 1)
        link.close()

    async def operate(self, deed, name):
        link = await Link.open(self.ports[0])
        response = await link.exchange(raw.request(f"/operator/{deed}?{name}", Connection="close"))
        self.assertEqual(response.status, 200, response)
        await link.end()

    async def add_and_remove_a_host(self, number):
        name = f"host{number}.guest.example"
        request = raw.request("/", Host=name)
        await self.operate("add", name)
        plain, kept = await Link.open(self.ports[0]), await Link.open(self.ports[0])
        sealed = await Link.open(self.ports[1], self.any_name, name)
        self.assertEqual(sealed.serial(), self.guest_serial)
        for link in (kept, sealed):
            response = await link.exchange(request)
            self.assertEqual((response.status, response.body), (200, name.encode()))
        await plain.become_websocket("echo", name)
        plain.write(frames.frame(raw.TEXT, name.encode()))
        self.assertEqual(await plain.frame(), (raw.TEXT, name.encode()))
        self.echoed += 1
        await self.operate("remove", name)
        self.assertEqual(await plain.frame(), (raw.CLOSE, GOING_AWAY + b"host is removed"))
        plain.write(frames.frame(raw.CLOSE, GOING_AWAY))
        await plain.end()
        self.assertEqual((await kept.exchange(request)).status, 421)
        self.assertEqual((await sealed.exchange(request)).status, 421)
        late = await Link.open(self.ports[1], self.any_name, name)
        self.assertLess(late.serial(), TIMES + 2)
        self.assertEqual((await late.exchange(request)).status, 421)
        for link in (kept, sealed, late):
            link.close()

    async def hand_over(self):
        """Returns when the old process accepts nothing more. Meanwhile, more connections come than usual."""
        enough = self.busy.exchanges + 2 * CONNECTIONS
        await self.until(lambda: self.busy.exchanges >= enough, "clients at work")
        self.busy.visiting = True
        visitors = [asyncio.ensure_future(self.busy.visit(number % 2)) for number in range(VISITORS)]
        enough = self.busy.counts["visits"] + VISITORS
        await self.until(lambda: self.busy.counts["visits"] >= enough, "visitors at work")
        old = self.family.pid
        await asyncio.to_thread(self.family.hand_over)
        doors = listening(self.ports)
        await self.until(lambda: not inodes(old) & doors, "the old process to accept nothing more")
        self.busy.visiting = False
        await asyncio.gather(*visitors)

    async def deeds(self):
        for number in range(1, TIMES + 1):
            await asyncio.gather(self.reload(number), self.add_and_remove_a_host(number))
            if number % (TIMES // TAKEOVERS) == TIMES // TAKEOVERS // 2:
                await self.hand_over()
        await self.until(lambda: not any(is_alive(pid) for pid in self.family.pids[:-1]), "the end of the old processes")

    def test_nothing_is_lost_while_certificates_hosts_and_processes_change(self):
        begin = time.monotonic()
        counts = self.busy.counts
        try:
            asyncio.run(self.busy.run(self.deeds()))
        except BaseException:
            print(dict(counts), self.family.log(), sep="\n")
            raise
        print(f"{CONNECTIONS} connections, {time.monotonic() - begin:.1f} s: {dict(counts)}")
        self.family.until(lambda: len(inodes(self.family.pid)) <= self.idle, "the end of all connections")
        log = self.family.stop(signal.SIGTERM)
        handled = re.findall(r"process \d+ has echoed (\d+) messages and answered (\d+) requests\n", self.family.out.decode())
        self.assertEqual(len(handled), TAKEOVERS + 1)
        self.assertEqual(sum(int(messages) for messages, _ in handled), counts["messages"] + self.echoed)
        self.assertEqual(sum(int(requests) for _, requests in handled), counts["requests"])
        self.assertEqual(log.count(READ_AGAIN), TIMES)
        self.assertEqual([line for line in log.splitlines() if not LINE.fullmatch(line)], [])
        self.assertGreaterEqual(counts["websockets told to go"], CONNECTIONS // 2)
        ends = sum(counts[end] for end in ("last responses", "ends between requests", "requests sent again"))
        self.assertGreaterEqual(ends, CONNECTIONS // 2)


if __name__ == "__main__":
    unittest.main()
