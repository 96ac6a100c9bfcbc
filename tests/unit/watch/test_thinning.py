"""Thinning: the means and maxima are right, and each reading counts once, in any order."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tui.model.past import MINUTES, SECONDS, TENS, TIERS, Bucket, SeriesKey, Tier, merged
from tui.watch.thinning import SERIES_LIMIT, Thinner

CARD = "0000:02:00.0"
LOAD, POWER = SeriesKey(CARD, "load"), SeriesKey(CARD, "power")
NOTHING = {math.nan, math.inf, -math.inf, None}

TIMES = st.floats(0, 400, allow_nan=False)
READINGS = st.tuples(st.sampled_from([LOAD, POWER]), TIMES, st.none() | st.floats(0, 1e5))
STEPS = st.lists(READINGS | st.tuples(st.sampled_from(TIERS), TIMES), max_size=80)


@examples(200)
@given(STEPS)
def test_each_reading_counts_once_whatever_the_order(
    steps: list[tuple[SeriesKey, float, float | None] | tuple[Tier, float]],
) -> None:
    """Readings and takings in any order: times that go back as well, and readings that come after
    their bucket was taken."""
    thinner = Thinner()
    parts: dict[Tier, list[tuple[SeriesKey, int, Bucket]]] = defaultdict(list)
    raw: dict[tuple[Tier, SeriesKey, int], list[float]] = defaultdict(list)

    def take(tier: Tier, until_s: float) -> None:
        for key, buckets in thinner.take(tier, until_s).items():
            assert all((step + 1) * tier.step_s <= until_s for step in buckets)
            parts[tier] += [(key, step, bucket) for step, bucket in buckets.items()]

    for step in steps:
        if len(step) == 2:
            take(*step)
            continue
        key, at_s, value = step
        thinner.add(key, at_s, value)
        if value is not None:
            for tier in TIERS:
                raw[tier, key, math.floor(at_s / tier.step_s)].append(value)
    for tier in TIERS:
        take(tier, math.inf)

    found = {
        (tier, key, step): bucket
        for tier, kept in parts.items()
        for key, buckets in merged(kept).items()
        for step, bucket in buckets.items()
    }
    assert found.keys() == raw.keys()  # a gap is a gap in every tier
    for at, values in raw.items():
        assert found[at].readings == len(values)
        assert found[at].mean == pytest.approx(sum(values) / len(values))
        assert found[at].maximum == max(values)


def test_what_was_taken_is_not_taken_again() -> None:
    thinner = Thinner()
    thinner.add(LOAD, 3.5, 40.0)
    assert thinner.take(SECONDS, 3.9) == {}
    assert thinner.take(SECONDS, 4.0) == {LOAD: {3: Bucket(1, 40.0, 40.0)}}
    assert thinner.take(SECONDS) == {}
    assert thinner.take(TENS) == {LOAD: {0: Bucket(1, 40.0, 40.0)}}


@pytest.mark.parametrize("value", NOTHING)
def test_what_was_not_measured_leaves_no_trace(value: float | None) -> None:
    thinner = Thinner()
    thinner.add(LOAD, 1.0, value)
    assert [thinner.take(tier) for tier in TIERS] == [{}, {}, {}]


@pytest.mark.parametrize("at_s", [-1.0, 1e11, math.inf, math.nan])
def test_a_time_that_no_boot_has_leaves_no_trace(at_s: float) -> None:
    thinner = Thinner()
    thinner.add(LOAD, at_s, 1.0)
    assert thinner.take(MINUTES) == {}


def test_the_series_are_bounded_at_any_time_but_not_for_ever() -> None:
    thinner = Thinner()
    for number in range(SERIES_LIMIT + 5):
        thinner.add(SeriesKey(CARD, f"wait.{number}"), 0.0, 1.0)
    assert len(thinner.take(MINUTES)) == SERIES_LIMIT
    thinner.add(LOAD, 61.0, 1.0)
    assert list(thinner.take(MINUTES)) == [LOAD]
