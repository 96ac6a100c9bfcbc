"""Swaps of the history as events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tui.model import Event, PastSwap, SwapState
from tui.rules.past_swaps import of_past_swaps

CARD = "0000:01:00.0"
BEGAN = datetime(2026, 3, 1, 19, 4, tzinfo=UTC)
BIND = PastSwap("1", "bind", CARD, "done", BEGAN, BEGAN + timedelta(seconds=3.8))


def told(text: str, after_s: float, subject: str = CARD) -> Event:
    return Event(BEGAN + timedelta(seconds=after_s), subject, text, "done", "watch")


def test_a_swap_that_nobody_watched_is_told_like_one_that_was_seen() -> None:
    assert of_past_swaps([BIND], ()) == (
        Event(BIND.ended_at, CARD, "bind done in 3.8 s", "done", "vfiotop"),
    )


@pytest.mark.parametrize("after_s", [0.0, 3.8, 60.0])
def test_a_swap_that_an_event_tells_of_is_not_told_twice(after_s: float) -> None:
    assert of_past_swaps([BIND], [told("bind done in 3.8 s", after_s)]) == ()


@pytest.mark.parametrize(
    "other",
    [
        told("bind done in 3.8 s", -1),
        told("bind done in 3.8 s", 70),
        told("unbind done in 3.8 s", 4),
        told("bind done in 3.8 s", 4, "0000:0a:00.0"),
    ],
)
def test_an_event_of_another_swap_does_not_stand_for_it(other: Event) -> None:
    assert len(of_past_swaps([BIND], [other])) == 1


@pytest.mark.parametrize(
    ("state", "text"), [("undone", "bind undone"), ("failed", "bind interrupted")]
)
def test_a_swap_that_did_not_succeed_is_a_warning(state: SwapState, text: str) -> None:
    swap = PastSwap("1", "bind", CARD, state, BEGAN, BEGAN)
    (event,) = of_past_swaps([swap], ())
    assert (event.text, event.kind in ("warn", "failed")) == (text, True)
