"""The files of the project, and what kind of text each is."""
import functools
import pathlib
import subprocess

C_FAMILY = {".c", ".h", ".cpp", ".hpp"}
CODE_FOLDERS = ("lib", "include", "plugins", "test-apps", "bench", "tests")
DATA = ("tests/fuzz/corpus/", "tests/wire/")  # bytes for a test: the rules of style do not apply, unless they are code
SHELLS = {"sh", "bash", "dash"}


class File:
    def __init__(self, root, path, text=None):
        self.root = pathlib.Path(root)
        self.path = path
        self.given = text

    @functools.cached_property
    def bytes(self):
        return (self.root / self.path).read_bytes() if self.given is None else self.given.encode()

    @functools.cached_property
    def text(self):
        return self.bytes.decode(errors="replace")

    @functools.cached_property
    def lines(self):
        return self.text.split("\n")

    @property
    def suffix(self):
        return pathlib.PurePath(self.path).suffix

    @property
    def folder(self):
        return self.path.split("/")[0] if "/" in self.path else ""

    @functools.cached_property
    def kind(self):
        """c, js, python, shell, data (bytes that are not text, or that belong to a test), or text."""
        if self.suffix in C_FAMILY:
            return "c"
        if self.suffix in (".js", ".mjs", ".cjs"):
            return "js"
        if self.suffix == ".py":
            return "python"
        if self.path.startswith(DATA) and self.suffix != ".build" or b"\0" in self.bytes:
            return "data"
        if self.bytes.startswith(b"#!"):
            words = self.lines[0][2:].replace("/", " ").split()
            if any(word.startswith("python") for word in words):
                return "python"
            if SHELLS & set(words):
                return "shell"
        return "shell" if self.suffix in (".sh", ".bash") else "text"


def files(root):
    """The files that git tracks or would track; without git, all that are neither hidden nor built."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        paths = (path.relative_to(root) for path in pathlib.Path(root).rglob("*"))
        listed = [str(path) for path in paths if not path.parts[0].startswith(("build", ".git")) and "__pycache__" not in path.parts]
    return [File(root, path) for path in sorted(filter(None, listed)) if (pathlib.Path(root) / path).is_file()]


def finding(file, line, text):
    return f"{file.path}:{line}: {text}"
