"""What a session keeps of the devices that were lent."""

from __future__ import annotations

from msgspec.structs import replace

from tests.unit.made import NOON, snapshot, two_cards
from tests.unit.rules.usb_made import running, usb
from tui.lendings import Lendings
from tui.live import Live
from tui.model import Sample, SourceName, Unavailable, UsbDevice, UsbReading
from tui.rules.roles import Choice
from tui.rules.usb import rule_for
from tui.rules.usb_lendings import Lending, place

PAD = usb("1-3", 7, "045e:02ea", serial="30")
AGAIN = replace(PAD, number=8)


def lending(device: UsbDevice = PAD) -> Lending:
    return Lending("uuid-win11", "win11", rule_for(device, ()), place(device), seen=True)


def kept(*lendings: Lending) -> tuple[Lendings, Live]:
    live = Live(Choice())
    live.snapshot = snapshot(two_cards(), (running("win11", PAD),), usb=UsbReading((AGAIN,)))
    made = Lendings(live, lambda: NOON)
    for each in lendings:
        made.add(each)
    return made, live


def test_a_replugged_device_is_told_once_and_again_after_the_next_replug() -> None:
    held, live = kept(lending())
    assert [each.device for each in held.replugged()] == [AGAIN]
    assert held.replugged() == ()
    held.attached_again(held.held[0], place(AGAIN))
    assert held.replugged() == ()
    third = replace(PAD, number=9)
    live.snapshot = replace(live.snapshot, usb=UsbReading((third,)))
    assert [each.device for each in held.replugged()] == [third]


def test_a_device_has_one_lending() -> None:
    held, _ = kept(lending(), lending(AGAIN))
    assert held.held == (lending(AGAIN),)
    held.drop("uuid-win11", place(PAD))
    assert held.held == (lending(AGAIN),)
    held.drop("uuid-win11", place(AGAIN))
    assert not held.held


def test_while_a_source_does_not_answer_nothing_is_attached_or_forgotten() -> None:
    sources: tuple[SourceName, ...] = ("usb", "guests")
    for source in sources:
        held, live = kept(lending())
        live.take(Sample(source, Unavailable("no answer"), NOON))
        assert held.replugged() == ()
        assert held.held == (lending(),)
