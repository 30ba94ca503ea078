"""Runs a Python command in a fork of this process: a process of its own, everything imported.

A new interpreter spends most of a second on importing litegate, pytest and LiteRT before its first
line of work; a fork has them. It starts like a new one in everything else: modules of projects are
gone, and the import path, the environment, the streams and the warnings are those of a start.
"""

import faulthandler
import gc
import importlib.util
import json
import logging
import os
import pkgutil
import runpy
import select
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import typer.main
from execnet.gateway_base import Popen2IO

import litegate

AVAILABLE = sys.platform == "linux"
"""Where a process that loaded numeric libraries can be forked safely."""
_LATE = (
    "_zoneinfo",
    "ai_edge_litert.interpreter",
    "email.parser",
    "filelock",
    "gzip",
    "hypothesis.core",
    "hypothesis.strategies",
    "rich.jupyter",
    "typer._adapters",
    "xdist.dsession",
    "xdist.remote",
    "zoneinfo",
)
"""What is imported where it is first needed."""
_TFLM = "tflite_micro.python.tflite_micro.runtime"
_EXTRAS = ("litegate.build.toolchain", "litegate.cli.digest_edits", "litegate.cli.model_source")
"""What imports packages of extras, which take seconds: TensorFlow, libcst."""
_REAL = subprocess.run
_TESTS = Path(__file__).resolve().parent
_SCRIPT = str(Path(sys.executable).with_name("litegate"))
_MAIN = "from litegate.cli import main; main()"
_start = {"modules": frozenset(), "path": ()}


def load():
    """Import what runs import, once; runs in this process would import it again each time.

    The C parts of ai_edge_litert and tflite_micro cannot even be loaded twice.
    """
    if _start["modules"]:
        return
    has_tflm = importlib.util.find_spec("tflite_micro") is not None
    for name in (*_LATE, *(_TFLM,) * has_tflm):
        importlib.import_module(name)
    for module in pkgutil.walk_packages(litegate.__path__, "litegate."):
        if not module.name.startswith(_EXTRAS):
            importlib.import_module(module.name)
    typer.main.get_command(litegate.cli.app)  # kept, since each run of `litegate` asks for it
    asked = [sys.executable, "-I", "-c", "import json, sys; print(json.dumps(sys.path))"]
    done = _REAL(asked, capture_output=True, check=True)
    _start["path"] = tuple(json.loads(done.stdout))
    _start["modules"] = frozenset(filter(_not_a_test, sys.modules))


def _not_a_test(name):
    file = getattr(sys.modules[name], "__file__", None)
    return not (file and Path(file).is_relative_to(_TESTS))


def run(argv, **options):
    """As `subprocess.run`; Python with code or a module of ours is forked, `litegate` too."""
    command = None if isinstance(argv, str) else _parsed(list(map(str, argv)))
    known = set(options) <= _OPTIONS and options.get("capture_output")
    if command is None or not known or not AVAILABLE:
        return _REAL(argv, **options)
    return _forked(argv, command, **options)


_OPTIONS = {"input", "capture_output", "text", "cwd", "env", "timeout", "check", "stdin"}


@contextmanager
def running(argv, terminal, env):
    """Run Python with code of ours, whose streams are an end of a terminal, until it ends."""
    if AVAILABLE:
        pid = _fork(_parsed(argv), (terminal, terminal, terminal), env=env)
        yield
        os.waitpid(pid, 0)
    else:
        with subprocess.Popen(argv, stdin=terminal, stdout=terminal, stderr=terminal, env=env):
            yield


def _parsed(argv):
    """Whether the working directory is on the import path, "-m" or "-c", what, and arguments."""
    program, *words = argv
    if program == _SCRIPT:
        return False, "-c", _MAIN, words
    here = words[:1] != ["-P"]
    words = words if here else words[1:]
    if program != sys.executable or len(words) < 2 or words[0] not in ("-c", "-m"):
        return None
    flag, what, *arguments = words
    ours = flag == "-c" or what.partition(".")[0] in ("litegate", "pytest")
    return (here, flag, what, arguments) if ours else None


def _forked(argv, command, *, check=False, timeout=None, **options):
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        given = options.get("input") or b""
        stdin.write(given.encode() if isinstance(given, str) else given)
        stdin.seek(0)
        streams = [stream.fileno() for stream in (stdin, stdout, stderr)]
        pid = _fork(command, streams, options.get("cwd"), options.get("env"))
        status = _wait(pid, timeout)
        told = [_read(stream, text=options.get("text")) for stream in (stdout, stderr)]
    if status is None:
        raise subprocess.TimeoutExpired(argv, timeout, *told)
    done = subprocess.CompletedProcess(argv, os.waitstatus_to_exitcode(status), *told)
    if check:
        done.check_returncode()
    return done


def _read(stream, *, text):
    stream.seek(0)
    data = stream.read()
    return data.decode().replace("\r\n", "\n") if text else data


def _wait(pid, timeout):
    """Wait for a child; None where it had to be killed."""
    handle = os.pidfd_open(pid)
    try:
        ended, _, _ = select.select([handle], [], [], timeout)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        return status if ended else None
    finally:
        os.close(handle)


class Worker(Popen2IO):
    """A worker of pytest-xdist; execnet, which starts them, takes pipes to and from a process."""

    def __init__(self, argv, execmodel):
        """As execnet's own class, which starts a new interpreter."""
        stdin, outfile = os.pipe()
        infile, stdout = os.pipe()
        command = (True, "-c", argv[-1], [])
        self._pid = _fork(command, (stdin, stdout, 2), ours=(outfile, infile))
        os.close(stdin)
        os.close(stdout)
        super().__init__(os.fdopen(outfile, "wb"), os.fdopen(infile, "rb"), execmodel)

    def wait(self):
        """Return the exit code; None if somebody has asked before."""
        with suppress(ChildProcessError):
            return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def kill(self):
        """End it, unless it has ended."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)


_COMMANDS = {"litegate": ("-c", _MAIN), "pytest": ("-m", "pytest")}
_PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({address!r})
    socket.send_fds(asked, [b"."], [0, 1, 2])
    asked.sendall(json.dumps([{name!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    asked.shutdown(socket.SHUT_WR)
    sys.exit(int(asked.recv(9)))
"""
"""A program that hands all that it was started with to this process, and waits."""


@contextmanager
def programs(folder):
    """Put `litegate` and `pytest` for shells into a folder, as forks of this process."""
    address = str(folder / "socket")
    for name in _COMMANDS:
        text = _PROGRAM.format(python=sys.executable, address=address, name=name)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    with socketserver.ThreadingUnixStreamServer(address, _Program) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


class _Program(socketserver.BaseRequestHandler):
    """Runs one program for whoever asked, and answers with its exit status."""

    def handle(self):
        streams = socket.recv_fds(self.request, 1, 3)[1]
        name, words, cwd, env = json.loads(self.request.makefile().read())
        pid = _fork((False, *_COMMANDS[name], words), streams, cwd, env)
        for stream in streams:
            os.close(stream)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.request.sendall(str(status).encode())


def _fork(command, streams, cwd=None, env=None, ours=()):
    """Start a command; it gets the file descriptors `streams`, and none of `ours`."""
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads wait, they hold nothing
        pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        for descriptor in ours:
            os.close(descriptor)
        status = _child(command, streams, cwd, env)
    except BaseException:  # noqa: BLE001 the child ends here, whatever happens
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


def _child(command, streams, cwd, env):
    here, flag, what, arguments = command
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(cwd or ".")
    if env is not None:
        os.environ.clear()
        os.environ.update(env)
    _as_started()
    paths = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = [*([str(Path.cwd())] if here else []), *paths, *_start["path"]]
    sys.argv[:] = ["litegate" if what == _MAIN else flag, *arguments]
    try:
        if flag == "-c":
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
        else:
            sys.modules.pop(what if what != "pytest" else "pytest.__main__", None)
            runpy.run_module(what, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return _status(end.code)
    return 0


def _status(code):
    if code is None or isinstance(code, int):
        return int(code or 0)
    sys.stderr.write(f"{code}\n")
    return 1


def _as_started():
    """Undo what pytest and earlier runs left in this process."""
    gc.freeze()  # pytest collects five times as it ends; all that the parent has would be copied
    faulthandler.disable()  # it would write into pytest's output, past the streams
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    for name in set(sys.modules) - _start["modules"]:
        del sys.modules[name]
    sys.meta_path[:] = [one for one in sys.meta_path if "Assertion" not in type(one).__name__]
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    sys.excepthook, sys.unraisablehook = sys.__excepthook__, sys.__unraisablehook__
    threading.excepthook = threading.__excepthook__
    signal.signal(signal.SIGINT, signal.default_int_handler)
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.setLevel(logging.WARNING)
    warnings.resetwarnings()
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)
    warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
