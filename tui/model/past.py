"""Readings of the last 24 hours, thinned with age."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from tui.model.swaps import Direction, SwapState


class Tier(NamedTuple):
    """One resolution of the history: a bucket for every ``step_s`` seconds, for ``keep_s``."""

    step_s: int
    keep_s: int


SECONDS, TENS, MINUTES = Tier(1, 600), Tier(10, 4 * 3600), Tier(60, 24 * 3600)
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
    """The buckets of all ``parts``, those of the same step as one."""
    found: Buckets = {}
    for key, step, bucket in parts:
        into = found.setdefault(key, {})
        before = into.get(step)
        into[step] = bucket if before is None else before.and_also(bucket)
    return found


class PastSwap(Struct, frozen=True):
    """A swap of the last 24 hours that has ended, or that was interrupted. ``ended_at`` is when its
    last step began: its journal has no later time."""

    id: str
    direction: Direction
    address: str
    state: SwapState
    began_at: datetime
    ended_at: datetime
