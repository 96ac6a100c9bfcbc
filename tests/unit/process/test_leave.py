"""The end of our processes, which have threads that wait for libvirt, a card or a file."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SHUTDOWN = """
#include <pthread.h>
#include <unistd.h>

/* Runs after Python's shutdown. Its key takes the place of the one that Python had for its
   threads, as that of another library may. */
__attribute__((destructor)) static void shutdown(void)
{
    pthread_key_t key;
    pthread_key_create(&key, NULL);
    write(2, "shutdown\\n", 9);
    sleep(10);
}
"""

WAITS = """
import sys, threading
from tui.host.libvirt.connection import Connection
from tui.process.leave import leave
threading.Thread(target=Connection, args=(sys.argv[1], True, print), daemon=True).start()
input()
leave(7)
"""


def test_an_answer_that_comes_at_the_very_end_is_no_crash(tmp_path: Path) -> None:
    """libvirtd hangs up when the process has already begun to end."""
    (tmp_path / "shutdown.c").write_text(SHUTDOWN)
    library, place = tmp_path / "shutdown.so", tmp_path / "libvirt-sock"
    subprocess.run(
        ["cc", "-fPIC", "-shared", "-o", str(library), str(tmp_path / "shutdown.c")], check=True
    )
    with socket.socket(socket.AF_UNIX) as libvirtd:
        libvirtd.bind(str(place))
        libvirtd.listen()
        with subprocess.Popen(
            [sys.executable, "-c", WAITS, f"qemu+unix:///system?socket={place}"],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "LD_PRELOAD": str(library)},
        ) as running:  # fmt: skip
            asks, _ = libvirtd.accept()
            assert running.stdin is not None and running.stderr is not None
            running.stdin.write(b"\n")
            running.stdin.close()
            said = running.stderr.readline()
            asks.close()
    assert (running.returncode, said) == (7, b"")


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("sys.argv = ['vfiotop', '--version']; from tui.__main__ import main; main()", 0),
        ("sys.argv = ['vfiotop', 'fly']; from tui.__main__ import main; main()", 2),
        ("from tui.swap.__main__ import main; main([])", 2),
    ],
)
def test_no_process_of_ours_goes_through_the_shutdown(entry: str, code: int) -> None:
    script = f"import atexit, sys; atexit.register(print, 'shutdown'); {entry}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == code
    assert b"shutdown" not in done.stdout
