"""The findings of clang-format, clang-tidy, node and python in their kinds of files."""
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess

from tree import File, finding

BUILD = "build/lint"  # a build folder of which nothing is built but its headers: for those and its compile commands
JOBS = 2
VERSION = "14"  # of clang-format and clang-tidy: other versions format differently and find other things
TIDY_FOLDERS = ("lib", "include", "plugins", "test-apps", "bench")
MESSAGE = re.compile(r"(?:(\S[^:\n]*):(\d+):\d+: )?(?:warning|error|fatal error): (.*)$", re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]*)"', re.MULTILINE)
# The analyzer looks at 50,000 states of a function instead of 225,000: the states beyond took half of the whole time, for the few
# functions that have so many, and never brought a finding.
EXTRA = [f"--extra-arg={word}" for word in ("-Wno-unknown-warning-option", "-Xclang", "-analyzer-config", "-Xclang", "max-nodes=50000")]


class Missing(Exception):
    """A tool is missing."""


def find_clang_tool(name):
    for program in (f"{name}-{VERSION}", name):
        path = shutil.which(program)
        if path is None:
            continue
        said = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        if re.search(rf"version {VERSION}\.", said):
            return path
    raise Missing(f"no {name} of version {VERSION}")


def findings_in(root, said, where, fallback):
    """The messages of a clang tool, its paths relative to `where`, each once."""
    found = []
    for path, line, text in MESSAGE.findall(said):
        real = os.path.relpath(os.path.realpath(os.path.join(where, path)), os.path.realpath(root)) if path else fallback
        found.append(f"{real}:{line or 1}: {text.replace(',-warnings-as-errors', '')}")
    return list(dict.fromkeys(found))


def check_format(root, files):
    ours = [file.path for file in files if file.kind == "c"]
    if not ours:
        return []
    done = subprocess.run([find_clang_tool("clang-format"), "--dry-run", "-Werror", *ours], cwd=root, capture_output=True, text=True)
    said = re.sub(r"code should be clang-formatted \[.*\]", "clang-format -i would change this", done.stderr)
    found = findings_in(root, said, root, ours[0])
    if done.returncode != 0 and not found:
        found = [f"{ours[0]}:1: clang-format ended with status {done.returncode}"]
    return found


class Tidy:
    def __init__(self, root, files):
        self.root = str(root)
        self.program = find_clang_tool("clang-tidy")
        self.build = os.path.join(self.root, BUILD)
        self.results = os.path.join(self.build, "tidy")
        self.known = {file.path: file for file in files}
        self.commands = {}

    def set_up(self):
        if shutil.which("meson") is None or shutil.which("ninja") is None:
            raise Missing("no meson and ninja")
        with_clang = {"CC": "clang", "CXX": "clang++"} if shutil.which("clang++") else {}
        options = ["--werror", "-Dtests=disabled", "-Dtest_apps=enabled", "-Dbench=true"]
        for command in (["scripts/configure", BUILD, *options], ["ninja", "-C", BUILD, "build.ninja"]):
            done = subprocess.run(command, cwd=self.root, env=os.environ | with_clang, capture_output=True, text=True)
            if done.returncode != 0:
                raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        self.make_headers()
        os.makedirs(self.results, exist_ok=True)
        with open(os.path.join(self.build, "compile_commands.json")) as database:
            for entry in json.load(database):
                path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
                self.commands[os.path.relpath(path, os.path.realpath(self.root))] = entry["command"]

    def make_headers(self):
        listed = subprocess.run(["ninja", "-C", BUILD, "-t", "targets", "all"], cwd=self.root, capture_output=True, text=True).stdout
        headers = re.findall(r"^(\S+\.h): CUSTOM_COMMAND", listed, re.MULTILINE)
        done = subprocess.run(["ninja", "-C", BUILD, *headers], cwd=self.root, capture_output=True, text=True)
        if not headers or done.returncode != 0:
            raise RuntimeError(f"the headers of pages were not made:\n{done.stdout}{done.stderr}")

    def includes(self, path, seen):
        """The project's own headers that a file sees, all the way down."""
        for name in INCLUDE.findall(self.known[path].text):
            for folder in (os.path.dirname(path), "lib", "include"):
                target = os.path.normpath(os.path.join(folder, name))
                if target in self.known and target not in seen:
                    seen.add(target)
                    self.includes(target, seen)
        return seen

    def key(self, path):
        """Names everything on which the findings depend, except the system's headers."""
        digest = hashlib.sha256()
        for part in (self.program, path, self.commands[path]):
            digest.update(part.encode() + b"\0")
        for name in (".clang-tidy", path, *sorted(self.includes(path, set()))):
            digest.update(name.encode() + b"\0" + File(self.root, name).bytes + b"\0")
        return digest.hexdigest()

    def check_file(self, path):
        kept = os.path.join(self.results, self.key(path))
        if not os.path.exists(kept):
            done = subprocess.run([self.program, "--quiet", "-p", self.build, *EXTRA, path], cwd=self.root, capture_output=True, text=True)
            found = findings_in(self.root, done.stdout, self.build, path)
            if done.returncode != 0 and not found:
                last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
                return None, [f"{path}:1: clang-tidy ended with status {done.returncode}: {last}"]
            with open(f"{kept}.new", "w") as new:
                new.write("\n".join(found))
            os.replace(f"{kept}.new", kept)
        with open(kept) as result:
            return os.path.basename(kept), result.read().splitlines()

    def forget_all_but(self, kept):
        for name in os.listdir(self.results):
            if name not in kept:
                os.remove(os.path.join(self.results, name))

    def check(self):
        self.set_up()
        sources = [path for path, file in self.known.items() if file.folder in TIDY_FOLDERS and file.suffix in (".c", ".cpp")]
        found = [f"{path}:1: no build compiles it" for path in sources if path not in self.commands]
        kept = set()
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            for key, messages in pool.map(self.check_file, [path for path in sources if path in self.commands]):
                kept.add(key)
                found += messages
        self.forget_all_but(kept)
        return list(dict.fromkeys(found))


def check_tidy(root, files):
    return Tidy(root, files).check()


def check_javascript(root, files):
    ours = [file for file in files if file.kind == "js"]
    if ours and shutil.which("node") is None:
        raise Missing("no node")
    found = []
    for file in ours:
        done = subprocess.run(["node", "--check", file.path], cwd=root, capture_output=True, text=True)
        if done.returncode != 0:
            line = re.search(rf"{re.escape(os.path.basename(file.path))}:(\d+)", done.stderr)
            wrong = re.search(r"^\w*Error: .*", done.stderr, re.MULTILINE)
            found.append(finding(file, line[1] if line else 1, wrong[0] if wrong else "node does not take it"))
    return found


def check_python(_root, files):
    found = []
    for file in files:
        if file.kind != "python":
            continue
        try:
            compile(file.bytes, file.path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            found.append(finding(file, getattr(error, "lineno", None) or 1, f"python does not take it: {error}"))
    return found
