"""lws-status, for clients of libwebsockets' kind, for programs and for pages, on four loops."""

import json
import time
import unittest

import raw
import server
from raw import once, request


class Status(server.Served, unittest.TestCase):
    arguments = ("-t", "4")

    def statistics(self):
        answer = once(self.server, request("/status/json"))
        self.assertEqual(answer["Content-Type"], "application/json")
        return json.loads(answer.body)

    def next_text(self, connection, key):
        """The next message that has the key."""
        while True:
            opcode, payload, final = connection.frame()
            self.assertEqual((opcode, final), (raw.TEXT, True))
            message = json.loads(payload)
            if key in message:
                return message

    def visitors(self, connection, count):
        while True:
            message = self.next_text(connection, "conns")
            self.assertEqual(message["wsi"], str(len(message["conns"])))
            if len(message["conns"]) == count:
                return message

    def test_statistics(self):
        before = self.statistics()
        self.assertEqual(list(before), ["version", "hostname", "uptime", "connections", "accepted", "exchanges", "tls", "refused", "rows"])
        with raw.opened(self.server, "echo"):
            for _ in range(3):
                once(self.server, request("/echo/"))
            after = self.statistics()
        rows = {row["name"]: row for row in after["rows"]}
        old = {row["name"]: row for row in before["rows"]}
        self.assertEqual(set(rows), set(self.server.protocols))
        self.assertEqual(rows["echo"]["open"], 1)
        self.assertEqual(rows["echo"]["opened"], old["echo"]["opened"] + 1)
        self.assertEqual(rows["http-echo"]["exchanges"], old["http-echo"]["exchanges"] + 3)
        self.assertEqual(rows["lws-status"]["exchanges"], old["lws-status"]["exchanges"] + 1)
        self.assertGreaterEqual(after["connections"], 2)
        self.assertGreaterEqual(after["accepted"], before["accepted"] + 5)
        self.assertGreaterEqual(after["exchanges"], before["exchanges"] + 5)
        self.assertGreaterEqual(after["uptime"], before["uptime"])

    def test_which_of_the_two(self):
        for accept, kind in ((None, "text/html"), ("text/html, */*", "text/html"), ("application/json", "application/json")):
            answer = once(self.server, request("/status/", Accept=accept))
            self.assertEqual((answer.status, answer["Content-Type"].split(";")[0]), (200, kind))
            self.assertEqual(answer["Vary"], "Accept")
        self.assertEqual(once(self.server, request("/status/", "POST")).status, 405)
        self.assertEqual(once(self.server, request("/status/", "HEAD"), "HEAD").status, 200)

    def test_all_loops_hear_who_comes_and_goes(self):
        clients = []
        for number in range(8):
            client = raw.Connection(self.server)
            self.addCleanup(client.close)
            self.assertEqual(client.exchange(raw.upgrade("lws-status", User_Agent=f"agent \"{number}\"")).status, 101)
            clients.append(client)
        for client in clients:
            message = self.visitors(client, 8)
            self.assertEqual(list(message), ["version", "wss_over_h2", "hostname", "wsi", "conns"])
            self.assertEqual(message["wss_over_h2"], "0")
            self.assertEqual({visitor["ua"] for visitor in message["conns"]}, {f"agent \"{number}\"" for number in range(8)})
            for visitor in message["conns"]:
                self.assertEqual(list(visitor), ["peer", "time", "ua"])
                self.assertEqual(visitor["peer"], "hidden")
                self.assertLess(abs(int(visitor["time"]) - time.time()), 60)
        clients[0].close()
        clients[1].reset()
        for client in clients[2:]:
            self.visitors(client, 6)

    def test_statistics_each_second_for_who_asks(self):
        with raw.opened(self.server, "lws-status") as client:
            client.send(raw.frame(raw.TEXT, "stats"))
            first = self.next_text(client, "rows")
            client.send(raw.frame(raw.TEXT, "watch"))
            times = [self.next_text(client, "rows")["uptime"] for _ in range(4)]
            self.assertGreaterEqual(times[0], first["uptime"])
            self.assertGreater(times[3] - times[0], 2000)
            self.assertLess(times[3] - times[0], 5000 * server.SLOW)


class StatusWithAddresses(server.Served, unittest.TestCase):
    arguments = ("--protocol-option", "lws-status.addresses=on", "--protocol-option", "lws-status.hostname=pier",
                 "--protocol-option", "lws-status.most=2")

    def test_addresses_and_the_most(self):
        with raw.opened(self.server, "lws-status") as client, raw.opened(self.server, "lws-status"):
            message = json.loads(client.frame()[1])
            self.assertEqual(message["conns"][0]["peer"], "127.0.0.1")
            self.assertEqual(message["hostname"], "pier")
            self.assertEqual(once(self.server, raw.upgrade("lws-status")).status, 503)


if __name__ == "__main__":
    unittest.main()
