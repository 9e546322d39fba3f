"""Programs that are built outside the tree against the installed library work: plugins in C++ and C, and programs with a server in them."""

import asyncio
import pathlib
import re
import subprocess
import sys
import unittest

import installed
import server
import websocket_peer

HERE = pathlib.Path(__file__).parent
C_ECHO = HERE.parent / "plugins" / "c_echo.c"


def outside(source):
    """A copy outside the tree, so that nothing is found beside it."""
    return INSTALLED.source(source.name, source.read_text(encoding="utf-8"))


class Install(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        INSTALLED.plugin(outside(HERE / "greeter.cpp"), "plugins")
        INSTALLED.plugin(outside(C_ECHO), "plugins")
        server.SERVER = str(INSTALLED.server)

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)

    async def talk(self, url, protocol, *pairs):
        """Sends and compares; a pair without a first part only receives."""
        async with websocket_peer.connect(url, subprotocols=[protocol], compression=None) as client:
            self.assertEqual(client.subprotocol, protocol)
            for sent, expected in pairs:
                if sent is not None:
                    await client.send(sent)
                self.assertEqual(await asyncio.wait_for(client.recv(), 5), expected)

    async def test_plugins_in_the_installed_server(self):
        with server.Server("-P", str(INSTALLED.work / "plugins"), plugins=False, www=None) as serving:
            self.assertEqual(serving.protocols, ["c-echo", "greeter", "ticker", "echo"])
            url = serving.ws_url
            version = INSTALLED.flags("--modversion")[0]
            await self.talk(url, "greeter", (None, "guest 1"), ("you", "hello, you"), (b"\xff", b"hello, \xff"), ("version", version))
            await self.talk(url, "greeter", (None, "guest 2"))
            await self.talk(url, "ticker", (None, "0"), (None, "1"), (None, "2"))
            await self.talk(url, "c-echo", ("abc", "1/1 ABC"), ("d", "2/2 D"))
            async with websocket_peer.connect(url, subprotocols=["greeter"]) as client:
                await client.recv()
                await client.send("bye")
                with self.assertRaises(websocket_peer.ConnectionClosed):
                    await client.recv()
                self.assertEqual((client.close_code, client.close_reason), (4001, "bye"))
            with self.assertRaises(websocket_peer.Refused) as refused:
                await websocket_peer.connect(url + "?closed", subprotocols=["greeter"])
            self.assertEqual(websocket_peer.status(refused.exception), 503)
            self.assertEqual(serving.log(), "")

    async def test_program_with_the_shared_library(self):
        program = INSTALLED.program(outside(HERE / "embedded.cpp"))
        self.assertIn("libwharf.so.0.1 ", installed.run(["ldd", str(program)], env=INSTALLED.run_environment()))
        await self.serves(program)

    async def test_program_with_the_static_library(self):
        program = INSTALLED.static_program(outside(HERE / "embedded.cpp"))
        self.assertNotIn("libwharf", installed.run(["ldd", str(program)]))
        await self.serves(program)

    async def serves(self, program):
        with INSTALLED.running(program, INSTALLED.work / "plugins" / "c_echo.so") as url:
            url = url.replace("http", "ws", 1)
            await self.talk(url, "shout", ("hey", "hey!"), (b"\0", b"\0!"))
            await self.talk(url, "c-echo", ("abc", "1/1 ABC"))

    def test_a_thread_that_is_left_behind_keeps_the_library_loaded(self):
        module = INSTALLED.compile(outside(HERE / "unloaded.cpp"), INSTALLED.work / "unloaded.so", "-shared", "-fPIC",
                                   *INSTALLED.flags("--cflags", "--libs"))
        program = INSTALLED.compile(outside(HERE / "unloading.c"), INSTALLED.work / "unloading", "-D_GNU_SOURCE", "-ldl")
        installed.run([str(program), str(module)], env=INSTALLED.run_environment(), timeout=60)

    def shows_alone(self, library, ours, *some):
        names = installed.run(["nm", "-DC", "--defined-only", str(INSTALLED.only(library))])
        shown = {line.split(" ", 2)[2] for line in names.splitlines()}
        for name in some:
            self.assertTrue(any(each.startswith(name) for each in shown), name)
        self.assertEqual([name for name in sorted(shown) if not re.match(ours, name)], [])

    def test_the_libraries_show_their_public_names_alone(self):
        self.shows_alone("libwharf.so", r"wharf::(Server::(?!Implementation)|Compression::|(print_line|occupy_standard_streams)\(|"
                         r"websocket::(Stream::)?(~?Stream|[a-z_0-9]+)[=(\[])", "wharf::Server::run(", "wharf::websocket::Stream::next(")
        self.shows_alone("libwharf-testing.so", r"wharf::testing::(Harness|Client|RawClient)::", "wharf::testing::Harness::connect(")

    def test_what_is_installed(self):
        headers = {file.name for file in INSTALLED.only("abi.h").parent.iterdir()}
        self.assertEqual(headers, {"abi.h", "abi_http.h", "config.hpp", "door.hpp", "form.hpp", "handle.hpp", "hidden.hpp", "http.hpp", "http_row.hpp",
                                   "limits.hpp", "mounts.hpp", "multipart.hpp", "multipart_head.hpp", "options.hpp", "protocol.hpp", "request.hpp",
                                   "server.hpp", "standard_streams.hpp", "testing.hpp", "tls.hpp", "utf8.hpp", "version.h", "websocket.hpp"})
        for name in ("libwharf.a", "libwharf-testing.a", "index.html"):
            INSTALLED.only(name)
        folder = pathlib.Path(str(INSTALLED.root) + INSTALLED.variable("plugindir").removeprefix(str(INSTALLED.root)))
        self.assertTrue(folder.is_dir(), folder)
        version = subprocess.run([INSTALLED.server, "--version"], capture_output=True, text=True, check=True).stdout
        self.assertIn(INSTALLED.flags("--modversion")[0], version)

    def test_plugins_name_no_library(self):
        for name in ("greeter.so", "c_echo.so"):
            needed = installed.run(["readelf", "-d", str(INSTALLED.work / "plugins" / name)])
            self.assertNotIn("libwharf", needed)
        self.assertNotIn("uv", " ".join(INSTALLED.flags("--libs")))


if __name__ == "__main__":
    with installed.Installed(installed.arguments(__doc__)) as INSTALLED:
        unittest.main(argv=sys.argv[:1])
