"""The QEMU processes of this machine's domains, and when they started.

libvirt reports neither. But each domain runs in a QEMU process of its own, whose command line has
its UUID.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tui.host.proc.process import Process
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


def processes(proc: Path = Path("/proc")) -> dict[str, Process]:
    """Return the QEMU process of each domain that libvirt runs, by the domain's UUID.

    From /proc/<pid>/cmdline and /proc/<pid>/stat (proc(5)). If two processes claim the same UUID,
    neither is believed. A process that exits during the scan is left out.
    """
    found: dict[str, Process] = {}
    claimed: set[str] = set()
    for folder in _folders(proc):
        uuid = _uuid(folder)
        if uuid is None:
            continue
        process = None if uuid in claimed else _process(folder)
        claimed.add(uuid)
        if process is None:
            found.pop(uuid, None)
        else:
            found[uuid] = process
    return found


def start_times(proc: Path = Path("/proc")) -> dict[str, datetime]:
    """Return the start time of each of these ``processes``."""
    tick = os.sysconf("SC_CLK_TCK")
    return {uuid: CLOCK.at(each.start / tick) for uuid, each in processes(proc).items()}


def _folders(proc: Path) -> list[Path]:
    try:
        return [entry for entry in proc.iterdir() if entry.name.isdecimal()]
    except OSError:  # no process can be seen, so no domain's is known
        return []


def _uuid(folder: Path) -> str | None:
    try:
        with (folder / "cmdline").open("rb") as file:
            domain = _DOMAIN.search(file.read(CMDLINE_LIMIT))
    except OSError:  # it exited, or we may not read it
        return None
    return domain[1].decode() if domain else None


def _process(folder: Path) -> Process | None:
    try:
        return Process(int(folder.name), Stat(str(folder)).start)
    except (OSError, IndexError, ValueError):
        return None
