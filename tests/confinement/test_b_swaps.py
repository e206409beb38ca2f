# SPDX-License-Identifier: Apache-2.0
"""Section B, CVE-2021-30465 and CVE-2025-52565: what a sandbox mounts is swapped with a symbolic link while it starts.
WARDENV_SWAP_STARTS says how many starts each race has; tests/README.md names the long run."""
import os
import unittest

import wardenv_testing as t
from battery import Battery, both

STARTS = int(os.environ.get("WARDENV_SWAP_STARTS", "150"))


class Swapped(Battery):
    def begin(self, who, path, secret, swapped, link_to):
        """A scratch where `swapped` changes places with a link to `link_to` for ever, so that `path` is harmless or the secret."""
        scratch = self.scratch(who)
        secret = scratch.write(os.path.join(scratch.root, secret), "top secret\n")
        scratch.write(path, "harmless\n")
        os.symlink(os.path.join(scratch.root, link_to), scratch.path("swap"))
        swapper = t.start_outside([t.PROBE, "swap", "n", scratch.path(swapped), scratch.path("swap")], scratch.user)
        self.addCleanup(t.stop, swapper)
        seen = {"harmless": 0, "secret": 0}
        for _ in range(400):  # the control: outside the race is lost now and then
            text = scratch.probe_outside("cat", scratch.path(path)).text
            seen = {word: count + (word in text) for word, count in seen.items()}
            if all(seen.values()):
                break
        self.assertTrue(all(seen.values()), f"the swap is not seen outside: {seen}")
        return scratch, secret, swapper

    def race(self, who, path, secret, swapped, link_to, start):
        scratch, secret, swapper = self.begin(who, path, secret, swapped, link_to)
        ran = 0
        for _ in range(STARTS):
            run = start(scratch, scratch.path(path))
            self.assertNotIn("top secret", run.text)
            self.assertIn(run.report["outcome"], ("exited", "setup_failed"), run)
            ran += run.report["outcome"] == "exited"
        self.assertIsNone(swapper.poll(), "the swapper gave up")
        self.assertEqual(open(secret).read(), "top secret\n")
        self.assertGreater(ran, 0, "no start came through: nothing was shown")

    @staticmethod
    def start(scratch, path):
        return scratch.probe("read_and_append", path).run

    @staticmethod
    def start_in(scratch, path):
        """The folder of the path is the workspace."""
        options = ["--no-venv", "--workspace", os.path.dirname(path)]
        command = ["sh", "-c", f"cat {path}; echo poisoned >> {path}"]
        return t.run_wardenv(options, command, scratch.user, env=t.environment(scratch.user, scratch.state))

    @both
    def test_protected_file(self, who):
        self.race(who, ".git/config", "outside/config", ".git/config", "outside/config", self.start)

    @both
    def test_protected_folder(self, who):
        self.race(who, ".claude/config", "outside/config", ".claude", "outside", self.start)

    @both
    def test_folder_on_the_way(self, who):
        self.race(who, ".git/info/attributes", "outside/attributes", ".git/info", "outside", self.start)

    @both
    def test_workspace(self, who):
        self.race(who, "inner/file", "outside/file", "inner", "outside", self.start_in)


if __name__ == "__main__":
    unittest.main()
