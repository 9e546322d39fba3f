"""Rules for every text: no marks of unfinished work, no tabs, no white space at the end of a line; shell scripts stop at an error."""
import re

from tree import finding

MARKS = re.compile(r"\b(" + "|".join(("TO" "DO", "FIX" "ME", "X" "XX", "HA" "CK")) + r")\b")
SAFE = re.compile(r"^set -(?=\w*e)(?=\w*u)\w+", re.MULTILINE)


def check(files):
    found = []
    for file in files:
        if file.kind == "data":
            continue
        for number, line in enumerate(file.lines, 1):
            mark = MARKS.search(line)
            if mark:
                found.append(finding(file, number, f"a mark of unfinished work: {mark[0]}"))
            if "\t" in line:
                found.append(finding(file, number, "a tab"))
            if line != line.rstrip():
                found.append(finding(file, number, "white space at the end of the line"))
        if file.text and not file.text.endswith("\n"):
            found.append(finding(file, len(file.lines), "the last line does not end"))
        if file.text.endswith("\n\n"):
            found.append(finding(file, len(file.lines) - 1, "an empty line at the end"))
        if file.kind == "shell" and not SAFE.search(file.text):
            found.append(finding(file, 1, "a shell script without `set -eu`"))
    return found
