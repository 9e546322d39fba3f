"""Plugins in one server that have classes of the same names: built as a user builds them, with each compiler there is, and asked in a real
server. What the public headers define is hidden from the dynamic linker, so that none takes the other's."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import unittest
import urllib.request

import server

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "include"
HOST = os.environ["WHARF_RDYNAMIC_HOST"]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
HIDDEN = "-fvisibility=hidden"  # what the documents recommend beside

# Built without it, by g++: the symbols that they would share.
SHOWN = {"a": ["-DCOUNTING=int", "-DOLD_HEADER"], "b": ["-DCOUNTING=double"], "c": ["-DCOUNTING=int", "-DOLD_HEADER"]}


def compilers():
    found = [name for name in ("g++", "clang++") if shutil.which(name)]
    if not found:
        server.missing_peer("g++")
    return found


def build(output, source, compiler, level, *options):
    """The line of docs/write-a-protocol.md, with warnings."""
    line = [compiler, "-std=c++20", "-shared", "-fPIC", f"-I{INCLUDE}", level, *WARNINGS, *options, str(HERE / source), "-o", str(output)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(line)}\n{done.stderr}")
    return output


def namesake(output, compiler, level, name, word, padding, *options):
    macros = [f'-DNAME="{name}"', f'-DWORD="{word}"', f"-DPADDING={padding}"]
    return build(output, "namesake.cpp", compiler, level, *macros, *options)


def dynamic_symbols(file):
    """Kind and mangled name of all that the file defines for others."""
    lines = subprocess.run(["nm", "-D", "--defined-only", str(file)], capture_output=True, text=True, check=True).stdout
    return [tuple(line.split()[1:3]) for line in lines.splitlines()]


def logged_lines(serving, count):
    """All lines of the log, as soon as there are that many: another thread writes them."""
    server.until(lambda: len(serving.log().splitlines()) >= count, 10, f"{count} lines of the log")
    lines = serving.log().splitlines()
    if len(lines) != count:
        raise AssertionError(f"{lines} are not {count} lines")
    return lines


def get(url):
    with urllib.request.urlopen(url, timeout=10 * server.SLOW) as answer:
        return answer.read().decode()


def say_on_line(serving, path, word):
    """Leaves HTTP, says a word and reads to the end."""
    with socket.create_connection((serving.host, serving.port), 10 * server.SLOW) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: line\r\nConnection: upgrade\r\n\r\n{word}".encode())
        client.shutdown(socket.SHUT_WR)
        data = b""
        while piece := client.recv(4096):
            data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), rest.decode()


class Mixing(unittest.TestCase):
    """One folder for each compiler and level: a.so and b.so of the same classes, and everything.so."""

    @classmethod
    def setUpClass(cls):
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="wharf-mixing-"))
        cls.folders = {}
        jobs = []
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for compiler in compilers():
                for level in ("-O0", "-O2"):
                    folder = cls.root / (compiler + level)
                    folder.mkdir()
                    cls.folders[compiler + level] = folder
                    jobs += [pool.submit(namesake, folder / "a.so", compiler, level, "a", "first", 1),
                             pool.submit(namesake, folder / "b.so", compiler, level, "b", "second", 5000)]
                # Without optimisation everything has a symbol; with it, compiling takes long.
                jobs.append(pool.submit(build, cls.root / f"everything-{compiler}.so", "everything.cpp", compiler, "-O0"))
                folder = cls.root / (compiler + HIDDEN)
                folder.mkdir()
                jobs += [pool.submit(namesake, folder / "a.so", compiler, "-O0", "a", "first", 1, "-DCOUNTING=int", HIDDEN),
                         pool.submit(namesake, folder / "b.so", compiler, "-O0", "b", "second", 5000, "-DCOUNTING=double", HIDDEN)]
                cls.folders[compiler + HIDDEN] = folder
            cls.shown = cls.root / "shown"
            cls.shown.mkdir()
            if "g++" in compilers():
                for name, options in SHOWN.items():
                    jobs.append(pool.submit(namesake, cls.shown / f"{name}.so", "g++", "-O0", name, "word", 1, *options))
            for job in jobs:
                job.result()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    def chosen(self, hidden):
        return [(name, folder) for name, folder in self.folders.items() if name.endswith(HIDDEN) == hidden]

    def answers(self, serving, name, word):
        self.assertEqual(get(f"{serving.url}{name}/"), f"{word} 1")
        self.assertEqual(get(f"{serving.url}{name}/"), f"{word} 2")
        self.assertEqual(get(f"{serving.url}{name}-later/"), word)
        self.assertEqual(say_on_line(serving, f"/{name}-line/", "!"), ("HTTP/1.1 101 Switching Protocols", word + "!"))

    def test_two_plugins_with_classes_of_the_same_names_answer_for_themselves(self):
        rows = [f"{name}{part}" for name in "ab" for part in ("", "-later", "-line")]
        mounts = [word for row in rows for word in ("--mount", f"/{row}/={row}")]
        for name, folder in self.folders.items():
            with self.subTest(name), server.Server("-P", folder, *mounts, plugins=False, www=None) as serving:
                self.answers(serving, "a", "first")
                self.answers(serving, "b", "second")
                self.assertEqual(serving.log(), "")

    def test_a_plugin_in_a_program_that_shows_classes_of_the_same_names(self):
        shown = subprocess.run(["nm", "-DC", "--defined-only", HOST], capture_output=True, text=True, check=True).stdout
        self.assertIn(" Api::Shared::~Shared()", shown)  # one that no compiler inlines everywhere
        for name, folder in self.chosen(hidden=True):
            with self.subTest(name), InHost(folder / "a.so", folder / "b.so") as serving:
                self.assertEqual(get(f"{serving.url}host/"), "host")
                self.answers(serving, "a", "first")
                self.answers(serving, "b", "second")

    def test_the_documented_line_exports_the_plugin_and_nothing_of_the_headers(self):
        for compiler in compilers():
            with self.subTest(compiler):
                names = [name for _, name in dynamic_symbols(self.root / f"everything-{compiler}.so")]
                # g++ shows member templates of its library's helpers whatever they are made for, but no class template.
                helper = re.compile("_ZNK?St(?!6vector|8optional|10unique_ptr|8function|5tuple)")
                self.assertEqual([name for name in names if "wharf" in name and not helper.match(name)], ["wharf_plugin_export"])
        for name, folder in self.chosen(hidden=False):
            with self.subTest(name):
                # The author's own functions may be shown, with ours in their parameters; variables for the whole process are only the library's.
                symbols = dynamic_symbols(folder / "a.so")
                self.assertEqual([symbol for symbol in symbols if re.match("_Z(T[VTIS]|GV|Z)*NK?5wharf", symbol[1])], [])
                self.assertEqual([symbol for symbol in symbols if symbol[0] == "u" and not re.match("_Z(GV)?Z?(NK?)?St", symbol[1])], [])

    def test_with_hidden_visibility_nothing_is_exported_but_the_plugin(self):
        for name, folder in self.chosen(hidden=True):
            with self.subTest(name):
                own = [name for _, name in dynamic_symbols(folder / "a.so") if re.search("wharf|Api|Later|Line|Talk|Counter", name)]
                self.assertEqual(own, ["wharf_plugin_export"])

    def test_variables_of_the_author_are_each_plugin_s_own_with_hidden_visibility(self):
        mounts = ["--mount", "/a/=a-counter", "--mount", "/b/=b-counter"]
        for name, folder in self.chosen(hidden=True):
            with self.subTest(name), server.Server("-P", folder, *mounts, plugins=False, www=None) as serving:
                self.assertEqual([get(serving.url + path) for path in ("a/", "b/", "a/", "b/")], ["1", "1.000000", "2", "2.000000"])


    def test_a_plugin_whose_variable_would_be_another_one_is_refused(self):
        if "g++" not in compilers():
            self.skipTest("g++ makes variables that are one for the process, clang++ does not")
        with server.Server("-P", self.shown, plugins=False, www=None) as serving:
            self.assertEqual([row for row in serving.protocols if row in "abc"], ["a"])
            lines = logged_lines(serving, 2)
        for line, name, variable in zip(lines, "bc", (r"Counter::request\(wharf::Exchange\)::counts", "wharf::of_the_headers")):
            self.assertRegex(line, rf"error: plugin '\S*/{name}.so' is refused: its variable '{variable}' would be another one, that of "
                                   r"'\S*/a.so'; build it with -fvisibility=hidden \(.*\)$")

    def test_a_plugin_that_gets_functions_of_the_program_is_told_of(self):
        for name, folder in self.chosen(hidden=False):
            if name.endswith("-O0"):
                with self.subTest(name), InHost(folder / "a.so") as serving:
                    self.assertRegex(logged_lines(serving, 1)[0], r"\A\S* *warn: plugin '\S*/a.so' gets '.*' of '\S*' instead of its own"
                                     r"(, and [0-9]+ more)?; build it with -fvisibility=hidden \(.*\)\Z")


class InHost(server.Server):
    """The program with visible symbols in the place of the test server."""

    def __init__(self, *files):
        before = server.command
        server.command = lambda *arguments, **_: [HOST, *map(str, arguments)]
        try:
            super().__init__(*files)
        finally:
            server.command = before


if __name__ == "__main__":
    unittest.main()
