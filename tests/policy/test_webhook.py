# SPDX-License-Identifier: Apache-2.0
"""The webhook that tells of a waiting call: signed, bounded, and never redirected. Servers are the test's own, on loopback."""
import hashlib
import hmac
import http.server
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from wardenv_testing import WARDENV, environment, execute

STORES = os.path.join(os.path.dirname(os.path.realpath(WARDENV)), "wardenv-stores")


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Webhook(unittest.TestCase):
    def serve(self, context=None, status=204):
        server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
        server.seen, server.status = [], status
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def send(self, url, body="{}", **extra):
        return execute([STORES, "webhook", url, "SECRET", body], env=environment(**{"SECRET": "k", **extra})).stdout.decode().strip()

    def test_it_is_signed(self):
        server = self.serve()
        self.assertEqual(self.send(f"http://127.0.0.1:{server.server_port}/hook?a=1", '{"x": 1}'), "sent")
        (path, headers, body), = server.seen
        self.assertEqual((path, body), ("/hook?a=1", b'{"x": 1}'))
        self.assertEqual(headers["X-Wardenv-Signature"], "sha256=" + hmac.new(b"k", body, hashlib.sha256).hexdigest())
        self.assertNotIn("k", headers.values())

    def test_a_run_that_waits_tells_it_once(self):
        server = self.serve()
        folder = tempfile.mkdtemp(prefix="wardenv-webhook-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        os.mkdir(folder + "/ws")
        policy = {"version": "1", "default": "deny", "tools": {"run_in_venv": {"action": "require_approval"}},
                  "approvals": {"webhook": {"url": f"http://127.0.0.1:{server.server_port}/", "secret_env": "SECRET"}}}
        with open(folder + "/policy.json", "w", encoding="utf-8") as file:
            json.dump(policy, file)
        argv = [WARDENV, "run", "--no-venv", "--workspace", folder + "/ws", "--policy", folder + "/policy.json", "--", "/bin/echo", "hunter2"]
        for _ in range(2):   # the second finds the same record
            self.assertEqual(execute(argv, env=environment(state=folder + "/state", SECRET="k")).returncode, 75)
        (_, headers, body), = server.seen
        event = json.loads(body)
        self.assertEqual((event["event"], event["tool"], "hunter2" in body.decode()), ("approval_required", "run_in_venv", False))
        self.assertEqual(headers["X-Wardenv-Signature"], "sha256=" + hmac.new(b"k", body, hashlib.sha256).hexdigest())
        self.assertIn(event["id"], execute([WARDENV, "approvals", "list"], env=environment(state=folder + "/state")).stdout.decode())
        # Without the secret nobody could be told: such a policy is not loaded.
        done = execute([*argv, "x"], env=environment(state=folder + "/state"))
        self.assertEqual((done.returncode, b"`SECRET` is not set" in done.stderr), (125, True), done)

    def test_no_success_is_told(self):
        for status in (302, 404, 500):
            server = self.serve(status=status)
            self.assertIn(str(status), self.send(f"http://127.0.0.1:{server.server_port}/"))
            self.assertEqual(len(server.seen), 1)   # not followed, not repeated

    def test_nobody_there(self):
        self.assertIn("can't be reached", self.send("http://127.0.0.1:1/"))

    def test_a_silent_server_holds_nothing_up_for_long(self):
        import socket
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.assertIn("took too long", self.send(f"http://127.0.0.1:{silent.getsockname()[1]}/"))

    @unittest.skipUnless(shutil.which("openssl"), "no openssl program")
    def test_certificates_are_checked(self):
        folder = tempfile.mkdtemp(prefix="wardenv-webhook-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, folder)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost"], cwd=folder, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
        server = self.serve(context)
        trusted = {"SSL_CERT_FILE": folder + "/cert.pem"}
        self.assertEqual(self.send(f"https://localhost:{server.server_port}/", **trusted), "sent")       # the control
        self.assertIn("certificate", self.send(f"https://localhost:{server.server_port}/"))              # nobody vouches for it
        self.assertIn("certificate", self.send(f"https://127.0.0.1:{server.server_port}/", **trusted))   # another name's
        self.assertEqual(len(server.seen), 1)


if __name__ == "__main__":
    unittest.main()
