"""A card whose node is /dev/full and whose sound device is /dev/zero, and processes that hold them.

``HOLD`` is a program that holds a card in an unusual way; each of its functions is one such way.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tui.host.proc.device_nodes import Node

PROJECT = Path(__file__).parents[2]
CARD, SOUND = "0000:01:00.0", "0000:01:00.1"
NODES = (
    Node(("c", 1, 7), "/dev/dri/card1", CARD),
    Node(("c", 1, 5), "/dev/snd/controlC1", SOUND),
)
"""The numbers are those of /dev/full and /dev/zero: Documentation/admin-guide/devices.txt."""

NOBODY = 54321

ASK = f"""
import json, os, sys
from msgspec import to_builtins
sys.path.insert(0, {str(PROJECT)!r})
from tui.host.proc.device_nodes import Node
from tui.host.proc.holders import holders_of_nodes
print(json.dumps(to_builtins(holders_of_nodes([Node(("c", 1, 7), "/dev/dri/card1", "{CARD}")]))))
"""

HOLD = """
import ctypes, os, platform, resource, sys, threading

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)

def up():
    print("up", flush=True)
    sys.stdin.read()

def map(fd):
    assert libc.mmap(None, 4096, 1, 2, fd, 0) != ctypes.c_void_p(-1).value

def opened(*paths):
    files = [os.open(path, os.O_RDONLY) for path in paths]
    up()

def mapped(*paths):
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        map(fd)
        os.close(fd)
    up()

def mappings(path, count):
    for name in path.split("/"):  # longer than what one call takes
        os.chdir(name or "/") if name != "file" else None
    fd = os.open("file", os.O_RDONLY)
    for _ in range(int(count)):
        map(fd)
    mapped("/dev/zero")

def files(count):
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(count) + 99,) * 2)
    null = os.open("/dev/null", os.O_RDONLY)
    for _ in range(int(count)):
        os.dup(null)
    opened("/dev/full")

def thread():
    def run():
        assert libc.unshare(0x400) == 0  # CLONE_FILES
        opened("/dev/full")
    threading.Thread(target=run).start()

def leaderless():
    def run():
        fd = os.open("/dev/full", os.O_RDONLY)
        me = os.getpid()
        while " Z " not in open(f"/proc/{me}/stat").read():
            pass
        mapped("/dev/zero")
    threading.Thread(target=run).start()
    libc.syscall({"x86_64": 60, "aarch64": 93}[platform.machine()], 0)  # exit(2): this thread

globals()[sys.argv[1]](*sys.argv[2:])
"""


@contextmanager
def holding(*words: str, by: Sequence[str] = (), **options: Any) -> Iterator[int]:
    """The pid of a process that runs a function of ``HOLD``: ``words`` are its name and arguments.
    ``by`` is the program that starts it, if any."""
    command = [*by, sys.executable, "-I", "-S", "-c", HOLD, *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "up\n"
            yield process.pid
        finally:
            process.kill()


def asked_in(*prepare: str, user: int = 0, by: Sequence[str] = ("unshare", "--mount")) -> Any:
    """What the scan finds as ``user`` in a mount namespace that these commands have changed."""
    python = ordinary_python() if user else sys.executable
    ask = [python, "-c", ASK]
    if user:
        ask = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *ask]
    script = " && ".join([*prepare, 'exec "$@"'])
    done = subprocess.run(
        [*by, "sh", "-c", script, "-", *ask], capture_output=True, text=True, check=False
    )
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"no namespaces here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ordinary_python() -> str:
    """A Python that every user may run, and that can load the project."""
    for found in (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        test = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); import tui.host.proc.holders"
        tried = found and subprocess.run(
            [found, "-c", test], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
            capture_output=True, check=False,
        ) if found and _may_run(found) else None  # fmt: skip
        if tried and tried.returncode == 0:
            return str(found)
    pytest.skip("another user can run no Python here that loads the project")


def _may_run(program: str) -> bool:
    """Whether every user may reach a program and run it."""
    path = Path(os.path.realpath(program))
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))
