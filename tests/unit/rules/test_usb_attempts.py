"""How often a lent device is attached again."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from tests.unit.made import NOON
from tests.unit.rules.usb_made import lent_as, usb
from tui.rules.usb_attempts import LIMIT, RETRY_S, WINDOW, Attempts
from tui.rules.usb_lendings import Lending, Replugged

PAD, DISK = usb("1-3", 7, "045e:02ea"), usb("1-4", 9, "0781:5581")


def plugged(number: int, device: object = PAD) -> Replugged:
    known = PAD if device is PAD else DISK
    element = lent_as(known)
    assert element.mark is not None
    lending = Lending("uuid-win11", "win11", element, element.mark)
    return Replugged(lending, replace(known, number=number))


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def flapping() -> Attempts:
    """A pad that has been plugged in as often as is allowed."""
    attempts = Attempts()
    for number in range(LIMIT):
        assert attempts.turn(plugged(number), after(number)) == "now"
    return attempts


def test_one_that_flaps_is_told_once_and_waits_until_it_stays() -> None:
    attempts = flapping()
    assert attempts.turn(plugged(10), after(10)) == "flaps"
    for number in range(20, 300, 10):
        assert attempts.turn(plugged(number), after(number)) == "later"
        assert attempts.due(after(number + 9)) == ()
    assert attempts.due(after(290 + WINDOW.total_seconds())) == (plugged(290),)
    assert attempts.turn(plugged(290), after(290 + WINDOW.total_seconds())) == "now"
    assert attempts.due(after(9999)) == ()


def test_one_that_is_replugged_now_and_then_does_not_flap() -> None:
    attempts = Attempts()
    every_s = WINDOW.total_seconds() / LIMIT
    turns = {attempts.turn(plugged(n), after(n * every_s)) for n in range(100)}
    assert turns == {"now"}


def test_another_device_is_another_matter() -> None:
    attempts = flapping()
    assert attempts.turn(plugged(10), after(10)) == "flaps"
    assert attempts.turn(plugged(11, DISK), after(10)) == "now"


def test_a_failure_is_tried_again_a_few_times() -> None:
    attempts, at = Attempts(), NOON
    waits = []
    while (wait_s := attempts.failed(plugged(8), at)) is not None:
        waits.append(wait_s)
        assert attempts.due(at + timedelta(seconds=wait_s - 1)) == ()
        at += timedelta(seconds=wait_s)
        assert attempts.due(at) == (plugged(8),)
        assert attempts.due(at) == ()
    assert tuple(waits) == RETRY_S
    assert attempts.due(at + timedelta(days=1)) == ()


def test_a_replug_is_tried_at_once_and_as_often() -> None:
    attempts = Attempts()
    for _ in RETRY_S[1:]:
        attempts.failed(plugged(8), NOON)
    assert attempts.turn(plugged(9), NOON) == "now"
    assert attempts.due(after(9999)) == (), "the old one is gone"
    assert attempts.failed(plugged(9), NOON) == RETRY_S[0]


def test_a_failure_does_not_end_the_wait_of_one_that_flaps() -> None:
    attempts = flapping()
    assert attempts.turn(plugged(10), after(10)) == "flaps"
    attempts.failed(plugged(4), after(11))
    assert attempts.due(after(20)) == ()
    assert attempts.due(after(10) + WINDOW) == (plugged(10),)
