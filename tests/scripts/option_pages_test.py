#!/usr/bin/python3
"""wharf-option-pages, which writes the tables of options in the documents.

usage: option_pages_test.py --program PROGRAM PAGE..."""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = None
PAGES = []


def run(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


class Pages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.pages = [self.folder / page.name for page in PAGES]
        for page, copy in zip(PAGES, self.pages):
            copy.write_bytes(page.read_bytes())

    def test_they_are_as_they_are_written(self):
        for arguments in ((), ("--check",)):
            result = run(*arguments, *self.pages)
            self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_a_default_that_was_changed_is_found_and_mended(self):
        page = self.pages[0]
        before = page.read_text(encoding="utf-8")
        page.write_text(before.replace("| 8 KiB ", "| 9 KiB ", 1), encoding="utf-8")
        result = run("--check", *self.pages)
        self.assertEqual((result.returncode, result.stdout), (1, f"{page}: differs from what wharf-option-pages writes\n"))
        self.assertEqual(run(*self.pages).returncode, 0)
        self.assertEqual(page.read_text(encoding="utf-8"), before)

    def test_a_page_that_cannot_be_read(self):
        for name in (self.folder / "no-such-page.md", self.folder):
            for arguments in ((), ("--check",)):
                result = run(*arguments, *self.pages, name)
                self.assertEqual((result.returncode, result.stdout), (1, f"{name}: cannot be read\n"))

    def test_a_page_that_cannot_be_written(self):
        full = self.folder / "page.md"
        full.write_text("no line feed", encoding="utf-8")
        limited = ["bash", "-c", 'trap "" XFSZ; ulimit -f 0; "$0" "$@"', PROGRAM, *map(str, self.pages), str(full)]
        result = subprocess.run(limited, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual((result.returncode, result.stdout), (1, f"{full}: cannot be written\n"))

    def test_wrong_usage(self):
        for arguments in ((), ("--check",), ("--chekc", *self.pages), ("--help",)):
            result = run(*arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertEqual(result.stderr, "usage: wharf-option-pages [--check] PAGE...\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    PROGRAM, PAGES = options.program, options.pages
    unittest.main(argv=[sys.argv[0]])
