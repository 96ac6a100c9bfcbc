"""A process that cannot be mistaken for a later one with the same pid."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from tui.host.proc.stat import Stat

PID_LIMIT = 1 << 22
"""PID_MAX_LIMIT of include/linux/threads.h."""

Pid = Annotated[int, Meta(ge=1, le=PID_LIMIT)]
"""For kill(2), pid 0 means the caller, which is always alive."""


class Process(Struct, frozen=True):
    """A process by its pid and its start time.

    The start is in clock ticks since boot (field 22 of proc_pid_stat(5)); 0 means that the process
    had already ended.
    """

    pid: Pid
    start: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


def process_of(pid: int, proc: Path = Path("/proc")) -> Process:
    """Return the process that has this pid now."""
    try:
        return Process(pid, Stat(f"{proc}/{pid}").start)
    except (OSError, ValueError, IndexError):
        return Process(pid, 0)


def this_process() -> Process:
    """Return the current process."""
    return process_of(os.getpid())


def is_alive(process: Process) -> bool:
    """Whether the process still runs; a zombie does not.

    A process that cannot be read, as under a /proc with hidepid, counts as alive while its pid is
    in use.
    """
    try:
        found = Stat(f"/proc/{process.pid}")
    except (OSError, ValueError, IndexError):
        return _exists(process.pid)
    return found.start == process.start != 0 and not found.is_zombie


def _exists(pid: int) -> bool:
    """Whether kill(2) with signal 0 finds the process; one that we may not signal exists."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
