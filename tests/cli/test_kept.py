# SPDX-License-Identifier: Apache-2.0
"""What `wardenv run` keeps in its state folder, on state folders of every kind: without it, runs are as they were."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from test_cli import BIN, CliTest

LOOK = "cat /etc/hostname; ls -d /etc/passwd /dev/null /var/empty; echo x >/dev/null && touch /dev/shm/x"
SEEN = "wardenv\n/dev/null\n/etc/passwd\n/var/empty\n"


class KeptTest(CliTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="wardenv-cli-")
        self.addCleanup(folder.cleanup)
        self.state = os.path.join(folder.name, "state")

    def in_state(self, words, prepare=""):
        """Two runs and the plan of a third, with what was kept after them."""
        run = f'"{BIN}" run --no-venv --access read-only -- sh -c \'{LOOK}\''
        script = f'{prepare}\n{run} && {run} && "{BIN}" plan --no-venv -- true | grep -c only-that-folder; ls -A "$WARDENV_STATE/views" 2>/dev/null | wc -l'
        done = subprocess.run([*words, "sh", "-c", script], cwd=self.workspace, capture_output=True, text=True, timeout=60,
                              env=os.environ | {"WARDENV_STATE": self.state})
        self.assertEqual(done.stderr, "")
        self.assertTrue(done.stdout.startswith(SEEN + SEEN), done.stdout)
        return [int(number) for number in done.stdout[2 * len(SEEN):].split()]   # steps of the plan, entries of `views`

    def test_a_run_leaves_one_view_and_a_plan_none(self):
        subprocess.run([BIN, "plan", "--no-venv", "--", "true"], cwd=self.workspace, stdout=subprocess.DEVNULL, check=True,
                       env=os.environ | {"WARDENV_STATE": self.state})
        self.assertFalse(os.path.exists(self.state))
        self.assertEqual(self.in_state([]), [3, 1])

    def test_what_is_kept_where_the_state_is_not_is_not_shown(self):
        usual = {name: value for name, value in os.environ.items() if name != "WARDENV_STATE"} | {"XDG_STATE_HOME": self.state}
        os.mkdir(self.state)

        def run(*options):
            done = subprocess.run([BIN, "run", "--no-venv", "--access", "read-only", *options, "--", "cat", "/etc/hostname"], cwd=self.workspace,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=usual)
            return done.stdout

        self.assertEqual(run(), "wardenv\n")
        (view,) = pathlib.Path(self.state, "wardenv", "views").iterdir()
        hostname = view / "etc" / "hostname"
        hostname.chmod(0o644)
        hostname.write_text("planted")
        self.assertEqual(run(), "planted")   # whoever writes there is trusted
        config, policy = (pathlib.Path(self.state, name) for name in ("config.json", "policy.yaml"))
        config.write_text(json.dumps({"state": self.state + ".configured"}))
        policy.write_text('version: "1"\ndefault: allow\n')
        self.addCleanup(shutil.rmtree, self.state + ".configured", True)
        for options in (["--config", config], ["--config", config, "--policy", policy]):
            self.assertEqual([run(*options), run(*options)], ["wardenv\n", "wardenv\n"])

    @unittest.skipIf(os.geteuid() == 0, "root writes anywhere")
    def test_a_state_folder_that_can_t_be_written(self):
        os.mkdir(self.state)
        os.mkdir(self.state + "/views", 0o500)
        self.assertEqual(self.in_state([]), [0, 0])

    def on_tmpfs(self, options, after=""):
        os.mkdir(self.state)
        return self.in_state(["unshare", "--mount", "--propagation", "private"], f'mount -t tmpfs -o mode=0700,{options} none "$WARDENV_STATE" {after}')

    @unittest.skipIf(os.geteuid() != 0, "needs root to mount")
    def test_a_full_disk(self):
        self.assertEqual(self.on_tmpfs("size=16k"), [0, 0])
        os.rmdir(self.state)
        self.assertEqual(self.on_tmpfs("size=16m"), [0, 0])   # the audit log may need the rest

    @unittest.skipIf(os.geteuid() != 0, "needs root to mount")
    def test_a_disk_that_is_read_only(self):
        self.assertEqual(self.on_tmpfs("ro"), [0, 0])

    @unittest.skipIf(os.geteuid() != 0, "needs root to mount")
    def test_a_disk_without_devices(self):
        self.assertEqual(self.on_tmpfs("size=64m,nodev"), [3, 1])

    @unittest.skipIf(os.geteuid() != 0, "needs root to mount")
    def test_control_a_disk_as_any_other(self):
        self.assertEqual(self.on_tmpfs("size=64m"), [3, 1])

    @unittest.skipIf(os.geteuid() != 0, "needs root to mount")
    def test_a_disk_that_loses_its_devices(self):
        first = f'&& "{BIN}" run --no-venv --access read-only -- true && mount -o remount,nodev "$WARDENV_STATE"'
        self.assertEqual(self.on_tmpfs("size=64m", first), [0, 1])


if __name__ == "__main__":
    unittest.main()
