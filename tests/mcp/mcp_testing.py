# SPDX-License-Identifier: Apache-2.0
"""Helpers of the MCP tests: a server as a child process, over stdio or HTTP, and messages written by hand. Standard library only.

Where things are, by the environment:
  WARDENV_BIN          the wardenv program (build-dev/bin/wardenv); the conformance fixture lies beside it
  WARDENV_MCP_SCHEMA   the folder with the published JSON Schemas of MCP (default: shared/mcp-schema beside the checkout)
"""
import contextlib
import http.client
import json
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import wardenv_testing as wt

FIXTURE = str(pathlib.Path(wt.WARDENV).resolve().parent / "wardenv-conformance-fixture")
SCHEMAS = pathlib.Path(os.environ.get("WARDENV_MCP_SCHEMA", str(wt._ROOT.parent / "shared/mcp-schema")))
MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26")
PATIENCE = 20      # seconds; nothing here should take long, but the machine may be busy


def meta(capabilities=None, **more):
    fields = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
              "io.modelcontextprotocol/clientCapabilities": capabilities or {}}
    return fields | {key.replace("__", "/"): value for key, value in more.items()}


def request(method, params=None, id=1):
    message = {"jsonrpc": "2.0", "id": id, "method": method}
    if params is not None:
        message["params"] = params
    return message


def modern(method, params=None, id=1, capabilities=None):
    return request(method, {**(params or {}), "_meta": {**meta(capabilities), **((params or {}).get("_meta") or {})}}, id)


def call(tool, arguments=None, id=1, **more):
    return modern("tools/call", {"name": tool, "arguments": arguments or {}, **more}, id)


def initialize(version="2025-11-25", capabilities=None, id=0):
    return request("initialize", {"protocolVersion": version, "capabilities": capabilities or {}, "clientInfo": {"name": "test", "version": "1"}}, id)


class Stdio:
    """A server that is our child. What it writes is kept, in order."""

    def __init__(self, argv=None, **more):
        self.process = subprocess.Popen(argv or [FIXTURE, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        self.lines = queue.Queue()
        self.seen = []
        self.errors = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def send(self, message):
        data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def next(self, timeout=PATIENCE):
        """The next message; None at the end of the output. Every line must be JSON: anything else is a polluted wire."""
        line = self.lines.get(timeout=timeout)
        if line is None:
            return None
        message = json.loads(line)
        self.seen.append(message)
        return message

    def answer(self, id, timeout=PATIENCE):
        """The answer to `id`; what comes before it is kept in `seen`."""
        for message in self.seen:
            if message.get("id") == id and "method" not in message:
                return message
        while (message := self.next(timeout)) is not None:
            if message.get("id") == id and "method" not in message:
                return message
        raise AssertionError(f"the server ended without an answer to {id}: {b''.join(self.errors)!r}")

    def told(self, wanted, timeout=PATIENCE):
        """The first message that `wanted` says yes to, whether an answer overtook it or not."""
        for message in self.seen:
            if wanted(message):
                return message
        while (message := self.next(timeout)) is not None:
            if wanted(message):
                return message
        raise AssertionError(f"the server ended without it: {b''.join(self.errors)!r}")

    def ask(self, message):
        self.send(message)
        return self.answer(message["id"])

    def open(self, version="2025-11-25", capabilities=None):
        answer = self.ask(initialize(version, capabilities))
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def close(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Reply:
    """An HTTP response: status, headers (lower case), body; and its JSON messages, of a body or of a stream of events."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def messages(self):
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            return [json.loads(line[5:]) for line in self.body.decode().splitlines() if line.startswith("data:") and line[5:].strip()]
        return [json.loads(self.body)] if self.body else []

    @property
    def last(self):
        return self.messages[-1]

    def __str__(self):
        return f"{self.status} {self.headers} {self.body[:2000]!r}"


def named(message):
    params = message.get("params") or {}
    return {"tools/call": params.get("name"), "prompts/get": params.get("name"), "resources/read": params.get("uri"), "tasks/get": params.get("taskId"),
            "tasks/update": params.get("taskId"), "tasks/cancel": params.get("taskId")}.get(message.get("method"))


def head_of(message):
    """The headers that a modern client sends along."""
    head = {"MCP-Protocol-Version": MODERN, "Mcp-Method": str(message.get("method"))}
    return head | ({"Mcp-Name": named(message)} if isinstance(named(message), str) else {})


class Http:
    """A server over HTTP on a port of its own. `tls`: the ssl.SSLContext of its clients, where it speaks TLS."""
    JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    tls = None

    def __init__(self, argv=None, url=rb"https?://[^\s]+", **more):
        self.process = subprocess.Popen(argv or [FIXTURE, "--http", "127.0.0.1:0"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, **more)
        self.errors = []
        found = None
        while found is None and (line := self.process.stderr.readline()):
            self.errors.append(line)
            found = re.search(url, line)
        if found is None:
            raise AssertionError(f"the server did not start: {b''.join(self.errors)!r}")
        self.url = found.group().decode()
        self.host, self.port = re.match(r"https?://(.+):(\d+)/", self.url).groups()
        self.port = int(self.port)
        threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True).start()

    def connect(self):
        if self.tls is not None:
            return http.client.HTTPSConnection(self.host, self.port, timeout=PATIENCE, context=self.tls)
        return http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)

    def exchange(self, verb, path, body=None, headers=None):
        with contextlib.closing(self.connect()) as connection:
            connection.request(verb, path, body, headers or {})
            response = connection.getresponse()
            return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    def post(self, message, headers=None, plain=False):
        """`plain`: without the headers of a modern client."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        head = dict(self.JSON)
        if not plain and isinstance(message, dict):
            head |= head_of(message)
        head |= headers or {}
        return self.exchange("POST", "/mcp", body, {name: value for name, value in head.items() if value is not None})

    def raw(self, data, timeout=PATIENCE, end=True):
        """Sends bytes as they are; answers all that comes back until the server closes, or `timeout`."""
        with socket.create_connection((self.host, self.port), timeout=timeout) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(data)
                if end:
                    connection.shutdown(socket.SHUT_WR)
            got = b""
            with contextlib.suppress(OSError):
                while chunk := connection.recv(65536):
                    got += chunk
            return got

    def session(self, version="2025-11-25", capabilities=None):
        """Opens a legacy session; its headers."""
        reply = self.post(initialize(version, capabilities), plain=True)
        assert reply.status == 200, str(reply)
        head = {"Mcp-Session-Id": reply.headers["mcp-session-id"], "MCP-Protocol-Version": version}
        accepted = self.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, head, plain=True)
        assert accepted.status == 202, str(accepted)
        return head

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# How much more memory a bound allows for: a sanitizer's shadow of what was touched.
ROOM = 6 if {"ASAN_OPTIONS", "TSAN_OPTIONS"} & set(os.environ) else 1


def resident_kib(pid):
    if "WARDENV_SANITIZED" in os.environ:
        raise unittest.SkipTest("memory can't be judged where a sanitizer keeps what was freed")
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def wait_until(condition, timeout=PATIENCE):
    """Polls; answers whether it came true. A bound, not a measure."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
