# SPDX-License-Identifier: Apache-2.0
"""CPython's own suite, the modules of cpython.SHORT; and that the comparison notices what it is there to notice."""
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import cpython

HAVE_SUITE = importlib.util.find_spec("test.libregrtest") is not None or os.path.isdir("/usr/lib/python3.11/test/libregrtest")


class ComparisonTest(unittest.TestCase):
    SUMMARY = ("== Tests result: FAILURE ==\n\n1 test OK.\n\n1 test failed:\n    test_a\n\n2 tests skipped:\n    test_b test_c\n\n"
               "1 test run no tests:\n    test_d\n\nTotal duration: 1 sec\n")

    def known(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(text)
            file.flush()
            return cpython.read_known(pathlib.Path(file.name))

    def judge(self, lost, known, passed=()):
        """Of two runs in which `lost` passed outside alone, and `passed` on both sides."""
        inside = cpython.Results({}, set(passed))
        return cpython.judge(set(lost), self.known(known), cpython.Results({}, set(passed) | set(lost)), inside)

    def test_a_summary_is_read(self):
        expected = {"test_a": "failed", "test_b": "skipped", "test_c": "skipped", "test_d": "empty"}
        self.assertEqual(cpython.read_summary(self.SUMMARY), expected)

    def test_results_of_tests_are_read(self):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write('<testsuites><testsuite><testcase name="test.test_a.T.good"/>'
                       '<testcase name="test.test_a.T.bad"><failure/></testcase>'
                       '<testcase/><testcase name="test.test_a.T.left"><skipped>why</skipped></testcase></testsuite></testsuites>')
            file.flush()
            self.assertEqual(cpython.read_tests(file.name), ({"test.test_a.T.good"}, {"test.test_a.T.left"}))

    def test_what_is_lost(self):
        outside = cpython.Results({"test_b": "skipped"}, {"test.test_a.T.x", "test.test_a.T.y"})
        self.assertEqual(cpython.differences(outside, outside), set())
        inside = cpython.Results({"test_a": "failed", "test_b": "skipped"}, {"test.test_a.T.x"})
        self.assertEqual(cpython.differences(outside, inside), {"test.test_a.T.y"})
        inside = cpython.Results({"test_b": "failed"}, {"test.test_a.T.x", "test.test_a.T.y"})
        self.assertEqual(cpython.differences(outside, inside), {"test_b"})

    def test_only_what_is_listed_and_true_passes(self):
        self.assertEqual(self.judge([], ""), [])
        self.assertEqual(self.judge(["test.test_a.T.x"], "test.test_a.T.x because # not\n"), [])
        self.assertEqual(self.judge(["test.test_a.T.x", "test.test_a.T.y"], "test.test_a.T.* because\n"), [])
        self.assertIn("NEW", self.judge(["test.test_a.T.x"], "test.test_a.U.* because\ntest_z because\n")[0])
        self.assertEqual(self.judge([], "test.test_z.T.x did not run\ntest_z neither\n"), [])
        for line in ("test.test_a.T.x because\n", "test.test_a.T.* because\n", "test_a because\n"):
            self.assertIn("NO MORE", self.judge([], line, ["test.test_a.T.x"])[0])

    def test_a_line_for_hosts_without_cgroup(self):
        known = self.known("a.b without cgroup: because\nc.d because\n")
        self.assertEqual(set(cpython.applicable(known, True)), {"c.d"})
        self.assertEqual(cpython.applicable(known, False), known)

    def test_modules_of_names(self):
        for name, module in (("test.test_os.T.x", "test_os"), ("setUpClass (test.test_os.T)", "test_os"),
                             ("ctypes.test.test_x.T.x", "test_ctypes"), ("test.test_asyncio.test_events.T.x", "test_asyncio"),
                             ("test_spwd", "test_spwd")):
            self.assertEqual(cpython.module_of(name), module)

    def test_a_list_needs_reasons(self):
        for text in ("test_a\n", "test_a one\ntest_a two\n"):
            with self.assertRaises(SystemExit):
                self.known(text)


@unittest.skipUnless(HAVE_SUITE, "libpython3.11-testsuite is not installed")
class CPythonTest(unittest.TestCase):
    def test_short_set(self):
        done = subprocess.run([sys.executable, cpython.__file__], capture_output=True, text=True, timeout=580)
        print(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-3000:])


if __name__ == "__main__":
    unittest.main()
