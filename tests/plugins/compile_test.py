#!/usr/bin/python3
"""Headers that must compile by themselves, and protocols that must not, each with an error that a person can read.

usage: compile_test.py --include FOLDER... --cxx COMPILER... --cc COMPILER..."""

import argparse
import concurrent.futures
import os
import subprocess
import sys
import unittest

START = '#include "wharf/protocol.hpp"\n#include <string>\nusing namespace wharf;\n'
END = '\nWHARF_EXPORT(wharf::protocol<P>("p"))\n'

# Speaks L on a pipe.
UPGRADER = 'struct P { static void request(wharf::Exchange e) { if (!e.upgrade<L>("l")) e.respond(426); } };'

GOOD = {
    "all members": """struct P { struct Shared { explicit Shared(Scope) {} }; Peer peer; Shared& shared;
        static int accept(const Request&, Shared&) { return 0; } void opened(const Request&) {}
        void message(Kind, std::string_view) {} void drained() {} void tick() {} void pong(std::string_view) {}
        void closing(std::uint16_t, std::string_view) {} };""",
    "message alone": "struct P { void message(Kind, std::string_view) {} };",
    "members inherited": "struct B { void message(Kind, std::string_view) {} }; struct P : B {};",
    "data of other names": "struct P { int messages = 0; int ticks = 0; void message(Kind, std::string_view) {} };",
    "all members of a pipe": """struct L { wharf::Pipe pipe; int data(const std::string_view&) { return 0; } void ended() {}
        void drained() {} void tick() {} void closing(int = 0) {} }; """ + UPGRADER,
    "more parameters with defaults": "struct P { int message(Kind, const std::string_view&, int more = 0) { return more; } };",
}

BAD = {
    "message without kind": ("struct P { void message(std::string_view) {} };",
                             "message has the wrong signature; it is: void message(wharf::Kind kind, std::string_view data)"),
    "message that wants a reference": ("struct P { void message(Kind, std::string&) {} };", "message has the wrong signature"),
    "message that is private": ("class P { void message(Kind, std::string_view) {} };", "message has the wrong signature"),
    "message that is data": ("struct P { int message; };", "message has the wrong signature"),
    "opened": ("struct P { void opened(Request&) {} };",
               "opened has the wrong signature; it is: void opened(const wharf::Request& request)"),
    "tick": ("struct P { void tick(int) {} };", "tick has the wrong signature; it is: void tick()"),
    "drained": ("struct P { void drained(int) {} void tick() {} };", "drained has the wrong signature; it is: void drained()"),
    "pong": ("struct P { void pong() {} };", "pong has the wrong signature; it is: void pong(std::string_view data)"),
    "closing": ("struct P { void closing() {} void tick() {} };",
                "closing has the wrong signature; it is: void closing(std::uint16_t code, std::string_view reason)"),
    "accept that is not static": ("struct P { int accept(const Request&) { return 0; } void tick() {} };",
                                  "accept has the wrong signature; it is: static int accept(const wharf::Request& request)"),
    "accept without an answer": ("struct P { static void accept(const Request&) {} void tick() {} };",
                                 "accept has the wrong signature"),
    "accept that answers yes or no": ("struct P { static bool accept(const Request&) { return true; } void tick() {} };",
                                      "accept has the wrong signature; it is: static int accept(const wharf::Request& request)"),
    "accept with shared state that answers yes or no": (
        "struct P { struct Shared {}; static bool accept(const Request&, Shared&) { return true; } void tick() {} };",
        "accept has the wrong signature"),
    "no handler": ("struct P { Peer peer; void mesage(Kind, std::string_view) {} };",
                   "a wharf protocol needs a handler: at least one of message, fragment, opened, tick, pong, request or data"),
    "fragment": ("struct P { void fragment(Kind, std::string_view) {} void tick() {} };",
                 "fragment has the wrong signature; it is: void fragment(wharf::Kind kind, wharf::Part part, std::string_view data)"),
    "message and fragment": (
        "struct P { void fragment(Kind, Part, std::string_view) {} void message(Kind, std::string_view) {} };",
        "a wharf protocol takes whole messages or fragments, not both"),
    "request": ("struct P { void request() {} void tick() {} };",
                "request has the wrong signature; it is: static void request(wharf::Exchange exchange)"),
    "request and a responder": ("struct P { static void request(wharf::Exchange) {} struct Responder { void request() {} }; };",
                                "a wharf protocol answers requests by request() or by a Responder, not by both"),
    "responder without request": ("struct P { struct Responder { void body(std::string_view) {} }; };", "a Responder needs request()"),
    "responder body": ("struct P { struct Responder { void request() {} void body(int, int) {} }; };",
                       "body has the wrong signature; it is: void body(std::string_view piece)"),
    "over-aligned pipe": ("struct alignas(64) L { wharf::Pipe pipe; void data(std::string_view) {} }; " + UPGRADER,
                          "what speaks on a pipe must not be over-aligned"),
    "pipe data": ("struct L { wharf::Pipe pipe; void data(int, int) {} }; " + UPGRADER,
                  "data has the wrong signature; it is: void data(std::string_view bytes)"),
    "pipe closing": ("struct L { wharf::Pipe pipe; void data(std::string_view) {} void closing(bool) {} }; " + UPGRADER,
                     "closing has the wrong signature; it is: void closing()"),
    "final": ("struct P final { void message(Kind, std::string_view) {} };", "a wharf protocol is a class that is not final"),
    "not a class": ("using P = int;", "a wharf protocol is a class that is not final"),
    "made from something else": ("struct P { explicit P(int) {} void message(Kind, std::string_view) {} };",
                                 "a wharf protocol is made from {wharf::Peer, Shared&}, from {wharf::Peer}, or from {}"),
    "over-aligned": ("struct alignas(64) P { void message(Kind, std::string_view) {} };",
                     "a wharf protocol's class must not be over-aligned"),
    "over-aligned Shared": ("struct P { struct alignas(64) Shared {}; void message(Kind, std::string_view) {} };",
                            "a wharf protocol's Shared must not be over-aligned"),
}

# Each must reach the reader without the rest; abi.h is C, and C++ too.
HEADERS = ["abi.h", "config.hpp", "limits.hpp", "options.hpp", "protocol.hpp", "server.hpp", "testing.hpp"]


def compile_text(compiler, language, standard, text):
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
    line = compiler + ["-x", language, f"-std={standard}", "-fsyntax-only", *warnings]
    line += [f"-I{folder}" for folder in ARGUMENTS.include] + ["-"]
    return subprocess.run(line, input=text, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})


def compile_all(texts):
    """Results by name, on all cores."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {name: pool.submit(compile_text, *what) for name, what in texts.items()}
        return {name: job.result() for name, job in jobs.items()}


class Compile(unittest.TestCase):
    def test_headers_stand_alone(self):
        texts = {name: (ARGUMENTS.cxx, "c++", "c++20", f'#include "wharf/{name}"\n') for name in HEADERS}
        texts["abi.h in C"] = (ARGUMENTS.cc, "c", "c11", '#include "wharf/abi.h"\nint main(void) { return 0; }\n')
        for name, result in compile_all(texts).items():
            with self.subTest(name):
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_protocols_that_compile(self):
        texts = {name: (ARGUMENTS.cxx, "c++", "c++20", START + code + END) for name, code in GOOD.items()}
        for name, result in compile_all(texts).items():
            with self.subTest(name):
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_protocols_that_do_not_compile(self):
        texts = {name: (ARGUMENTS.cxx, "c++", "c++20", START + code + END) for name, (code, _) in BAD.items()}
        for name, result in compile_all(texts).items():
            with self.subTest(name):
                self.assertNotEqual(result.returncode, 0, "it compiled")
                self.assertIn(BAD[name][1], result.stderr)
                errors = [line for line in result.stderr.splitlines() if "error: " in line]
                self.assertTrue(any(BAD[name][1] in line for line in errors[:3]), "\n".join(errors))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--include", nargs="+", required=True)
    parser.add_argument("--cxx", nargs="+", required=True)
    parser.add_argument("--cc", nargs="+", required=True)
    ARGUMENTS = parser.parse_args()
    unittest.main(argv=sys.argv[:1])
