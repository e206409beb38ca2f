# SPDX-License-Identifier: Apache-2.0
"""Last: the host is as it was before the battery began, which is when this file was imported."""
import unittest

import wardenv_testing as t

BEFORE = t.host_state()


class Host(unittest.TestCase):
    def assert_none_left(self, what):
        self.assertTrue(t.eventually(lambda: not t.left_since(BEFORE, what)), f"left behind: {t.left_since(BEFORE, what)}")

    def test_hostname(self):
        self.assertEqual(t.host_state().hostname, BEFORE.hostname)

    def test_mounts(self):
        self.assertEqual(t.host_state().mounts, BEFORE.mounts)

    def test_cgroups(self):
        """Of an engine that was killed they stay until the next start: so one more start, as root and as the user."""
        for user in (None, t.shared_user()):
            scratch = t.Scratch(user)
            self.assertEqual(scratch.run(["/usr/bin/true"]).status, 0)
            scratch.remove()
        self.assert_none_left("cgroups")

    def test_processes(self):
        self.assert_none_left("processes")

    def test_ipc(self):
        self.assertEqual(t.host_state().ipc, BEFORE.ipc)

    def test_temporary_files(self):
        self.assert_none_left("temporary")


if __name__ == "__main__":
    unittest.main()
