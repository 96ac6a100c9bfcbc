"""How often vfiotop calls NVML, libvirt and the guest agents; each call has a cost."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping

from tui.model import CountedService

SERVICES: tuple[CountedService, ...] = ("nvml", "libvirt", "agent")

MINUTE = 60


class CallLog:
    """Counts calls, from any thread. ``clock`` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: deque[tuple[int, Counter[CountedService]]] = deque()

    def count(self, asked: CountedService, calls: int = 1) -> None:
        """Record some calls made just now."""
        second = int(self._clock())
        with self._lock:
            if not self._seconds or self._seconds[-1][0] != second:
                self._seconds.append((second, Counter()))
                self._expire(second)
            self._seconds[-1][1][asked] += calls

    def last_minute(self) -> Mapping[CountedService, int]:
        """Return the calls of the last 60 seconds, by service."""
        with self._lock:
            self._expire(int(self._clock()))
            total: Counter[CountedService] = Counter()
            for _, calls in self._seconds:
                total += calls
        return {asked: total[asked] for asked in SERVICES}

    def _expire(self, second: int) -> None:
        while self._seconds and self._seconds[0][0] <= second - MINUTE:
            self._seconds.popleft()
