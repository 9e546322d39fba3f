"""The lint itself: it finds each of some small wrong inputs, and leaves the right ones beside them alone."""
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

import documented  # noqa: E402
import lengths  # noqa: E402
import rooms  # noqa: E402
import states  # noqa: E402
import text  # noqa: E402
import tools  # noqa: E402
from tree import File  # noqa: E402


def tree(**files):
    return [File("/nowhere", path, content) for path, content in files.items()]


ROOMS = """rooms = {
  'base': ['base'],
  'codec': ['base', 'codec'],
  'link': ['base', 'link'],
  'io': ['base', 'link', 'io'],
  'server': ['base', 'codec', 'link', 'io', 'server'],
}
"""


def including(path, *includes):
    """What is said of a file with these includes, in a tree with a header in each room."""
    lines = "".join(f"#include {include}\n" for include in includes)
    files = tree(**{"meson.build": ROOMS, path: lines})
    return rooms.check(files + tree(**{f"lib/{room}/x.h": "#pragma once\n" for room in rooms.table(files)}))


class Rooms(unittest.TestCase):
    def test_the_rooms_named_are_right(self):
        self.assertEqual(including("lib/base/a.cpp", '"base/x.h"', "<vector>"), [])
        self.assertEqual(including("lib/codec/a.cpp", '"base/x.h"', "<openssl/evp.h>"), [])
        self.assertEqual(including("lib/codec/http/a.cpp", '"base/x.h"', '"codec/x.h"'), [])
        self.assertEqual(including("lib/io/a.cpp", '"link/x.h"', "<uv.h>", "<sys/socket.h>"), [])
        self.assertEqual(including("lib/server/a.cpp", '"io/x.h"', '"codec/x.h"', '"wharf/abi.h"'), [])
        self.assertEqual(including("plugins/a.cpp", '"wharf/protocol.hpp"'), [])

    def test_up_and_sideways_is_found(self):
        for path, include in (("lib/base/a.cpp", '"codec/x.h"'), ("lib/codec/a.cpp", '"link/x.h"'), ("lib/codec/ws/a.cpp", '"link/x.h"'),
                              ("lib/link/a.cpp", '"server/x.h"'), ("lib/io/a.cpp", '"codec/x.h"'), ("lib/io/a.cpp", '"server/x.h"')):
            found = including(path, "<vector>", include)
            self.assertEqual(len(found), 1, path)
            self.assertTrue(found[0].startswith(f"{path}:2: ") and "may not name" in found[0], found)

    def test_a_crowded_folder_is_found(self):
        files = {f"lib/base/x{number}.h": "#pragma once\n" for number in range(rooms.CROWD)}
        self.assertEqual(rooms.check(tree(**{"meson.build": ROOMS, **files})), [])
        self.assertEqual(len(rooms.check(tree(**{"meson.build": ROOMS, **files, "lib/base/a.h": "#pragma once\n"}))), 1)

    def test_a_friend_of_another_room_is_found(self):
        for line, count in (("friend class Keeper;", 0), ("friend bool operator==(const A&, const A&) = default;", 0),
                            ("friend class Stranger;", 1), ("friend void look(A&);", 1), ("friend Keeper;", 1)):
            files = {"lib/base/a.h": f"#pragma once\nclass Stranger;\nclass A {{\n  {line}\n}};\n",
                     "lib/base/b.h": "#pragma once\nclass Keeper final : public B {\n};\n",
                     "lib/io/c.h": "#pragma once\nclass Stranger {\n};\n"}
            self.assertEqual(len(rooms.check(tree(**{"meson.build": ROOMS, **files}))), count, line)

    def test_the_table_is_that_of_the_project(self):
        root = pathlib.Path(__file__).resolve().parent.parent.parent
        files = [File(root, "meson.build")]
        self.assertEqual(rooms.table(files)["io"], {"base", "link", "io"})

    def test_a_library_in_another_room_is_found(self):
        for path, include in (("lib/base/a.cpp", "<uv.h>"), ("lib/codec/a.cpp", "<unistd.h>"), ("lib/codec/a.cpp", "<uv.h>"),
                              ("lib/link/a.cpp", "<openssl/evp.h>"), ("lib/server/a.cpp", "<uv.h>"), ("lib/io/a.cpp", "<zlib.h>"),
                              ("include/wharf/a.hpp", "<uv.h>"), ("plugins/a.cpp", "<openssl/evp.h>"),
                              ("test-apps/a.cpp", "<uv.h>"), ("lib/base/a.cpp", "<wharf/abi.h>")):
            self.assertEqual(len([line for line in including(path, include) if include in line]), 1, (path, include))

    def test_a_write_to_a_standard_stream_is_found(self):
        for line in ("std::cerr << 1;", "std::fwrite(a, 1, 2, stderr);", 'printf("x");', "  std::fputs(a, b);", "::perror(a);"):
            self.assertEqual(len(rooms.check(tree(**{"lib/io/a.cpp": line + "\n"}))), 1, line)
            self.assertEqual(rooms.check(tree(**{"test-apps/a.cpp": line + "\n"})), [])
        for line in ("std::snprintf(a, 1, b);", "// std::cerr", "log.printf(a);", "file.puts(b);"):
            self.assertEqual(rooms.check(tree(**{"lib/io/a.cpp": line + "\n"})), [], line)

    def test_public_headers_stand_alone(self):
        self.assertEqual(len(including("include/wharf/a.cpp", '"base/x.h"')), 1)
        self.assertEqual(len(including("plugins/a.cpp", '"base/x.h"')), 1)
        self.assertEqual(len(including("test-apps/a.cpp", '"server/x.h"')), 1)
        self.assertEqual(len(including("lib/codec/a.cpp", '"wharf/abi.h"')), 1)

    def test_a_way_around_is_found(self):
        self.assertIn("no ..", including("lib/codec/a.cpp", '"../server/x.h"')[0])
        self.assertIn("no ..", including("plugins/a.cpp", '"../lib/base/x.h"')[0])
        self.assertIn("no such header", including("lib/codec/a.cpp", '"x.h"')[0])

    def test_the_header_of_a_page_has_its_page(self):
        page = tree(**{"plugins/pages/a.html": "<p>\n"})
        self.assertEqual(rooms.check(page + tree(**{"plugins/a.cpp": '#include "a.html.h"\n'})), [])
        for path, header in (("plugins/a.cpp", "b.html.h"), ("plugins/a.cpp", "a.css.h"), ("test-apps/a.cpp", "a.html.h")):
            found = rooms.check(page + tree(**{path: f'#include "{header}"\n'}))
            self.assertEqual(len(found), 1)
            self.assertIn("no such page", found[0])

    def test_a_header_without_a_guard_is_found(self):
        self.assertEqual(len(rooms.check(tree(**{"lib/base/a.h": "int a;\n"}))), 1)


BODY = "  f();\n" * 59  # with head and end: 61 lines


class Lengths(unittest.TestCase):
    def lines_of(self, path, content):
        return [line.split(": ", 1)[0] for line in lengths.check(tree(**{path: content}))]

    def test_long_functions_are_found(self):
        for path, head, end in (("lib/base/a.cpp", "void f() {\n", "}\n"), ("lib/base/a.cpp", "auto f() -> int {\n", "}\n"),
                                ("lib/base/a.cpp", "S::S() : a_{1}, b_(2) {\n", "}\n"), ("lib/base/a.cpp", 'TEST_CASE("a {") {\n', "}\n"),
                                ("lib/base/a.cpp", "int f() const noexcept {\n", "}\n"), ("bench/a.py", "def f():\n", "  f()\n"),
                                ("scripts/a.sh", "f() {\n", "}\n"), ("test-apps/a.js", "const f = (a) => {\n", "}\n"),
                                ("test-apps/a.js", "function f() {\n", "}\n")):
            body = BODY.replace(";", "") if path.endswith(".py") else BODY
            self.assertEqual(self.lines_of(path, "\n" + head + body + end), [f"{path}:2"], head)
            shorter = head + body.split("\n", 1)[1] + end
            self.assertEqual(self.lines_of(path, shorter), [], head)

    def test_methods_are_found_where_they_stand(self):
        code = "namespace a {\nclass B final : public C {\n  int d = 1;\n\n  void f() {\n" + BODY + "  }\n};\n}\n"
        self.assertEqual(self.lines_of("lib/base/a.h", code), ["lib/base/a.h:5"])
        script = "class B extends C {\n  a = 1;\n  f() {\n" + BODY + "  }\n}\n"
        self.assertEqual(self.lines_of("test-apps/a.js", script), ["test-apps/a.js:3"])

    def test_tables_and_quotes_are_no_functions(self):
        self.assertEqual(self.lines_of("lib/base/a.cpp", "constexpr int a[] = {\n" + "  1,\n" * 90 + "};\n"), [])
        self.assertEqual(self.lines_of("lib/base/a.cpp", 'void f() { g("{", \'{\', 1\'000); }  // {\n' + "int a;\n" * 90), [])
        self.assertEqual(self.lines_of("test-apps/a.js", "f(/[{]/, '{', `{`);\n" + "a();\n" * 90), [])

    def test_long_files_are_found(self):
        self.assertEqual(self.lines_of("lib/base/a.h", "int a;\n" * 501), ["lib/base/a.h:501"])
        self.assertEqual(self.lines_of("lib/base/a.h", "int a;\n" * 500), [])
        self.assertEqual(self.lines_of("docs/a.md", "a\n" * 501), [])


class States(unittest.TestCase):
    def members_of(self, code):
        return [members for _line, _name, members in states.classes(code)]

    def test_members_that_are_bool_are_found(self):
        code = "class A final : public B {\n public:\n  bool a_ = false;  // one\n  bool f() const;\n  mutable bool b_, c_ = true;\n" \
               "  bool g() { bool local = true; return local; }\n private:\n  std::atomic<bool> d_{false};\n  bool* e_ = nullptr;\n};\n"
        self.assertEqual(self.members_of(code), [["a_", "b_", "c_", "d_"]])

    def test_each_class_has_its_own(self):
        code = "template <class T>\nstruct A {\n  struct B { bool a; };\n  enum class C : int { d };\n  bool b;\n};\nbool none;\n"
        self.assertEqual(self.members_of(code), [["a"], ["b"]])

    def test_a_crowd_is_found(self):
        code = "struct A {\n" + "".join(f"  bool a{i};\n" for i in range(states.MOST)) + "%s};\n"
        self.assertEqual(states.check(tree(**{"lib/base/a.h": code % ""})), [])
        found = states.check(tree(**{"lib/base/a.h": "\n" + code % "  bool b;\n", "tests/a.h": code % "  bool b;\n"}))
        self.assertEqual([line.split(": ", 1)[0] for line in found], ["lib/base/a.h:2"])


class Text(unittest.TestCase):
    def count(self, path, content):
        return len(text.check(tree(**{path: content})))

    def test_marks_and_white_space_are_found(self):
        mark = "TO" + "DO"
        for path in ("lib/base/a.cpp", "docs/a.md", "scripts/a", "meson.build"):
            self.assertEqual(self.count(path, f"a\n// {mark}: b\n"), 1)
            self.assertEqual(self.count(path, "a\tb\n"), 1)
            self.assertEqual(self.count(path, "a \n"), 1)
            self.assertEqual(self.count(path, "a"), 1)
            self.assertEqual(self.count(path, "a\n"), 0)
        self.assertEqual(self.count("tests/wire/a.wire", "a\t \n"), 0)

    def test_scripts_that_go_on_after_an_error_are_found(self):
        self.assertEqual(self.count("scripts/a", "#!/bin/sh\nfalse\n"), 1)
        self.assertEqual(self.count("scripts/a", "#!/bin/sh\nset -e\nfalse\n"), 1)
        self.assertEqual(self.count("scripts/a", "#!/bin/sh\nset -eu\nfalse\n"), 0)
        self.assertEqual(self.count("scripts/a", "#!/usr/bin/env bash\nset -euo pipefail\nfalse\n"), 0)


LIMITS = "struct Limits {\n  std::size_t head = 16 * 1024;  ///< bytes\n  std::chrono::milliseconds idle{75'000};\n};\n"
ROWS = "| limit | default |\n|---|---|\n| `Limits::head`, `idle` | 16 KiB, and 75 s of silence |\n"
CODEC = "struct StreamOptions {\n  std::size_t head_limit = Limits{}.head;\n};\n"
CODEC_ROWS = "\n| limit | default |\n|---|---|\n| `StreamOptions::head_limit` | 16 KiB |\n"
NAMES = '{"head", &Limits::head, x}, {"idle", choice<&Limits::idle>(), x}'


class Documented(unittest.TestCase):
    def said(self, limits=LIMITS, rows=ROWS, names=NAMES):
        return documented.check(tree(**{"include/wharf/limits.hpp": limits, "docs/limits.md": rows + CODEC_ROWS,
                                        "include/wharf/websocket.hpp": CODEC, "include/wharf/options.hpp": names}))

    def test_what_is_documented_as_it_is_is_right(self):
        self.assertEqual(self.said(), [])

    def test_another_default_is_found(self):
        said = self.said(limits=LIMITS.replace("16 *", "17 *"))
        self.assertIn("Limits::head has the default", said[0])
        self.assertIn("StreamOptions::head_limit has the default 17 KiB", said[1])
        self.assertIn("Limits::idle has the default", self.said(rows=ROWS.replace("75 s", "175 s"))[0])

    def test_what_is_not_documented_is_found(self):
        self.assertIn("no table in docs/ has a row for Limits::idle", self.said(rows=ROWS.replace(", `idle`", ""))[0])
        self.assertIn("Limits::idle is not here", self.said(names='{"head", &Limits::head}')[0])

    def test_what_is_not_there_is_found(self):
        self.assertEqual(self.said(rows=ROWS + "\nAs `Limits::tail` says.\n"), ["docs/limits.md:5: there is no Limits::tail"])


class Tools(unittest.TestCase):
    def test_python_that_does_not_compile_is_found(self):
        found = tools.check_python("/nowhere", tree(**{"bench/a.py": "a = 1\nb =\n", "bench/b.py": "a = 1\n"}))
        self.assertEqual([line.split(": ")[0] for line in found], ["bench/a.py:2"])

    def test_code_in_another_form_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            file = File(folder, "a.cpp")
            (file.root / ".clang-format").write_text("BasedOnStyle: Google\n")
            (file.root / "a.cpp").write_text("int a;\nint  b;\n")
            try:
                found = tools.check_format(folder, [file])
            except tools.Missing as error:
                self.skipTest(str(error))
        self.assertEqual([line.split(": ")[0] for line in found], ["a.cpp:2"])

    def test_what_clang_says_is_one_line_each(self):
        said = ("/p/build/lint/../../lib/base/a.cpp:3:7: error: bad [x,-warnings-as-errors]\n  int a;\n      ^\n"
                "/p/build/lint/../../lib/base/a.cpp:3:9: error: bad [x,-warnings-as-errors]\nerror: worse [y]\n")
        self.assertEqual(tools.findings_in("/p", said, "/p/build/lint", "lib/base/b.cpp"),
                         ["lib/base/a.cpp:3: bad [x]", "lib/base/b.cpp:1: worse [y]"])


if __name__ == "__main__":
    unittest.main()
