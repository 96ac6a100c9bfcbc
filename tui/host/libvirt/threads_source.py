"""Where the threads of one guest run, second by second, from /proc.

libvirt is not called. The guest is the one that the demand names; while it names none, nothing
is read.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tui.host import NothingToRead, NothingYet, Wake
from tui.host.libvirt.qemu_process import processes
from tui.host.libvirt.qemu_threads import ThreadSample, read_threads
from tui.host.libvirt.rates import MIN_INTERVAL_S
from tui.host.proc.cpu_time import CpuTicks, cpu_ticks, host_cpus, thread_load
from tui.host.proc.process import Process, process_of
from tui.model import Demand, GuestThreads, QemuThread

STAT_LIMIT = 1 << 20
"""Bytes of /proc/stat. The lines of the CPUs come first."""

SEARCH_AGAIN_S = 10.0
"""Seconds until the next search for a process that was not found, and until the second search for
one that was found. Each search reads every command line."""

NO_GUEST = "the guest is not running"
NOT_FOUND = "its QEMU process cannot be seen in /proc"


class ThreadsSource:
    """The threads of the demanded guest. ``proc`` is the machine's /proc, ``clock`` gives monotonic
    seconds."""

    def __init__(
        self, proc: Path = Path("/proc"), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._proc = str(proc)
        self._clock = clock
        self._uuid: str | None = None
        self._wake: Wake = lambda: None
        self._lock = threading.Lock()
        self._reset(None)

    def _reset(self, uuid: str | None) -> None:
        self._of = uuid
        self._process: Process | None = None
        self._confirmed = False
        self._searched_at: float | None = None
        self._sampled_at = 0.0
        self._threads: Mapping[int, ThreadSample] = {}
        self._cpus: Mapping[int, CpuTicks] = {}
        self._reading: GuestThreads | None = None

    def set_demand(self, demand: Demand) -> None:
        """Read the threads of this guest from now on. From any thread."""
        if demand.threads_of != self._uuid:
            self._uuid = demand.threads_of
            self._wake()

    def watch(self, wake: Wake) -> None:
        """Only another demand wakes; the kernel reports no move of a thread."""
        self._wake = wake

    def close(self) -> None:
        """This source holds nothing."""

    def read(self) -> GuestThreads:
        with self._lock:
            uuid = self._uuid
            if uuid != self._of:
                self._reset(uuid)
            if uuid is None:
                raise NothingYet(NO_GUEST)
            return self._read(uuid, self._clock())

    def _read(self, uuid: str, now: float) -> GuestThreads:
        if self._reading is not None and now - self._sampled_at < MIN_INTERVAL_S:
            return self._reading
        process = self._find(uuid, now)
        try:
            threads, cpus = read_threads(self._proc, process.pid), self._read_cpus()
        except OSError as error:  # as when it has just ended
            self._reset(uuid)
            raise NothingToRead(f"its threads cannot be read ({error.strerror})") from error
        ticks = (now - self._sampled_at) * os.sysconf("SC_CLK_TCK")
        self._reading = GuestThreads(
            uuid, _readings(self._threads, threads, ticks), host_cpus(self._cpus, cpus)
        )
        self._threads, self._cpus, self._sampled_at = threads, cpus, now
        return self._reading

    def _find(self, uuid: str, now: float) -> Process:
        """Return the guest's process, which is searched for twice in each of its runs: libvirt
        calls a guest active before its QEMU runs, when another process may claim its UUID."""
        proc = Path(self._proc)
        known, searched = self._process, self._searched_at
        runs = known is not None and process_of(known.pid, proc) == known
        recent = searched is not None and now - searched < SEARCH_AGAIN_S
        if known is not None and runs and (recent or self._confirmed):
            return known
        if known is None and recent:
            raise NothingToRead(NOT_FOUND)
        found = processes(proc).get(uuid)
        same = runs and found == known
        if not same:
            self._reset(uuid)
        self._process, self._confirmed, self._searched_at = found, same, now
        if found is None:
            raise NothingToRead(NOT_FOUND)
        return found

    def _read_cpus(self) -> dict[int, CpuTicks]:
        with open(f"{self._proc}/stat", "rb") as file:  # noqa: PTH123 - saves a Path
            return cpu_ticks(file.read(STAT_LIMIT))


def _readings(
    before: Mapping[int, ThreadSample], after: Mapping[int, ThreadSample], ticks: float
) -> tuple[QemuThread, ...]:
    """Return the threads in the order of their ids, which the kernel gives out as they start."""
    return tuple(
        QemuThread(
            now.kind, now.cpu, now.vcpu,
            thread_load(before[thread].ticks if thread in before else None, now.ticks, ticks),
        )
        for thread, now in sorted(after.items())
    )  # fmt: skip
