"""The library as a shared one alone and as a static one alone: each configures, and installs what it says."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest


def run(*line):
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(line)}\n{done.stdout}{done.stderr}")
    return done.stdout


class Kinds(unittest.TestCase):
    def check(self, kind, there, absent):
        """A build folder with that kind of library alone: what would be installed, and what programs are told to link."""
        with tempfile.TemporaryDirectory(prefix="wharf-kind-") as folder:
            run(ARGUMENTS.meson, "setup", folder, ARGUMENTS.source, f"-Ddefault_library={kind}", "-Dtests=disabled")
            installed = {pathlib.Path(name).name for name in json.loads(run(ARGUMENTS.meson, "introspect", "--installed", folder)).values()}
            self.assertLessEqual(there, installed)
            self.assertEqual(absent & installed, set())
            for line in (pathlib.Path(folder) / "meson-private" / "wharf.pc").read_text(encoding="utf-8").splitlines():
                if line.startswith("Libs: "):
                    return line.split()
        raise AssertionError("wharf.pc has no Libs")

    def test_the_static_library_alone(self):
        self.assertIn("-lcrypto", self.check("static", {"libwharf.a", "wharf.pc", "protocol.hpp"}, {"libwharf.so.0.1.0"}))

    def test_the_shared_library_alone(self):
        self.assertNotIn("-lcrypto", self.check("shared", {"libwharf.so.0.1.0", "wharf.pc", "protocol.hpp"}, {"libwharf.a"}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True)
    parser.add_argument("--meson", required=True)
    ARGUMENTS = parser.parse_args()
    unittest.main(argv=sys.argv[:1])
