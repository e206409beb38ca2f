# SPDX-License-Identifier: Apache-2.0
"""`wardenv serve --tls-cert --tls-key`, by clients that verify what they are shown."""
import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest

import wardenv_testing as wt
from mcp_testing import PATIENCE, Http, call, head_of, initialize, modern, request, wait_until

CANNOT = 125


def run(*argv):
    subprocess.run(argv, check=True, capture_output=True)


def make_ca(folder, name):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-days", "2",
        "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem")


def make_certificate(folder, name, ca):
    """For 127.0.0.1, signed by `ca`: name.pem is the chain, name.key its key."""
    run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
        "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr")
    with open(f"{folder}/{name}.ext", "w") as file:
        file.write("subjectAltName=IP:127.0.0.1\n")
    run("openssl", "x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/{ca}.pem", "-CAkey", f"{folder}/{ca}.key", "-CAcreateserial",
        "-days", "2", "-extfile", f"{folder}/{name}.ext", "-out", f"{folder}/{name}.crt")
    with open(f"{folder}/{name}.pem", "w") as chain:
        for part in (f"{name}.crt", f"{ca}.pem"):
            with open(f"{folder}/{part}") as file:
                chain.write(file.read())


class WithCertificates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="wardenv-scratch-", dir="/var/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.workspace = os.path.join(cls.root, "ws")
        os.mkdir(cls.workspace)
        make_ca(cls.root, "ca")
        make_ca(cls.root, "other-ca")
        make_certificate(cls.root, "server", "ca")
        make_certificate(cls.root, "second", "ca")
        with open(os.path.join(cls.root, "policy.json"), "w") as file:
            json.dump({"version": "1", "default": "allow"}, file)

    @classmethod
    def argv(cls, cert, key, *more):
        files = [word for flag, name in (("--tls-cert", cert), ("--tls-key", key)) if name for word in (flag, os.path.join(cls.root, name))]
        return [wt.WARDENV, "serve", "--http", "127.0.0.1:0", "--workspace", cls.workspace, "--policy", os.path.join(cls.root, "policy.json"), *files, *more]

    @classmethod
    def client(cls, ca="ca"):
        return ssl.create_default_context(cafile=os.path.join(cls.root, f"{ca}.pem"))


class Served(WithCertificates):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", os.path.join(cls.workspace, ".venv")], check=True)
        cls.server = Http(cls.argv("server.pem", "server.key"), env=wt.environment(state=os.path.join(cls.root, "state")), cwd=cls.root)
        cls.addClassCleanup(cls.server.close)
        cls.server.tls = cls.client()

    def still_serves(self):
        self.assertEqual(self.server.post(call("list_files", {"current_working_dir": self.workspace})).status, 200)

    def tool(self, arguments):
        return {"current_working_dir": self.workspace, **arguments}

    def test_it_says_so_in_its_url(self):
        self.assertTrue(self.server.url.startswith("https://"), self.server.url)
        found = self.server.exchange("GET", "/.well-known/oauth-protected-resource/mcp")
        self.assertTrue(json.loads(found.body)["resource"].startswith("https://"), found)

    def test_modern_call_as_a_body_and_as_a_stream(self):
        arguments = self.tool({"command": "python", "args": ["-c", "print('over TLS')"]})
        plain = self.server.post(call("run_in_venv", arguments))
        self.assertEqual(plain.last["result"]["structuredContent"]["stdout"], "over TLS\n", plain)
        stream = self.server.post(modern("tools/call", {"name": "run_in_venv", "arguments": arguments, "_meta": {"progressToken": "t"}}))
        self.assertTrue(stream.headers["content-type"].startswith("text/event-stream"), stream)
        self.assertEqual(stream.messages[0]["method"], "notifications/progress")
        self.assertEqual(stream.last["result"]["structuredContent"]["stdout"], "over TLS\n")

    def test_legacy_session_with_its_standing_stream(self):
        head = self.server.session()
        with contextlib.closing(self.server.connect()) as standing:
            standing.request("GET", "/mcp", headers={"Accept": "text/event-stream", **head})
            listening = standing.getresponse()
            self.assertEqual(listening.status, 200)
            self.assertIn(b"id:", listening.readline() + listening.readline())
            message = request("tools/call", {"name": "run_in_venv", "arguments": self.tool({"command": "python", "args": ["-c", "print('legacy')"]}),
                                             "_meta": {"progressToken": 1}})
            reply = self.server.post(message, head, plain=True)
            self.assertTrue(reply.headers["content-type"].startswith("text/event-stream"), reply)
            self.assertEqual(reply.last["result"]["structuredContent"]["stdout"], "legacy\n", reply)
        self.assertEqual(self.server.exchange("DELETE", "/mcp", headers=head).status, 200)

    def test_many_requests_on_one_connection_and_large_bodies(self):
        with contextlib.closing(self.server.connect()) as connection:
            text = "x" * 300_000    # many records, both ways
            for number in range(20):
                message = call("write_file", self.tool({"path": "large.txt", "content": text}), number)
                if number % 2:
                    message = call("read_file", self.tool({"path": "large.txt"}), number)
                connection.request("POST", "/mcp", json.dumps(message), {**self.server.JSON, **head_of(message)})
                answer = json.loads(connection.getresponse().read())
                self.assertEqual(answer["id"], number)
                self.assertFalse(answer["result"].get("isError"), answer)
            self.assertIn("x" * 1000, answer["result"]["structuredContent"]["text"])

    def test_a_certificate_of_another_authority_is_refused(self):
        with socket.create_connection((self.server.host, self.server.port), timeout=PATIENCE) as plain:
            with self.assertRaises(ssl.SSLCertVerificationError):
                self.client("other-ca").wrap_socket(plain, server_hostname="127.0.0.1")
        with socket.create_connection((self.server.host, self.server.port), timeout=PATIENCE) as plain:
            with self.assertRaises(ssl.SSLCertVerificationError):
                self.client().wrap_socket(plain, server_hostname="127.0.0.2")
        self.still_serves()

    def test_plain_http_and_garbage_are_ended_without_an_answer(self):
        message = json.dumps(call("list_files")).encode()
        for data in (b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(message) + message, b"\x16\x03\x01\xff\xff" + b"\0" * 70_000, b"\0"):
            with self.subTest(data[:12]):
                got = self.server.raw(data)
                self.assertNotIn(b"HTTP/1.1", got)
                self.assertNotIn(b"jsonrpc", got)
        self.still_serves()

    def test_old_versions_are_refused(self):
        context = self.client()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection((self.server.host, self.server.port), timeout=PATIENCE) as plain, self.assertRaises(ssl.SSLError):
            context.wrap_socket(plain, server_hostname="127.0.0.1")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.client()
            context.minimum_version = context.maximum_version = version
            with self.subTest(version), socket.create_connection((self.server.host, self.server.port), timeout=PATIENCE) as plain:
                with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                    self.assertIn(connection.version(), ("TLSv1.2", "TLSv1.3"))

    def test_slow_and_unfinished_handshakes_lock_nobody_out(self):
        slow = [socket.create_connection((self.server.host, self.server.port)) for _ in range(200)]
        for index, connection in enumerate(slow):
            connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[: index % 12])
        self.still_serves()
        for connection in slow:
            connection.close()
        self.still_serves()

    def test_a_client_that_asks_to_be_told_of_the_end_is_told(self):
        """A close without TLS's own end looks like a cut to those who care."""
        context = self.client()
        with socket.create_connection((self.server.host, self.server.port), timeout=PATIENCE) as plain:
            with context.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                got = b""
                while chunk := connection.recv(4096):   # raises where the end is a cut
                    got += chunk
        self.assertTrue(got.endswith(b"ok\n"), got)

    def test_a_client_that_goes_away_cancels_its_call(self):
        token = wt.nonce()
        message = call("run_in_venv", self.tool({"command": "sh", "args": ["-c", "sleep 500; true", token]}))
        connection = self.server.connect()
        connection.request("POST", "/mcp", json.dumps(message), {**self.server.JSON, **head_of(message)})
        self.assertTrue(wait_until(lambda: wt.processes_with(token)))
        connection.close()
        self.assertTrue(wait_until(lambda: not wt.processes_with(token)))


class Started(WithCertificates):
    """What is wrong with the files is said at the start, and nothing is served."""

    def refused(self, cert, key, *words):
        done = subprocess.run(self.argv(cert, key), capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
                              env=wt.environment(state=os.path.join(self.root, "state")), cwd=self.root)
        self.assertEqual(done.returncode, CANNOT, done)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_a_file_that_is_missing(self):
        self.refused("nowhere.pem", "server.key", "nowhere.pem")
        self.refused("server.pem", "nowhere.key", "nowhere.key")

    def test_one_without_the_other(self):
        self.refused("server.pem", None, "--tls-key")
        self.refused(None, "server.key", "--tls-cert")

    def test_a_key_of_another_certificate(self):
        self.refused("server.pem", "second.key", "second.key", "belong together")

    def test_what_is_no_pem(self):
        with open(os.path.join(self.root, "noise"), "w") as file:
            file.write("no certificate\n")
        self.refused("noise", "server.key", "noise")
        self.refused("server.pem", "noise", "noise")

    def test_a_key_with_a_passphrase_is_not_asked_for(self):
        run("openssl", "ec", "-in", f"{self.root}/server.key", "-aes128", "-passout", "pass:secret", "-out", f"{self.root}/locked.key")
        self.refused("server.pem", "locked.key", "locked.key")

    def test_tls_needs_http(self):
        done = subprocess.run([wt.WARDENV, "serve", "--stdio", "--tls-cert", f"{self.root}/server.pem", "--tls-key", f"{self.root}/server.key"],
                              capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL, cwd=self.root)
        self.assertEqual(done.returncode, CANNOT, done)
        self.assertIn("--http", done.stderr)


if __name__ == "__main__":
    unittest.main()
