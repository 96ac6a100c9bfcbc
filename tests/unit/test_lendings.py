"""Which devices a session attaches again, by its readings."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.made import NOON, snapshot, two_cards
from tests.unit.rules.usb_made import lent_as, running, usb
from tui.lendings import Lendings
from tui.live import Live
from tui.model import Guests, Sample, SourceName, Unavailable, UsbReading
from tui.rules.roles import Choice

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
    guests = live.snapshot.guests
    assert isinstance(guests, Guests)
    live.snapshot = replace(live.snapshot, guests=replace(guests, **facts))
    assert Lendings(live, lambda: NOON).replugged() == ()
