"""Graphs over minutes and over a day: what this run has measured and what the watch has kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.made import card, inventory
from tui.history import History
from tui.live import Live, card_key
from tui.model import (
    CardReading,
    Event,
    Extremes,
    Metrics,
    NvmlReading,
    PastSwap,
    Sample,
    Stretch,
    Window,
)
from tui.model.past import MINUTES, TENS, Bucket, SeriesKey, Tier
from tui.recall import FAILED, NOT_KEPT, READING, Recall
from tui.rules.roles import Choice
from tui.spans import Spans, joined, stretched

CARD = "0000:01:00.0"
LOAD = SeriesKey(CARD, "load")
BEGAN = datetime(2026, 3, 1, 20, tzinfo=UTC)
HOUR, DAY = Window(10.0, 40.0, 50), Window(60.0, 900.0, 50)

buckets = st.dictionaries(
    st.integers(0, 60),
    st.builds(
        lambda n, mean, over: Bucket(n, mean, mean + over),
        st.integers(1, 60), st.floats(0, 100), st.floats(0, 50),
    ),
)  # fmt: skip


def of(values: Mapping[int, float]) -> dict[int, Bucket]:
    return {step: Bucket(1, value, value) for step, value in values.items()}


# --- joining ------------------------------------------------------------------------------------


def test_of_a_step_that_both_have_the_fuller_one_counts_and_the_higher_maximum() -> None:
    one = {1: Bucket(60, 10.0, 20.0), 2: Bucket(9, 1.0, 90.0)}
    other = {1: Bucket(30, 50.0, 70.0), 2: Bucket(60, 5.0, 6.0), 3: Bucket(1, 3.0, 3.0)}
    both = {1: Bucket(60, 10.0, 70.0), 2: Bucket(60, 5.0, 90.0), 3: Bucket(1, 3.0, 3.0)}
    assert joined(one, other) == joined(other, one) == both


@given(buckets, buckets)
def test_nothing_counts_twice_and_nothing_is_lost(
    one: dict[int, Bucket], other: dict[int, Bucket]
) -> None:
    found = joined(one, other)
    assert found.keys() == one.keys() | other.keys()
    for step, bucket in found.items():
        sides = [side[step] for side in (one, other) if step in side]
        assert (bucket.readings, bucket.mean) in [(side.readings, side.mean) for side in sides]
        assert bucket.readings == max(side.readings for side in sides)
        assert bucket.maximum == max(side.maximum for side in sides)
    assert joined(one, one) == one


# --- steps --------------------------------------------------------------------------------------


def test_a_step_is_the_mean_of_its_readings() -> None:
    values = {28: Bucket(3, 10.0, 40.0), 29: Bucket(1, 50.0, 60.0), 31: Bucket(1, 8.0, 8.0)}
    found = stretched(values.items(), Window(10.0, 20.0, 3), 16)
    assert found.means == (20.0, 8.0, None)
    assert found.extremes is not None
    assert found.extremes == Extremes(8.0, (3 * 10 + 50 + 8) / 5, 60.0, step_s=10.0)


def test_where_nothing_was_measured_there_is_a_gap() -> None:
    found = stretched(of({0: 1.0, 5: 2.0}).items(), Window(2.0, 2.0, 10), 7)
    assert found.means == (1.0, None, None, None, None, 2.0, None, None)
    assert stretched([], Window(2.0, 2.0, 10), 7) == Stretch()


@given(buckets, st.integers(1, 7), st.integers(1, 12), st.integers(0, 80))
def test_a_stretch_has_the_readings_of_its_time_and_no_others(
    values: dict[int, Bucket], factor: int, cells: int, newest: int
) -> None:
    found = stretched(values.items(), Window(2.0, 2.0 * factor, cells), newest)
    first = newest - len(found.means) + 1
    assert len(found.means) <= 2 * cells
    assert first % 2 == 0 or not found.means
    covered = [
        bucket
        for step, bucket in values.items()
        if 2 * (newest // 2 + 1 - cells) <= step // factor <= newest
    ]
    for at, mean in enumerate(found.means, first):
        mine = [bucket for step, bucket in values.items() if step // factor == at]
        readings = sum(bucket.readings for bucket in mine)
        assert (mean is None) == (not mine)
        if mean is not None:
            assert mean == pytest.approx(sum(b.readings * b.mean for b in mine) / readings)
    if found.extremes is not None:
        assert found.extremes.most == max(bucket.maximum for bucket in covered)
        assert found.extremes.least == min(bucket.mean for bucket in covered)


@given(buckets, st.integers(1, 7), st.integers(1, 12), st.integers(0, 40))
def test_a_step_keeps_its_value_and_its_half_of_a_cell_while_time_goes_on(
    values: dict[int, Bucket], factor: int, cells: int, newest: int
) -> None:
    window = Window(2.0, 2.0 * factor, cells)
    now, later = (stretched(values.items(), window, at) for at in (newest, newest + 1))

    def by_step(found: Stretch, last: int) -> dict[int, float | None]:
        return dict(enumerate(found.means, last - len(found.means) + 1))

    before, after = by_step(now, newest), by_step(later, newest + 1)
    for step in before.keys() & after.keys():
        assert before[step] == after[step]


# --- what this run measures ---------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.floats(0, 90), st.none() | st.floats(0, 100)), max_size=60),
    st.sampled_from([TENS, MINUTES]),
)
def test_the_readings_of_this_run_are_thinned(
    readings: list[tuple[float, float | None]], tier: Tier
) -> None:
    history, at, expected = History(), 0.0, dict[int, list[float]]()
    for pause, value in readings:
        at += pause
        history.record("a", at, value)
        if value is not None:
            expected.setdefault(int(at // tier.step_s), []).append(value)
    found = history.buckets("a", tier)
    assert found.keys() == expected.keys()
    for step, values in expected.items():
        assert found[step].readings == len(values)
        assert found[step].mean == pytest.approx(sum(values) / len(values))
        assert found[step].maximum == max(values)


def test_a_day_of_them_is_kept_and_no_more() -> None:
    history = History()
    for minute in range(2000):
        history.record("a", minute * 60.0, float(minute))
        history.record("b", minute * 60.0, float(minute), brief=True)
    kept = history.buckets("a", MINUTES)
    assert (min(kept), max(kept)) == (1999 - 1440, 1999)
    assert len(history.buckets("a", TENS)) == 1441, "empty steps take no room"
    assert history.buckets("b", MINUTES) == {}
    history.forget("a")
    assert history.buckets("a", MINUTES) == {}


# --- a screen -----------------------------------------------------------------------------------


class Kept:
    """What a watch has kept: the load in each minute, and how often it was read."""

    def __init__(self, load: Mapping[int, float] | None = None) -> None:
        self.load = of(load or {})
        self.events: tuple[Event, ...] = ()
        self.swaps: tuple[PastSwap, ...] = ()
        self.readings = 0

    @property
    def keys(self) -> frozenset[SeriesKey]:
        return frozenset([LOAD] if self.load else [])

    def means(self, key: SeriesKey, tier: Tier, last_s: float) -> Iterator[tuple[float, float]]:
        return iter(())

    def buckets(self, key: SeriesKey, tier: Tier) -> Mapping[int, Bucket]:
        return dict(self.load) if (key, tier) == (LOAD, MINUTES) else {}

    def newest(self) -> Kept | None:
        return self

    def everything(self) -> Kept | None:
        self.readings += 1
        return self


class Broken(Kept):
    def everything(self) -> Kept | None:
        raise ValueError


class NoWatch(Kept):
    def newest(self) -> None:
        return None

    def everything(self) -> None:
        return None


class Screen:
    """A screen on the history of a watch, without its thread."""

    def __init__(self, kept: Kept) -> None:
        self.live, self.now = Live(Choice()), BEGAN
        self.live.take(Sample("pci", inventory(*card("01:00", 1, boot_vga=True)), BEGAN))
        self.recall = Recall(self.live, BEGAN, kept, wait_s=0.0)
        self.spans = Spans(self.live, BEGAN, self.recall)

    def measure(self, load: float) -> None:
        reading = CardReading(CARD, "nvml", Metrics(util_pct=load))
        self.live.take(Sample("nvml", NvmlReading("580", (reading,)), self.now))

    def load(self, window: Window = DAY, *, answered: bool = True) -> tuple[float | None, ...]:
        """The load, after what it asks for was read."""
        key = card_key(CARD, "load")
        found = self.spans.stretch(key, window, self.now)
        if answered:
            self.recall.answer()
            self.recall.settle()
            found = self.spans.stretch(key, window, self.now)
        return found.means

    def problem(self) -> str | None:
        return self.spans.problem(86400.0, self.now)


def minute(before: float) -> int:
    """The minute that many hours before the screen began."""
    return int((BEGAN - timedelta(hours=before)).timestamp() // 60)


def test_a_day_has_what_was_kept_and_what_was_measured_since() -> None:
    screen = Screen(Kept({minute(2): 20.0, minute(1): 40.0}))
    screen.recall.open()
    screen.recall.settle()
    screen.now += timedelta(minutes=30)
    screen.measure(70.0)
    load = screen.load()
    assert [value for value in load if value is not None] == [20.0, 40.0, 70.0]
    # 20:30 begins a step of 15 minutes; 18:00 is in the tenth step before it.
    assert (load[-1], load[-7], load[-11]) == (70.0, 40.0, 20.0)


def test_what_the_watch_has_measured_since_is_there_too() -> None:
    kept = Kept({minute(1): 40.0})
    screen = Screen(kept)
    screen.recall.open()
    screen.recall.settle()
    screen.load()
    kept.load[minute(-0.5)] = Bucket(1, 90.0, 90.0)
    screen.now += timedelta(hours=1)
    assert [value for value in screen.load() if value is not None] == [40.0, 90.0]


def test_nothing_is_read_for_the_last_minutes_and_once_a_step_for_hours() -> None:
    kept = Kept({minute(1): 40.0})
    screen = Screen(kept)
    screen.recall.open()
    screen.recall.settle()
    screen.measure(5.0)
    for _ in range(100):
        screen.now += timedelta(minutes=1)
        screen.load(Window(2.0, 10.0, 50))
    assert kept.readings == 1
    for _ in range(60):
        screen.now += timedelta(minutes=1)
        screen.load(DAY)
    assert kept.readings == 1 + 4, "four steps of 15 minutes"


def test_a_graph_does_not_wait_for_the_history() -> None:
    screen = Screen(Kept({minute(1): 40.0}))
    screen.measure(5.0)
    assert screen.load(answered=False) == (5.0,)
    assert screen.problem() == READING
    screen.recall.open()
    screen.recall.settle()
    assert screen.problem() == READING, "the series is still to come"
    assert [value for value in screen.load() if value is not None] == [40.0, 5.0]
    assert screen.problem() is None


@pytest.mark.parametrize(
    ("kept", "problem"), [(NoWatch, NOT_KEPT), (Kept, NOT_KEPT), (Broken, FAILED)]
)
def test_without_a_history_the_screen_says_why(kept: Callable[[], Kept], problem: str) -> None:
    screen = Screen(kept())
    screen.recall.open()
    screen.recall.settle()
    screen.measure(5.0)
    assert screen.load() == (5.0,)
    assert screen.problem() == problem
    assert screen.spans.problem(900.0, screen.now) is None
    screen.now += timedelta(days=1)
    assert screen.problem() is None, "this screen has measured all of it"


def test_a_host_that_can_have_no_history_says_so_at_once() -> None:
    live = Live(Choice())
    spans = Spans(live, BEGAN, None)
    assert spans.problem(3600.0, BEGAN) == NOT_KEPT
    assert spans.stretch(card_key(CARD, "load"), HOUR, BEGAN) == Stretch()


def test_a_long_series_is_made_anew_once_a_fine_step() -> None:
    screen = Screen(Kept())
    screen.measure(10.0)
    assert screen.load(HOUR) == (10.0,)
    screen.now += timedelta(seconds=5)
    screen.measure(30.0)
    assert screen.load(HOUR) == (10.0,)
    screen.now += timedelta(seconds=5)
    assert screen.load(HOUR) == (20.0,)
    assert screen.load(HOUR._replace(cells=40)) == (20.0,)
