"""The reader of the history: where boots are placed, and what the tiers have."""

from __future__ import annotations

from array import array
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.host.history.made import (
    BOOT_ID,
    BOOTED,
    CARD,
    GUEST,
    LOAD,
    clock,
    folder,
    minute,
    store,
)
from tui.host.history.entry import (
    Block,
    Entry,
    Run,
    StoredEvent,
    StoredSwap,
    block,
    decoded,
    encoded,
)
from tui.host.history.folder import IN_MEMORY
from tui.host.history.reader import Past, read
from tui.model.bounded import SECONDS_LIMIT
from tui.model.past import MINUTES, SECONDS, TENS, TIERS, Bucket, SeriesKey

BEFORE = "11111111-0000-0000-0000-000000000000"
LONG_BEFORE = "22222222-0000-0000-0000-000000000000"


def minutes(past: Past) -> dict[int, float]:
    """The mean of each minute, by minutes since this boot."""
    zero = BOOTED.timestamp() // 60
    found = past.buckets(LOAD, MINUTES)
    return {step - int(zero): found[step].mean for step in sorted(found)}


def test_an_earlier_boot_is_placed_by_the_wall_clock() -> None:
    entries = [minute(5, boot_id=BEFORE, booted=BOOTED - timedelta(hours=1)), minute(0)]
    assert minutes(Past(entries, BOOT_ID, clock(1))) == {-55: 5.0, 0: 0.0}


@pytest.mark.parametrize("days", [9_000, 30_000])
def test_a_clock_that_was_set_places_the_whole_boot_anew(days: int) -> None:
    """Without a battery, the clock is wrong until NTP has set it."""
    wrong = BOOTED - timedelta(days=days)
    entries = [
        minute(5, boot_id=BEFORE, booted=wrong),
        minute(6, boot_id=BEFORE, booted=BOOTED - timedelta(hours=1)),
        minute(0, booted=wrong),
    ]
    assert [decoded(encoded(entry)) for entry in entries] == entries
    assert minutes(Past(entries, BOOT_ID, clock(1))) == {-55: 5.0, -54: 6.0, 0: 0.0}


@given(st.lists(st.timedeltas(timedelta(days=-400), timedelta(days=400)), min_size=2, max_size=2))
def test_boots_never_overlap_whatever_the_clock_said(shifts: list[timedelta]) -> None:
    """Two boots of ten minutes before this one, each with a clock that was wrong by so much."""
    entries = [
        minute(number, boot_id=boot_id, booted=BOOTED - ago + shift)
        for boot_id, ago, shift in (
            (LONG_BEFORE, timedelta(hours=2), shifts[0]),
            (BEFORE, timedelta(hours=1), shifts[1]),
        )
        for number in range(10)
    ]
    past = Past([*entries, minute(0)], BOOT_ID, clock(1))
    found = past.buckets(LOAD, MINUTES._replace(keep_s=10**9))
    assert sum(bucket.readings for bucket in found.values()) == 21 * 60
    last = max(found)
    assert found[last] == Bucket(60, 0.0, 5.0)
    # A boot ends before the next one: only the minute that both are in has readings of two.
    assert len(found) >= 19


def test_what_is_older_than_a_day_is_not_shown() -> None:
    old = BOOTED - timedelta(hours=30)
    events = (StoredEvent(60.0, CARD, "long ago"),)
    past = Past([minute(5, boot_id=BEFORE, booted=old, events=events)], BOOT_ID, clock(1))
    assert (minutes(past), past.events) == ({}, ())


def test_nothing_is_filled_in_where_nothing_was_measured() -> None:
    past = Past([minute(0), minute(1), minute(5)], BOOT_ID, clock(6))
    assert list(minutes(past)) == [0, 1, 5]


def test_a_step_in_two_parts_is_put_together() -> None:
    """A watch that was started again within a minute writes the rest of it."""
    parts = [Bucket(20, 10.0, 12.0), Bucket(40, 40.0, 90.0)]
    entries = [
        Entry(BOOT_ID, BOOTED.timestamp(), 60.0, (block(60, {LOAD: {0: part}}),)) for part in parts
    ]
    (bucket,) = Past(entries, BOOT_ID, clock(1)).buckets(LOAD, MINUTES).values()
    assert bucket == Bucket(60, 30.0, 90.0)


def test_the_newest_steps_come_from_the_finer_tier() -> None:
    """What is not on disk yet is in memory, second by second."""
    seconds = {LOAD: {second: Bucket(1, 50.0, 50.0 + second) for second in range(30, 80)}}
    newest = Entry(BOOT_ID, BOOTED.timestamp(), 80.0, (block(SECONDS.step_s, seconds),))
    past = Past([minute(0), newest], BOOT_ID, clock(1.4))
    zero = int(BOOTED.timestamp())
    assert past.buckets(LOAD, MINUTES) == {
        zero // 60: Bucket(60, 0.0, 5.0),
        zero // 60 + 1: Bucket(20, 50.0, 129.0),
    }
    assert past.buckets(LOAD, TENS)[zero // 10 + 7] == Bucket(10, 50.0, 129.0)
    assert len(past.buckets(LOAD, SECONDS)) == 50


def test_events_and_swaps_are_there_once_and_clean() -> None:
    event = StoredEvent(
        60.0, "two\x1b[31m lines\nof a name", "text\x07", "warn", "watch", "fix\x00"
    )
    swap = StoredSwap("7", "bind", CARD, "running", 30.0, 40.0)
    ended = StoredSwap("7", "bind", CARD, "done", 30.0, 50.0)
    entries = [
        minute(0, events=(event,), swaps=(swap,)),
        minute(1, events=(event,), swaps=(ended,)),
    ]
    past = Past(entries, BOOT_ID, clock(2))
    (told,) = past.events
    assert (told.subject, told.text, told.fix) == ("two[31m lines of a name", "text", "fix")
    assert told.at == BOOTED + timedelta(seconds=60)
    (found,) = past.swaps
    assert (found.state, found.ended_at) == ("done", BOOTED + timedelta(seconds=50))


def test_disk_and_memory_are_one(tmp_path: Path) -> None:
    disk, memory = tmp_path / "disk/history", tmp_path / "run/history"
    store(disk).write(minute(0))
    seconds = {SeriesKey(GUEST, "cpu"): {61: Bucket(1, 7.0, 7.0)}}
    newest = Entry(BOOT_ID, BOOTED.timestamp(), 62.0, (block(SECONDS.step_s, seconds),))
    store(memory, IN_MEMORY).write(newest)
    past = read(folder(disk), folder(memory), clock(1.1))
    assert past.keys == {LOAD, SeriesKey(GUEST, "wait.3"), SeriesKey(GUEST, "cpu")}


@pytest.mark.parametrize("missing", ["disk", "memory"])
def test_a_part_that_is_missing_is_no_error(tmp_path: Path, missing: str) -> None:
    present = tmp_path / "there/history"
    store(present).write(minute(0))
    there, nowhere = folder(present), folder(tmp_path / "nowhere")
    disk, memory = (nowhere, there) if missing == "disk" else (there, nowhere)
    past = read(disk, memory, clock(1))
    assert list(minutes(past)) == [0]


# --- files that say anything ----------------------------------------------------------

ANY_S = st.floats(0, SECONDS_LIMIT, exclude_max=True)
COLUMNS = st.lists(st.floats(width=32), max_size=12).map(lambda found: array("f", found).tobytes())
RUNS = st.builds(Run, st.integers(0, 10**10 - 1), COLUMNS | st.binary(max_size=40))
BLOCKS = st.builds(
    Block,
    st.sampled_from([1, 10, 60]),
    st.fixed_dictionaries({CARD: st.fixed_dictionaries({"load": st.tuples(RUNS, RUNS)})}),
)
ENTRIES = st.builds(
    Entry,
    st.sampled_from([BOOT_ID, BEFORE, LONG_BEFORE]),
    ANY_S,
    ANY_S,
    st.tuples(BLOCKS),
    st.tuples(st.builds(StoredEvent, ANY_S, st.text(max_size=9), st.text(max_size=9))),
    st.tuples(st.builds(StoredSwap, st.text(max_size=9), st.just("bind"), st.just(CARD),
                        st.just("done"), ANY_S, ANY_S)),
)  # fmt: skip


@given(st.lists(ENTRIES, max_size=6))
def test_whatever_the_files_say_what_is_shown_is_of_the_last_day(entries: list[Entry]) -> None:
    believed = [*filter(None, map(decoded, map(encoded, entries)))]
    assert len(believed) == len(entries)
    past = Past(believed, BOOT_ID, clock(1))
    now = clock(1).now()
    day = timedelta(days=1)
    assert all(now - day <= event.at <= now for event in past.events)
    assert all(now - day <= swap.ended_at <= now for swap in past.swaps)
    for tier in TIERS:
        for bucket in past.buckets(LOAD, tier).values():
            assert bucket.readings >= 1
            assert bucket.mean == bucket.mean


@pytest.mark.parametrize("booted_at", [float("nan"), float("inf"), -2e10, 2e10])
def test_a_boot_at_no_time_is_refused(booted_at: float) -> None:
    assert decoded(encoded(Entry(BOOT_ID, booted_at, 1.0))) is None
