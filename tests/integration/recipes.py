"""Texts of docs/tls.md that tests run: the fenced block right after a line <!-- MARK -->. As a program: recipes.py MARK FILE writes it."""

import pathlib
import re
import shlex
import sys

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "tls.md"


def block(mark):
    """The lines between the fences."""
    found = re.findall(rf"^<!-- {re.escape(mark)} -->\n```\w+\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if len(found) != 1:
        raise AssertionError(f"{PAGE.name} has {len(found)} blocks of code after <!-- {mark} -->")
    return found[0]


def recipe(name, values):
    """The recipe of that name, with what the test has in place of what the page has. All of it must be there, so that nothing is left
    that means another place of this machine."""
    text = block(f"recipe: {name}")
    for old, new in values.items():
        if old not in text:
            raise AssertionError(f"the recipe {name} has no '{old}'")
        text = text.replace(old, str(new))
    return text


def commands(name, values):
    """Those of a recipe, as lists of words."""
    return [words for line in recipe(name, values).replace("\\\n", " ").splitlines() if (words := shlex.split(line, comments=True))]


if __name__ == "__main__":
    pathlib.Path(sys.argv[2]).write_text(block(sys.argv[1]), encoding="utf-8")
