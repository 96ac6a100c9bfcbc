"""Ring buffers of past values, for the graphs."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from tui.model.past import MINUTES, STEP_S, TENS, Bucket, Tier

SPAN_S = 900.0
"""Seconds of history: more than the widest graph shows."""


Earlier = Callable[[str], Mapping[int, float]]
"""The values of a key that were measured before this run, by their step."""


class Ring:
    """The mean of the values measured in each step; ``None`` for a step without any."""

    def __init__(self, steps: int) -> None:
        self._done: deque[float | None] = deque(maxlen=steps)
        self._step: int | None = None
        self._sum = 0.0
        self._count = 0

    def record(self, step: int, value: float | None) -> None:
        """Add a value measured in ``step``; steps never go back."""
        if self._step is None or step > self._step:
            self._close(step)
        if value is not None:
            self._sum += value
            self._count += 1

    def series(self) -> tuple[float | None, ...]:
        """The steps, oldest first, starting at an even one and ending with the current one."""
        if self._step is None:
            return ()
        steps = (*self._done, self._mean())
        first = self._step - len(steps) + 1
        return steps[first % 2 :]

    @property
    def newest(self) -> int:
        """The current step."""
        return self._step or 0

    def recall(self, earlier: Mapping[int, float]) -> None:
        """Fill in the values of steps in which this ring has none."""
        if self._step is None or not earlier:
            return
        began = self._step - len(self._done)
        first = max(min(began, *earlier), self._step - (self._done.maxlen or 0))
        known = dict(enumerate(self._done, began))
        for step in range(first, self._step):
            if known.get(step) is None:
                known[step] = earlier.get(step)
        self._done.clear()
        self._done.extend(known[step] for step in range(first, self._step))

    def _close(self, step: int) -> None:
        if self._step is not None:
            self._done.append(self._mean())
            missed = min(step - self._step - 1, self._done.maxlen or 0)
            self._done.extend([None] * missed)
        self._step, self._sum, self._count = step, 0.0, 0

    def _mean(self) -> float | None:
        return self._sum / self._count if self._count else None


class Thinned:
    """The readings of one series in the steps of a tier, for as long as the tier keeps them."""

    def __init__(self, tier: Tier) -> None:
        self._step_s = tier.step_s
        self._room = _FIELDS * (tier.keep_s // tier.step_s)
        self._done = array("d")
        self._step: int | None = None
        self._open: Bucket | None = None

    def record(self, at: float, value: float | None) -> None:
        """Add a value measured at ``at`` seconds. Steps never go back."""
        if value is None:
            return
        step, one = int(at // self._step_s), Bucket(1, value, value)
        if self._open is None or self._step is None:
            self._step, self._open = step, one
        elif step <= self._step:
            self._open = self._open.and_also(one)
        else:
            self._done.extend((self._step, *self._open))
            del self._done[: max(0, len(self._done) - self._room)]
            self._step, self._open = step, one

    def buckets(self) -> Iterator[tuple[int, Bucket]]:
        """Each step in which something was measured, and its bucket, oldest first."""
        done = self._done
        for at in range(0, len(done), _FIELDS):
            step, readings, mean, maximum = done[at : at + _FIELDS]
            yield int(step), Bucket(int(readings), mean, maximum)
        if self._step is not None and self._open is not None:
            yield self._step, self._open


_FIELDS = 4
"""The numbers stored for a step: its own, and those of its bucket."""

LONG = (TENS, MINUTES)
"""The tiers for graphs that reach back for hours."""


class History:
    """A ring for each key, and its readings in the steps of the ``LONG`` tiers. All share the same
    steps, so graphs stay aligned."""

    def __init__(self, span_s: float = SPAN_S, step_s: float = STEP_S) -> None:
        self._step_s = step_s
        self._steps = max(1, round(span_s / step_s))
        self._rings: dict[str, Ring] = {}
        self._thinned: dict[str, dict[Tier, Thinned]] = {}
        self._earlier: Earlier = lambda _: {}
        self._recalled: set[str] = set()

    def recall(self, earlier: Earlier) -> None:
        """Fill in what was measured before this run, each key when it is first asked for."""
        self._earlier = earlier
        self._recalled = set()

    def record(self, key: str, at: float, value: float | None, *, brief: bool = False) -> None:
        """Add a value measured at ``at`` seconds, by any monotonic clock. A ``brief`` series has no
        graph that reaches back for hours."""
        if not brief:
            thinned = self._thinned.get(key)
            if thinned is None:
                thinned = self._thinned[key] = {tier: Thinned(tier) for tier in LONG}
            for each in thinned.values():
                each.record(at, value)
        ring = self._rings.get(key)
        if ring is None:
            ring = self._rings[key] = Ring(self._steps)
        ring.record(int(at // self._step_s), value)

    def forget(self, prefix: str) -> None:
        """Drop the values of every key that begins with ``prefix``."""
        self._rings = {key: ring for key, ring in self._rings.items() if not key.startswith(prefix)}
        self._recalled = {key for key in self._recalled if not key.startswith(prefix)}
        self._thinned = {key: t for key, t in self._thinned.items() if not key.startswith(prefix)}

    def series(self, key: str) -> tuple[float | None, ...]:
        """The steps of ``key``, newest last; empty if nothing was recorded.

        The first is an even step, so that where two steps share a character cell, it is
        always the same two.
        """
        ring = self._rings.get(key)
        if ring is not None and key not in self._recalled:
            self._recalled.add(key)
            ring.recall(self._earlier(key))
        return ring.series() if ring else ()

    def steps(self, key: str) -> Iterator[tuple[int, float | None]]:
        """The steps of ``key`` with their numbers, newest first."""
        series = self.series(key)
        newest = self._rings[key].newest if series else 0
        return zip(range(newest, -1, -1), reversed(series), strict=False)

    def buckets(self, key: str, tier: Tier) -> dict[int, Bucket]:
        """The readings of ``key`` by the steps of one of the ``LONG`` tiers."""
        thinned = self._thinned.get(key)
        return dict(thinned[tier].buckets()) if thinned else {}
