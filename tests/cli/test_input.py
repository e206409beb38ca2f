# SPDX-License-Identifier: Apache-2.0
"""--stdin inherit: whatever our standard input is, its bytes arrive, its end arrives, and it holds up nothing."""
import hashlib
import os
import pathlib
import pty
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

BIN = os.environ["WARDENV_BIN"]
BIG = os.urandom(1 << 20) * 8   # more than all buffers on the way
PATIENCE = 60


class InputTest(unittest.TestCase):
    def setUp(self):
        self.workspace = tempfile.mkdtemp(prefix="wardenv-input.")
        self.addCleanup(shutil.rmtree, self.workspace, True)

    def start(self, stdin, *command):
        process = subprocess.Popen([BIN, "run", "--no-venv", "--stdin", "inherit", "--", *command], cwd=self.workspace, stdin=stdin,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.put_away, process)
        return process

    def put_away(self, process):
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()

    def ends(self, process, given=None):
        out, err = process.communicate(given, timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, err)
        return out

    def pair(self, make):
        pair = make()
        for fd in pair:
            self.addCleanup(os.close, fd)
        return pair

    def test_a_pipe_is_read_to_its_end(self):
        for text in (b"", b"one line\n", BIG):
            out = self.ends(self.start(subprocess.PIPE, "sha256sum"), text)
            self.assertEqual(out.split()[0].decode(), hashlib.sha256(text).hexdigest())

    def test_the_end_of_a_named_pipe_that_nobody_writes_to_any_more(self):
        path = os.path.join(self.workspace, "fifo")
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        with open(path, "wb") as writer:
            writer.write(b"left")
        os.set_blocking(reader, True)
        self.assertEqual(self.ends(self.start(reader, "cat")), b"left")

    def test_a_file_is_read_to_its_end(self):
        path = pathlib.Path(self.workspace, "input")
        for text in (b"", BIG):
            path.write_bytes(text)
            with open(path, "rb") as file:
                self.assertEqual(self.ends(self.start(file, "sha256sum")).split()[0].decode(), hashlib.sha256(text).hexdigest())

    def test_a_file_is_read_from_where_it_stands(self):
        path = pathlib.Path(self.workspace, "input")
        path.write_text("first\nsecond\n")
        with open(path, "rb", buffering=0) as file:
            file.seek(6)
            self.assertEqual(self.ends(self.start(file, "cat")), b"second\n")

    def test_a_socket_is_read_to_its_end(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = self.start(theirs, "sha256sum")
            feeder = threading.Thread(target=lambda: (ours.sendall(BIG), ours.shutdown(socket.SHUT_WR)))
            feeder.start()
            out = self.ends(process)
            feeder.join()
        self.assertEqual(out.split()[0].decode(), hashlib.sha256(BIG).hexdigest())

    def test_lines_of_a_terminal_arrive_as_they_are_typed(self):
        master, slave = self.pair(pty.openpty)
        process = self.start(slave, "cat")
        for line in (b"one\n", b"two\n"):
            os.write(master, line)
            self.assertEqual(process.stdout.readline(), line)
        os.write(master, b"\x04")   # end of file
        self.assertEqual(self.ends(process), b"")

    def test_a_command_that_answers_gets_the_next_question(self):
        process = self.start(subprocess.PIPE, "cat")
        for line in (b"one\n", b"two\n"):
            process.stdin.write(line)
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), line)
        self.assertEqual(self.ends(process), b"")

    def test_input_that_never_comes_holds_up_nothing(self):
        reader, _ = self.pair(os.pipe)
        self.assertEqual(self.ends(self.start(reader, "echo", "done")), b"done\n")
        _, slave = self.pair(pty.openpty)
        self.assertEqual(self.ends(self.start(slave, "echo", "done")), b"done\n")

    def test_input_without_an_end_holds_up_nothing(self):
        with open("/dev/zero", "rb") as endless:
            self.assertEqual(self.ends(self.start(endless, "echo", "done")), b"done\n", "it does not read")
            self.assertEqual(self.ends(self.start(endless, "sh", "-c", "exec <&-; echo done")), b"done\n", "it has closed it")
            self.assertEqual(len(self.ends(self.start(endless, "head", "-c", "300000"))), 300000, "it reads a part")

    def test_flags_of_a_shared_input_stay(self):
        reader, writer = self.pair(os.pipe)
        os.write(writer, b"x")
        before = os.get_blocking(reader)
        self.assertEqual(self.ends(self.start(reader, "head", "-c", "1")), b"x")
        self.assertEqual(os.get_blocking(reader), before)

    def test_an_input_that_fails_is_told(self):
        with socket.socket() as unconnected:
            process = self.start(unconnected, "cat")
            out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, out), (125, b""))
        self.assertIn(b"standard input", err)


if __name__ == "__main__":
    unittest.main()
