"""Values over time for the simulated host.

They are pure functions of time, so two runs with equal clocks read the same, and smooth, so
graphs look like those of a real machine. Times are seconds since the simulation began; loads
are 0 to 1.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Protocol

Load = Callable[[float], float]
"""The load at a given time."""

BLEND_S = 3.0
"""Seconds of the transition from one scene to the next."""

LAG_STEP_S = 6.0
_LAG_WEIGHTS = tuple(0.8**step for step in range(14))
_LAG_TOTAL = sum(_LAG_WEIGHTS)


def noise(seed: int, x: float) -> float:
    """Smooth noise from 0 to 1: a random value at each whole ``x``, eased in between."""
    left = int(x // 1)
    ease = _ease(x - left)
    return _hashed(seed, left) * (1 - ease) + _hashed(seed, left + 1) * ease


def lagged(load: Load, at: float) -> float:
    """The load that a warming and cooling mass follows: the past of ``load``, weighted with a
    time constant of 27 seconds."""
    past = (weight * load(at - LAG_STEP_S * i) for i, weight in enumerate(_LAG_WEIGHTS))
    return sum(past) / _LAG_TOTAL


def idle(at: float) -> float:
    """A load that is always zero."""
    return 0.0


class Scenes:
    """A load that cycles through scenes of (seconds, level).

    It varies around the level by ``jitter`` times the level, changing every ``pace`` seconds.
    """

    def __init__(
        self, scenes: Sequence[tuple[float, float]], seed: int, jitter: float = 0.1, pace: float = 3
    ) -> None:
        ends = tuple(accumulate(seconds for seconds, _ in scenes))
        self._starts = (0.0, *ends[:-1])
        self._period = ends[-1]
        self._levels = tuple(level for _, level in scenes)
        self._seed, self._jitter, self._pace = seed, jitter, pace

    def __call__(self, at: float) -> float:
        into_period = at % self._period
        scene = bisect_right(self._starts, into_period) - 1
        level = self._levels[scene]
        into_scene = into_period - self._starts[scene]
        if into_scene < BLEND_S:
            before = self._levels[scene - 1]
            level = before + (level - before) * _ease(into_scene / BLEND_S)
        wave = 2 * noise(self._seed, at / self._pace) - 1
        return min(1.0, max(0.0, level * (1 + self._jitter * wave)))


class States(Protocol):
    """A state over time: which it is, when it began, and when the next one begins."""

    def state(self, at: float) -> str: ...

    def began(self, at: float) -> float: ...

    def next_change(self, after: float) -> float | None: ...


class Cycle:
    """A state that cycles through phases of (seconds, name); a single phase lasts forever.

    A phase includes its first instant.
    """

    def __init__(self, *phases: tuple[float, str]) -> None:
        self._ends = tuple(accumulate(seconds for seconds, _ in phases))
        self._names = tuple(name for _, name in phases)

    @classmethod
    def always(cls, name: str) -> Cycle:
        return cls((1.0, name))

    def state(self, at: float) -> str:
        return self._names[self._phase(at)]

    def began(self, at: float) -> float:
        """When the phase at the time ``at`` began; 0 for ``always``."""
        phase = self._phase(at)
        if len(self._names) == 1:
            return 0.0
        return self._cycle_start(at) + (self._ends[phase - 1] if phase else 0.0)

    def next_change(self, after: float) -> float | None:
        """When the first phase after the time ``after`` begins."""
        if len(self._names) == 1:
            return None
        return self._cycle_start(after) + self._ends[self._phase(after)]

    def _phase(self, at: float) -> int:
        return bisect_right(self._ends, at % self._ends[-1])

    def _cycle_start(self, at: float) -> float:
        return at // self._ends[-1] * self._ends[-1]


def _ease(x: float) -> float:
    return x * x * (3 - 2 * x)


def _hashed(seed: int, number: int) -> float:
    """A pseudo-random value from 0 to 1: the finaliser of a 32-bit hash (lowbias32)."""
    x = (number * 0x9E3779B1 + seed * 0x85EBCA6B) & 0xFFFFFFFF
    x = (x ^ x >> 16) * 0x7FEB352D & 0xFFFFFFFF
    x = (x ^ x >> 15) * 0x846CA68B & 0xFFFFFFFF
    return (x ^ x >> 16) / 0x100000000
