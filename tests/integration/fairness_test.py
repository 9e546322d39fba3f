"""The work of one client does not keep the others waiting, and a server that was late blames nobody for it."""

import contextlib
import os
import select
import signal
import socket
import threading
import time
import unittest

import frames
import raw
import server
from attacks_test import bomb
from frames import COMPRESSED, OFFER

MIB = 1024 * 1024


def waiting(peer):
    """Frames that have come for this peer by now."""
    while select.select([peer.socket], [], [], 0)[0]:
        peer._more()
    count, rest = 0, peer.buffer
    while len(rest) >= 2:
        size, head = rest[1], 2
        if size == 126:
            size, head = int.from_bytes(rest[2:4], "big"), 4
        elif size == 127:
            size, head = int.from_bytes(rest[2:10], "big"), 10
        if len(rest) < head + size:
            break
        count, rest = count + 1, rest[head + size:]
    return count


class OneAmongOthers(server.Served, unittest.TestCase):
    def test_frames_that_inflate_to_a_megabyte_kept_another_clients_request_waiting_until_all_were_answered(self):
        data = b"".join(frames.frame(raw.BINARY, bomb(MIB, 15), reserved=COMPRESSED) for _ in range(200))
        with frames.opened(self.server, "permessage-deflate") as busy, raw.Connection(self.server) as other:
            other.exchange(raw.request("/"))
            busy.send(data)
            busy.first_byte()
            self.assertEqual(other.exchange(raw.request("/")).status, 200)
            self.assertLess(waiting(busy), 100)
            for _ in range(200):
                self.assertEqual(busy.frame()[0], raw.BINARY)

    def test_a_close_frame_behind_such_frames_is_answered_after_them(self):
        data = b"".join(frames.frame(raw.BINARY, bomb(MIB, 15), reserved=COMPRESSED) for _ in range(5))
        with frames.opened(self.server, OFFER) as peer:
            peer.send(data + frames.frame(raw.CLOSE, (1000).to_bytes(2, "big")))
            for _ in range(5):
                self.assertEqual(len(peer.message()[1]), MIB)
            self.assertEqual(peer.message(), (raw.CLOSE, (1000).to_bytes(2, "big")))


class Stopped:
    """The server's process does nothing for at least that many seconds."""

    def __init__(self, one, seconds):
        self.pid, self.seconds = one.pid, seconds

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)
        server.until(lambda: self.state() == "T", 5, "the process is stopped")

    def __exit__(self, *problem):
        time.sleep(self.seconds)
        os.kill(self.pid, signal.SIGCONT)

    def state(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(") ")[2][0]


class LateServer(server.Served, unittest.TestCase):
    arguments = ("--limit", "request_head_time=1000", "--limit", "keep_alive_idle=1000", "--limit", "ping_after=600",
                 "--limit", "pong_timeout=600")

    def test_who_had_sent_all_in_time_was_closed_or_told_408_after_the_process_had_been_stopped(self):
        with raw.Connection(self.server) as whole, raw.Connection(self.server) as rest, raw.Connection(self.server) as kept, \
                raw.Connection(self.server) as part:
            request = raw.request("/")
            rest.send(request[:10])
            part.send(request[:10])
            kept.exchange(request)
            with Stopped(self.server, 1.2):  # longer than its peers have time
                whole.send(request)
                rest.send(request[10:])
                kept.send(request)
                part.send(request[10:12])
            for connection in (whole, rest, kept):
                self.assertEqual(connection.response().status, 200)
            self.assertEqual(part.response().status, 408)

    def test_a_websocket_whose_pong_lay_unread_was_cut_after_the_process_had_been_stopped(self):
        with frames.opened(self.server) as peer:
            self.assertEqual(peer.frame()[0], raw.PING)
            with Stopped(self.server, 1.2):  # longer than its peers have time
                peer.send(frames.frame(raw.PONG))
            peer.send(frames.frame(raw.TEXT, b"still here"))
            while True:
                opcode, payload, _ = peer.frame()
                if opcode != raw.PING:
                    break
            self.assertEqual((opcode, payload), (raw.TEXT, b"still here"))


class Room(unittest.TestCase):
    def test_idle_connections_at_the_limit_kept_a_new_client_waiting_for_their_whole_idle_time(self):
        with server.Server("--connections", 20) as one, contextlib.ExitStack() as stack:
            kept = [stack.enter_context(raw.Connection(one)) for _ in range(20)]
            for connection in kept:
                connection.exchange(raw.request("/"))
            busy = stack.enter_context(raw.Connection(one))
            self.assertEqual(busy.exchange(raw.request("/")).status, 200)
            self.assertTrue(kept[0].ended())
            for connection in kept[1:]:
                self.assertEqual(connection.exchange(raw.request("/")).status, 200)

    def test_a_websocket_does_not_make_room(self):
        with server.Server("--connections", 2) as one, contextlib.ExitStack() as stack:
            peer = stack.enter_context(frames.opened(one))
            for _ in range(3):
                self.assertEqual(stack.enter_context(raw.Connection(one)).exchange(raw.request("/")).status, 200)
            peer.send(frames.frame(raw.TEXT, b"still here"))
            self.assertEqual(peer.message(), (raw.TEXT, b"still here"))

    def test_of_40_clients_34_were_served_by_four_loops_with_a_limit_of_40(self):
        with server.Server("--connections", 40, "-t", 4) as one, contextlib.ExitStack() as stack:
            peers = [stack.enter_context(frames.opened(one)) for _ in range(40)]
            for peer in peers:
                peer.send(frames.frame(raw.TEXT, b"here"))
            self.assertEqual([peer.message() for peer in peers], [(raw.TEXT, b"here")] * 40)
            one_more = stack.enter_context(raw.Connection(one))
            one_more.send(raw.request("/"))
            server.until(lambda: "the limit of connections is reached" in one.log(), 10, "no loop has a place for another")
            peers[0].close()
            self.assertEqual(one_more.response().status, 200)


class Silent(threading.Thread):
    """A server that takes requests and says nothing."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.taken = []

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                self.taken.append(self.socket.accept()[0])

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for each in self.taken:
            each.close()


class Kept(unittest.TestCase):
    def test_behind_each_request_that_waits_a_receive_buffer_of_what_came_with_it_was_kept(self):
        silent = Silent()
        silent.start()
        target = f"http://127.0.0.1:{silent.socket.getsockname()[1]}/"
        with server.Server("--proxy", f"/slow/={target}") as one, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(raw.Connection(one)) for _ in range(100)]
            before = one.memory("RssAnon")
            with Stopped(one, 0):  # so that there is much to be read at once
                for client in clients:
                    client.socket.setblocking(False)
                    with contextlib.suppress(BlockingIOError):
                        client.socket.send(raw.request("/slow/") + raw.request("/") * 8000)
            server.until(lambda: len(silent.taken) == len(clients), 20, "all requests reach the server behind")
            if not server.SANITIZED:
                self.assertLess(one.memory("RssAnon") - before, len(clients) * 48 * 1024)
        silent.close()


if __name__ == "__main__":
    unittest.main()
