"""The events that are worth an alert."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.made import NOON
from tests.values import replace
from tui.model import Event, EventKind, HostView, Swap
from tui.rules.alerts import alerts
from tui.rules.events import Changed

CARD = "0000:02:00.0"
LATER = NOON + timedelta(seconds=5)
SWAP = Swap("1", "unbind", CARD, (CARD,), "running", ("a",), 0, NOON, NOON)
RUNS, DONE = HostView(swap=SWAP), HostView(swap=replace(SWAP, state="done"))
NOTHING = HostView()


def event(kind: EventKind, subject: str = CARD, **facts: object) -> Event:
    return replace(Event(LATER, subject, "happened", kind), **facts)


def told(*events: Event, before: HostView = NOTHING, after: HostView = NOTHING) -> list[Event]:
    return list(alerts(Changed(before, after, events), NOON))


@pytest.mark.parametrize(
    ("kind", "worth"),
    [("failed", True), ("warn", True), ("done", False), ("change", False), ("note", False)],
)
def test_warnings_and_failures(kind: EventKind, worth: bool) -> None:
    assert bool(told(event(kind))) is worth


def test_the_end_of_a_swap_and_nothing_else_that_is_done() -> None:
    end, other = event("done"), event("done", "win11")
    assert told(end, other, before=RUNS, after=DONE) == [end]
    assert told(end, before=DONE, after=DONE) == []
    assert told(end, before=NOTHING, after=DONE) == [], "it ended before it was seen"
    assert told(end, before=RUNS, after=RUNS) == []


def test_a_function_without_a_driver_during_a_swap_is_a_step() -> None:
    step = event("warn", by="watch")
    assert told(step, before=RUNS, after=RUNS) == []
    for other in (event("warn", by="kernel"), event("warn", "0000:01:00.0"), event("failed")):
        assert told(other, before=RUNS, after=RUNS) == [other]
    assert told(step, before=RUNS, after=DONE) == [step], "it is over"


def test_the_worst_comes_first() -> None:
    end, warning, failure = event("done"), event("warn"), event("failed")
    assert told(end, warning, failure, before=RUNS, after=DONE) == [failure, warning, end]


def test_what_is_past_is_not_told() -> None:
    new, past = event("warn"), event("failed", at=NOON - timedelta(seconds=1))
    assert told(new, past) == [new]
