"""The files that processes touch, from their system calls, which strace records for a while."""

from __future__ import annotations

import posixpath
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab.host import PATIENCE, until

_CALL = re.compile(r'^\d+ +(\w+)\((?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"([^"]+)"')
"""A call in strace's output: its name, the directory of a relative path, the path. A call
without a path concerns an open file."""


@contextmanager
def traced(pids: Sequence[int], log: Path) -> Iterator[None]:
    """Record every call that names a file, of these processes and of those they start."""
    each = (word for pid in pids for word in ("-p", str(pid)))
    strace = subprocess.Popen(
        ["strace", "-f", "-qq", "-y", "-e", "trace=%file", "-o", str(log), *each]
    )
    try:
        until(lambda: all(_is_traced(pid) for pid in pids))
        yield
    finally:
        strace.send_signal(signal.SIGINT)  # it detaches and ends
        strace.wait(PATIENCE)


def _is_traced(pid: int) -> bool:
    """The TracerPid of every thread (proc(5))."""
    statuses = Path(f"/proc/{pid}/task").glob("*/status")
    try:
        return all("TracerPid:\t0\n" not in status.read_text() for status in statuses)
    except (FileNotFoundError, ProcessLookupError):  # a thread has ended: read again
        return False


def touched(lines: Iterable[str], what: str) -> Counter[tuple[str, str]]:
    """The number of times each call named each file, for paths that contain ``what``."""
    found: Counter[tuple[str, str]] = Counter()
    for line in lines:
        call = _CALL.match(line)
        if call is not None:
            path = posixpath.join(call[2] or "", call[3])
            if what in path:
                found[call[1], path] += 1
    return found
