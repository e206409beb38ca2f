# SPDX-License-Identifier: Apache-2.0
"""The lab: two network namespaces and a cable between them. `inside` is the host that wardenv runs on; `outside` is its Internet, with
servers.py on it, at addresses that are public (203.0.113.x is in no list of special ranges here), private, and a cloud's metadata. Names come from
a name server of the lab; /etc/resolv.conf and /etc/hosts are its own, in a mount namespace. Needs root; nothing of it outlives the program.
"""
import atexit
import json
import os
import shutil
import subprocess
import tempfile
import time

import wardenv_testing as t

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
PROXY = "http://127.0.0.1:3128"
EGRESS = os.path.join(os.path.dirname(os.path.realpath(t.WARDENV)), "wardenv-egress")
OWN, PUBLIC, EVIL, DNS, PRIVATE, METADATA = "203.0.113.1", "203.0.113.10", "203.0.113.11", "203.0.113.53", "10.9.0.1", "169.254.169.254"
PUBLIC6 = "2600:db9::10"
NAMES = {
    "allowed.test": [PUBLIC], "*.allowed.test": [PUBLIC], "*.sub.allowed.test": [PUBLIC], "other.test": [PUBLIC], "evil.test": [EVIL], "allowed.test.evil.test": [EVIL], "notallowed.test": [EVIL],
    "six.test": [PUBLIC6], "both.test": ["127.0.0.1", PUBLIC], "loop.test": ["127.0.0.1"], "private.test": [PRIVATE], "meta.test": [METADATA], "own.test": [OWN],
    "zero.test": ["0.0.0.0"], "multi.test": ["224.0.0.1"], "cgnat.test": ["100.64.0.1"], "loop6.test": ["::1"], "mapped.test": ["::ffff:" + PUBLIC],
    "mappedloop.test": ["::ffff:127.0.0.1"], "nat64.test": ["64:ff9b::7f00:1"], "sixtofour.test": ["2002:7f00:1::1"], "local6.test": ["fe80::1"], "unique6.test": ["fd00::1"],
    "rebind-root.test": {"each": [PUBLIC, "127.0.0.1"]}, "rebind-user.test": {"each": [PUBLIC, "127.0.0.1"]}, "silent.test": "silent", "closed.test": ["203.0.113.99"],
    "nowhere.test.evil.test": [EVIL],
}


def run(*argv, **more):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **more)


class Lab:
    """Made once for the whole suite, by lab()."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="wardenv-scratch-", dir="/var/tmp")
        os.chmod(self.root, 0o755)
        self.started = []
        atexit.register(self.remove)
        self.files = self.folder("files")
        self.log_path = os.path.join(self.root, "log")
        open(self.log_path, "w").close()
        self.inside = self.namespace()
        self.outside = self.namespace()
        self.connect()
        self.certificates()
        self.search()
        self.write("hosts", "127.0.0.1 localhost\n203.0.113.10 filed.test\n")
        self.start_servers()

    def folder(self, name):
        path = os.path.join(self.root, name)
        os.makedirs(path, exist_ok=True)
        return path

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w" if isinstance(text, str) else "wb") as file:
            file.write(text)
        return path

    def namespace(self):
        """A process that carries a network namespace, until its input ends."""
        process = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo up; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.started.append(process)
        process.stdout.readline()
        return process.pid

    def within(self, pid, *argv):
        return ["nsenter", "--net", "--target", str(pid), *argv]

    def connect(self):
        run("ip", "link", "add", "name", "eth0", "netns", str(self.inside), "type", "veth", "peer", "name", "eth0", "netns", str(self.outside))
        for pid, addresses in ((self.inside, [OWN + "/24", "10.9.0.2/24", "169.254.169.1/24", "2600:db9::1/64"]),
                               (self.outside, [PUBLIC + "/24", EVIL + "/24", DNS + "/24", PRIVATE + "/24", METADATA + "/24", PUBLIC6 + "/64"])):
            for address in addresses:
                run(*self.within(pid, "ip", "address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else [])))
            for device in ("lo", "eth0"):
                run(*self.within(pid, "ip", "link", "set", device, "up"))

    def certificates(self):
        """A CA of the lab's own, and one certificate for several names."""
        path = self.folder("tls")
        extension = self.write("tls/ext", "subjectAltName=DNS:allowed.test,DNS:*.allowed.test,DNS:other.test,IP:" + PUBLIC + "\nbasicConstraints=CA:FALSE\n")
        for name in ("ca", "server"):
            run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{path}/{name}.key")
        run("openssl", "req", "-x509", "-new", "-key", f"{path}/ca.key", "-subj", "/CN=lab CA", "-days", "2", "-out", f"{path}/ca.pem",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        run("openssl", "req", "-new", "-key", f"{path}/server.key", "-subj", "/CN=allowed.test", "-out", f"{path}/server.csr")
        run("openssl", "x509", "-req", "-in", f"{path}/server.csr", "-CA", f"{path}/ca.pem", "-CAkey", f"{path}/ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", extension, "-out", f"{path}/server.pem")
        self.ca, self.cert, self.key = f"{path}/ca.pem", f"{path}/server.pem", f"{path}/server.key"

    def search(self, *domains):
        """The domains below which the lab's host looks for names, too (resolv.conf(5)); none without arguments."""
        path = os.path.join(self.root, "resolv.conf")   # the file stays the same: it is mounted
        with open(path, "w") as file:
            file.write(f"nameserver {DNS}\noptions timeout:2 attempts:1\n" + (f"search {' '.join(domains)}\n" if domains else ""))

    def start_servers(self):
        config = self.write("servers.json", json.dumps({"log": self.log_path, "files": os.path.realpath(self.files), "cert": self.cert, "key": self.key,
                                                        "addresses": [PUBLIC, EVIL, PRIVATE, METADATA, PUBLIC6], "dns": DNS, "names": NAMES}))
        self.serve(self.outside, config)
        own = self.write("own.json", json.dumps({"log": self.log_path, "files": os.path.realpath(self.files), "cert": self.cert, "key": self.key,
                                                 "addresses": ["127.0.0.1", OWN], "dns": "127.0.0.1", "names": {}}))
        self.serve(self.inside, own)   # services of the host itself

    def serve(self, pid, config):
        process = subprocess.Popen(self.within(pid, PYTHON, os.path.join(HERE, "servers.py"), config), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.started.append(process)
        if b"READY" not in process.stdout.readline():
            raise RuntimeError("the lab's servers did not start")

    def on_host(self, argv, user=None):
        """The arguments that run a program on the lab's host, as `user`."""
        mounts = f"mount --bind {self.root}/resolv.conf /etc/resolv.conf && mount --bind {self.root}/hosts /etc/hosts && exec \"$@\""
        become = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups"] if user else []
        return self.within(self.inside, "unshare", "--mount", "--propagation", "private", "sh", "-c", mounts, "sh", *become, *argv)

    def log(self):
        with open(self.log_path) as file:
            return [json.loads(line) for line in file]

    def seen(self, kind, **wanted):
        """What has reached the servers, of that kind and with those values."""
        return [entry for entry in self.log() if entry["kind"] == kind and all(entry.get(key) == value for key, value in wanted.items())]

    def forget(self, path):
        """What has come for a path is as if it had never come: for a test that is made twice."""
        kept = [entry for entry in self.log() if entry.get("path") != path]
        with open(self.log_path, "w") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in kept)

    def remove(self):
        for process in reversed(self.started):
            process.stdin.close()
            process.kill()
            process.wait()
        shutil.rmtree(self.root, ignore_errors=True)


_lab = None


def lab():
    global _lab
    if _lab is None:
        _lab = Lab()
    return _lab


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not condition():
        time.sleep(0.02)
    return condition()
