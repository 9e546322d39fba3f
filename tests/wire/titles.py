"""The titles of the tests, and the clauses that they name."""
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DOCTEST = re.compile(r'TEST_CASE(?:_TEMPLATE)?\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')


def titles_of(stem):
    """The titles of a file of wire cases, in its order."""
    lines = (HERE / f"{stem}.wire").read_text(encoding="utf-8").splitlines()
    return [line[3:] for line in lines if line.startswith("## ")]


def doctest_titles(file):
    matches = DOCTEST.finditer(file.read_text(encoding="utf-8"))
    return ["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match[1])).replace('\\"', '"') for match in matches]


def names_of_tests():
    """The title of each test case in C++, and `FILE: NAME` of each test function in Python."""
    names = set()
    for file in sorted((ROOT / "tests").rglob("*_test.cpp")):
        names.update(doctest_titles(file))
    for file in sorted((ROOT / "tests").rglob("*_test.py")):
        names.update(f"{file.name}: {name}" for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8")))
    return names
