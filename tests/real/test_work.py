# SPDX-License-Identifier: Apache-2.0
"""Real work inside: what people do in a virtual environment works as it does outside. Each test runs the same thing on both sides."""
import base64
import glob
import hashlib
import os
import shutil
import textwrap
import unittest
import zipfile

import wardenv_testing as testing

PYTHON = "/usr/bin/python3.11"
WHEELS = "/usr/share/python-wheels"
LIMITS = ["--timeout", "2m", "--memory", "1G", "--processes", "128"]


def run_outside(scratch, argv, **more):
    done = testing.execute(argv, scratch.user, cwd=scratch.workspace, **more)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Work:
    """The tests, for root and for an ordinary user: see the two classes at the end."""

    def setUp(self):
        self.scratch = testing.Scratch(self.user)
        self.addCleanup(self.scratch.remove)

    def outside(self, *argv):
        """The control: it must succeed. Gives what it printed."""
        status, out, err = run_outside(self.scratch, argv)
        self.assertEqual(status, 0, out + err)
        return out

    def inside(self, *argv, options=()):
        """In the sandbox, without a venv: it must succeed without a single refused call. Gives what it printed."""
        run = self.scratch.run(argv, *LIMITS, *options)
        self.assertEqual(run.status, 0, run)
        self.assertEqual(run.report["violations"], [], run)
        return run.text

    def same(self, *argv):
        """Succeeds on both sides and prints the same."""
        expected = self.outside(*argv)
        self.assertEqual(self.inside(*argv), expected)
        return expected

    def same_python(self, code):
        """A program in a file (spawn needs one to import), on both sides; it must print `done` at its end."""
        self.scratch.write("program.py", textwrap.dedent(code))
        self.assertTrue(self.same(PYTHON, "program.py").endswith("done\n"))


# --- building ---------------------------------------------------------------------------------------------------------

EXTENSION = """
    #define PY_SSIZE_T_CLEAN
    #include <Python.h>
    static PyObject *twice(PyObject *self, PyObject *arg) { (void)self; return PyNumber_Add(arg, arg); }
    static PyMethodDef methods[] = {{"twice", twice, METH_O, "x + x"}, {0, 0, 0, 0}};
    static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", 0, -1, methods, 0, 0, 0, 0};
    PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }
"""


class Building(Work):
    def import_it(self):
        return [PYTHON, "-c", "import fast; print(fast.twice(21), fast.twice('ab'), fast.__file__)"]

    def test_extension_by_the_compiler(self):
        self.scratch.write("fast.c", EXTENSION)
        compiler = ["sh", "-c", "gcc -O1 -shared -fPIC $(python3.11-config --includes) fast.c -o fast.so && echo built"]
        self.outside(*compiler)
        control = self.outside(*self.import_it())
        os.unlink(self.scratch.path("fast.so"))
        self.assertEqual(self.inside(*compiler), "built\n")
        self.assertEqual(os.stat(self.scratch.path("fast.so")).st_uid, os.stat(self.scratch.workspace).st_uid)
        self.assertEqual(self.inside(*self.import_it()), control)
        self.assertTrue(control.startswith("42 abab "))
        self.assertEqual(self.outside(*self.import_it()), control)   # what was built inside is of use outside

    def test_extension_by_setuptools(self):
        wheel = glob.glob(WHEELS + "/setuptools-*.whl")[0]
        self.scratch.write("fast.c", EXTENSION)
        self.scratch.write("setup.py", "from setuptools import setup, Extension\n"
                                       "setup(name='fast', version='1', ext_modules=[Extension('fast', ['fast.c'])])\n")
        build = [PYTHON, "-c", f"import sys; sys.path.insert(0, {wheel!r}); sys.argv = ['setup.py', 'build_ext', '--inplace']\n"
                               "exec(open('setup.py').read())"]
        for side in (self.outside, self.inside):
            side(*build)
            self.assertTrue(side(*self.import_it()).startswith("42 abab "))
            shutil.rmtree(self.scratch.path("build"))
            for built in glob.glob(self.scratch.path("fast*.so")):
                os.unlink(built)

    def test_compileall(self):
        self.scratch.write("package/__init__.py", "VALUE = 1\n")
        self.scratch.write("package/broken.py", "def (\n")
        for side in ("outside", "inside"):
            command = [PYTHON, "-m", "compileall", "-q", "package"]
            status = run_outside(self.scratch, command)[0] if side == "outside" else self.scratch.run(command).status
            self.assertEqual(status, 1)                              # broken.py
            self.assertEqual(len(os.listdir(self.scratch.path("package/__pycache__"))), 1)
            shutil.rmtree(self.scratch.path("package/__pycache__"))

    def test_unittest(self):
        self.scratch.write("test_it.py", "import unittest\nclass T(unittest.TestCase):\n  def test_good(self): pass\n"
                                         "  def test_bad(self): self.fail('as asked')\n")
        command = [PYTHON, "-m", "unittest", "-v", "test_it"]
        outside = run_outside(self.scratch, command)
        run = self.scratch.run(command)
        self.assertEqual((outside[0], run.status), (1, 1))
        for text in (outside[2], run.report["stderr"]):
            self.assertIn("test_good (test_it.T.test_good) ... ok", text)
            self.assertIn("AssertionError: as asked", text)
            self.assertIn("FAILED (failures=1)", text)


# --- git --------------------------------------------------------------------------------------------------------------

class Git(Work):
    def git(self, side, *arguments):
        return side("git", *arguments)

    def make_repository(self):
        self.git(self.outside, "init", "-q", "-b", "main", ".")
        self.git(self.outside, "config", "user.name", "Somebody")
        self.git(self.outside, "config", "user.email", "somebody@example.invalid")
        self.scratch.write(".gitignore", "probe\nstate\n")

    def commit(self, side, name):
        self.scratch.write(name, name)
        self.assertIn(f"?? {name}", self.git(side, "status", "--porcelain"))
        self.git(side, "add", "-A")
        self.git(side, "commit", "-q", "-m", f"Add {name}")
        self.assertEqual(self.git(side, "status", "--porcelain"), "")

    def test_a_day_in_a_repository_made_outside(self):
        self.make_repository()
        self.commit(self.outside, "first")
        self.commit(self.inside, "second")
        for side in (self.outside, self.inside):
            self.assertEqual(self.git(side, "log", "--format=%an %s"), "Somebody Add second\nSomebody Add first\n")
            self.git(side, "fsck", "--strict")
        self.git(self.inside, "checkout", "-q", "-b", "topic")
        self.commit(self.inside, "third")
        self.git(self.inside, "checkout", "-q", "main")
        self.git(self.inside, "merge", "-q", "--no-ff", "-m", "Merge", "topic")
        self.git(self.inside, "stash", "list")
        self.git(self.inside, "gc", "-q")
        self.assertEqual(self.git(self.outside, "log", "-1", "--format=%s"), "Merge\n")
        self.commit(self.outside, "fourth")                          # nothing is left that stands in the way outside

    def test_init_inside(self):
        self.scratch.folder("new")
        self.inside("git", "init", "-q", "-b", "main", "new")
        self.assertEqual(self.outside("git", "-C", "new", "symbolic-ref", "HEAD"), "refs/heads/main\n")

    def test_configuration_and_hooks_stay(self):
        self.make_repository()
        self.commit(self.outside, "first")
        before = self.outside("git", "config", "--list")
        attempts = (["git", "config", "core.fsmonitor", "./evil"], ["sh", "-c", "echo evil > .git/hooks/post-commit"],
                    ["mv", ".git/hooks", ".git/away"], ["mv", ".git", "away"])
        for attempt in attempts:
            with self.subTest(attempt=attempt):
                self.assertNotEqual(self.scratch.run(attempt).status, 0)
        self.assertEqual(self.outside("git", "config", "--list"), before)
        for attempt in (attempts[0], attempts[1]):
            self.outside(*attempt)


# --- the standard library ---------------------------------------------------------------------------------------------

class Library(Work):
    def test_multiprocessing(self):
        self.same_python("""
            import multiprocessing, sys
            from multiprocessing import shared_memory

            def square(x): return x * x
            def worker(queue, lock, value, name, event):
                event.wait(30)
                memory = shared_memory.SharedMemory(name)
                with lock:
                    value.value += 1
                    memory.buf[0] += 1
                memory.close()
                queue.put("x" * 100000)

            def main():
                for method in ("fork", "spawn", "forkserver"):
                    context = multiprocessing.get_context(method)
                    with context.Pool(3) as pool:
                        print(method, pool.map(square, range(10)), pool.apply_async(square, (9,)).get(30))
                    queue, lock, value, event = context.Queue(), context.Lock(), context.Value("i", 0), context.Event()
                    memory = shared_memory.SharedMemory(create=True, size=4096)
                    processes = [context.Process(target=worker, args=(queue, lock, value, memory.name, event)) for _ in range(3)]
                    for process in processes: process.start()
                    event.set()
                    print(sum(len(queue.get(timeout=30)) for _ in processes))
                    for process in processes: process.join(30)
                    print([process.exitcode for process in processes], value.value, memory.buf[0])
                    memory.close(); memory.unlink()
                    with context.Manager() as manager:
                        shared = manager.dict(a=1)
                        shared["b"] = 2
                        print(dict(shared))
                print("done")
            if __name__ == "__main__":
                main()
        """)

    def test_asyncio(self):
        self.same_python("""
            import asyncio, os, signal, sys, tempfile

            async def echo(reader, writer):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
                writer.close()

            async def exchange(reader, writer):
                payload = os.urandom(1 << 20)
                async def send():
                    writer.write(payload)
                    await writer.drain()
                    writer.write_eof()
                sending = asyncio.create_task(send())
                got = await reader.read(-1)
                await sending
                writer.close()
                return got == payload

            async def main():
                server = await asyncio.start_server(echo, "127.0.0.1", 0)
                print(await exchange(*await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])))
                server.close()
                path = tempfile.mkdtemp() + "/socket"
                server = await asyncio.start_unix_server(echo, path)
                print(await exchange(*await asyncio.open_unix_connection(path)))
                server.close()
                process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(input()[::-1])", stdin=-1, stdout=-1)
                print((await process.communicate(b"hello\\n"))[0], process.returncode)
                process = await asyncio.create_subprocess_shell("exec sleep 1000")
                process.terminate()
                print(await process.wait())
                got = asyncio.Event()
                asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
                os.kill(os.getpid(), signal.SIGUSR1)
                await asyncio.wait_for(got.wait(), 30)
                print(await asyncio.to_thread(sum, [1, 2]), await asyncio.gather(*(asyncio.sleep(0, i) for i in range(5))))
                print("done")
            asyncio.run(main())
        """)

    def test_sockets_over_loopback(self):
        self.same_python("""
            import socket, socketserver, threading, urllib.request, http.server
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    self.send_response(200); self.end_headers(); self.wfile.write(b"hello")
                def log_message(self, *arguments): pass
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            print(opener.open(f"http://127.0.0.1:{server.server_port}/", timeout=30).read())
            server.shutdown()
            a, b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            a.bind(("127.0.0.1", 0)); b.sendto(b"datagram", a.getsockname()); a.settimeout(30)
            print(a.recv(100))
            left, right = socket.socketpair()
            socket.send_fds(left, [b"x"], [0]); print(len(socket.recv_fds(right, 10, 1)[1]))
            print(socket.gethostbyname("localhost"), socket.getservbyname("https"))
            print("done")
        """)

    def test_sqlite(self):
        self.same_python("""
            import os, sqlite3, subprocess, sys
            for name in ("a.db", "a.db-wal", "a.db-shm"):
                if os.path.exists(name): os.unlink(name)
            one, two = (sqlite3.connect("a.db", timeout=0, isolation_level=None) for _ in range(2))
            print(one.execute("PRAGMA journal_mode=WAL").fetchone())
            one.execute("CREATE TABLE t (x)")
            one.execute("BEGIN IMMEDIATE"); one.execute("INSERT INTO t VALUES (1)")
            print(two.execute("SELECT count(*) FROM t").fetchone(), os.path.exists("a.db-wal"), os.path.exists("a.db-shm"))
            try: two.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error: print(error)
            code = ("import sqlite3\\ntry: sqlite3.connect('a.db', timeout=0).execute('INSERT INTO t VALUES (2)')\\n"
                    "except Exception as e: print(e)")
            print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
            one.execute("COMMIT")
            two.execute("INSERT INTO t VALUES (3)")
            print(two.execute("SELECT x FROM t").fetchall(), two.execute("PRAGMA integrity_check").fetchone())
            print(sqlite3.connect(":memory:").execute("SELECT 1").fetchall())
            print("done")
        """)

    def test_threads(self):
        self.same_python("""
            import concurrent.futures, queue, threading
            jobs, results, lock = queue.Queue(), [], threading.Lock()
            def work():
                while (job := jobs.get()) is not None:
                    with lock: results.append(job * 2)
            threads = [threading.Thread(target=work) for _ in range(20)]
            for thread in threads: thread.start()
            for i in range(1000): jobs.put(i)
            for _ in threads: jobs.put(None)
            for thread in threads: thread.join()
            print(sum(results))
            with concurrent.futures.ThreadPoolExecutor(8) as pool: print(sum(pool.map(len, ["ab"] * 100)))
            print("done")
        """)

    def test_subprocesses(self):
        self.same_python("""
            import os, pty, signal, subprocess, sys
            first = subprocess.Popen(["seq", "100000"], stdout=subprocess.PIPE)
            second = subprocess.Popen(["grep", "7"], stdin=first.stdout, stdout=subprocess.PIPE)
            first.stdout.close()
            print(subprocess.run(["wc", "-l"], stdin=second.stdout, capture_output=True).stdout, second.wait())
            print(subprocess.run("yes | head -n 3 | tr y z", shell=True, capture_output=True, text=True).stdout)
            process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
            os.killpg(process.pid, signal.SIGTERM); print(process.wait())
            try: subprocess.run(["sleep", "1000"], timeout=0.2)
            except subprocess.TimeoutExpired: print("timeout")
            print(subprocess.run([sys.executable, "-c", "import os; os.abort()"]).returncode)
            master, slave = pty.openpty()
            print(subprocess.run(["tty"], stdin=slave, capture_output=True).returncode)
            pid = os.posix_spawn("/bin/true", ["true"], os.environ); print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            print("done")
        """)

    def test_files(self):
        self.same_python("""
            import fcntl, mmap, os, pathlib, shutil, tempfile, tarfile, zipfile
            with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file, tempfile.TemporaryFile() as nameless:
                path = pathlib.Path(folder, "a"); path.write_text("hello"); path.chmod(0o600)
                os.link(path, folder + "/b"); os.symlink("a", folder + "/c"); os.mkfifo(folder + "/pipe")
                print(sorted(os.listdir(folder)), oct(path.stat().st_mode), path.stat().st_nlink, os.readlink(folder + "/c"))
                file.write(b"x" * 10000); file.flush(); nameless.write(b"y"); shutil.copyfile(file.name, folder + "/copy")
                with open(folder + "/copy", "r+b") as copy:
                    mapping = mmap.mmap(copy.fileno(), 0); mapping[:3] = b"abc"; mapping.flush(); copy.seek(0); print(copy.read(5))
                    fcntl.flock(copy, fcntl.LOCK_EX | fcntl.LOCK_NB); fcntl.lockf(copy, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.posix_fallocate(copy.fileno(), 0, 20000); print(os.fstat(copy.fileno()).st_size)
                os.unlink(folder + "/pipe")
                shutil.make_archive("archive", "gztar", folder); print(sorted(tarfile.open("archive.tar.gz").getnames()))
                os.unlink("archive.tar.gz")
            print(os.path.exists(folder), os.cpu_count() > 0, os.access("/etc/passwd", os.R_OK))
            print("done")
        """)

    def test_what_belongs_to_the_system(self):
        self.same_python("""
            import ctypes, ctypes.util, datetime, getpass, hashlib, locale, os, platform, pwd, resource, secrets, ssl, time, uuid, zoneinfo
            context = ssl.create_default_context(); print(context.verify_mode, ssl.OPENSSL_VERSION, context.cert_store_stats())
            libc = ctypes.CDLL(None, use_errno=True); print(libc.abs(-3), ctypes.util.find_library("z"))
            callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))(lambda a, b: a[0] - b[0])
            numbers = (ctypes.c_int * 4)(3, 1, 2, 0); libc.qsort(numbers, 4, 4, callback); print(list(numbers))
            print(datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).isoformat())
            print(len(zoneinfo.available_timezones()) > 400)
            print(locale.setlocale(locale.LC_ALL, "C.UTF-8"), locale.nl_langinfo(locale.CODESET), platform.libc_ver(), platform.machine())
            print(len(secrets.token_bytes(8)), uuid.uuid4().version, hashlib.scrypt(b"a", salt=b"b", n=2, r=1, p=1).hex()[:8], time.tzname)
            assert pwd.getpwuid(os.getuid()).pw_name == getpass.getuser() and resource.getrlimit(resource.RLIMIT_NOFILE)
            print("done")
        """)


# --- pip --------------------------------------------------------------------------------------------------------------

def write_wheel(path, name, version, source, requires=()):
    """A wheel of one module (PEP 427)."""
    info = f"{name}-{version}.dist-info"
    files = {f"{name}.py": source, f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
             f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
                                 + "".join(f"Requires-Dist: {requirement}\n" for requirement in requires),
             f"{info}/entry_points.txt": f"[console_scripts]\n{name}-tool = {name}:main\n"}
    record = "".join(f"{file},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
                     for file, text in files.items())
    with zipfile.ZipFile(os.path.join(path, f"{name}-{version}-py3-none-any.whl"), "w") as wheel:
        for file, text in (files | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
            wheel.writestr(file, text)


class Pip(Work):
    """In a venv that lies in the workspace, with pip in it, and a folder of wheels."""

    @classmethod
    def setUpClass(cls):
        cls.template = testing.Scratch(cls.user)
        done = testing.execute([PYTHON, "-m", "venv", cls.template.path("venv")], cls.user)
        assert done.returncode == 0, done
        wheels = cls.template.folder("wheelhouse")
        write_wheel(wheels, "tinybase", "1.0", "NAME = 'base'\ndef main(): print('base')\n")
        write_wheel(wheels, "tinytop", "2.0", "import tinybase\ndef main(): print('top on', tinybase.NAME)\n", ["tinybase>=1"])

    @classmethod
    def tearDownClass(cls):
        cls.template.remove()

    def setUp(self):
        self.scratch = self.template
        self.venv = self.scratch.path("venv")
        self.python = self.venv + "/bin/python"

    def pip(self, *arguments):
        return [self.python, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", *arguments]

    def install(self, *options):
        return self.pip("install", "-q", "--no-index", "--find-links", "wheelhouse", *options, "tinytop")

    def in_venv(self, command, *options):
        env = testing.environment(self.user, self.scratch.state)
        options = ["--venv", self.venv, "--workspace", self.scratch.workspace, *LIMITS, *options]
        return testing.run_wardenv(options, command, self.user, env=env)

    def in_writable_venv(self, command):
        argv = [testing.WALLS, "--walls", "all", "--workspace", self.scratch.workspace, "--writable-venv", self.venv,
                "--timeout-ms", "120000", "--", *command]
        return testing.to_run(testing.execute(argv, self.user, env=testing.environment(self.user, self.scratch.state)))

    def installed(self):
        return sorted(os.path.basename(path) for path in glob.glob(self.venv + "/lib/python3*/site-packages/tiny*"))

    def test_list_and_check(self):
        for arguments in (["list", "--format=freeze"], ["check"], ["show", "pip"]):
            run = self.in_venv(self.pip(*arguments))
            self.assertEqual(run.status, 0, run)
            self.assertEqual(run.text, self.outside(*self.pip(*arguments)))

    def test_into_a_folder_of_the_workspace(self):
        show = [self.python, "-c", "import sys; sys.path.insert(0, 'target'); import tinytop; tinytop.main()"]
        for side in ("outside", "inside"):
            if side == "outside":
                self.outside(*self.install("--target", "target"))
            else:
                run = self.in_venv(self.install("--target", "target"))
                self.assertEqual(run.status, 0, run)
            self.assertEqual(self.outside(*show), "top on base\n")
            self.assertEqual(self.in_venv(show).text, "top on base\n")
            self.assertEqual(self.installed(), [])
            shutil.rmtree(self.scratch.path("target"))

    def test_the_venv_is_read_only(self):
        run = self.in_venv(self.install())
        self.assertNotEqual(run.status, 0)
        self.assertIn("Read-only file system", run.report["stderr"], run)
        self.assertEqual(self.installed(), [])

    def test_a_writable_venv(self):
        expected = ["tinybase-1.0.dist-info", "tinybase.py", "tinytop-2.0.dist-info", "tinytop.py"]
        remove = self.pip("uninstall", "-q", "-y", "tinytop", "tinybase")
        tool = [self.venv + "/bin/tinytop-tool"]
        self.outside(*self.install())
        self.assertEqual(self.installed(), expected)
        self.assertEqual(self.outside(*tool), "top on base\n")
        self.outside(*remove)
        run = self.in_writable_venv(self.install())
        self.assertEqual((run.status, self.installed()), (0, expected), run)
        self.assertEqual(self.outside(*tool), "top on base\n")
        self.assertEqual(self.in_venv(tool).text, "top on base\n")
        run = self.in_writable_venv(remove)
        self.assertEqual((run.status, self.installed()), (0, []), run)

    def test_no_index_can_be_reached(self):
        run = self.in_venv(self.pip("download", "--retries", "0", "--timeout", "5", "tinytop"))
        self.assertNotEqual(run.status, 0)
        self.assertIn("No matching distribution", run.report["stderr"], run)

    def test_a_requirement_that_is_not_there(self):
        command = self.pip("install", "-q", "--no-index", "--find-links", "wheelhouse", "--target", "target", "no-such-thing")
        self.assertEqual(run_outside(self.scratch, command)[0], 1)
        self.assertEqual(self.in_venv(command).status, 1)


def for_both(*bases):
    """A class for root and one for an ordinary user of each group of tests; as an ordinary user only the latter."""
    for base in bases:
        for who in ["root", "user"] if testing.IS_ROOT else ["user"]:
            user = testing.shared_user() if who == "user" else None
            name = f"{base.__name__}As{who.capitalize()}"
            yield name, type(name, (base, unittest.TestCase), {"user": user, "__module__": __name__})


globals().update(for_both(Building, Git, Library, Pip))

if __name__ == "__main__":
    unittest.main()
