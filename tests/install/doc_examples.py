"""The examples of README.md and docs/*.md, built and run against the installed library.

An example is a fenced block of code right after a line <!-- example: KIND NAME -->, where KIND is
  plugin    C++, built as a plugin, which the installed wharf-test-server must load
  c-plugin  the same in C
  program   C++, linked against the shared and the static library; started with the port 0 as its argument it prints
            "listening on http://...", serves HTTP there, and ends with 0 on SIGTERM
  test      C++, a doctest unit, linked and run: against the library; with wharf/testing.hpp against wharf-testing, shared, static, and
            beside the library"""

import collections
import concurrent.futures
import os
import pathlib
import re
import sys
import unittest
import urllib.error
import urllib.request

import installed

ROOT = pathlib.Path(__file__).resolve().parents[2]
LANGUAGES = {"plugin": "cpp", "c-plugin": "c", "program": "cpp", "test": "cpp"}
MARK = re.compile(r"\s*<!--\s*example:\s*(.*?)\s*-->\s*")
FENCE = re.compile(r"(`{3,}|~{3,})\s*(\S*)\s*")

Example = collections.namedtuple("Example", "kind name code where")


def examples_of(text, where):
    """All the examples of one page. A mark that is not understood is an error, so that none is passed over in silence."""
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        fence = FENCE.match(line)
        if fence:
            code_until(lines, fence[1])
            continue
        mark = MARK.fullmatch(line)
        if not mark:
            if re.search(r"<!--\s*example", line):
                raise AssertionError(f"{where}:{number}: not understood: {line}")
            continue
        here = f"{where}:{number}"
        words = mark[1].split()
        if len(words) != 2 or words[0] not in LANGUAGES or not re.fullmatch(r"[a-z0-9-]+", words[1]):
            raise AssertionError(f"{here}: takes KIND NAME with KIND one of {', '.join(LANGUAGES)}, not '{mark[1]}'")
        opening = FENCE.fullmatch(next(lines, (0, ""))[1])
        if not opening or opening[2] != LANGUAGES[words[0]]:
            raise AssertionError(f"{here}: the next line must begin a block of {LANGUAGES[words[0]]}")
        yield Example(*words, code_until(lines, opening[1]), here)


def code_until(lines, fence):
    code = []
    for _, line in lines:
        if line.strip() == fence:
            return "\n".join(code) + "\n"
        code.append(line)
    raise AssertionError("a block of code does not end")


def all_examples():
    examples = {}
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        if not page.exists():
            continue
        for example in examples_of(page.read_text(encoding="utf-8"), page.relative_to(ROOT)):
            if example.name in examples:
                raise AssertionError(f"{example.where}: there is an example '{example.name}' at {examples[example.name].where}")
            examples[example.name] = example
    return examples


def build(example):
    source = INSTALLED.source(f"{example.name}/{example.name}" + (".c" if example.kind == "c-plugin" else ".cpp"), example.code)
    if example.kind in ("plugin", "c-plugin"):
        return INSTALLED.plugin(source, f"{example.name}/plugins")
    if example.kind == "test":
        main = "-DDOCTEST_CONFIG_IMPLEMENT_WITH_MAIN"
        if "<wharf/testing.hpp>" not in example.code:
            return INSTALLED.program(source, main)
        beside = INSTALLED.source(f"{example.name}/{example.name}-beside.cpp", example.code)
        INSTALLED.program(beside, main, packages=("wharf", "wharf-testing"))
        INSTALLED.static_program(source, main, packages=("wharf-testing",))
        return INSTALLED.program(source, main, packages=("wharf-testing",))
    uses_uv = ["-luv"] if "#include <uv.h>" in example.code else []
    INSTALLED.static_program(source, *uses_uv)
    return INSTALLED.program(source, *uses_uv)


class Notation(unittest.TestCase):
    def test_examples_are_found(self):
        text = "a\n<!-- example: plugin a-1 -->\n```cpp\nint x;\n\ny\n```\n```\n<!-- example: junk -->\n```\n<!--example:test b-->\n~~~cpp\n```\n~~~\n"
        self.assertEqual([tuple(e)[:3] for e in examples_of(text, "p")], [("plugin", "a-1", "int x;\n\ny\n"), ("test", "b", "```\n")])

    def test_faults_are_told(self):
        for text in ("<!-- example: plugin -->\n```cpp\n```", "<!-- example: plugins x -->\n```cpp\n```", "<!-- example: c-plugin x -->\n```cpp\n```",
                     "<!-- example: plugin x -->\n\n```cpp\n```", "<!-- example: plugin x -->", "<!-- example: plugin x -->\n```cpp\n",
                     "text <!-- example: plugin x -->\n```cpp\n```"):
            with self.subTest(text), self.assertRaises(AssertionError):
                list(examples_of(text, "p"))


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.examples = all_examples()
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            cls.jobs = {name: pool.submit(build, example) for name, example in cls.examples.items()}

    def each(self, *kinds):
        """Name and file of each example of these kinds that was built; there must be one. A failed build fails here."""
        names = [name for name, example in self.examples.items() if example.kind in kinds]
        self.assertTrue(names, f"no example of {kinds}")
        for name in names:
            with self.subTest(name, where=self.examples[name].where):
                yield name, self.jobs[name].result()

    def test_plugins_load(self):
        for name, plugin in self.each("plugin", "c-plugin"):
            done = installed.run([str(INSTALLED.server), "-P", str(plugin.parent), "-d", "warn", "--list-protocols"])
            self.assertGreater(len(done.split()), 1, f"{name} brought no protocol: {done}")

    def test_programs_serve(self):
        for _, program in self.each("program"):
            for file in (program, program.with_name(program.name + "-static")):
                with INSTALLED.running(file, "0") as url:
                    try:
                        status = urllib.request.urlopen(url, timeout=10).status
                    except urllib.error.HTTPError as error:
                        status = error.code
                    self.assertIn(status, (200, 404))

    def test_tests_pass(self):
        for _, program in self.each("test"):
            for file in (file for file in program.parent.iterdir() if file.suffix != ".cpp"):
                said = installed.run([str(file)], env=INSTALLED.run_environment())
                self.assertNotRegex(said, r"test cases: +0")


if __name__ == "__main__":
    with installed.Installed(installed.arguments(__doc__.splitlines()[0])) as INSTALLED:
        unittest.main(argv=sys.argv[:1])
