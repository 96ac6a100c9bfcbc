"""A clock for the simulated host that only the test moves."""

from __future__ import annotations

import heapq
import itertools
import threading
from datetime import UTC, datetime, timedelta

from tui.host import Wake
from tui.host.demo.clock import Cancel


class HeldClock:
    """A clock that stands still until ``advance`` moves it.

    Calls that fall due run in order, on the thread that advances the clock.
    """

    def __init__(self, began: datetime = datetime(2026, 1, 1, 20, tzinfo=UTC)) -> None:
        self._began = began
        self._seconds = 0.0
        self._lock = threading.Lock()
        self._due: list[tuple[float, int, Wake]] = []
        self._numbers = itertools.count()
        self._cancelled: set[int] = set()

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self._seconds)

    def seconds(self) -> float:
        return self._seconds

    def call_at(self, seconds: float, call: Wake) -> Cancel:
        with self._lock:
            number = next(self._numbers)
            heapq.heappush(self._due, (seconds, number, call))
        return lambda: self._cancelled.add(number)

    def advance(self, seconds: float) -> None:
        """Move the time forward by ``seconds``."""
        target = self._seconds + seconds
        while (due := self._pop(target)) is not None:
            at, number, call = due
            self._seconds = max(self._seconds, at)
            if number not in self._cancelled:
                call()
        self._seconds = target

    def _pop(self, until: float) -> tuple[float, int, Wake] | None:
        with self._lock:
            return heapq.heappop(self._due) if self._due and self._due[0][0] <= until else None
