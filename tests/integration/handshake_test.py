"""The opening handshake of RFC 6455 section 4.2, right and wrong, over plain sockets."""

import unittest

import raw
import server
from raw import frame, once, request, upgrade

INCREMENT = "dumb-increment-protocol"


class Accepted(server.Served, unittest.TestCase):
    def test_the_answer_of_the_rfc(self):
        response = once(self.server, upgrade("reverse-echo"))
        self.assertEqual(response.status, 101)
        self.assertEqual(response.version, "HTTP/1.1")
        self.assertEqual(response["Upgrade"].lower(), "websocket")
        self.assertEqual(response["Connection"].lower(), "upgrade")
        self.assertEqual(response["Sec-WebSocket-Accept"], raw.ACCEPT)
        self.assertEqual(response["Sec-WebSocket-Protocol"], "reverse-echo")
        self.assertNotIn("Sec-WebSocket-Extensions", response)

    def test_tokens_are_compared_without_case_and_found_in_lists(self):
        for changes in ({"Upgrade": "WebSocket"}, {"Connection": "keep-alive, UPGRADE"}, {"Connection": "keep-alive,upgrade , x"}):
            with self.subTest(**changes):
                self.assertEqual(once(self.server, upgrade("reverse-echo", **changes)).status, 101)

    def test_the_order_of_the_client_decides(self):
        both = ("reverse-echo", INCREMENT)
        for offer in (both, both[::-1], ("unknown", *both), ("unknown", "http", *both[::-1])):
            with self.subTest(offer=offer):
                wanted = next(name for name in offer if name in both)
                self.assertEqual(once(self.server, upgrade(", ".join(offer)))["Sec-WebSocket-Protocol"], wanted)

    def test_an_offer_over_several_fields(self):
        data = upgrade("unknown").replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: reverse-echo\r\n\r\n")
        self.assertEqual(once(self.server, data)["Sec-WebSocket-Protocol"], "reverse-echo")

    def test_names_are_compared_with_case(self):
        self.assertEqual(once(self.server, upgrade("Reverse-Echo")).status, 400)

    def test_frames_that_arrive_together_with_the_request(self):
        with raw.Connection(self.server) as connection:
            frames = frame(raw.TEXT, "abc") + frame(raw.PING, "p") + frame(raw.BINARY, b"\x01\x02")
            connection.send(upgrade("reverse-echo") + frames)
            self.assertEqual(connection.response().status, 101)
            self.assertEqual([connection.frame() for _ in range(3)],
                             [(raw.TEXT, b"cba", True), (raw.PONG, b"p", True), (raw.BINARY, b"\x02\x01", True)])

    def test_half_a_frame_that_arrives_together_with_the_request(self):
        whole = upgrade("reverse-echo") + frame(raw.TEXT, "in two halves")
        for cut in (1, 5, 12):
            with self.subTest(cut=cut), raw.Connection(self.server) as connection:
                connection.send(whole[:-cut])
                self.assertEqual(connection.response().status, 101)
                connection.send(whole[-cut:])
                self.assertEqual(connection.frame(), (raw.TEXT, b"sevlah owt ni", True))

    def test_byte_by_byte(self):
        with raw.Connection(self.server) as connection:
            data = upgrade("reverse-echo") + frame(raw.TEXT, "slow")
            for position in range(len(data)):
                connection.send(data[position:position + 1])
            self.assertEqual(connection.response().status, 101)
            self.assertEqual(connection.frame(), (raw.TEXT, b"wols", True))

    def test_after_a_page_on_the_same_connection(self):
        with raw.Connection(self.server) as connection:
            self.assertEqual(connection.exchange(request()).status, 200)
            connection.send(request() + upgrade("reverse-echo") + frame(raw.TEXT, "xy"))
            self.assertEqual(connection.response().status, 200)
            self.assertEqual(connection.response().status, 101)
            self.assertEqual(connection.frame(), (raw.TEXT, b"yx", True))


class Refused(server.Served, unittest.TestCase):
    def refuse(self, data, status):
        response = once(self.server, data)
        self.assertEqual(response.status, status, response)
        self.assertGreater(len(response.body.strip()), 0, "a refusal says why")
        return response

    def test_an_unknown_subprotocol(self):
        body = self.refuse(upgrade("no-such-protocol"), 400).body.decode()
        for name in ("no-such-protocol", "reverse-echo", INCREMENT, "echo"):
            self.assertIn(name, body)

    def test_none_offered_and_no_default(self):
        self.assertIn("Sec-WebSocket-Protocol", self.refuse(upgrade(), 400).body.decode())

    def test_http_is_never_selectable(self):
        for name in ("http", "HTTP", "http-only"):
            with self.subTest(name=name):
                self.refuse(upgrade(name), 400)

    def test_another_version(self):
        for version in ("8", "7", "0", "12", "14", "255"):
            with self.subTest(version=version):
                response = self.refuse(upgrade("reverse-echo", Sec_WebSocket_Version=version), 426)
                self.assertEqual(response["Sec-WebSocket-Version"], "13")

    def test_a_bad_version(self):
        for version in (None, "", "abc", "013", "13, 8", "-13"):
            with self.subTest(version=version):
                response = once(self.server, upgrade("reverse-echo", Sec_WebSocket_Version=version))
                self.assertIn(response.status, (400, 426), response)
                if response.status == 426:
                    self.assertEqual(response["Sec-WebSocket-Version"], "13")

    def test_a_bad_key(self):
        for key in (None, "", "short", raw.KEY[:-1], raw.KEY + "=", raw.KEY[:-2], "!" + raw.KEY[1:], raw.KEY + raw.KEY, "A" * 24):
            with self.subTest(key=key):
                self.refuse(upgrade("reverse-echo", Sec_WebSocket_Key=key), 400)

    def test_two_keys(self):
        self.refuse(upgrade("reverse-echo").replace(b"\r\n\r\n", f"\r\nSec-WebSocket-Key: {raw.KEY}\r\n\r\n".encode()), 400)

    def test_no_connection_field_that_says_upgrade(self):
        for connection in (None, "keep-alive", "close", "upgrades"):
            with self.subTest(connection=connection):
                self.refuse(upgrade("reverse-echo", Connection=connection), 400)

    def test_another_http_version_and_method(self):
        with raw.Connection(self.server) as connection:  # RFC 9110 section 7.8: then it is a request like any other
            self.assertEqual(connection.exchange(upgrade("reverse-echo", version="HTTP/1.0")).status, 200)
        for method in ("POST", "HEAD", "PUT"):
            with self.subTest(method=method), raw.Connection(self.server) as connection:
                response = connection.exchange(upgrade("reverse-echo", method=method, Content_Length="0"), method)
                self.assertIn(response.status, (400, 405), response)

    def test_no_host(self):
        self.refuse(upgrade("reverse-echo", Host=None), 400)

    def test_a_bad_offer(self):
        for offer in ("reverse-echo, reverse-echo", "rev erse", "reverse-echo;x", "a\x7fb"):
            with self.subTest(offer=offer):
                self.refuse(upgrade(offer), 400)

    def test_no_upgrade_at_all_is_a_page(self):
        response = once(self.server, upgrade("reverse-echo", Upgrade=None, Connection="keep-alive"))
        self.assertEqual(response.status, 200)


class Default(server.Served, unittest.TestCase):
    arguments = ("--default-protocol", "reverse-echo")

    def test_none_offered(self):
        with raw.Connection(self.server) as connection:
            response = connection.exchange(upgrade())
            self.assertEqual(response.status, 101)
            self.assertNotIn("Sec-WebSocket-Protocol", response)
            connection.send(frame(raw.TEXT, "abc"))
            self.assertEqual(connection.frame(), (raw.TEXT, b"cba", True))

    def test_an_unknown_one_does_not_fall_back(self):
        self.assertEqual(once(self.server, upgrade("unknown")).status, 400)


class Frames(server.Served, unittest.TestCase):
    """The faults that close a WebSocket, on a real socket. The wire cases have the rest."""

    def closes_with(self, data, code):
        with raw.opened(self.server) as connection:
            connection.send(data)
            opcode, payload, _ = connection.frame()
            self.assertEqual((opcode, int.from_bytes(payload[:2], "big")), (raw.CLOSE, code), payload)
            connection.send(frame(raw.CLOSE, payload[:2]))
            self.assertTrue(connection.ended(), "the server sent more or kept the connection")

    def test_protocol_errors(self):
        unmasked = b"\x81\x03abc"
        for name, data in {"unmasked": unmasked, "reserved bit": b"\xc1" + frame(raw.TEXT, "abc")[1:], "opcode 3": frame(3, "x"),
                           "opcode 11": frame(11, "x"), "long ping": frame(raw.PING, b"p" * 126),
                           "ping in fragments": frame(raw.PING, b"p", final=False), "continuation of nothing": frame(0, b"x"),
                           "close of one byte": frame(raw.CLOSE, b"\x03"),
                           "close with 1005": frame(raw.CLOSE, b"\x03\xed")}.items():
            with self.subTest(name):
                self.closes_with(data, 1002)

    def test_text_that_is_not_utf8(self):
        for name, data in {"overlong": frame(raw.TEXT, b"\xc0\xaf"), "surrogate": frame(raw.TEXT, b"\xed\xa0\x80"),
                           "cut short": frame(raw.TEXT, b"\xf0\x9f\x91"), "early": frame(raw.TEXT, b"\xff", final=False),
                           "in the close reason": frame(raw.CLOSE, b"\x03\xe8\xff")}.items():
            with self.subTest(name):
                self.closes_with(data, 1007)

    def test_more_than_the_limit_is_refused_by_its_length_field(self):
        self.closes_with(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"mask", 1009)

    def test_close_is_answered_and_ends_the_connection(self):
        with raw.opened(self.server) as connection:
            connection.send(frame(raw.CLOSE, b"\x03\xe8bye"))
            opcode, payload, _ = connection.frame()
            self.assertEqual((opcode, payload[:2]), (raw.CLOSE, b"\x03\xe8"))
            self.assertTrue(connection.ended())

    def test_ping_between_fragments(self):
        with raw.opened(self.server) as connection:
            connection.send(frame(raw.TEXT, "one ", final=False) + frame(raw.PING, b"now") + frame(0, "two"))
            self.assertEqual(connection.frame(), (raw.PONG, b"now", True))
            self.assertEqual(connection.frame(), (raw.TEXT, b"one two", True))


if __name__ == "__main__":
    unittest.main()
