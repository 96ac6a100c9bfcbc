"""What the watch has kept, for a screen that opens: graphs that are full, and the events of the
time in which it was closed.

The newest readings are in memory and are read at once. The disk is read once the screen is drawn.
Both happen on a thread; what it has read is merged where the screen takes its readings.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime

from tui.history import SPAN_S, STEP_S
from tui.host.history.reader import Past
from tui.live import EVENT_LIMIT, Live, series_key
from tui.model import Event
from tui.model.past import SECONDS, TENS

DRAWN_S = 1.5
"""Seconds after which the first frames are drawn."""

Read = Callable[[], Past]


class Recall:
    """Reads the history of the watch for ``live``, which began at ``began_at``."""

    def __init__(
        self,
        live: Live,
        began_at: datetime,
        memory: Read,
        everything: Read,
        wait_s: float = DRAWN_S,
    ) -> None:
        self._live, self._began_at = live, began_at
        self._memory, self._everything, self._wait_s = memory, everything, wait_s
        self._read: Past | None = None
        self._past: Past | None = None
        self._thread = threading.Thread(target=self.run, name="history", daemon=True)

    def start(self) -> None:
        """Begin to read. Without a thread there is no history, and nothing else is wrong."""
        with suppress(RuntimeError):
            self._thread.start()

    def settle(self) -> None:
        """Merge what was read since the last call. For the thread that ``live`` belongs to."""
        if self._read is not self._past:
            self._past = self._read
            self._live.history.recall(self._values)
            self._live.hear(self._events())

    def run(self) -> None:
        """Read all of it. For the thread."""
        with suppress(Exception):  # a defect of ours costs the history, not the screen
            self._read = self._memory()
            time.sleep(self._wait_s)
            self._read = self._everything()

    def _events(self) -> tuple[Event, ...]:
        """The events of the time before this run, which has seen the later ones itself."""
        events = self._past.events if self._past is not None else ()
        return tuple(event for event in events if event.at < self._began_at)[:EVENT_LIMIT]

    def _values(self, key: str) -> Mapping[int, float]:
        """The earlier values of a key of ``live.history``, by its steps."""
        guest = self._live.view.guest
        series = series_key(key, guest.domain.uuid if guest else None)
        found: dict[int, list[float]] = {}
        if self._past is None:
            return {}
        for at, mean in self._past.means(series, SECONDS, SPAN_S):
            found.setdefault(int(at // STEP_S), []).append(mean)
        values = {step: sum(means) / len(means) for step, means in found.items()}
        for at, mean in self._past.means(series, TENS, SPAN_S):
            half = TENS.step_s / 2
            for step in range(int((at - half) // STEP_S), int((at + half) // STEP_S)):
                values.setdefault(step, mean)
        return values
