"""A recorded history: where it ends, and its limits."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.host.history.made import BOOT_ID, BOOTED, CARD, LOAD, WAIT, minute, store
from tests.unit.host.history.test_reader import ENTRIES
from tui.host.confined import Confined
from tui.host.history import recording as recordings
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
from tui.host.history.recording import TooMuch, entries_in, recording
from tui.model.past import MINUTES, SECONDS, Bucket

BEFORE = "11111111-0000-0000-0000-000000000000"


def test_it_ends_when_its_last_entry_was_written() -> None:
    hour = timedelta(hours=1)
    event = StoredEvent(300.0, CARD, "of the boot before")
    entries = [
        minute(5, boot_id=BEFORE, booted=BOOTED - hour, events=(event,)), minute(0), minute(7),
        minute(3),
    ]  # fmt: skip
    found = recording(entries)
    assert found is not None
    assert found.clock.now() == BOOTED + timedelta(minutes=8)
    assert found.clock.now() == found.clock.now(), "it stands still"
    (told,) = found.past.events
    assert told.at == BOOTED - hour + timedelta(seconds=300)


def test_without_entries_there_is_none() -> None:
    assert recording([]) is None


def test_what_a_series_was_at_the_end() -> None:
    found = recording([minute(0), minute(1)])
    assert found is not None
    assert (found.last(LOAD), found.last(LOAD._replace(name="temp"))) == (1.0, None)
    seconds = {LOAD: {118: Bucket(1, 70.0, 70.0), 119: Bucket(1, 80.0, 80.0)}}
    newest = Entry(BOOT_ID, BOOTED.timestamp(), 120.0, (block(SECONDS.step_s, seconds),))
    finer = recording([minute(0), minute(1), newest])
    assert finer is not None
    assert (finer.last(LOAD), finer.last(WAIT)) == (80.0, 1.0)


def test_what_was_measured_before_the_end_is_not_at_the_end() -> None:
    found = recording([minute(0), minute(9, series=(WAIT,))])
    assert found is not None
    assert (found.last(LOAD), found.last(WAIT)) == (None, 9.0)


def test_what_claims_to_be_after_the_end_is_not_at_the_end() -> None:
    later = {LOAD: {step: Bucket(60, 99.0, 99.0) for step in (5, 10**6)}}
    entry = Entry(BOOT_ID, BOOTED.timestamp(), 60.0, (block(MINUTES.step_s, later),))
    found = recording([minute(0), entry])
    assert found is not None
    assert found.last(LOAD) == 0.0


@given(st.lists(ENTRIES, min_size=1, max_size=6))
def test_whatever_the_files_say_it_ends_at_some_time(entries: list[Entry]) -> None:
    found = recording([*filter(None, map(decoded, map(encoded, entries)))])
    assert found is not None
    now = found.clock.now()
    assert all(event.at <= now for event in found.past.events)
    value = found.last(LOAD)
    assert value is None or value == value
    assert now.astimezone().isoformat()


def test_readings_of_the_last_seconds_go_before_those_of_the_minute() -> None:
    """The watch writes the readings of past seconds, not of the current one."""
    seconds = {LOAD: {116: Bucket(1, 80.0, 80.0)}}
    newest = Entry(BOOT_ID, BOOTED.timestamp(), 120.0, (block(SECONDS.step_s, seconds),))
    found = recording([minute(0), minute(1), newest])
    assert found is not None
    assert found.last(LOAD) == 80.0


def test_of_too_many_events_and_swaps_the_newest_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "SHOWN_EVENTS", 3)
    monkeypatch.setattr(recordings, "SHOWN_SWAPS", 1)
    swaps = [StoredSwap(str(n), "bind", CARD, "done", n * 60.0, n * 60.0) for n in range(3)]
    entries = [
        minute(n, swaps=(swaps[n],),
               events=tuple(StoredEvent(n * 60.0 + at, CARD, f"{n}.{at}") for at in range(2)))
        for n in range(3)
    ]  # fmt: skip
    found = recording(entries)
    assert found is not None
    assert [event.text for event in found.past.events] == ["2.1", "2.0", "1.1"]
    assert [swap.id for swap in found.past.swaps] == ["2"]


# --- files that anybody may have made --------------------------------------------------


def test_the_files_of_a_folder_are_read_in_order(tmp_path: Path) -> None:
    for part in range(3):  # a new store begins a new file
        kept = store(tmp_path / "history")
        kept.write(minute(part))
        kept.close()
    (tmp_path / "history/00000009.history").write_bytes(b"noise")
    (tmp_path / "history/00000010.aside").write_bytes(b"noise")
    (tmp_path / "history/7.history").write_bytes(b"noise")
    assert entries_in(Confined(str(tmp_path / "history"))) == [minute(0), minute(1), minute(2)]


def test_more_than_a_watch_writes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = store(tmp_path / "history")
    runs = tuple(Run(number, b"") for number in range(50))
    blocks = (Block(1, {CARD: {"load": runs}}), Block(1, {}), Block(1, {CARD: {}}))
    kept.write(Entry(BOOT_ID, 0.0, 1.0, blocks))
    kept.close()
    monkeypatch.setattr(recordings, "PARTS_LIMIT", 57)
    assert len(entries_in(Confined(str(tmp_path / "history")))) == 1
    monkeypatch.setattr(recordings, "PARTS_LIMIT", 56)
    with pytest.raises(TooMuch):
        entries_in(Confined(str(tmp_path / "history")))
