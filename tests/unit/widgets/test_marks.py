"""Events on the time axis: swaps, starts and stops, and warnings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tui.model import Event, EventKind
from widgets.glyphs import PLAIN
from widgets.graph import Mark
from widgets.marks import marks_for

AT = datetime(2026, 1, 1, 20, 0, 2, tzinfo=UTC)
CARD = "0000:01:00.0"


def event(text: str, kind: EventKind, ago_s: float = 60.0, subject: str = CARD) -> Event:
    return Event(AT - timedelta(seconds=ago_s), subject, text, kind, "vfiotop")


@pytest.mark.parametrize(
    ("text", "kind"),
    [("bind began", "note"), ("unbind done in 3.8 s", "done"), ("nvidia → vfio-pci", "change"),
     ("nvidia → no driver", "warn"), ("in use by win11", "change"), ("stopped", "note"),
     ("started", "done")],
)  # fmt: skip
def test_a_step_of_the_graph_is_explained(text: str, kind: EventKind) -> None:
    assert marks_for([event(text, kind)], {CARD}, AT) == (Mark(60.0, "▲", "events"),)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("bind undone: it did not answer", "warn"), ("the card is lost", "failed"),
     ("crashed", "failed")],
)  # fmt: skip
def test_a_warning_has_its_own_sign(text: str, kind: EventKind) -> None:
    assert marks_for([event(text, kind)], {CARD}, AT) == (Mark(60.0, "!", "warn"),)


@pytest.mark.parametrize("text", ["asleep", "awake", "guest agent connected", "defined"])
def test_what_explains_nothing_has_no_mark(text: str) -> None:
    assert marks_for([event(text, "note")], {CARD}, AT) == ()


def test_a_driver_that_somebody_else_took_away_is_a_warning() -> None:
    gone = Event(AT, CARD, "nvidia → no driver", "warn", "external")
    assert marks_for([gone], {CARD}, AT) == (Mark(0.0, "!", "warn"),)


def test_only_the_subjects_and_only_as_far_back_as_a_graph() -> None:
    events = [
        event("started", "done", subject="fedora-ci"),
        event("bind began", "note", 890),
        event("bind began", "note", 2000),
    ]
    assert marks_for(events, {CARD}, AT) == (Mark(888.0, "▲", "events"),)


def test_ages_are_whole_cells_so_that_marks_move_with_the_graph() -> None:
    happened = [Event(AT - timedelta(seconds=7), CARD, "started", "done")]
    seen = [marks_for(happened, {CARD}, AT + timedelta(seconds=s))[0].ago_s for s in range(8)]
    assert seen == [8.0, 8.0, 12.0, 12.0, 12.0, 12.0, 16.0, 16.0]


def test_warnings_are_drawn_last_and_the_linux_console_has_a_caret() -> None:
    events = [event("the card is lost", "failed"), event("bind began", "note")]
    assert [mark.sign for mark in marks_for(events, {CARD}, AT, PLAIN)] == ["^", "!"]
