"""What the watch has kept, for a screen that opens: values that fill its graphs, and the events and
swaps from while it was closed; later, values for graphs that reach back for hours.

The newest readings are in memory and are read at once. The disk is read once the screen is drawn,
and again for graphs that reach further back than this run. All reading happens on a thread; the
results are merged where the screen takes its readings.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from tui.history import SPAN_S
from tui.host import WatchHistory
from tui.live import EVENTS_KEPT, Live
from tui.model import Event
from tui.model.past import SECONDS, STEP_S, TENS, Bucket, PastReadings, SeriesKey, Tier
from tui.rules.past_swaps import of_past_swaps

DRAWN_S = 1.5
"""Seconds after which the first frames have been drawn."""

FAILED = "The history of the watch could not be read."
READING = "Reading the history of the watch…"
NOT_KEPT = "No watch keeps a history ([watch] history): these graphs begin when this screen did."

NOTHING: Mapping[int, Bucket] = {}

Series = tuple[SeriesKey, Tier]
"""A series in the steps of one tier."""


class _Read(NamedTuple):
    """What the thread has read: the history, when the screen opened and most recently, and the
    buckets that were asked for. ``problem`` is why there is none, in a sentence."""

    opened: PastReadings | None = None
    past: PastReadings | None = None
    buckets: Mapping[Series, Mapping[int, Bucket]] = {}
    problem: str | None = READING


class Recall:
    """Reads the history of the watch for ``live``, which began at ``began_at``."""

    def __init__(
        self, live: Live, began_at: datetime, history: WatchHistory, wait_s: float = DRAWN_S
    ) -> None:
        self._live, self._began_at = live, began_at
        self._history, self._wait_s = history, wait_s
        self._told: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._read = _Read()
        self._settled = self._read
        self._read_at = began_at
        self._known: set[Series] = set()
        # Between the two threads:
        self._asked = threading.Event()
        self._lock = threading.Lock()
        self._wanted: set[Series] = set()
        self._again = False

    def start(self, told: Callable[[], None]) -> None:
        """Begin to read; ``told`` is called on any thread when there is something to settle. If no
        thread can start, only the history is missing."""
        self._told = told
        try:
            self._thread.start()
        except RuntimeError:
            self._read = _Read(problem=FAILED)
            told()

    # --- for the thread that ``live`` belongs to ---

    def settle(self) -> None:
        """Merge what was read since the last call. What is read again is not merged: this run has
        seen the rest."""
        before, self._settled = self._settled, self._read
        opened = self._settled.opened
        if opened is not None and opened is not before.opened:
            self._live.history.recall(self._values)
            self._live.hear(self._events(opened))

    def buckets(
        self, series: SeriesKey, tier: Tier, now: datetime, fresh_s: float
    ) -> Mapping[int, Bucket]:
        """The buckets of a series as they were read last. Those that are missing are read soon,
        and all of them again if they were read ``fresh_s`` seconds ago or earlier."""
        again = (now - self._read_at).total_seconds() >= fresh_s
        if again:
            self._read_at, self._known = now, set()
        if (series, tier) not in self._known:
            self._known.add((series, tier))
            with self._lock:
                self._wanted.add((series, tier))
                self._again |= again
            self._asked.set()
        return self._settled.buckets.get((series, tier), NOTHING)

    @property
    def problem(self) -> str | None:
        """Why buckets that were asked for are missing, in a sentence."""
        if self._settled.problem is not None:
            return self._settled.problem
        past = self._settled.past
        if past is None or not past.keys:
            return NOT_KEPT
        return None if self._known <= self._settled.buckets.keys() else READING

    # --- for the thread that reads ---

    def _run(self) -> None:
        self.open()
        while True:
            self._asked.wait()
            self.answer()

    def open(self) -> None:
        """Read the newest part, and all of it once the first frames are drawn."""
        self._attempt(lambda: self._opened(self._history.newest(), READING))
        self._asked.wait(self._wait_s)
        self._attempt(lambda: self._opened(self._history.everything()))

    def answer(self) -> None:
        """Read the buckets that were asked for."""
        self._asked.clear()
        with self._lock:
            wanted, self._wanted = self._wanted, set()
            again, self._again = self._again, False
        self._attempt(lambda: self._answered(wanted, again=again))

    def _opened(self, past: PastReadings | None, problem: str | None = None) -> _Read:
        return self._read._replace(opened=past, past=past, problem=problem)

    def _answered(self, wanted: set[Series], *, again: bool) -> _Read:
        read = self._read
        if again:
            read = read._replace(past=self._history.everything(), problem=None)
        if read.past is None:
            return read
        found = {(series, tier): read.past.buckets(series, tier) for series, tier in wanted}
        return read._replace(buckets={**read.buckets, **found})

    def _attempt(self, read: Callable[[], _Read]) -> None:
        try:
            self._read = read()
        except Exception:  # a bug of ours costs the history, not the screen
            self._read = self._read._replace(problem=FAILED)
        self._told()

    # --- what is merged ---

    def _events(self, past: PastReadings) -> tuple[Event, ...]:
        """The events of the time before this run, which has seen the later ones itself."""
        events = (*past.events, *of_past_swaps(past.swaps, past.events))
        before = (event for event in events if event.at < self._began_at)
        return tuple(sorted(before, key=lambda event: event.at, reverse=True))[:EVENTS_KEPT]

    def _values(self, key: str) -> Mapping[int, float]:
        """The earlier values of a key of ``live.history``, by its steps."""
        past, series = self._settled.opened, self._live.series_of(key)
        found: dict[int, list[float]] = {}
        if past is None:
            return {}
        for at, mean in past.means(series, SECONDS, SPAN_S):
            found.setdefault(int(at // STEP_S), []).append(mean)
        values = {step: sum(means) / len(means) for step, means in found.items()}
        for at, mean in past.means(series, TENS, SPAN_S):
            half = TENS.step_s / 2
            for step in range(int((at - half) // STEP_S), int((at + half) // STEP_S)):
                values.setdefault(step, mean)
        return values
