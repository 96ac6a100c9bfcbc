"""Start times of this machine's domains.

libvirt does not report them. But each domain runs in its own QEMU process, and the kernel knows
when that started.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tui.host.proc.stat import Stat
from tui.model import CLOCK

CMDLINE_LIMIT = 64 * 1024
"""Bytes read of a command line; libvirt puts the UUID into the first few hundred."""

_DOMAIN = re.compile(rb"\0-name\0guest=.*?\0-uuid\0([0-9a-f-]{36})\0", re.DOTALL)


def guest_name(words: Sequence[str]) -> str | None:
    """Return the guest's name on a QEMU command line: ``-name NAME`` or ``-name guest=NAME,…``.

    For display only: anybody may start a process with such a command line.
    """
    for option, argument in itertools.pairwise(words):
        if option in ("-name", "--name"):
            parts = argument.replace(",,", "\0").split(",")
            named = [part.removeprefix("guest=") for part in parts if part.startswith("guest=")]
            name = (named or [part for part in parts[:1] if "=" not in part] or [""])[-1]
            return name.replace("\0", ",") or None
    return None


def start_times(proc: Path = Path("/proc")) -> dict[str, datetime]:
    """Return the start time of each QEMU process that libvirt runs, by its domain's UUID.

    From /proc/<pid>/cmdline and /proc/<pid>/stat (proc(5)). If two processes claim the same UUID,
    neither is believed. A process that exits during the scan is left out.
    """
    found: dict[str, datetime] = {}
    claimed: set[str] = set()
    for process in _processes(proc):
        uuid = _uuid(process)
        if uuid is None:
            continue
        began = None if uuid in claimed else _start_time(process)
        claimed.add(uuid)
        if began is None:
            found.pop(uuid, None)
        else:
            found[uuid] = began
    return found


def _processes(proc: Path) -> list[Path]:
    try:
        return [entry for entry in proc.iterdir() if entry.name.isdecimal()]
    except OSError:  # no process can be seen, so no start time is known
        return []


def _uuid(process: Path) -> str | None:
    try:
        with (process / "cmdline").open("rb") as file:
            domain = _DOMAIN.search(file.read(CMDLINE_LIMIT))
    except OSError:  # it exited, or we may not read it
        return None
    return domain[1].decode() if domain else None


def _start_time(process: Path) -> datetime | None:
    try:
        ticks = Stat(str(process)).start
    except (OSError, IndexError, ValueError):
        return None
    return CLOCK.at(ticks / os.sysconf("SC_CLK_TCK"))
