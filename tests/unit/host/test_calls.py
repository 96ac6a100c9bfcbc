"""How many calls were made in the last minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tui.host.calls import CallLog
from tui.model import SOURCE_NAMES, Cost, SourceState
from widgets.cost_table import SERVICES, cost_lines

WIDTH = 41
"""The narrowest with all columns."""

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_calls_are_counted_by_whom_they_asked() -> None:
    log = CallLog(Clock())
    log.count("nvml", 17)
    log.count("libvirt")
    log.count("libvirt")
    assert log.last_minute() == {"nvml": 17, "libvirt": 2, "agent": 0}


def test_what_is_older_than_a_minute_is_forgotten() -> None:
    clock = Clock()
    log = CallLog(clock)
    log.count("agent")
    clock.now += 30
    log.count("agent", 2)
    clock.now += 29.5
    assert log.last_minute()["agent"] == 3
    clock.now += 1
    assert log.last_minute()["agent"] == 2
    clock.now += 60
    assert log.last_minute()["agent"] == 0


def row(source: SourceState) -> str:
    lines = cost_lines(Cost({}, (source,)), NOON, WIDTH)
    return "".join(span.text for span in lines[7]).rstrip()


READ = SourceState("NVML", "1 s", NOON - timedelta(seconds=3), 0.0042)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "NVML         1 s           4.2 ms     3 s"),
     (0.9, "NVML         1 s           4.2 ms     3 s"),
     (1.0, "NVML         1 s          reading for 1 s"),
     (59.9, "NVML         1 s         reading for 59 s"),
     (3601.0, "NVML         1 s          reading for 1 h")],
)  # fmt: skip
def test_a_source_that_hangs_is_being_read(seconds: float | None, words: str) -> None:
    assert row(SourceState(READ.name, READ.when, READ.read_at, READ.took_s, seconds)) == words


def test_a_source_that_was_never_read() -> None:
    assert row(SourceState("NVML", "1 s")) == "NVML         1 s                –       –"
    assert row(SourceState("NVML", "1 s", reading_s=7.0)).endswith("reading for 7 s")


@pytest.mark.parametrize("width", [WIDTH, WIDTH - 1])
@pytest.mark.parametrize("name", sorted({*SOURCE_NAMES.values(), *SERVICES.values()}))
def test_no_name_touches_what_is_next_to_it(name: str, width: int) -> None:
    source = SourceState(name, "on change", NOON - timedelta(minutes=59), 99.9999)
    lines = cost_lines(Cost({"nvml": 99_999}, (source,)), NOON, width)
    rows = ["".join(span.text for span in line) for line in lines]
    named = [row for row in rows if row.startswith(name)]
    assert named
    assert {row[len(name)] for row in named} == {" "}
    assert max(map(len, rows)) <= width
