"""What of the lent devices must be attached again, and what must not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.rules.usb_made import keyboard, running, usb
from tui.model import Domain, UsbDevice, UsbHostDev
from tui.rules.usb import rule_for
from tui.rules.usb_lendings import Lending, Replugged, place, stale, step

PAD = usb("1-3", 7, "045e:02ea", serial="30")
WIN11 = running("win11")


def lent(device: UsbDevice = PAD, *others: UsbDevice, **facts: Any) -> Lending:
    rule = rule_for(device, (device, *others))
    made = Lending("uuid-win11", "win11", rule, place(device), seen=True)
    return replace(made, **facts)


def test_a_replugged_device_is_attached_again_once() -> None:
    again = replace(PAD, number=8)
    held, replugged = step([lent()], [again], [running("win11", PAD)])
    assert replugged == (Replugged(held[0], again),)
    assert step(held, [again], [running("win11", PAD)]) == (held, ())
    third = replace(PAD, number=9)
    assert [each.device for each in step(held, [third], [WIN11])[1]] == [third]


def test_a_device_with_a_serial_is_found_at_any_port_and_another_only_at_its_own() -> None:
    assert step([lent()], [replace(PAD, port="2-1", number=3)], [WIN11])[1] != ()
    plain = replace(PAD, serial=None)
    assert step([lent(plain)], [replace(plain, port="2-1", number=3)], [WIN11])[1] == ()
    assert step([lent(plain)], [replace(plain, number=3)], [WIN11])[1] != ()


def test_while_it_is_unplugged_it_is_waited_for() -> None:
    assert step([lent()], [], [WIN11]) == ((lent(),), ())


def test_it_waits_until_the_device_is_ready_and_free() -> None:
    again = replace(PAD, number=8)
    for busy in ({"ready": False}, {"taken": True}):
        assert step([lent()], [replace(again, **busy)], [WIN11]) == ((lent(),), ())
    assert step([lent()], [again], [WIN11, running("other", again)]) == ((lent(),), ())


def test_two_that_match_are_left_alone() -> None:
    twins = [replace(PAD, number=8), replace(PAD, port="2-1", number=9)]
    assert step([lent()], twins, [WIN11]) == ((lent(),), ())


def test_it_ends_with_the_guests_run() -> None:
    again = replace(PAD, number=8)
    for domains in ([], [replace(WIN11, state="shut off")], [running("other")]):
        assert step([lent()], [again], domains) == ((), ())


def test_what_somebody_else_has_taken_back_stays_with_the_host() -> None:
    fresh = lent(seen=False)
    assert step([fresh], [PAD], [WIN11]) == ((fresh,), ())  # libvirt was not read since
    held, _ = step([fresh], [PAD], [running("win11", PAD)])
    assert held == (replace(fresh, seen=True),)
    assert step(held, [PAD], [WIN11]) == ((), ())


def test_the_element_of_an_unplugged_device_is_stale() -> None:
    again, twin = replace(PAD, number=8), replace(PAD, port="1-4", number=5)
    domain = running("win11", PAD, twin, keyboard("1-1", 2))
    assert stale(again, domain, [again, twin]) == [UsbHostDev.of(PAD)]
    assert stale(again, running("win11", usb=(UsbHostDev("045e", "02ea"),)), [again]) == []


_numbers = st.integers(2, 6)


@given(st.lists(st.tuples(st.sampled_from(["plug", "unplug", "take"]), _numbers), max_size=12))
def test_only_a_device_that_the_rule_means_is_attached_and_never_twice(
    moves: list[tuple[str, int]],
) -> None:
    """The guest gets what is attached, unless somebody takes it; a stranger is always there."""
    stranger = usb("1-4", 99, "045e:02ea", serial="31")
    devices: list[UsbDevice] = [PAD, stranger]
    held: tuple[Lending, ...] = (lent(),)
    has: list[UsbDevice] = [PAD]
    for move, number in moves:
        if move == "unplug":
            devices = [stranger]
        elif move == "plug" and devices == [stranger]:
            devices = [replace(PAD, number=PAD.number + number), stranger]
        elif move == "take":
            has = []
        domain: Domain = running("win11", *has)
        held, again = step(held, devices, [domain])
        assert all(each.device in devices and each.device.serial == "30" for each in again)
        assert not any(each.device in has for each in again)
        for each in again:
            has = [each.device]
            held = tuple(replace(h, at=place(each.device), seen=False, tried=None) for h in held)
        assert step(held, devices, [running("win11", *has)])[1] == ()
