# SPDX-License-Identifier: Apache-2.0
"""Section F, the part of it that wardenv run has: what a command leaves behind for those who use the folder after it, unconfined."""
import os
import shutil
import unittest

import wardenv_testing as t
from battery import Attack, Battery, both, tests_of

# A configuration that runs a program as soon as git looks at the work tree.
EVIL = """mkdir -p evil/objects evil/refs
printf '[core]\\n\\trepositoryformatversion = 0\\n\\tbare = false\\n\\tfsmonitor = touch obeyed; false\\n' > evil/config
"""
REDIRECT = EVIL + "echo ../evil > .git/commondir\n"
PLANTS = {
    "commondir": (REDIRECT, ".git/commondir"),
    "commondir_by_link": (EVIL + "echo ../evil > where; ln -s ../where .git/commondir\n", ".git/commondir"),
    "commondir_without_rights": (REDIRECT + "chmod 0 .git/commondir; chmod 0500 .git\n", ".git/commondir"),
    "config_worktree": ("printf '[core]\\n\\tfsmonitor = touch obeyed; false\\n' > .git/config.worktree\n", ".git/config.worktree"),
    "hooks": ("mkdir .git/hooks && printf '#!/bin/sh\\ntouch obeyed\\n' > .git/hooks/pre-commit && chmod 755 .git/hooks/pre-commit\n", ".git/hooks"),
}


@unittest.skipUnless(shutil.which("git"), "git is not installed")
class Git(Battery):
    """A repository of the operator's, a run in it, and the operator's git after that."""

    def git(self, scratch, *arguments, check=True):
        done = t.execute(["git", "-c", "user.name=n", "-c", "user.email=n@example.org", *arguments], scratch.user, cwd=scratch.workspace)
        if check:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def repository(self, who, *init):
        scratch = self.scratch(who)
        self.git(scratch, "init", "--quiet", *init)
        shutil.rmtree(scratch.path(".git/hooks"), ignore_errors=True)
        self.git(scratch, "config", "extensions.worktreeConfig", "true")
        scratch.write("file", "text\n")
        self.git(scratch, "add", "file")
        return scratch

    def obeys(self, scratch):
        """Whether the operator's git runs what was planted."""
        self.git(scratch, "status", check=False)
        self.git(scratch, "commit", "--quiet", "--allow-empty", "-m", "x", check=False)
        return os.path.exists(scratch.path("obeyed"))

    @both
    def test_what_a_run_plants_is_not_obeyed(self, who):
        for name, (script, path) in PLANTS.items():
            with self.subTest(plant=name):
                control = self.repository(who)
                self.assertFalse(self.obeys(control))
                planted = t.execute(["sh", "-ec", script.split("chmod 0 ")[0]], control.user, cwd=control.workspace)
                self.assertEqual(planted.returncode, 0, planted.stderr)
                self.assertTrue(self.obeys(control), "git does not obey it outside: the attack shows nothing")

                scratch = self.repository(who)
                run = scratch.run(["sh", "-ec", script])
                self.assertEqual((run.status, run.report["outcome"]), (0, "exited"), run)
                told = [violation for violation in run.report["violations"] if violation["kind"] == "path"]
                self.assertEqual([violation["what"] for violation in told], [path], run)
                self.assertFalse(os.path.lexists(scratch.path(path)))
                self.assertTrue(any(entry.startswith(os.path.basename(path) + ".") for entry in os.listdir(scratch.path(".git"))), "it is not kept")
                self.assertFalse(self.obeys(scratch))
                self.assertEqual(self.git(scratch, "status").returncode, 0)

    @both
    def test_what_was_there_stays(self, who):
        scratch = self.repository(who)
        scratch.write(".git/config.worktree", "[core]\n\tabbrev = 9\n")
        scratch.folder(".git/hooks")
        run = scratch.run(["sh", "-c", "git status && git -c user.name=n -c user.email=n@example.org commit -qm x\n"
                           "touch .git/hooks/post-commit; echo >> .git/config.worktree"])
        self.assertEqual([v for v in run.report["violations"] if v["kind"] == "path"], [], run)
        self.assertEqual(os.listdir(scratch.path(".git/hooks")), [], run)
        self.assertEqual(open(scratch.path(".git/config.worktree")).read(), "[core]\n\tabbrev = 9\n")
        self.assertIn(b"x", self.git(scratch, "log", "--format=%s").stdout)

    @both
    def test_a_repository_apart_from_its_file(self, who):
        """`.git` is a file that leads to a folder of the workspace."""
        scratch = self.repository(who, "--separate-git-dir", "repository")
        self.assertTrue(os.path.isfile(scratch.path(".git")))
        shutil.rmtree(scratch.path("repository/hooks"), ignore_errors=True)
        for act in (("append", "repository/config", "x"), ("rename", "repository", "free"), ("append", ".git", "x")):
            rest = map(scratch.path, act[2:]) if act[0] == "rename" else act[2:]
            self.assert_denied(scratch.probe(act[0], scratch.path(act[1]), *rest))
        run = scratch.run(["sh", "-ec", EVIL + "echo ../evil > repository/commondir"])
        self.assertEqual([v["what"] for v in run.report["violations"]], ["repository/commondir"], run)
        self.assertFalse(self.obeys(scratch))

    @both
    def test_a_repository_that_the_run_makes_is_its_own(self, who):
        """Nothing is taken from it; that it was made inside is noted, and where it can't be, nothing is started."""
        scratch = self.scratch(who)
        run = scratch.run(["git", "init", "-q", "."])
        self.assertEqual((run.status, run.report["violations"]), (0, []), run)
        self.assertTrue(os.path.isdir(scratch.path(".git/hooks")))
        self.assertEqual(len(os.listdir(os.path.join(scratch.state, "made-inside"))), 1)
        nowhere = self.scratch(who)
        run = nowhere.run(["git", "init", "-q", "."], env=t.environment(nowhere.user, "/proc/wardenv-state"))
        self.assertEqual((run.status, run.report["outcome"]), (125, "setup_failed"), run)
        self.assertIn("WARDENV_STATE", run.report["error"]["hint"])
        self.assertFalse(os.path.exists(nowhere.path(".git")))


class NestedVenv(Battery):
    """A venv that is not at the top of the workspace: another must not take its place."""
    ACTS = {"rename_parent": ("rename", "sub/deep", "sub/free"), "rename_top": ("rename", "sub", "free"),
            "exchange_parent": ("exchange", "sub/deep", "sub/other"), "exchange_top": ("exchange", "sub", "other"),
            "rename_venv": ("rename", "sub/deep/.venv", "free"), "unlink": ("unlink", "sub/deep/.venv/bin/python")}

    def nested(self, who):
        scratch = self.scratch(who)
        for name in ("sub/deep", "sub/other", "other"):
            scratch.folder(name)
            scratch.own(scratch.path(os.path.dirname(name) or name))
        made = t.execute(["/usr/bin/python3", "-m", "venv", "--without-pip", scratch.path("sub/deep/.venv")], scratch.user)
        self.assertEqual(made.returncode, 0, made.stderr)
        return scratch

    def inside(self, scratch, *act):
        number = t.nonce()
        options = ["--venv", scratch.path("sub/deep/.venv"), "--workspace", scratch.workspace]
        command = [scratch.binary, act[0], number, *map(scratch.path, act[1:])]
        run = t.run_wardenv(options, command, scratch.user, env=t.environment(scratch.user, scratch.state))
        return t.parse_answer(run.text, number, run)

    @both
    def test_it_stays_in_its_place(self, who):
        scratch = self.nested(who)
        for name, act in self.ACTS.items():
            with self.subTest(act=name):
                self.assert_denied(self.inside(scratch, *act))
                self.assertEqual(self.nested(who).probe_outside(act[0], *act[1:]).result, "allowed")
        self.assertTrue(os.path.exists(scratch.path("sub/deep/.venv/bin/python")))
        for act in (("create", "sub/deep/ordinary"), ("rename", "sub/deep/ordinary", "sub/deep/moved"), ("mkdir", "sub/new"),
                    ("rename", "sub/other", "sub/another")):
            self.assertEqual(self.inside(scratch, *act).result, "allowed", act)


def git_parts(scratch):
    for name in (".git/config", ".git/info/attributes", ".git/worktrees/one/commondir", ".hg/hgrc", "evil/file"):
        scratch.write(name, "precious\n")
    folders = (".git", ".git/info", ".git/worktrees", ".git/worktrees/one", ".hg", "evil")
    return {name.replace("/", "_").lstrip("."): scratch.path(name) for name in folders}


ON_THE_WAY = {"info": "{git_info}", "worktrees": "{git_worktrees}", "worktree": "{git_worktrees_one}", "hg": "{hg}"}
LEADS = {"attributes": ".git/info/attributes", "worktree_commondir": ".git/worktrees/one/commondir", "hgrc": ".hg/hgrc"}


@tests_of(attack for name, path in ON_THE_WAY.items() for attack in (
    Attack(f"rename_{name}", ("rename", path, "{ws}/free"), prepare=git_parts),
    Attack(f"rename_{name}_beside", ("rename", path, path + "2"), prepare=git_parts),
    Attack(f"exchange_{name}", ("exchange", path, "{evil}"), prepare=git_parts)))
class MoreAncestors(Battery):
    """As Ancestors in test_b_files, for the other folders on the way to what is protected."""


@tests_of([Attack(f"append_{name}", ("append", "{ws}/" + path, "x"), prepare=git_parts, unchanged="{ws}/" + path)
           for name, path in LEADS.items()])
class MoreProtected(Battery):
    """Files that lead git and hg to programs."""


if __name__ == "__main__":
    unittest.main()
