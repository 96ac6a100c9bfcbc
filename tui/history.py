"""Ring buffers of past values, for the graphs."""

from __future__ import annotations

from collections import deque

STEP_S = 2.0
"""Seconds covered by one value of a series: a graph moves once a step, not on every reading."""

SPAN_S = 900.0
"""Seconds of history: more than the widest graph shows."""


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

    def _close(self, step: int) -> None:
        if self._step is not None:
            self._done.append(self._mean())
            missed = min(step - self._step - 1, self._done.maxlen or 0)
            self._done.extend([None] * missed)
        self._step, self._sum, self._count = step, 0.0, 0

    def _mean(self) -> float | None:
        return self._sum / self._count if self._count else None


class History:
    """A ring for each key. All rings share the same steps, so graphs stay aligned."""

    def __init__(self, span_s: float = SPAN_S, step_s: float = STEP_S) -> None:
        self._step_s = step_s
        self._steps = max(1, round(span_s / step_s))
        self._rings: dict[str, Ring] = {}

    def record(self, key: str, at: float, value: float | None) -> None:
        """Add a value measured at ``at`` seconds, by any clock that never goes back."""
        ring = self._rings.get(key)
        if ring is None:
            ring = self._rings[key] = Ring(self._steps)
        ring.record(int(at // self._step_s), value)

    def forget(self, prefix: str) -> None:
        """Drop the values of every key that begins with ``prefix``."""
        self._rings = {key: ring for key, ring in self._rings.items() if not key.startswith(prefix)}

    def series(self, key: str) -> tuple[float | None, ...]:
        """The steps of ``key``, newest last; empty if nothing was recorded.

        The first is an even step, so that where two steps share a character cell, it is
        always the same two.
        """
        ring = self._rings.get(key)
        return ring.series() if ring else ()
