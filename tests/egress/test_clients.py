# SPDX-License-Identifier: Apache-2.0
"""Real clients: pip with hashes from an index over HTTP and HTTPS, git, curl, urllib, requests, node; and presets that find the index."""
import base64
import hashlib
import os
import re
import subprocess
import zipfile

from base import EgressTest, both
from lab import PUBLIC, PYTHON

WHEEL = "labpkg-1.0-py3-none-any.whl"


class ClientsTest(EgressTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.digest = make_index(cls.lab.files)
        make_repository(cls.lab.files)

    def pip(self, index, who, rules=(), options=(), env=None):
        scratch = self.scratch(who)
        scratch.write("req.txt", f"labpkg==1.0 --hash=sha256:{self.digest}\n")
        command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--target", scratch.path("lib"), "--require-hashes", "-r", "req.txt"]
        if index:
            command += ["--index-url", index]
        run = self.inside(rules, command, who, ["--timeout", "100s", "--memory", "1G", *options], scratch, env)
        return run, os.path.exists(scratch.path("lib/labpkg.py"))

    @both
    def test_pip_over_http_and_https_with_hashes(self, who):
        ca = ["--ca-file", self.lab.ca]
        run, there = self.pip("https://allowed.test/simple/", who, ["allowed.test"], ca)
        self.assertTrue(there, run)
        run, there = self.pip("http://allowed.test/simple/", who, ["allowed.test"])
        self.assertFalse(there, "pip itself refuses plain http from hosts that it is not told to trust")
        run, there = self.pip("https://allowed.test/simple/", who, ["other.test"], ca)
        self.assertFalse(there, "nothing but the allowed name is reached")
        self.assert_refused(run, "allowed.test:443", "--allow-host 'allowed.test'")
        run, there = self.pip("https://allowed.test/simple/", who, ["allowed.test"])
        self.assertFalse(there, "without the lab's CA its certificate is trusted by nobody")

    def test_the_preset_finds_the_configured_index(self):
        for index in ("https://allowed.test/simple/", "http://allowed.test/simple/"):
            host = {"PIP_INDEX_URL": index, "PIP_TRUSTED_HOST": "allowed.test"}
            run, there = self.pip(None, "root", (), ["--allow-preset", "pip-index", "--ca-file", self.lab.ca], host)
            self.assertTrue(there, run)
        run = self.inside([], ["curl", "-sS", "http://evil.test/"], options=["--allow-preset", "pip-index"], env={"PIP_INDEX_URL": "https://allowed.test/simple/"})
        self.assert_refused(run, "evil.test")

    def test_credentials_of_the_index_stay_outside(self):
        host = {"PIP_INDEX_URL": "http://me:s3cr3t@allowed.test/simple/", "PIP_TRUSTED_HOST": "allowed.test"}
        run, there = self.pip(None, "root", (), ["--allow-preset", "pip-index"], host)
        self.assertTrue(there, run)
        sent = [e["headers"].get("Authorization") for e in self.lab.seen("http") if e["path"] == "/simple/labpkg/"]
        self.assertIn("Basic " + base64.b64encode(b"me:s3cr3t").decode(), sent)
        run = self.inside([], ["env"], options=["--allow-preset", "pip-index"], env=host)
        self.assertIn("PIP_INDEX_URL=http://allowed.test/simple/", run.text)
        self.assertNotIn("s3cr3t", run.text)

    def test_without_any_configuration_pip_itself_is_asked(self):
        run = self.inside([], ["curl", "-sS", "-m", "5", "http://evil.test/"], options=["--allow-preset", "pip-index"], env={"HOME": "/nonexistent"})
        self.assert_refused(run, "evil.test")
        self.assertIsNone(run.report["error"])

    def test_a_workspaces_configuration_widens_nothing(self):
        scratch = self.scratch()
        for name in ("pip.conf", "uv.toml"):
            scratch.write(name, "[global]\nindex-url = \"http://evil.test/simple\"\n")
        run = self.inside([], ["curl", "-sS", "http://evil.test/simple"], options=["--allow-preset", "pip-index"], scratch=scratch)
        self.assert_refused(run, "evil.test")

    @both
    def test_git_clones_over_https(self, who):
        scratch = self.scratch(who)
        clone = ["git", "clone", "--quiet", "https://allowed.test/repo.git", "copy"]
        run = self.inside(["allowed.test"], clone, who, ["--ca-file", self.lab.ca], scratch)
        self.assertTrue(os.path.exists(scratch.path("copy/hello.txt")), run)
        run = self.inside(["other.test"], [*clone[:-1], "second"], who, ["--ca-file", self.lab.ca], scratch)
        self.assertFalse(os.path.exists(scratch.path("second/hello.txt")))
        self.assert_refused(run, "allowed.test")

    def test_the_preset_of_the_repositorys_remote(self):
        scratch = self.scratch()
        scratch.write(".git/config", "[remote \"origin\"]\n\turl = https://allowed.test/repo.git\n")
        run = self.inside([], ["git", "ls-remote", "https://allowed.test/repo.git"], options=["--allow-preset", "git-remote", "--ca-file", self.lab.ca], scratch=scratch)
        self.assertIn("refs/heads/", run.text, run)

    @both
    def test_curl(self, who):
        for url in ("http://allowed.test/", "https://allowed.test/"):
            self.assertIn("SERVED", self.inside(["allowed.test"], ["curl", "-sS", url], who, ["--ca-file", self.lab.ca]).text, url)
            refused = self.inside(["allowed.test"], ["curl", "-sS", url.replace("allowed", "evil")], who, ["--ca-file", self.lab.ca])
            self.assertNotIn("SERVED", refused.text)
            self.assertIn("403", refused.text + refused.report["stderr"]) if "https" in url else self.assertIn("--allow-host 'evil.test'", refused.text)

    def test_urllib_and_requests(self):
        for library in ("import urllib.request as r; print(r.urlopen(URL).read())",
                        "from pip._vendor import requests as r; print(r.get(URL).text)"):
            code = f"URL = 'https://allowed.test/'\n{library}"
            run = self.inside(["allowed.test"], [PYTHON, "-c", code], options=["--ca-file", self.lab.ca])
            self.assertIn("SERVED", run.text, run)
            run = self.inside(["allowed.test"], [PYTHON, "-c", code.replace("allowed", "evil")], options=["--ca-file", self.lab.ca])
            self.assertNotIn("SERVED", run.text)
            self.assertIn("403", run.report["stderr"])

    def test_nodes_fetch(self):
        try:
            version = subprocess.run(["/usr/bin/node", "--version"], capture_output=True, text=True, check=True).stdout
        except OSError:
            self.skipTest("Node.js is not installed")
        major, minor = map(int, re.match(r"v(\d+)\.(\d+)", version).groups())
        if (major, minor) < (22, 21) or (23, 0) <= (major, minor) < (24, 0):
            self.skipTest(f"fetch of Node.js {version.strip()} heeds no proxy variables; 22.21 and 24 do")
        code = "fetch('https://allowed.test/').then(r => r.text()).then(console.log)"
        run = self.inside(["allowed.test"], ["node", "-e", code], options=["--ca-file", self.lab.ca, "--memory", "2G"])
        self.assertIn("SERVED", run.text, run)

    def test_nodes_http_through_a_tunnel(self):
        if not os.path.exists("/usr/bin/node"):
            self.skipTest("Node.js is not installed")
        code = ("const http = require('http'), tls = require('tls');"
                "http.request({port: 3128, host: '127.0.0.1', method: 'CONNECT', path: HOST + ':443'}).on('connect', (r, s) => {"
                "if (r.statusCode != 200) { console.log('STATUS', r.statusCode); return s.destroy(); }"
                "const t = tls.connect({socket: s, servername: HOST}, () => t.write('GET / HTTP/1.0\\r\\nHost: ' + HOST + '\\r\\n\\r\\n')); t.on('data', d => console.log(String(d)))"
                "}).end()")
        options = ["--ca-file", self.lab.ca, "--memory", "2G"]
        self.assertIn("SERVED", self.inside(["allowed.test"], ["node", "-e", f"const HOST = 'allowed.test';{code}"], options=options).text)
        self.assertIn("STATUS 403", self.inside(["allowed.test"], ["node", "-e", f"const HOST = 'evil.test';{code}"], options=options).text)


def make_index(files):
    """A simple index (PEP 503) with one wheel, made by hand. Returns the wheel's digest."""
    folder = os.path.join(files, "simple", "labpkg")
    os.makedirs(folder, exist_ok=True)
    members = {"labpkg.py": "VALUE = 42\n", "labpkg-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: labpkg\nVersion: 1.0\n",
               "labpkg-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: lab\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = "".join(f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n" for name, text in members.items())
    path = os.path.join(folder, WHEEL)
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in (members | {"labpkg-1.0.dist-info/RECORD": record + "labpkg-1.0.dist-info/RECORD,,\n"}).items():
            wheel.writestr(name, text)
    digest = hashlib.sha256(open(path, "rb").read()).hexdigest()
    with open(os.path.join(folder, "index.html"), "w") as page:
        page.write(f'<!DOCTYPE html><html><body><a href="{WHEEL}#sha256={digest}">{WHEEL}</a></body></html>')
    return digest


def make_repository(files):
    """A bare repository that a plain web server can serve (git-update-server-info(1))."""
    bare = os.path.join(files, "repo.git")
    if os.path.exists(bare):
        return
    work = os.path.join(files, "..", "work")
    git = ["git", "-c", "user.name=lab", "-c", "user.email=lab@lab.test", "-c", "init.defaultBranch=main"]
    subprocess.run([*git, "init", "--quiet", work], check=True)
    with open(os.path.join(work, "hello.txt"), "w") as file:
        file.write("hello\n")
    subprocess.run([*git, "-C", work, "add", "."], check=True)
    subprocess.run([*git, "-C", work, "commit", "--quiet", "-m", "one"], check=True)
    subprocess.run([*git, "clone", "--quiet", "--bare", work, bare], check=True)
    subprocess.run([*git, "-C", bare, "update-server-info"], check=True)
