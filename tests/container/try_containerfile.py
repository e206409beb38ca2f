#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""try_containerfile.py [--built BUILD] [CONTAINERFILE]: does what a container file says, step by step, without a container engine, and talks
to what its ENTRYPOINT starts. An image is a folder that mmdebstrap makes; a step runs with that folder as its root, by pivot_root (a chroot
may make no user namespaces). Needs root, mmdebstrap and a Debian mirror; without them it counts a skip.

  --built BUILD   an existing release build instead of the build stage, which compiles everything
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parents[2]
SUITES = {"debian:12": "bookworm"}
# $1: the root, $2: the account, $3: the folder; then the command. No network of its own: packages come from a mirror.
ENTER = r"""
root=$1 user=$2 folder=$3; shift 3
mount --make-rprivate / && mount --bind "$root" "$root" && cd "$root" && mkdir -p .old && pivot_root . .old
mount -t proc proc /proc && mount --rbind /.old/dev /dev && mount -t tmpfs tmpfs /tmp && umount -l /.old
cd "$folder" && exec setpriv --reuid "$user" --regid "$user" --init-groups env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  HOME="$(getent passwd "$user" | cut -d: -f6)" DEBIAN_FRONTEND=noninteractive "$@"
"""


def steps_of(text):
    """[(word, rest)], comments gone and continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def stages_of(steps):
    stages = []
    for word, rest in steps:
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            stages.append({"image": image.strip(), "name": name.strip(), "steps": []})
        else:
            stages[-1]["steps"].append((word, rest))
    return stages


class Stage:
    def __init__(self, root):
        self.root, self.user, self.folder, self.entrypoint = root, "root", "/", None

    def argv(self, command):
        return ["unshare", "--mount", "--pid", "--fork", "sh", "-ec", ENTER, "enter", str(self.root), self.user, self.folder, *command]

    def run(self, command):
        subprocess.run(self.argv(command), check=True, stdin=subprocess.DEVNULL)

    def copy(self, rest, made, built):
        words = shlex.split(rest)
        to = self.root / words[-1].lstrip("/")
        if words[0].startswith("--from=") and built:
            subprocess.run(["cmake", "--install", built, "--prefix", str(to)], check=True, stdout=subprocess.DEVNULL)
        elif words[0].startswith("--from="):
            shutil.copytree(made[words[0][7:]].root / words[1].lstrip("/"), to, symlinks=True, dirs_exist_ok=True)
        else:
            to.mkdir(parents=True, exist_ok=True)
            archive = subprocess.Popen(["git", "-C", str(HERE), "archive", "HEAD"], stdout=subprocess.PIPE)
            subprocess.run(["tar", "-x", "-C", str(to)], stdin=archive.stdout, check=True)

    def do(self, word, rest, made, built):
        print(f"--- {word} {rest[:100]}", flush=True)
        if word == "RUN":
            return self.run(["sh", "-ec", rest])
        if word == "COPY":
            return self.copy(rest, made, built)
        if word == "WORKDIR":
            (self.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            self.folder = rest
        elif word == "USER":
            self.user = rest
        elif word == "ENTRYPOINT":
            self.entrypoint = json.loads(rest)
        elif word != "LABEL":     # of the image alone: nothing that runs sees it
            raise SystemExit(f"nobody taught me {word}")


def make(stages, scratch, built):
    made = {}
    for number, stage in enumerate(stages):
        if built and stage["name"]:
            continue
        root = pathlib.Path(scratch) / str(number)
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", SUITES[stage["image"]], str(root)], check=True)
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        made[stage["name"]] = Stage(root)
        for word, rest in stage["steps"]:
            made[stage["name"]].do(word, rest, made, built)
    return made[stages[-1]["name"]]


def converse(stage, workspace="/workspace"):
    """One story with what was started. The answers by id, and what was said on standard error."""
    stage.run(["python3", "-m", "venv", "--without-pip", f"{workspace}/.venv"])
    calls = [("run_in_venv", {"command": "python", "args": ["-c", "import os; print(os.getuid() != 0, os.getcwd())"]}), ("describe_environment", {})]
    messages = [{"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}},
                {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}]
    messages += [{"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": name, "arguments": {"current_working_dir": workspace, **arguments}}}
                 for number, (name, arguments) in enumerate(calls, 2)]
    server = subprocess.Popen(stage.argv(stage.entrypoint), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for message in messages:
        server.stdin.write(json.dumps(message) + "\n")
    server.stdin.flush()
    answers = {}
    while len(answers) < len(messages) and (line := server.stdout.readline()):
        answer = json.loads(line)
        if "id" in answer:
            answers[answer["id"]] = answer
    server.stdin.close()
    return answers, server.stderr.read(), server.wait(60)


def check(answers, errors, status):
    ran = answers.get(2, {}).get("result", {}).get("structuredContent", {})
    checks = [("it says who it is", answers.get(0, {}).get("result", {}).get("serverInfo", {}).get("name") == "wardenv"),
              ("it has tools", len(answers.get(1, {}).get("result", {}).get("tools", [])) > 10),
              ("it runs a command, confined, and not as root", ran.get("stdout") == "True /workspace\n"),
              ("it describes the environment", not answers.get(3, {}).get("result", {}).get("isError", True)),
              ("it ends with its input", status == 0)]
    for what, good in checks:
        print(("ok      " if good else "FAILED  ") + what)
    failed = sum(not good for _, good in checks)
    if failed:
        print(json.dumps(answers, indent=1)[:4000], errors, f"status {status}")
    print(f"container: {len(checks) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("file", nargs="?", default=str(HERE / "examples/serve/Containerfile"))
    parser.add_argument("--built")
    options = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("mmdebstrap") is None:
        print("SKIPPED the container file: root and mmdebstrap are needed (tests/install.sh all)\ncontainer: 0 passed, 0 failed, 1 skipped")
        return 0
    with tempfile.TemporaryDirectory(prefix="wardenv-scratch-", dir="/var/tmp") as scratch:
        stage = make(stages_of(steps_of(pathlib.Path(options.file).read_text())), scratch, options.built)
        return check(*converse(stage))


if __name__ == "__main__":
    sys.exit(main())
