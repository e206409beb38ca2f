# SPDX-License-Identifier: Apache-2.0
"""What run_suite.py counts: each test once."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

RUN_SUITE = pathlib.Path(__file__).with_name("run_suite.py")
HEAD = "import unittest\n\nclass Case(unittest.TestCase):\n"


class Counts(unittest.TestCase):
    def run_suite(self, *methods, strict=False):
        """The last line and the status, of a suite with these methods."""
        with tempfile.TemporaryDirectory(prefix="wardenv-suite.") as folder:
            text = HEAD + "".join(f"    {method}\n" for method in methods)
            pathlib.Path(folder, "test_it.py").write_text(text)
            environment = {**os.environ, "WARDENV_FAIL_ON_SKIP": "1" if strict else "0", "PYTHONDONTWRITEBYTECODE": "1"}
            done = subprocess.run([sys.executable, RUN_SUITE, folder], capture_output=True, text=True, env=environment, timeout=60)
            name, line = done.stdout.splitlines()[-1].split(": ")
            self.assertEqual(name, pathlib.Path(folder).name)
            return line, done.returncode

    @staticmethod
    def method(name, body, subtests=0):
        each = f"\n        for i in range({subtests}):\n            with self.subTest(i): {body}" if subtests else f" {body}"
        return f"def test_{name}(self):{each}"

    def test_one_of_each(self):
        good, bad, off = self.method("a", "pass"), self.method("b", "self.fail()"), self.method("c", "self.skipTest('x')")
        self.assertEqual(self.run_suite(good), ("1 passed, 0 failed, 0 skipped", 0))
        self.assertEqual(self.run_suite(good, bad), ("1 passed, 1 failed, 0 skipped", 1))
        self.assertEqual(self.run_suite(good, off), ("1 passed, 0 failed, 1 skipped", 0))
        self.assertEqual(self.run_suite(good, off, strict=True), ("1 passed, 0 failed, 1 skipped", 1))
        self.assertEqual(self.run_suite("pass"), ("0 passed, 0 failed, 0 skipped", 1))

    def test_subtests_are_parts_of_one_test(self):
        good = self.method("a", "pass", 3)
        self.assertEqual(self.run_suite(good, self.method("b", "self.fail()", 3)), ("1 passed, 1 failed, 0 skipped", 1))
        self.assertEqual(self.run_suite(good, self.method("b", "self.skipTest('x')", 3)), ("1 passed, 0 failed, 1 skipped", 0))
        self.assertEqual(self.run_suite(good, self.method("b", "self.fail() if i else self.skipTest('x')", 3)), ("1 passed, 1 failed, 0 skipped", 1))

    def test_what_sets_up_a_class(self):
        good = self.method("a", "pass")
        self.assertEqual(self.run_suite("setUpClass = classmethod(lambda cls: 1 / 0)", good), ("0 passed, 1 failed, 0 skipped", 1))
        self.assertEqual(self.run_suite("tearDownClass = classmethod(lambda cls: 1 / 0)", good), ("1 passed, 1 failed, 0 skipped", 1))

    def test_unexpected_success(self):
        self.assertEqual(self.run_suite("@unittest.expectedFailure", self.method("a", "pass")), ("0 passed, 1 failed, 0 skipped", 1))


if __name__ == "__main__":
    unittest.main()
