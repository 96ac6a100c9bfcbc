"""Past values as graphs show them, over minutes or over a day.

What this run has measured and what the watch has kept are mostly the same readings, so the two are
joined step by step, and no reading counts twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from math import inf
from typing import NamedTuple

from tui.history import LONG, SPAN_S
from tui.live import Live
from tui.model import Extremes, Stretch, Window
from tui.model.past import MINUTES, STEP_S, Bucket, SeriesKey, Tier
from tui.recall import NOT_KEPT, NOTHING, Recall


def joined(one: Mapping[int, Bucket], other: Mapping[int, Bucket]) -> dict[int, Bucket]:
    """The steps of both. Of a step that both have, the one with more readings is the fuller
    account, and the higher maximum is true, whoever measured it."""
    found = {**other, **one}
    for step in one.keys() & other.keys():
        mine, theirs = one[step], other[step]
        fuller = mine if mine.readings >= theirs.readings else theirs
        found[step] = fuller._replace(maximum=max(mine.maximum, theirs.maximum))
    return found


def stretched(buckets: Iterable[tuple[int, Bucket]], window: Window, newest: int) -> Stretch:
    """The steps of ``window`` that end with the step ``newest``, made of the buckets of its fine
    steps."""
    factor = round(window.step_s / window.fine_s)
    first = 2 * (newest // 2 + 1 - window.cells)
    readings: dict[int, int] = {}
    sums: dict[int, float] = {}
    least, most = inf, -inf
    for fine, (count, mean, maximum) in buckets:
        step = fine // factor
        if first <= step <= newest:
            readings[step] = readings.get(step, 0) + count
            sums[step] = sums.get(step, 0.0) + count * mean
            least, most = min(least, mean), max(most, maximum)
    if not readings:
        return Stretch()
    means = tuple(
        sums[step] / readings[step] if step in readings else None
        for step in range(min(readings) // 2 * 2, newest + 1)
    )
    whole = sum(sums.values()) / sum(readings.values())
    return Stretch(means, Extremes(least, whole, most, window.fine_s))


class _Drawn(NamedTuple):
    """A long series as it was drawn last, and what it rests on."""

    window: Window
    series: SeriesKey
    fine_step: int
    past: Mapping[int, Bucket]
    stretch: Stretch


class Spans:
    """The series of ``live``, and of the history of the watch if there can be one."""

    def __init__(self, live: Live, began_at: datetime, recall: Recall | None) -> None:
        self._live, self._began_at, self._recall = live, began_at, recall
        self._drawn: dict[str, _Drawn] = {}

    def stretch(self, key: str, window: Window, now: datetime) -> Stretch:
        """A series of ``live.history`` as ``window`` shows it. A long one lags by at most one of
        its fine steps."""
        tier = _tier(window)
        return self._recent(key, window) if tier is None else self._long(key, window, tier, now)

    def problem(self, span_s: float, now: datetime) -> str | None:
        """Why graphs do not reach back for ``span_s`` seconds, in a sentence."""
        if span_s <= SPAN_S or (now - self._began_at).total_seconds() >= span_s:
            return None
        return self._recall.problem if self._recall is not None else NOT_KEPT

    def _recent(self, key: str, window: Window) -> Stretch:
        """A series of the last minutes. It advances with its readings."""
        factor = round(window.step_s / window.fine_s)
        steps = [*islice(self._live.history.steps(key), window.cells * 2 * factor)]
        if not steps:
            return Stretch()
        newest = steps[0][0] // factor
        known = ((step, Bucket(1, mean, mean)) for step, mean in steps if mean is not None)
        return stretched(known, window, newest)

    def _long(self, key: str, window: Window, tier: Tier, now: datetime) -> Stretch:
        series, at = self._live.series_of(key), now.timestamp()
        past = NOTHING
        if self._recall is not None:
            fresh_s = max(window.step_s, MINUTES.step_s)
            past = self._recall.buckets(series, tier, now, fresh_s)
        fine_step, last = int(at // tier.step_s), self._drawn.get(key)
        if last is None or last[:3] != (window, series, fine_step) or last.past is not past:
            own = self._live.history.buckets(key, tier)
            found = stretched(joined(own, past).items(), window, int(at // window.step_s))
            last = self._drawn[key] = _Drawn(window, series, fine_step, past, found)
        return last.stretch


def _tier(window: Window) -> Tier | None:
    """The tier with the fine steps of a window; ``None`` for the steps of the last minutes."""
    return None if window.fine_s == STEP_S else next(t for t in LONG if t.step_s == window.fine_s)
