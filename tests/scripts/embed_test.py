#!/usr/bin/python3
"""What scripts/embed makes of pages, as a C++ compiler sees it.

usage: embed_test.py --cxx COMPILER..."""

import argparse
import base64
import contextlib
import hashlib
import io
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
SCRIPT = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts" / "embed"
EMBED = runpy.run_path(str(SCRIPT))["main"]
COMPILER = ["c++"]
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wsign-conversion", "-Werror", "-O0"]

# What ends or breaks literals, raw ones too; each byte; a place that is none outside of HTML.
DIFFICULT = (b')" )raw" R"(x)" )page" \\ \\n \\x41 " \' /* */ // ??= ??/\n#include "x"\n{{ {{no}} %d \t \r\n' + bytes(range(256)) +
             '–\u2028€\U0001F6A2'.encode())
LONG = b"<p>0123456789 \"quoted\" \xc3\xa4</p>\n" * 9000  # more than the 65,536 characters that a literal may have


def sha256(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text).digest()).decode() + "'"


class Folder:
    """A folder with files, and the headers that are made of some."""

    def __init__(self, test, **files):
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        for name, content in files.items():
            (self.path / name.replace("__", ".")).write_bytes(content)

    def embed(self, *names):
        for name in names:
            file = self.path / name
            if EMBED(str(file), f"{file}.h", f"{file}.d") != 0:
                raise AssertionError(f"{name} was refused")

    def refused(self, name):
        """What was said of a file of which no header is made."""
        file = self.path / name
        with contextlib.redirect_stderr(io.StringIO()) as said:
            assert EMBED(str(file), f"{file}.h", f"{file}.d") == 1 and not os.path.exists(f"{file}.h")
        return said.getvalue()

    def compile(self, headers, statements):
        """The process of a compiler that makes the program of these statements."""
        lines = [f'#include "{header}.h"' for header in headers]
        source = self.path / "program.cpp"
        source.write_text("\n".join([*lines, "#include <cstdio>", "void put(std::string_view text) {",
                                     "std::fwrite(text.data(), 1, text.size(), stdout); }", f"int main() {{ {statements} }}\n"]))
        return subprocess.run([*COMPILER, *FLAGS, str(source), "-o", str(self.path / "program")], capture_output=True, text=True)

    def output(self, headers, statements):
        """The bytes that the statements write."""
        compiled = self.compile(headers, statements)
        if compiled.returncode != 0:
            raise AssertionError(compiled.stderr)
        return subprocess.run([str(self.path / "program")], check=True, capture_output=True).stdout


class Bytes(unittest.TestCase):
    def test_they_are_those_of_the_files(self):
        pages = {"difficult__js": DIFFICULT, "long__html": LONG, "a_picture__svg": b"<svg/>\n", "empty__css": b""}
        folder = Folder(self, **pages)
        names = [name.replace("__", ".") for name in pages]
        folder.embed(*names)
        statements = "put(pages::DifficultJs::text); put(pages::LongHtml::text); put(pages::APictureSvg::text); put(pages::EmptyCss::text);"
        self.assertEqual(folder.output(names, statements), b"".join(pages.values()))

    def test_they_are_constants(self):
        folder = Folder(self, a__css=b"b{}\n")
        folder.embed("a.css")
        self.assertEqual(folder.output(["a.css"], 'static_assert(pages::ACss::text == "b{}\\n");'), b"")


class Places(unittest.TestCase):
    PAGE = b'{{title}}<a href="{{way}}x">"{{title}}"</a>\\n{{rest}}\n'

    def test_they_are_filled(self):
        folder = Folder(self, page__html=self.PAGE)
        folder.embed("page.html")
        statements = """const std::string rest = "{{way}}"; std::string page = "0";
            put(pages::PageHtml{.title = "t", .way = std::string("./"), .rest = rest}.text());
            pages::PageHtml{.title = std::string_view("&"), .way = "", .rest = ""}.append_to(page); put(page);"""
        self.assertEqual(folder.output(["page.html"], statements),
                         b't<a href="./x">"t"</a>\\n{{way}}\n0&<a href="x">"&"</a>\\n\n')

    def test_one_at_each_end_and_nothing_between(self):
        folder = Folder(self, page__html=b"{{a}}{{b}}")
        folder.embed("page.html")
        self.assertEqual(folder.output(["page.html"], 'put(pages::PageHtml{.a = "1", .b = "2"}.text());'), b"12")

    def test_a_wrong_name_does_not_compile(self):
        folder = Folder(self, page__html=self.PAGE)
        folder.embed("page.html")
        for fields in ('.title = "", .wya = "", .rest = ""', '.title = "", .rest = ""', '.title = ""', ""):
            made = f"put(pages::PageHtml{{{fields}}}.text());"
            self.assertNotEqual(folder.compile(["page.html"], made).returncode, 0, made)

    def test_a_text_that_may_be_gone_does_not_compile(self):
        folder = Folder(self, page__html=self.PAGE)
        folder.embed("page.html")
        made = 'const pages::PageHtml page{.title = "", .way = "", .rest = ""};'
        self.assertEqual(folder.compile(["page.html"], made + "(void)page;").returncode, 0)
        self.assertNotEqual(folder.compile(["page.html"], made + "put(page.text());").returncode, 0)

    def test_what_is_no_name_is_refused(self):
        for place in (b"{{}}", b"{{ title }}", b"{{Title}}", b"{{a\nb}}", b"{{text}}", b"{{bytes}}", b"{{page}}", b"{{style_hashes}}"):
            self.assertIn("no name for a place", Folder(self, page__html=b"<p>" + place).refused("page.html"), place)


class Styles(unittest.TestCase):
    def test_a_style_beside_the_page_is_put_in_and_named(self):
        folder = Folder(self, page__html=b"<style>{{look.css}}</style>{{rest}}", look__css=b"a{b:c}\n\n  d,\n  e{\n    f:g;\n  }\n")
        folder.embed("page.html")
        style = b"a{b:c}d,e{f:g;}"
        statements = 'put(pages::PageHtml{.rest = "!"}.text()); put(pages::PageHtml::style_hashes);'
        self.assertEqual(folder.output(["page.html"], statements), b"<style>" + style + b"</style>!" + sha256(style).encode())
        self.assertIn(str(folder.path / "look.css"), (folder.path / "page.html.d").read_text().split())

    def test_lines_that_cannot_be_joined_are_refused(self):
        self.assertIn("look.css must end in", Folder(self, page__html=b"{{look.css}}", look__css=b"a\nb{}\n").refused("page.html"))

    def test_a_style_that_is_not_there(self):
        self.assertIn("look.css", Folder(self, page__html=b"{{look.css}}").refused("page.html"))


class Hashes(unittest.TestCase):
    def test_they_are_of_what_a_browser_finds(self):
        style, scripts = b"\n  a > b { c: 'd' }\n", [b"if (a && b < c)\r d('\xe2\x82\xac');\r\n", b"\n`</b>`\n"]
        page = (b"<STYLE media=all>" + style + b"</STYLE><styles>x</styles>\n<script>" + scripts[0] +
                b"</script><script src='x.js' defer></script><script type=module>" + scripts[1] + b"</script>")
        folder = Folder(self, page__html=page)
        folder.embed("page.html")
        statements = "put(pages::PageHtml::text); put(pages::PageHtml::style_hashes); put(pages::PageHtml::script_hashes);"
        read = [text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") for text in scripts]  # HTML, "Preprocessing the input stream"
        expected = sha256(style) + " ".join(map(sha256, read))
        self.assertEqual(folder.output(["page.html"], statements), page + expected.encode())

    def test_a_page_without_has_none(self):
        folder = Folder(self, page__html=b"<p>\n")
        folder.embed("page.html")
        self.assertNotEqual(folder.compile(["page.html"], "put(pages::PageHtml::style_hashes);").returncode, 0)

    def test_what_changes_has_none(self):
        for element in (b"<style>a{b:{{c}}}</style>", b"<script>{{a}}</script>"):
            self.assertIn("has no hash", Folder(self, page__html=element).refused("page.html"))


class Build(unittest.TestCase):
    def test_a_header_is_made_again_if_the_script_has_changed(self):
        folder = Folder(self, page__html=b"<p>\n")
        folder.embed("page.html")
        target, needed = (folder.path / "page.html.d").read_text().split(": ")
        self.assertEqual(target, str(folder.path / "page.html.h"))
        self.assertEqual(needed.split(), [str(folder.path / "page.html"), str(SCRIPT)])

    def test_what_is_wrong_is_said_in_one_line(self):
        said = Folder(self).refused("none.html")
        self.assertTrue(said.startswith("/") and "none.html:1: " in said and said.count("\n") == 1, said)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cxx", nargs="+", default=COMPILER)
    options, rest = parser.parse_known_args()
    COMPILER = options.cxx
    unittest.main(argv=[sys.argv[0], *rest])
