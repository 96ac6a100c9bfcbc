"""The line of the time cursor, with the event that happened then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.widgets.drawn import text
from tui.model import Event
from widgets.cursor_line import NOTE, cursor_lines
from widgets.glyphs import PLAIN, RICH
from widgets.graph_grid import Times
from widgets.lines import width_of

NOW = datetime(2026, 1, 2, 21, 3, 46, tzinfo=UTC)
AT = NOW - timedelta(seconds=92)
WAITED = Event(AT, "vCPU 5", "waited 31 ms/s for core 26", "warn", "host")
HELD = Event(AT, "0000:01:00.0", "held back by its power limit", "warn", "card")


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def shown(width: int, event: Event | None = WAITED, at: datetime = AT) -> str:
    (row,) = cursor_lines(Times(cursor=23, at=at, event=event), NOW, width)
    assert width_of(row) <= width
    return text(row)


def test_as_in_the_mock_up() -> None:
    row = shown(116)
    assert row.startswith("21:02:14  1 min 32 s ago  ! vCPU 5 waited 31 ms/s for core 26  ")
    assert row.endswith(NOTE)
    assert width_of(cursor_lines(Times(cursor=23, at=AT, event=WAITED), NOW, 116)[0]) == 116


def test_hours_are_told_with_their_minutes() -> None:
    assert shown(60, None, NOW - timedelta(hours=2, minutes=5)).endswith("  2 h 05 min ago")


def test_without_a_cursor_there_is_no_line() -> None:
    assert cursor_lines(Times(), NOW, 116) == []


@pytest.mark.parametrize(
    ("width", "event", "words"),
    [
        (90, WAITED, "21:02:14  1 min 32 s ago  ! vCPU 5 waited 31 ms/s for core 26"),
        (50, WAITED, "21:02:14  ! vCPU 5 waited 31 ms/s for core 26"),
        (48, HELD, "21:02:14  ! 01:00.0 held back by its power limit"),
        (43, HELD, "21:02:14  ! held back by its power limit"),
        (43, WAITED, "21:02:14  ! vCPU 5 waited 31 ms/s for core…"),
        (43, None, "21:02:14  1 min 32 s ago"),
        (12, None, "21:02:14"),
    ],
)  # fmt: skip
def test_what_matters_least_is_left_out_whole(width: int, event: Event | None, words: str) -> None:
    assert shown(width, event) == words


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (59, "59 s"), (60, "1 min 0 s")])
def test_how_long_ago(seconds: float, words: str) -> None:
    assert f"  {words} ago" in shown(60, None, NOW - timedelta(seconds=seconds))


def test_the_sign_is_that_of_the_events_in_its_tone() -> None:
    done = Event(AT, "0000:01:00.0", "nvidia → vfio-pci", "change")
    for glyphs, sign in ((RICH, "→"), (PLAIN, ">")):
        (row,) = cursor_lines(Times(cursor=23, at=AT, event=done), NOW, 70, glyphs)
        assert text(row).endswith(f"{sign} 01:00.0 nvidia {sign} vfio-pci")
    (row,) = cursor_lines(Times(cursor=23, at=AT, event=WAITED), NOW, 70)
    assert [span.tone for span in row if span.text.strip() == "!"] == ["warn"]
