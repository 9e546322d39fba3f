"""Which rooms of lib/ an include may name (the table of rooms in meson.build), each library in its own rooms, public headers from std alone,
no friends of other rooms, and no folder of lib/ crowded.

The build says most of this too, since each room is compiled with a folder of links to the rooms that it may name; this says it in one
line, and also if a header lies on the include path by chance.
"""
import collections
import re

from tree import C_FAMILY, finding

ROOM = re.compile(r"^  '(\w+)': \[([^\]]*)\],$", re.MULTILINE)  # a row of the table
CROWD = 28                                                       # the most files in one folder of lib/
PUBLIC = {"files", "access", "observe", "protocol", "proxy", "server", "testing",
          "include", "plugins", "test-apps", "bench", "tests"}   # may name wharf/
INSIDE = {"bench/codec.cpp": "codec"}                            # the code that it measures has no public header
PLAIN = {"wharf/limits.hpp"}                                     # numbers alone: every room reads its defaults there
OWN_PUBLIC = {"websocket": {"wharf/websocket.hpp"},                  # a lower room implements these,
              "base": {"wharf/utf8.hpp"}, "codec": {"wharf/utf8.hpp"}}  # or has them in common with plugins
GENERATED = {"test-apps": {"builtin_plugins.inc"}}
EMBEDDED = re.compile(r"[^/]+\.(?:css|html|js|svg)(?=\.h$)")  # of the header that scripts/embed makes of a page

SYSTEM = ("sys/", "net/", "netinet/", "arpa/", "dirent.h", "dlfcn.h", "fcntl.h", "ifaddrs.h", "linux/openat2.h",
          "netdb.h", "poll.h", "pthread.h", "sched.h", "signal.h", "time.h", "unistd.h")
LIBRARIES = {  # folder -> beginnings of the angle includes that it may name, besides the C++ standard's
    "base": SYSTEM,  # files and streams that are no peers
    "codec": ("openssl/", "zlib.h", "immintrin.h", "arm_neon.h"),
    "websocket": ("openssl/",),
    "tls": ("openssl/",),
    "link": (),
    "http": ("nghttp2/",),
    "protocol": ("cxxabi.h", "elf.h", "link.h", *SYSTEM),  # the first three show what the dynamic linker did
    "io": ("uv.h", "grp.h", "pwd.h", "linux/filter.h", "linux/tcp.h", *SYSTEM),
    "files": SYSTEM,
    "access": ("crypt.h", *SYSTEM),
    "observe": SYSTEM,
    "proxy": SYSTEM,
    "server": ("spawn.h", *SYSTEM),
    "testing": (),
    "include": ("stddef.h", "stdint.h"),
    "plugins": (),
    "test-apps": ("CLI/", *SYSTEM),  # the examples that bring their own sockets
    "bench": ("uv.h", "openssl/", "zlib.h", *SYSTEM),
}
STREAMS = re.compile(r"std::(cout|cerr|clog)\b|(?<![\w.])(std::)?(v?f?printf|fputs|puts|fwrite|perror)\(")
INCLUDE = re.compile(r'\s*#\s*include\s*(?:<([^>]*)>|"([^"]*)")')
FRIEND = re.compile(r"\s*friend\b(?! .*\boperator)(?: (?:class|struct) (\w+);)?")
CLASS = re.compile(r"^(?:class|struct) (\w+)\b[^;\n]*\{$", re.MULTILINE)
STANDARD = re.compile(r"[a-z_]+$")  # <vector>: no .h, no folder


def room(path):
    """The room of lib/ that a path lies in, else its top folder."""
    parts = path.split("/")
    if parts[0] == "lib":
        return parts[1] if len(parts) > 2 else None
    return parts[0] if len(parts) > 1 else None


def table(files):
    """The rooms, each with those that it may name, as meson.build has them."""
    text = next((file.text for file in files if file.path == "meson.build"), "")
    return {name: set(re.findall(r"\w+", named)) for name, named in ROOM.findall(text)}


def wrong_library(mine, include):
    if STANDARD.match(include) or mine == "tests":
        return None
    if include.startswith("wharf/"):
        return f"<{include}>: headers of the project go in quotes"
    for name in LIBRARIES.get(mine, ()):
        if include == name or (name.endswith("/") and include.startswith(name)):
            return None
    return f"<{include}>: {mine} does not name that library"


def wrong_room(mine, path, include, known, rooms):
    theirs = include.split("/")[0] if "/" in include else None
    if theirs == "wharf":
        if mine in PUBLIC or include in PLAIN or include in OWN_PUBLIC.get(mine, ()):
            return None
        return f'"{include}": {mine} lies below the public headers'
    if theirs in rooms and f"lib/{include}" in known:
        if mine == "tests" or INSIDE.get(path) == theirs or theirs in rooms.get(mine, ()):
            return None
        return f'"{include}": {mine} may not name {theirs}' if mine in rooms else f'"{include}": {mine} names public headers only'
    if mine == "tests" and theirs in ("plugins", "test-apps") and include in known:
        return None
    page = EMBEDDED.match(include)
    if page is not None:
        beside = (name for name in known if name.endswith("/" + page[0]) and room(name) == mine)
        return None if any(beside) else f'"{include}": no such page in {mine}'
    if mine in rooms or mine == "include":
        return f'"{include}": no such header; they are named from {"lib/" if mine in rooms else "include/"} on'
    beside = path.rsplit("/", 1)[0] + "/" + include
    if beside in known or f"{mine}/{include}" in known or include in GENERATED.get(mine, ()):
        return None
    return f'"{include}": no such header beside this file'


def crowded(files):
    folders = collections.defaultdict(list)
    for file in files:
        if file.path.startswith("lib/"):
            folders[file.path.rsplit("/", 1)[0]].append(file)
    return [finding(inside[CROWD], 1, f"{folder} has {len(inside)} files, and {CROWD} are the most")
            for folder, inside in folders.items() if len(inside) > CROWD]


def strange_friends(files):
    """Those in lib/ that are neither a comparison nor a class of the same room."""
    code = [file for file in files if file.path.startswith("lib/") and file.suffix in C_FAMILY]
    classes = {(room(file.path), name) for file in code for name in CLASS.findall(file.text)}
    return [finding(file, number, "a friend is a comparison, or a class of the same room")
            for file in code for number, line in enumerate(file.lines, 1)
            if (friend := FRIEND.match(line)) and (room(file.path), friend[1]) not in classes]


def check(files):
    known = {file.path for file in files}
    rooms = table(files)
    found = crowded(files) + strange_friends(files)
    for file in files:
        mine = room(file.path)
        if file.suffix not in C_FAMILY:
            continue
        if mine not in rooms and mine not in LIBRARIES and mine != "tests":
            found.append(finding(file, 1, "code that lies in no room"))
            continue
        if file.suffix in (".h", ".hpp") and not re.search(r"^#(pragma once|ifndef WHARF_\w+_H)$", file.text, re.MULTILINE):
            found.append(finding(file, 1, "a header without #pragma once"))
        for number, line in enumerate(file.lines, 1):
            if file.path.startswith("lib/") and STREAMS.search(line.split("//")[0]):
                found.append(finding(file, number, "lib/ writes to a stream through LineWriter or the log alone"))
            match = INCLUDE.match(line)
            if match is None:
                continue
            angle, quoted = match.groups()
            include = angle if quoted is None else quoted
            if ".." in include.split("/") or include.startswith("/"):
                wrong = f"{include}: an include names no .. and no absolute path"
            elif angle is not None:
                wrong = wrong_library(mine, angle)
            else:
                wrong = wrong_room(mine, file.path, quoted, known, rooms)
            if wrong is not None:
                found.append(finding(file, number, wrong))
    return found
