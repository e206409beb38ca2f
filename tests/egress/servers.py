#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The other side of the lab: servers.py CONFIG. Plain HTTP, TLS with several names, a port that echoes, one that says nothing, and a name
server, on every address that CONFIG (JSON) names. Everything that reaches them is written to the log, one JSON object a line.
"""
import http.server
import json
import os
import socket
import socketserver
import ssl
import struct
import sys
import threading

CONFIG = json.load(open(sys.argv[1]))
LOCK = threading.Lock()
BIG = b"x" * (1 << 20)


def log(**entry):
    with LOCK, open(CONFIG["log"], "a") as file:
        file.write(json.dumps(entry) + "\n")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, body=b""):
        log(kind="tls" if isinstance(self.connection, ssl.SSLSocket) else "http", address=self.server.server_address[0], method=self.command,
            path=self.path, host=self.headers.get("Host"), headers=dict(self.headers), sni=getattr(self.connection, "asked_name", None), body=len(body))

    def reply(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.note()
        path = self.path.split("?")[0]
        if path == "/redirect":
            return self.reply(302, b"", Location="http://evil.test/secret")
        if path == "/big":
            self.send_response(200)
            self.send_header("Content-Length", str(16 * len(BIG)))
            self.end_headers()
            for _ in range(16):
                self.wfile.write(BIG)
            return None
        file = os.path.realpath(os.path.join(CONFIG["files"], path.lstrip("/")))
        if os.path.isdir(file):
            file = os.path.join(file, "index.html")
        if file.startswith(CONFIG["files"]) and os.path.isfile(file):
            return self.reply(200, open(file, "rb").read(), Content_Type="text/html" if file.endswith(".html") else "application/octet-stream")
        if path.startswith(("/files", "/simple", "/repo.git")):
            return self.reply(404, b"")
        return self.reply(200, f"SERVED {self.server.server_address[0]} {self.headers.get('Host')}\n".encode())

    do_HEAD = do_GET

    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.note(body)
        self.reply(200, f"POSTED {len(body)}\n".encode())


class PlainServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass   # clients that go away in the middle are what is tested


class TlsServer(PlainServer):
    context = None

    def finish_request(self, request, client_address):
        try:
            tls = self.context.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            log(kind="tls-failed", address=self.server_address[0])
            return
        super().finish_request(tls, client_address)


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        log(kind="echo", address=self.server.server_address[0])
        self.request.sendall(b"ECHO\n")
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Silent(socketserver.BaseRequestHandler):
    def handle(self):
        log(kind="silent", address=self.server.server_address[0])
        while self.request.recv(65536):
            pass


class Deaf(socketserver.BaseRequestHandler):
    def handle(self):
        log(kind="deaf", address=self.server.server_address[0])
        threading.Event().wait(120)   # reads nothing and does not close


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        pass


def question(data):
    labels, at = [], 12
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += data[at] + 1
    return ".".join(labels).lower(), struct.unpack(">H", data[at + 1:at + 3])[0], data[12:at + 5]


def serve_names():
    asked = {}
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((CONFIG["dns"], 53))
    while True:
        data, peer = sock.recvfrom(2048)
        try:
            name, kind, section = question(data)
        except (IndexError, struct.error):
            continue   # no question
        log(kind="dns", name=name, type=kind)
        answers = CONFIG["names"].get(name) or CONFIG["names"].get("*." + name.split(".", 1)[-1])
        if answers == "silent":
            continue
        if isinstance(answers, dict):   # another answer each time it is asked for A
            count = asked[name] = asked.get(name, 0) + (kind == 1)
            answers = [answers["each"][min(max(count - 1, 0), len(answers["each"]) - 1)]]
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
        found = [socket.inet_pton(family, text) for text in answers or [] if family and (":" in text) == (kind == 28)]
        flags = 0x8180 if answers else 0x8183
        reply = data[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 0) + section
        for raw in found:
            reply += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(raw)) + raw
        sock.sendto(reply, peer)


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CONFIG["cert"], CONFIG["key"])

    def note_name(tls, name, _):
        tls.asked_name = name
        log(kind="sni", name=name)
    context.sni_callback = note_name
    return context


def main():
    TlsServer.context = tls_context()
    servers = []
    for address in CONFIG["addresses"]:
        server = PlainServer
        if ":" in address:
            server = type("Plain6", (PlainServer,), {"address_family": socket.AF_INET6})
            servers.append(server((address, 80), Handler))
            continue
        retry = TlsServer((address, 8444), Handler)   # wants a key of a kind that clients do not offer at once: HelloRetryRequest
        retry.context = tls_context()
        retry.context.set_ecdh_curve("secp384r1")
        servers.append(retry)
        servers += [server((address, 80), Handler), server((address, 8080), Handler), TlsServer((address, 443), Handler), TlsServer((address, 8443), Handler),
                    TcpServer((address, 9000), Echo), TcpServer((address, 9001), Silent), TcpServer((address, 9002), Deaf)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=serve_names, daemon=True).start()
    print("READY", flush=True)
    sys.stdin.read()


main()
