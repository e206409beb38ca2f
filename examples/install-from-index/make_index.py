#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_index.py FOLDER: writes an index (PEP 503) with one small wheel, and prints a line for requirements.txt with its hash."""
import base64
import hashlib
import os
import sys
import zipfile

NAME, VERSION = "tinypkg", "1.0"
WHEEL = f"{NAME}-{VERSION}-py3-none-any.whl"
FILES = {f"{NAME}/__init__.py": "def hello():\n    return 'hello from a package that came through the proxy'\n",
         f"{NAME}-{VERSION}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n",
         f"{NAME}-{VERSION}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: make_index\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}


def record_line(name, text):
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(text)}\n"


folder = os.path.join(sys.argv[1], "simple", NAME)
os.makedirs(folder)
record = f"{NAME}-{VERSION}.dist-info/RECORD"
with zipfile.ZipFile(os.path.join(folder, WHEEL), "w") as wheel:
    for name, text in FILES.items():
        wheel.writestr(name, text)
    wheel.writestr(record, "".join(record_line(*item) for item in FILES.items()) + f"{record},,\n")
with open(os.path.join(folder, WHEEL), "rb") as file:
    digest = hashlib.sha256(file.read()).hexdigest()
with open(os.path.join(folder, "index.html"), "w", encoding="utf-8") as page:
    page.write(f'<!DOCTYPE html><html><body><a href="{WHEEL}#sha256={digest}">{WHEEL}</a></body></html>\n')
print(f"{NAME}=={VERSION} --hash=sha256:{digest}")
