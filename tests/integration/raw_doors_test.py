"""Raw protocols by real clients: bytes back, and connections that go on to another server, with TLS and without."""

import re
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

import server

CURL = server.need("curl")


def trusting():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def place(ready_line, scheme):
    found = re.search(rf"{scheme}://(127\.0\.0\.1):(\d+)/", ready_line)
    return found.group(1), int(found.group(2))


def all_of(connection):
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def answers(address, data):
    with socket.create_connection(address, timeout=20 * server.SLOW) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return all_of(connection)


class Raw(unittest.TestCase):
    def test_echo_beside_http(self):
        with server.Server("--raw", "tcp://127.0.0.1:0=raw-echo", "--raw", "tls://127.0.0.1:0=raw-echo") as site:
            self.assertEqual(answers(place(site.ready_line, "tcp"), b"GET / HTTP/1.1\r\n\r\n\0\xff"), b"GET / HTTP/1.1\r\n\r\n\0\xff")
            with socket.create_connection(place(site.ready_line, "tls"), timeout=20 * server.SLOW) as plain:
                with trusting().wrap_socket(plain) as sealed:
                    sealed.sendall(b"hello")
                    self.assertEqual(sealed.recv(5), b"hello")
            page = subprocess.run([CURL, "--silent", "--fail", f"http://127.0.0.1:{site.port}/"], capture_output=True, check=True)
            self.assertIn(b"<html", page.stdout.lower())

    def test_much_in_both_directions(self):
        data = bytes(range(256)) * 40_000
        with server.Server("--raw", "tcp://127.0.0.1:0=raw-echo") as site:
            address = place(site.ready_line, "tcp")
            with server.Server("--raw", "tcp://127.0.0.1:0=raw-proxy", "--protocol-option",
                               f"raw-proxy.onward=ipv4:127.0.0.1:{address[1]}") as front:
                with socket.create_connection(place(front.ready_line, "tcp"), timeout=60 * server.SLOW) as connection:
                    def send():
                        connection.sendall(data)
                        connection.shutdown(socket.SHUT_WR)
                    sender = threading.Thread(target=send)
                    sender.start()
                    self.assertEqual(all_of(connection), data)
                    sender.join()

    def test_http_through_it(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/http.socket"
            with server.Server("--listen", "127.0.0.1:0", "--listen", f"unix:{path}") as site:
                for onward in (f"127.0.0.1:{site.port}", f"unix:{path}"):
                    with server.Server("--raw", "tls://127.0.0.1:0=raw-proxy", "--protocol-option", f"raw-proxy.onward={onward}") as front:
                        host, port = place(front.ready_line, "tls")
                        page = subprocess.run([CURL, "--silent", "--fail", "--insecure", f"https://{host}:{port}/"], capture_output=True,
                                              check=True)
                        self.assertIn(b"<html", page.stdout.lower())

    def test_a_server_that_is_not_there(self):
        with server.Server("--raw", "tcp://127.0.0.1:0=raw-proxy", "--protocol-option",
                           f"raw-proxy.onward=127.0.0.1:{server.free_port()}") as front:
            self.assertEqual(answers(place(front.ready_line, "tcp"), b""), b"")
            server.until(lambda: "could not be reached: connection refused" in front.log(), 10, "a line in the log")

    def test_one_port_for_all(self):
        with server.Server("--ssl", "--allow-non-ssl", "--fallback", "raw-echo", "--alpn", "echo/1=raw-echo") as site:
            address = ("127.0.0.1", site.port)
            self.assertEqual(answers(address, b"\0 no HTTP"), b"\0 no HTTP")
            for scheme in ("http", "https"):
                subprocess.run([CURL, "--silent", "--fail", "--insecure", f"{scheme}://127.0.0.1:{site.port}/"], capture_output=True, check=True)
            context = trusting()
            context.set_alpn_protocols(["echo/1"])
            with socket.create_connection(address, timeout=20 * server.SLOW) as plain, context.wrap_socket(plain) as sealed:
                self.assertEqual(sealed.selected_alpn_protocol(), "echo/1")
                sealed.sendall(b"GET / HTTP/1.1\r\n\r\n")
                self.assertEqual(sealed.recv(100), b"GET / HTTP/1.1\r\n\r\n")

    def test_what_cannot_be(self):
        for arguments, words in ((("--raw", "7000"), "--raw takes"), (("--raw", "http://127.0.0.1:0=raw-echo"), "--raw takes"),
                                 (("--raw", "127.0.0.1:0=nobody"), "there is no such protocol"),
                                 (("--fallback", "echo"), "there is no such raw one"), (("--alpn", "a=raw-echo"), "--alpn needs --ssl")):
            run = subprocess.run(server.command(*arguments), capture_output=True, text=True, timeout=20 * server.SLOW, check=False)
            self.assertNotEqual(run.returncode, 0)
            self.assertIn(words, run.stderr)


if __name__ == "__main__":
    unittest.main()
