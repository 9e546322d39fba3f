"""docs/http.md against the tests: scripts/http-cases finds no fault, and finds those that it is there to find."""
import importlib.machinery
import importlib.util
import sys
import unittest

sys.dont_write_bytecode = True

from titles import ROOT  # noqa: E402


def script():
    loader = importlib.machinery.SourceFileLoader("http_cases", str(ROOT / "scripts" / "http-cases"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("http_cases", loader))
    loader.exec_module(module)
    return module


SCRIPT = script()
PAGE = SCRIPT.RULES.read_text(encoding="utf-8")
CASES = SCRIPT.all_cases()
WRITTEN = SCRIPT.CASES.read_text(encoding="utf-8")


class HttpClauses(unittest.TestCase):
    def faults(self, page=PAGE, cases=None, written=None):
        cases = CASES if cases is None else cases
        return list(SCRIPT.faults_of(page, cases, SCRIPT.appendix(SCRIPT.rules_of(page), cases) if written is None else written))

    def test_the_page_and_its_appendix_are_those_of_the_tests(self):
        self.assertEqual(self.faults(written=WRITTEN), [])

    def test_an_appendix_that_differs_is_found(self):
        self.assertEqual(len(self.faults(written=WRITTEN + "- more\n")), 1)
        renamed = [(file, title.replace("Two empty lines", "Two lines")) for file, title in CASES]
        self.assertEqual(len(self.faults(cases=renamed, written=WRITTEN)), 1)

    def test_a_rule_without_a_case_is_found(self):
        found = self.faults(PAGE + "\n| 9110 99.1, 9112 6.3 | No test names the first clause. | 400 |\n")
        self.assertEqual(len(found), 1)
        self.assertIn("no case for RFC 9110 99.1", found[0])

    def test_a_case_without_a_rule_is_found(self):
        found = self.faults(cases=[*CASES, ("tests/wire/http_request.wire", "A new one (RFC 9112 section 99)")])
        self.assertEqual(len(found), 1)
        self.assertIn("no rule names RFC 9112 99", found[0])

    def test_a_name_of_nothing_is_found(self):
        self.assertEqual(len(self.faults(PAGE + "\n`test: no such title`\n")), 1)
        self.assertEqual(len(self.faults(PAGE + "\n`tests/unit/no_such_test.cpp`\n")), 1)

    def test_clauses_are_read_from_rules_and_titles(self):
        self.assertEqual(SCRIPT.clauses_in(" 9110 2.5, 15.6.6, 9112 3 "), [("9110", "2.5"), ("9110", "15.6.6"), ("9112", "3")])
        both = [("9110", "9.3.6"), ("9110", "9.3.7")]
        self.assertEqual(SCRIPT.split_title("A, b (RFC 9110 sections 9.3.6 and 9.3.7)"), ("A, b", both))
        self.assertEqual(SCRIPT.split_title("HTTP/1.1 (SVG 1.1)"), ("HTTP/1.1 (SVG 1.1)", []))


if __name__ == "__main__":
    unittest.main()
