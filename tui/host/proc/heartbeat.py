"""The scan's sign of life, and its time limits.

Imports little, because the scan process loads it.
"""

from __future__ import annotations

import os
import time

TOTAL_FACTOR = 3
"""All processes together may take this many times the limit for one."""

BEAT_INTERVAL = 0.2
"""Seconds between two signs of life within one process."""


class OutOfTime(Exception):
    """The time for one process is over."""


class Heartbeat:
    """Writes to a file which process is being inspected: ``COUNT PID STAGE START NAME``."""

    def __init__(self, file: int, seconds: float) -> None:
        self._file = file
        self._seconds = seconds
        self._count = 0
        self._at: tuple[int, int, int, bytes] = (0, 0, 0, b"")
        self._began = self._told = time.monotonic()
        self._ends = self._began + TOTAL_FACTOR * seconds
        self._parent = os.getppid()

    def at(self, pid: int, stage: int, start: int = 0, name: bytes = b"") -> None:
        """Note that this process comes next, at this stage."""
        if pid != self._at[0]:
            self._began = time.monotonic()
        self._at = pid, stage, start, name
        self._tell()

    def tick(self) -> None:
        """Note progress. Raises ``OutOfTime``; exits the program when the parent is gone."""
        now = time.monotonic()
        if self._at[0] and now - self._began > self._seconds:
            raise OutOfTime
        if now - self._told > BEAT_INTERVAL:
            self._told = now
            self._tell()
            if os.getppid() != self._parent:
                os._exit(1)

    @property
    def spent(self) -> float:
        """Seconds that this process has taken so far."""
        return time.monotonic() - self._began

    @property
    def all_time_spent(self) -> bool:
        """Whether the time for all processes is over."""
        return time.monotonic() > self._ends

    def _tell(self) -> None:
        self._count += 1
        os.pwrite(self._file, b"%d %d %d %d %s\n" % (self._count, *self._at), 0)
