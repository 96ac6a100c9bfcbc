"""Which devices a session attaches again, by its readings."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from tests.unit.made import NOON, guests, snapshot, two_cards
from tests.unit.rules.usb_made import lent_as, running, usb
from tui.lendings import Lendings
from tui.live import Live
from tui.model import Guests, Sample, SourceName, Unavailable, UsbDevice, UsbReading, Watch
from tui.model.watch import WatchPolicy
from tui.rules.roles import Choice
from tui.rules.usb_attempts import LIMIT, RETRY_S, WINDOW
from tui.rules.usb_lendings import Replugged

PAD = usb("1-3", 7, "045e:02ea", serial="30")
AGAIN = replace(PAD, number=8)


@pytest.fixture
def live() -> Live:
    """The pad was lent to a guest, and is plugged in again."""
    made = Live(Choice())
    domains = (running("win11", usb=(lent_as(PAD),)),)
    made.snapshot = snapshot(two_cards(), domains, usb=UsbReading((AGAIN,)))
    return made


def test_a_replugged_device_is_told_once_and_again_after_the_next_replug(live: Live) -> None:
    lendings = Lendings(live, lambda: NOON)
    assert [each.device for each in lendings.replugged()] == [AGAIN]
    assert lendings.replugged() == ()
    third = replace(PAD, number=9)
    live.snapshot = replace(live.snapshot, usb=UsbReading((third,)))
    assert [each.device for each in lendings.replugged()] == [third]


class Clock:
    """Seconds after noon."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)


def test_an_attempt_that_failed_is_made_again(live: Live) -> None:
    clock = Clock()
    lendings = Lendings(live, clock.now)
    (again,) = lendings.replugged()
    assert lendings.failed(again) == RETRY_S[0]
    clock.seconds += RETRY_S[0] - 1
    assert lendings.replugged() == ()
    clock.seconds += 1
    assert lendings.replugged() == (again,)
    assert lendings.failed(again) == RETRY_S[1]
    live.snapshot = replace(live.snapshot, usb=UsbReading(()))
    clock.seconds += 3600
    assert lendings.replugged() == (), "it is gone"


def test_one_that_is_for_the_user_is_not_made_again(live: Live) -> None:
    clock = Clock()
    lendings = Lendings(live, clock.now)
    (again,) = lendings.replugged()
    assert lendings.failed(again, final=True) is None
    clock.seconds += 3600
    assert lendings.replugged() == ()


def test_what_waits_for_the_next_attempt_and_is_the_guests_by_then_needs_none(live: Live) -> None:
    clock = Clock()
    lendings = Lendings(live, clock.now)
    (again,) = lendings.replugged()
    lendings.failed(again)
    mine = running("win11", usb=(lent_as(AGAIN),))
    live.snapshot = replace(live.snapshot, guests=guests(mine))
    clock.seconds += 3600
    assert lendings.replugged() == ()


def test_one_that_flaps_is_attached_once_it_stays(live: Live) -> None:
    clock = Clock()
    lendings = Lendings(live, clock.now)
    tried: list[Replugged] = []
    told: list[UsbDevice] = []
    for number in range(10, 10 + 2 * LIMIT):
        clock.seconds += 1
        live.snapshot = replace(live.snapshot, usb=UsbReading((replace(PAD, number=number),)))
        tried += lendings.replugged()
        told += lendings.flapping()
    assert [each.device.number for each in tried] == [10, 11, 12, 13, 14]
    assert [device.number for device in told] == [15]
    clock.seconds += WINDOW.total_seconds()
    assert [each.device.number for each in lendings.replugged()] == [19]
    assert lendings.flapping() == ()


def test_a_lending_outlives_an_attempt_that_failed_half_way(live: Live) -> None:
    """The old element is gone and the new one is not there, as with a loose contact."""
    lendings = Lendings(live, lambda: NOON)
    (again,) = lendings.replugged()
    lendings.keep(again.lending)
    assert lendings.replugged() == ()  # the reading is older than the attempt
    third = replace(PAD, number=9)
    bare = running("win11")
    live.snapshot = replace(live.snapshot, usb=UsbReading((third,)), guests=guests(bare))
    (next_one,) = lendings.replugged()
    assert (next_one.device, next_one.lending.mark) == (third, again.lending.mark)
    assert lendings.replugged() == ()
    fourth = replace(PAD, number=10)
    live.snapshot = replace(live.snapshot, usb=UsbReading((fourth,)), guests=guests())
    assert lendings.replugged() == ()
    live.snapshot = replace(live.snapshot, guests=guests(bare))
    assert lendings.replugged() == ()  # the guest has ended, and with it the lending


def test_what_the_guest_has_again_is_no_longer_lost(live: Live) -> None:
    lendings = Lendings(live, lambda: NOON)
    (again,) = lendings.replugged()
    lendings.keep(again.lending)
    mine = running("win11", usb=(lent_as(AGAIN),))
    live.snapshot = replace(live.snapshot, guests=guests(mine))
    assert lendings.replugged() == ()
    live.snapshot = replace(
        live.snapshot, usb=UsbReading((replace(PAD, number=9),)), guests=guests(running("win11"))
    )
    assert lendings.replugged() == ()  # somebody has taken it back


@pytest.mark.parametrize("source", ["usb", "guests"])
def test_while_a_source_does_not_answer_nothing_is_attached_or_forgotten(
    live: Live, source: SourceName
) -> None:
    lendings, before = Lendings(live, lambda: NOON), live.snapshot
    assert lendings.replugged() != ()
    live.take(Sample(source, Unavailable("no answer"), NOON))
    assert lendings.replugged() == ()
    live.snapshot = before
    assert lendings.replugged() == ()


@pytest.mark.parametrize(
    "facts", [{"readonly": True}, {"uri": "qemu+ssh://other/system"}], ids=lambda f: next(iter(f))
)
def test_guests_that_are_not_ours_to_change_or_on_another_machine_are_left_alone(
    live: Live, facts: dict[str, object]
) -> None:
    there = live.snapshot.guests
    assert isinstance(there, Guests)
    live.snapshot = replace(live.snapshot, guests=replace(there, **facts))
    assert Lendings(live, lambda: NOON).replugged() == ()


@pytest.mark.parametrize(("running_", "acts"), [(True, True), (True, False), (False, True)])
def test_a_watch_that_acts_attaches_instead(live: Live, running_: bool, acts: bool) -> None:
    lendings = Lendings(live, lambda: NOON)
    live.view = replace(live.view, watch=Watch(running_, acts, WatchPolicy()))
    assert (lendings.replugged() == ()) is (running_ and acts)
    live.view = replace(live.view, watch=None)
    assert lendings.replugged() == ()  # the watch had it
