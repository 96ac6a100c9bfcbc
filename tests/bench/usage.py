"""What processes use, from /proc (proc(5)). Parsing is separate from reading."""

from __future__ import annotations

import contextlib
import os
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Stat(NamedTuple):
    """A process; ``ended`` is the CPU time, in ticks, of the children it has waited for."""

    pid: int
    parent: int
    ended: int


class Memory(NamedTuple):
    """Memory in KiB; shared pages count in part in ``pss``, in full in ``rss``."""

    pss: int
    rss: int


def parse_stat(text: str) -> Stat:
    """Parse /proc/PID/stat; the name in parentheses may contain anything."""
    pid, _, rest = text.partition(" (")
    fields = rest.rpartition(") ")[2].split()
    # Fields 4 (ppid), 16 and 17 (cutime, cstime); the first one here is 3.
    return Stat(int(pid), int(fields[1]), int(fields[13]) + int(fields[14]))


def parse_rollup(text: str) -> Memory:
    """Parse /proc/PID/smaps_rollup."""
    rows = dict(line.partition(":")[::2] for line in text.splitlines()[1:])
    return Memory(*(int(rows[name].removesuffix("kB")) for name in ("Pss", "Rss")))


def parse_busy(text: str) -> int:
    """Parse /proc/stat: the busy ticks of all CPUs. User time already includes that of
    guests."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = (
        int(field) for field in text.split(maxsplit=9)[1:9]
    )
    return user + nice + system + irq + softirq + steal


def tree(root: int, stats: Iterable[Stat]) -> list[Stat]:
    """The process ``root`` and all its descendants."""
    by_pid: dict[int, Stat] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for stat in stats:
        by_pid[stat.pid] = stat
        children[stat.parent].append(stat.pid)
    found, ahead = [], [root]
    while ahead:
        pid = ahead.pop()
        if pid in by_pid:
            found.append(by_pid[pid])
        ahead += children[pid]
    return found


# --- reading --------------------------------------------------------------------


def processes(root: int) -> list[Stat]:
    """The process ``root`` and all its descendants, now."""
    stats = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # the process has ended
                stats.append(parse_stat((folder / "stat").read_text(errors="replace")))
    return tree(root, stats)


def cpu_seconds(root: int) -> float:
    """CPU time so far of ``root`` and its descendants, to the nanosecond; of those that have ended,
    in whole ticks, so that it may fall by one or two when one ends."""
    seconds = 0.0
    for stat in processes(root):
        seconds += stat.ended / TICKS_PER_SECOND
        with contextlib.suppress(OSError):
            seconds += time.clock_gettime(process_clock(stat.pid))
    return seconds


def process_clock(pid: int) -> int:
    """The clock of a process's CPU time, of all its threads (clock_getcpuclockid(3)); Python knows
    only its own. The bits are the kernel's: include/linux/posix-timers_types.h."""
    return ~pid << 3 | 2


def main_thread_ms(pid: int) -> float:
    """CPU time so far of a process's main thread, to the nanosecond
    (kernel: Documentation/scheduler/sched-stats.rst)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def busy_seconds() -> float:
    """CPU time so far of everything on this machine."""
    return parse_busy(Path("/proc/stat").read_text()) / TICKS_PER_SECOND


def memory(root: int, program: str = "") -> Memory:
    """Memory of ``root`` and its descendants together; with ``program``, of those only that have
    this word in their command line."""
    parts = []
    for stat in processes(root):
        process = Path(f"/proc/{stat.pid}")
        with contextlib.suppress(OSError):
            if not program or program in (process / "cmdline").read_text().split("\0"):
                parts.append(parse_rollup((process / "smaps_rollup").read_text()))
    return Memory(sum(part.pss for part in parts), sum(part.rss for part in parts))


def is_mapped(library: str) -> bool:
    """Whether a process of this machine has a file with ``library`` in its path in its memory."""
    for file in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):  # the process has ended
            if library in file.read_text(errors="replace"):
                return True
    return False
