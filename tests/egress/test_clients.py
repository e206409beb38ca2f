# SPDX-License-Identifier: Apache-2.0
"""Real clients: pip with hashes from an index over HTTP and HTTPS, git, curl, urllib, requests, node; and presets that find the index."""
import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import unittest
import zipfile

import npm_lock
import wardenv_testing as t
from base import ROOT, USER, EgressTest, both
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

    @both
    def test_the_preset_finds_the_configured_index(self):
        for index in ("https://allowed.test/simple/", "http://allowed.test/simple/"):
            host = {"PIP_INDEX_URL": index, "PIP_TRUSTED_HOST": "allowed.test"}
            run, there = self.pip(None, self.who, (), ["--allow-preset", "pip-index", "--ca-file", self.lab.ca], host)
            self.assertTrue(there, run)
        run = self.inside([], ["curl", "-sS", "http://evil.test/"], options=["--allow-preset", "pip-index"], env={"PIP_INDEX_URL": "https://allowed.test/simple/"})
        self.assert_refused(run, "evil.test")

    @both
    def test_credentials_of_the_index_stay_outside(self):
        host = {"PIP_INDEX_URL": "http://me:s3cr3t@allowed.test/simple/", "PIP_TRUSTED_HOST": "allowed.test"}
        run, there = self.pip(None, self.who, (), ["--allow-preset", "pip-index"], host)
        self.assertTrue(there, run)
        sent = [e["headers"].get("Authorization") for e in self.lab.seen("http") if e["path"] == "/simple/labpkg/"]
        self.assertIn("Basic " + base64.b64encode(b"me:s3cr3t").decode(), sent)
        run = self.inside([], ["env"], options=["--allow-preset", "pip-index"], env=host)
        self.assertIn("PIP_INDEX_URL=http://allowed.test/simple/", run.text)
        self.assertNotIn("s3cr3t", run.text)

    @both
    def test_without_any_configuration_pip_itself_is_asked(self):
        run = self.inside([], ["curl", "-sS", "-m", "5", "http://evil.test/"], options=["--allow-preset", "pip-index"], env={"HOME": "/nonexistent"})
        self.assert_refused(run, "evil.test")
        self.assertIsNone(run.report["error"])

    @both
    def test_a_workspaces_configuration_widens_nothing(self):
        scratch = self.scratch()
        for name in ("pip.conf", "uv.toml"):
            scratch.write(name, "[global]\nindex-url = \"http://evil.test/simple\"\n")
        run = self.inside([], ["curl", "-sS", "http://evil.test/simple"], options=["--allow-preset", "pip-index"], scratch=scratch)
        self.assert_refused(run, "evil.test")

    @both
    def test_an_environment_that_a_run_wrote_widens_nothing(self):
        """Planted in it: its pip.conf, the Python and the npm that could be asked. They answer with a host that another run then tries to reach."""
        scratch = self.scratch()
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", scratch.path(".venv")], check=True, **t.as_user(scratch.user))
        os.remove(scratch.path(".venv/bin/python"))
        for name in ("python", "npm"):
            scratch.write(f".venv/bin/{name}", "#!/bin/sh\necho http://evil.test/planted\n")
            os.chmod(scratch.path(f".venv/bin/{name}"), 0o755)
        env = t.environment(scratch.user, scratch.state, HOME=scratch.root)

        def run(options, *command):
            argv = [t.WARDENV, "run", "--json", "--venv", scratch.path(".venv"), "--workspace", scratch.workspace, *options, "--", *command]
            return t.to_run(t.execute(self.lab.on_host(argv, scratch.user), env=env, cwd=scratch.root))
        for name in ("python", "npm"):
            self.assertIn("planted", run([], name).text, "control: a run that looks it up gets what was planted")
        for preset in ("pip-index", "npm-registry"):
            done = run(["--allow-preset", preset], "curl", "-sS", "http://evil.test/planted")
            self.assertNotIn("SERVED", str(done))
            self.assertTrue(done.status == 125 or self.network_violations(done), done)
        scratch.write(".venv/pip.conf", "[global]\nindex-url = http://evil.test/planted\n")
        done = run(["--allow-preset", "pip-index"], "curl", "-sS", "http://evil.test/planted")
        self.assertTrue(done.status == 125 or self.network_violations(done), done)
        self.assertFalse(self.lab.seen("http", path="/planted"))

    @both
    def test_the_operators_files_in_a_workspace_widen_nothing(self):
        """HOME as the workspace, and PIP_CONFIG_FILE in it: an earlier run could have made them."""
        text = "[global]\nindex-url = http://allowed.test/simple/\n"
        get = ["curl", "-sS", "http://allowed.test/"]
        options = ["--allow-preset", "pip-index"]
        for name, env in (("home/.config/pip/pip.conf", {"HOME": "home"}), ("pip.cfg", {"PIP_CONFIG_FILE": "pip.cfg"}), ("config/pip/pip.conf", {"XDG_CONFIG_HOME": "config"})):
            for within in (False, True):
                with self.subTest(name=name, within=within):
                    scratch = self.scratch()
                    place = scratch.workspace if within else scratch.root
                    scratch.write(name if within else "../" + name, text)
                    run = self.inside([], get, options=options, scratch=scratch, env={key: os.path.join(place, value) for key, value in env.items()})
                    if within:
                        self.assertNotIn("SERVED", run.text, run)
                    else:
                        self.assertIn("SERVED", run.text, run)

    @both
    def test_git_clones_over_https(self, who):
        scratch = self.scratch(who)
        clone = ["git", "clone", "--quiet", "https://allowed.test/repo.git", "copy"]
        run = self.inside(["allowed.test"], clone, who, ["--ca-file", self.lab.ca], scratch)
        self.assertTrue(os.path.exists(scratch.path("copy/hello.txt")), run)
        run = self.inside(["other.test"], [*clone[:-1], "second"], who, ["--ca-file", self.lab.ca], scratch)
        self.assertFalse(os.path.exists(scratch.path("second/hello.txt")))
        self.assert_refused(run, "allowed.test")

    @both
    def test_the_preset_of_the_repositorys_remote(self):
        scratch = self.scratch()
        scratch.write(".git/config", "[remote \"origin\"]\n\turl = https://allowed.test/repo.git\n")
        run = self.inside([], ["git", "ls-remote", "https://allowed.test/repo.git"], options=["--allow-preset", "git-remote", "--ca-file", self.lab.ca], scratch=scratch)
        self.assertIn("refs/heads/", run.text, run)

    @both
    def test_a_run_can_not_change_the_remotes_that_the_preset_takes(self):
        """By no way that leads to .git/config: writing, renaming, deleting, a link, another folder or file in its place, a worktree's or submodule's file."""
        code = """
import os, shutil, subprocess
EVIL = '[remote "origin"]\\n\\turl = http://evil.test/repo.git\\n'
def write(path):
    with open(path, "w") as file: file.write(EVIL)
def moved(): write(".git/new"); os.rename(".git/new", ".git/config")
def removed(): os.remove(".git/config"); write(".git/config")
def folder(): os.rename(".git", "old"); os.mkdir(".git"); write(".git/config")
def linked(): os.rename(".git", "old"); os.symlink("old", ".git")
def gitfile(): shutil.rmtree(".git"); open(".git", "w").write("gitdir: elsewhere")
def common(): open(".git/commondir", "w").write("../elsewhere"); os.makedirs("elsewhere", exist_ok=True); write("elsewhere/config")
def worktree(): write(".git/config.worktree"); os.makedirs(".git/worktrees/w", exist_ok=True); write(".git/worktrees/w/config")
def modules(): write(".gitmodules"); os.makedirs(".git/modules/m", exist_ok=True); write(".git/modules/m/config")
def included(): write("extra"); write(".git/extra")
def by_git(): subprocess.run(["git", "config", "remote.origin.url", "http://evil.test/repo.git"], check=True)
def truncated(): os.truncate(".git/config", 0)
def by_mode(): os.chmod(".git/config", 0o666); write(".git/config")
for act in (lambda: write(".git/config"), moved, removed, folder, linked, gitfile, common, worktree, modules, included, by_git, truncated, by_mode):
    try:
        act(); print("DONE", act.__name__)
    except (OSError, shutil.Error, subprocess.CalledProcessError) as error:
        print("DENIED", act.__name__, error)
"""
        text = "[include]\n\tpath = extra\n[remote \"origin\"]\n\turl = https://allowed.test/repo.git\n"
        outside = self.scratch()
        outside.write(".git/config", text)
        done = t.execute(self.python(code), outside.user, cwd=outside.workspace).stdout.decode()
        for act in ("moved", "removed", "folder", "gitfile"):
            self.assertIn(f"DONE {act}", done, "control: outside it can be done")
        scratch = self.scratch()
        scratch.write(".git/config", text)
        run = self.inside([], self.python(code), scratch=scratch)
        for act in ("moved", "removed", "folder", "gitfile"):
            self.assertIn(f"DENIED {act}", run.text, run)
        self.assertEqual(open(scratch.path(".git/config")).read(), text)
        run = self.inside([], ["curl", "-sS", "http://evil.test/remote"], options=["--allow-preset", "git-remote", "--ca-file", self.lab.ca], scratch=scratch)
        self.assert_refused(run, "evil.test")
        self.assertFalse(self.lab.seen("http", path="/remote"))

    @both
    def test_a_repository_that_a_run_made_gives_the_preset_no_remotes(self):
        make = ["sh", "-c", "git init -q . && git remote add origin https://allowed.test/repo.git"]
        preset = ["--allow-preset", "git-remote", "--ca-file", self.lab.ca]
        ask = ["git", "ls-remote", "https://allowed.test/repo.git"]
        scratch = self.scratch()
        self.assertEqual(self.inside([], make, scratch=scratch).status, 0)
        run = self.inside([], ask, options=preset, scratch=scratch)
        self.assertEqual(run.status, 125, run)
        self.assertIn("was made by a run", str(run.report["error"]))
        shutil.rmtree(scratch.path(".git"))
        subprocess.run(make, cwd=scratch.workspace, check=True, **t.as_user(scratch.user))   # control: the operator's own
        run = self.inside([], ask, options=preset, scratch=scratch)
        self.assertIn("refs/heads/", run.text, run)

    @both
    def test_where_a_repository_could_not_be_noted_none_is_made(self):
        make = ["sh", "-c", "git init -q . && git remote add origin https://allowed.test/repo.git"]
        scratch = self.scratch()
        run = self.inside([], make, scratch=scratch)
        self.assertEqual((run.status, run.report["error"]), (0, None), "control: it can be noted")
        shutil.rmtree(scratch.path(".git"))
        shutil.rmtree(scratch.state, ignore_errors=True)
        with open(scratch.state, "w"):
            pass
        self.addCleanup(os.remove, scratch.state)
        run = self.inside([], make, scratch=scratch)
        self.assertIn("where a repository that the command makes is noted", str(run.report["error"]), run)
        self.assertFalse(os.path.exists(scratch.path(".git")))

    @both
    def test_curl(self, who):
        for url in ("http://allowed.test/", "https://allowed.test/"):
            self.assertIn("SERVED", self.inside(["allowed.test"], ["curl", "-sS", url], who, ["--ca-file", self.lab.ca]).text, url)
            refused = self.inside(["allowed.test"], ["curl", "-sS", url.replace("allowed", "evil")], who, ["--ca-file", self.lab.ca])
            self.assertNotIn("SERVED", refused.text)
            self.assertIn("403", refused.text + refused.report["stderr"]) if "https" in url else self.assertIn("--allow-host 'evil.test'", refused.text)

    @both
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
        """Of Node.js 24, by lock file: Debian's own is older than NODE_USE_ENV_PROXY."""
        node = npm_lock.Packages(os.path.dirname(os.path.abspath(__file__)), os.path.join(os.path.dirname(os.path.realpath(t.WARDENV)), "..", "npm-egress"))
        node.need()
        code = "fetch(process.argv[1]).then(r => r.text()).then(console.log, e => console.log('FAILED', e.cause.message))"
        for who in (USER, ROOT):
            scratch = self.scratch(who)
            shutil.copy(node.program, scratch.path("node"))
            for url in ("http://allowed.test/", "https://allowed.test/"):
                run = self.fetch(scratch, code, url, who)
                self.assertIn(f"SERVED {PUBLIC}", run.text, run)
                run = self.fetch(scratch, code, url.replace("allowed", "evil"), who)
                self.assertNotIn("SERVED", run.text)
                self.assert_refused(run, "evil.test", "--allow-host 'evil.test'")

    def fetch(self, scratch, code, url, who):
        return self.inside(["allowed.test"], ["./node", "-e", code, url], who, ["--ca-file", self.lab.ca, "--memory", "2G"], scratch)

    @unittest.skipUnless(os.path.exists("/usr/bin/npm"), "npm is not installed")
    @both
    def test_npm_installs_by_the_preset_of_its_registry(self):
        make_registry(self.lab.files)
        scratch = self.scratch()
        scratch.write("package.json", '{"dependencies": {"labnpm": "1.0.0"}}')
        options = ["--ca-file", self.lab.ca, "--memory", "2G", "--timeout", "100s", "--allow-preset", "npm-registry"]
        install = ["npm", "install", "--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries", "0"]
        run = self.inside([], install, None, options, scratch, {"NPM_CONFIG_REGISTRY": "https://other.test/npm/"})
        self.assertFalse(os.path.exists(scratch.path("node_modules/labnpm")), run)
        self.assert_refused(run, "allowed.test:443")   # where the other registry says that the package is
        run = self.inside([], install, None, options, scratch, {"NPM_CONFIG_REGISTRY": "https://allowed.test/npm/"})
        self.assertTrue(os.path.exists(scratch.path("node_modules/labnpm/index.js")), run)

    @unittest.skipUnless(os.path.exists("/usr/bin/node"), "Node.js is not installed")
    def test_nodes_http_through_a_tunnel(self):
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
    with open(path, "rb") as wheel:
        digest = hashlib.sha256(wheel.read()).hexdigest()
    with open(os.path.join(folder, "index.html"), "w") as page:
        page.write(f'<!DOCTYPE html><html><body><a href="{WHEEL}#sha256={digest}">{WHEEL}</a></body></html>')
    return digest


def make_registry(files):
    """A registry of npm with one package; its tarball is at allowed.test, whoever is asked."""
    folder = os.path.join(files, "npm")
    os.makedirs(folder, exist_ok=True)
    tarball = os.path.join(folder, "labnpm-1.0.0.tgz")
    with tarfile.open(tarball, "w:gz") as archive:
        for name, text in (("package.json", '{"name": "labnpm", "version": "1.0.0"}'), ("index.js", "module.exports = 42;\n")):
            entry = tarfile.TarInfo("package/" + name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    with open(tarball, "rb") as file:
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(file.read()).digest()).decode()
    version = {"name": "labnpm", "version": "1.0.0", "dist": {"tarball": "https://allowed.test/npm/labnpm-1.0.0.tgz", "integrity": integrity}}
    with open(os.path.join(folder, "labnpm"), "w") as file:
        json.dump({"name": "labnpm", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}, file)


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
