"""No class carries its state in a crowd of booleans: what excludes each other is one enumeration, what does not is a base::Flags."""
import re

from lengths import without_literals
from tree import finding

MOST = 3
FOLDERS = ("lib", "include", "plugins", "test-apps")
# path and class: why it may have more. Facts that are set together once, and are not a state, can be as many as they are.
EXEMPT = {
    "lib/codec/ws/extension.h DeflateAgreement": "the parameters that RFC 7692 names",
    "include/wharf/websocket.hpp Agreement": "the same, for the user",
    "test-apps/program_options.h Settings": "the flags of a command line, each by itself",
}

CLASS = re.compile(r"(?<!enum )\b(?:class|struct)\s+(?:alignas\([^)]*\)\s*|WHARF_\w+\s+)*([\w:]+)(?:\s+final)?\s*(?::[^:].*)?$", re.DOTALL)
ONE = r"\w+(?:\s*=[^,;()]*)?"
MEMBER = re.compile(rf"\s*(?:mutable\s+)?(?:const\s+)?(?:std::atomic<bool>|bool)\s+({ONE}(?:\s*,\s*{ONE})*)\s*$", re.DOTALL)


def classes(text):
    """(line, name, members that are bool) of each class with a body."""
    found = []
    stack = []  # for each open brace: (line, name, members) of a class, or None
    line, head, begun = 1, "", 1
    plain = re.sub(r"\b(bool>?\s+\w+)\{(\w*)\};", r"\1 = \2;", without_literals(text, "c"))
    for c in plain:
        if c == "\n":
            line += 1
        if c == "{":
            match = CLASS.search(head)
            stack.append((begun, match[1], []) if match else None)
            head = ""
        elif c == "}":
            top = stack.pop() if stack else None
            if top:
                found.append(top)
            head = ""
        elif c == ";":
            match = MEMBER.match(re.sub(r"^.*\b(?:public|protected|private)\s*:", "", head, flags=re.DOTALL))
            if match and stack and stack[-1]:
                stack[-1][2].extend(re.match(r"\w+", each.strip())[0] for each in match[1].split(","))
            head = ""
        else:
            if not head.strip():
                head, begun = "", line
            head += c
    return found


def check(files):
    found = []
    for file in files:
        if file.kind != "c" or file.folder not in FOLDERS:
            continue
        for line, name, members in classes(file.text):
            if len(members) > MOST and f"{file.path} {name}" not in EXEMPT:
                found.append(finding(file, line, f"{name} has {len(members)} members that are bool ({', '.join(members)}); "
                                                 f"{MOST} at most: name its states"))
    return found
