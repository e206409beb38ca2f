# SPDX-License-Identifier: Apache-2.0
"""Every benchmark that figures come from still runs, in a few rounds, and names what it measured. What the figures are is no test's business."""
import os
import unittest

from wardenv_testing import WARDENV, environment, execute

FOLDER = os.path.dirname(os.path.realpath(WARDENV))
BENCHES = {"policy": (["--quick"], b"100 rules and a grammar"), "quota": (["--seconds", "0.1"], b"sqlite + audit"), "audit": (["--milliseconds", "20"], b"append, on disk"),
           "judged": (["--rounds", "2"], b"policy, durable quota, audit log")}


class BenchTest(unittest.TestCase):
    def run_it(self, name, *options):
        program = os.path.join(FOLDER, name)
        if not os.path.exists(program):
            self.skipTest(f"{name} was not built")
        done = execute([program, *options], env=environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_each_runs(self):
        for name, (options, word) in BENCHES.items():
            with self.subTest(name):
                self.assertIn(word, self.run_it("wardenv-bench-" + name, *options))

    def test_contestants_are_chosen_by_name(self):
        out = self.run_it("wardenv-bench", "--parts", "latency", "--rounds", "2", "--only", "exec,wardenv_run,library")
        for label in (b"plain exec", b"wardenv run", b"wardenv library"):
            self.assertIn(label, out)
        wrong = execute([os.path.join(FOLDER, "wardenv-bench"), "--parts", "latency", "--rounds", "2", "--only", "exec,no-such"], env=environment())
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn(b"`no-such`", wrong.stderr)


if __name__ == "__main__":
    unittest.main()
