"""Readings of the last 24 hours, thinned with age."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from msgspec import Struct

from tui.model.events import Event
from tui.model.swaps import Direction, SwapState


class Tier(NamedTuple):
    """One resolution of the history: a bucket for every ``step_s`` seconds, for ``keep_s``."""

    step_s: int
    keep_s: int


SECONDS, TENS, MINUTES = Tier(1, 600), Tier(10, 4 * 3600), Tier(60, 24 * 3600)
STEP_S = 2.0
"""Seconds of one value that a graph draws: it moves once a step, not on every reading."""

TIERS = (SECONDS, TENS, MINUTES)
"""The finest first. Each has all values, so the means of one never rest on those of another."""


class Bucket(NamedTuple):
    """What was measured in one step: how many readings, their mean and their maximum. A step
    in which nothing was measured has no bucket."""

    readings: int
    mean: float
    maximum: float

    def and_also(self, other: Bucket) -> Bucket:
        """The bucket of the readings of both."""
        readings = self.readings + other.readings
        mean = self.mean + (other.mean - self.mean) * (other.readings / readings)
        return Bucket(readings, mean, max(self.maximum, other.maximum))


class SeriesKey(NamedTuple):
    """A series: of the card with an address, or of the domain with a UUID."""

    owner: str
    name: str


Buckets = dict[SeriesKey, dict[int, Bucket]]
"""The buckets of each series by the number of their step."""


def merged(parts: Iterable[tuple[SeriesKey, int, Bucket]]) -> Buckets:
    """The buckets of all ``parts``, with those of the same step merged."""
    found: Buckets = {}
    for key, step, bucket in parts:
        into = found.setdefault(key, {})
        before = into.get(step)
        into[step] = bucket if before is None else before.and_also(bucket)
    return found


class Window(NamedTuple):
    """What a graph shows: the newest ``cells`` of two steps of ``step_s`` seconds. The values are
    known in steps of ``fine_s``, a whole number of which make a step."""

    fine_s: float
    step_s: float
    cells: int

    @property
    def cell_s(self) -> float:
        return 2 * self.step_s


class Extremes(NamedTuple):
    """The minimum, the mean and the maximum of what a graph shows. ``least`` is the lowest mean
    over ``step_s`` seconds: lower values within them are not kept."""

    least: float
    mean: float
    most: float
    step_s: float = STEP_S


class Stretch(NamedTuple):
    """A series as a graph shows it: the mean of each step, newest last, ``None`` where nothing was
    measured. The first step has an even number, counted since 1970, so that the same two share a
    cell."""

    means: tuple[float | None, ...] = ()
    extremes: Extremes | None = None


class PastSwap(Struct, frozen=True):
    """A swap of the last 24 hours that has ended, or that was interrupted. ``ended_at`` is when its
    last step began: its journal has no later time."""

    id: str
    direction: Direction
    address: str
    state: SwapState
    began_at: datetime
    ended_at: datetime


class PastReadings(Protocol):
    """The readings, events and swaps of the last 24 hours. ``events`` and ``swaps`` are newest
    first. Steps are counted, and times are given, in seconds since 1970 by the host's clock."""

    @property
    def keys(self) -> frozenset[SeriesKey]:
        """The series that it has."""
        ...

    @property
    def events(self) -> tuple[Event, ...]: ...

    @property
    def swaps(self) -> tuple[PastSwap, ...]: ...

    def means(self, key: SeriesKey, tier: Tier, last_s: float) -> Iterator[tuple[float, float]]:
        """The middle of each step of a tier and its mean, for the last ``last_s`` seconds and maybe
        more. In no particular order, and a step may come in two parts."""
        ...

    def buckets(self, key: SeriesKey, tier: Tier) -> Mapping[int, Bucket]:
        """The buckets of a series by the number of their step."""
        ...
