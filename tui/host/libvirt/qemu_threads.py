"""The threads of a QEMU process.

libvirt starts QEMU with ``debug-threads=on``, so that each thread has a name: ``CPU 3/KVM`` (or
``/TCG``) runs vCPU 3, ``IO iothread1`` is an <iothread>.
"""

from __future__ import annotations

import itertools
import os
import re

from msgspec import Struct

from tui.host.proc.stat import Stat
from tui.model import CPU_LIMIT, ThreadKind

THREADS_LIMIT = 1024
"""Threads of a QEMU to read; one with many disks has about a hundred."""

_VCPU = re.compile(rb"CPU ([0-9]{1,4})/[A-Z]{3}")


class ThreadSample(Struct, frozen=True):
    """A thread: what it does for the guest, the CPU that it ran on last, and the clock ticks that
    it has run."""

    kind: ThreadKind
    vcpu: int | None
    cpu: int
    ticks: int


def kind_of(name: bytes) -> tuple[ThreadKind, int | None]:
    """Return what a thread does, by its name, and the number of the vCPU that it runs."""
    vcpu = _VCPU.fullmatch(name)
    if vcpu is not None:
        return "vcpu", int(vcpu[1])
    # The thread of the monitor is the emulator's: libvirt pins it with the main thread.
    is_io = name.startswith(b"IO ") and name != b"IO mon_iothread"
    return ("io" if is_io else "emulator"), None


def read_threads(proc: str, pid: int) -> dict[int, ThreadSample]:
    """Read the threads of a process by their ids, at most ``THREADS_LIMIT`` of them.

    A thread that ends meanwhile is left out. Raises ``OSError``.
    """
    folder = f"{proc}/{pid}/task"
    with os.scandir(folder) as entries:
        ids = [entry.name for entry in itertools.islice(entries, THREADS_LIMIT)]
    found = {}
    for name in ids:
        try:
            stat = Stat(f"{folder}/{name}")
            cpu, ticks = stat.cpu, stat.ticks
        except (OSError, ValueError, IndexError):
            continue
        if 0 <= cpu < CPU_LIMIT:
            kind, vcpu = kind_of(stat.name)
            found[int(name)] = ThreadSample(kind, vcpu, cpu, ticks)
    return found
