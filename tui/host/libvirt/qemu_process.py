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

_NAME, _UUID = b"\0-name\0guest=", re.compile(rb"\0-uuid\0([0-9a-f-]{36})\0")

_MACHINE = re.compile(rb"^[0-9]+:[^:\n]*:/machine(?:\.slice)?/(?:machine-)?qemu", re.MULTILINE)
"""The cgroup of a libvirt that runs as root, with systemd and without it. Only root can put a
process there."""

CGROUP_LIMIT = 16 * 1024
"""Bytes read of /proc/PID/cgroup; a line has about a hundred."""


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

    From /proc/<pid>/cmdline and /proc/<pid>/stat (proc(5)). Anybody may start a process that claims
    a UUID. If several do, only the one in a cgroup of libvirt's is believed. A process that exits
    during the scan is left out.
    """
    claims: dict[str, list[Path]] = {}
    for folder in _folders(proc):
        uuid = _uuid(folder)
        if uuid is not None:
            claims.setdefault(uuid, []).append(folder)
    found = {}
    for uuid, folders in claims.items():
        believed = folders if len(folders) == 1 else list(filter(_in_machine, folders))
        process = _process(believed[0]) if len(believed) == 1 else None
        if process is not None:
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
            line = file.read(CMDLINE_LIMIT)
    except OSError:  # it exited, or we may not read it
        return None
    named = line.find(_NAME)
    uuid = _UUID.search(line, named) if named >= 0 else None
    return uuid[1].decode() if uuid else None


def _in_machine(folder: Path) -> bool:
    """Whether libvirt has put a process into a guest's cgroup (/proc/<pid>/cgroup)."""
    try:
        with (folder / "cgroup").open("rb") as file:
            return _MACHINE.search(file.read(CGROUP_LIMIT)) is not None
    except OSError:
        return False


def _process(folder: Path) -> Process | None:
    try:
        return Process(int(folder.name), Stat(str(folder)).start)
    except (OSError, IndexError, ValueError):
        return None
