# SPDX-License-Identifier: Apache-2.0
"""The npm packages of this folder's package-lock.json."""
import os
import pathlib

import npm_lock
import wardenv_testing as wt

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = pathlib.Path(os.environ.get("WARDENV_NPM", str(pathlib.Path(wt.WARDENV).resolve().parent.parent / "npm")))
_packages = npm_lock.Packages(HERE, FOLDER)
need = _packages.need
node = _packages.node


def package(path):
    return FOLDER / "node_modules" / path
