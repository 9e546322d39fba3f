"""What one client gives the server to do does not keep the others waiting, and a server that was late blames nobody for it."""

import select
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


if __name__ == "__main__":
    unittest.main()
