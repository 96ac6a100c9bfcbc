"""Thins readings: the mean and the maximum of each step of each tier of the history. Pure.

Times are seconds since boot, so setting the wall clock moves no value. A value goes into one bucket
of each tier. Values may come in any order: one that comes after its bucket was taken opens that
bucket again, and whoever reads merges the two (``Bucket.and_also``).
"""

from __future__ import annotations

import math

from tui.model.bounded import SECONDS_LIMIT
from tui.model.past import TIERS, Bucket, Buckets, SeriesKey, Tier

SERIES_LIMIT = 400
"""Series of one host: 8 cards and a guest of 256 vCPUs have 300."""


class Thinner:
    """Collects values in one bucket per tier until they are taken."""

    def __init__(self, tiers: tuple[Tier, ...] = TIERS) -> None:
        self._open: dict[Tier, Buckets] = {tier: {} for tier in tiers}

    def add(self, key: SeriesKey, at_s: float, value: float | None) -> None:
        """Add a value measured ``at_s`` seconds after boot. A value that was not measured, or a
        series beyond the limit, leaves no trace."""
        if value is None or not math.isfinite(value) or not 0 <= at_s < SECONDS_LIMIT:
            return
        one = Bucket(1, value, value)
        for tier, series in self._open.items():
            if key not in series and len(series) >= SERIES_LIMIT:
                continue
            buckets = series.setdefault(key, {})
            step = int(at_s // tier.step_s)
            before = buckets.get(step)
            buckets[step] = one if before is None else before.and_also(one)

    def take(self, tier: Tier, until_s: float = math.inf) -> Buckets:
        """Remove and return the buckets that end ``until_s`` seconds after boot or before."""
        taken: Buckets = {}
        for key, buckets in self._open[tier].items():
            steps = sorted(step for step in buckets if (step + 1) * tier.step_s <= until_s)
            if steps:
                taken[key] = {step: buckets.pop(step) for step in steps}
        self._open[tier] = {key: left for key, left in self._open[tier].items() if left}
        return taken
