"""Which lent devices must be attached again, and which must not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.rules.usb_made import keyboard, lent_as, running, usb
from tui.model import Domain, UsbDevice, UsbHostDev
from tui.rules.usb import KEYBOARD
from tui.rules.usb_lendings import Settled, is_meant, mark_of, place, stale, step

PAD = usb("1-3", 7, "045e:02ea", serial="30", functions=("03",))
AGAIN = replace(PAD, number=8)
NOTHING: frozenset[Settled] = frozenset()


def guest(*devices: UsbDevice, **facts: object) -> Domain:
    """A running guest to which each of these devices was lent while no other was plugged in."""
    return running("win11", **({"usb": tuple(lent_as(each) for each in devices)} | facts))


def again(
    devices: list[UsbDevice], *domains: Domain, settled: frozenset[Settled] = NOTHING
) -> list[UsbDevice]:
    """The devices that must be attached again."""
    return [each.device for each in step(settled, devices, domains or (guest(PAD),))[1]]


def test_a_replugged_device_is_attached_again_once() -> None:
    settled, replugged = step(NOTHING, [AGAIN], [guest(PAD)])
    (only,) = replugged
    assert (only.device, only.lending.element, only.changed) == (AGAIN, lent_as(PAD), False)
    assert step(settled, [AGAIN], [guest(PAD)]) == (settled, ())
    third = replace(PAD, number=9)
    assert again([third], settled=settled) == [third]


def test_who_lent_it_does_not_matter_but_that_it_was_lent_with_vfiotop() -> None:
    assert again([AGAIN], running("win11", PAD)) == []
    assert again([AGAIN], guest(PAD)) == [AGAIN]


def test_a_device_with_a_serial_is_found_at_any_port_and_another_only_at_its_own() -> None:
    assert again([replace(PAD, port="2-1", number=3)]) != []
    plain = replace(PAD, serial=None)
    assert again([replace(plain, port="2-1", number=3)], guest(plain)) == []
    assert again([replace(plain, number=3)], guest(plain)) != []
    assert again([AGAIN], guest(plain)) == []
    for other in ({"vendor": "045f"}, {"product": "02eb"}, {"serial": "31"}, {"serial": None}):
        assert again([replace(AGAIN, **other)]) == []


def test_while_it_is_unplugged_it_is_waited_for() -> None:
    assert step(NOTHING, [], [guest(PAD)]) == (NOTHING, ())


def test_it_waits_until_the_device_is_ready_free_and_complete() -> None:
    both = replace(PAD, functions=("03", "08"))
    assert again([AGAIN], guest(both)) == []
    for busy in ({"ready": False}, {"taken": True}, {"hub": True}):
        assert step(NOTHING, [replace(AGAIN, **busy)], [guest(PAD)]) == (NOTHING, ())
    assert again([AGAIN], guest(PAD), running("other", AGAIN)) == []


def test_two_that_match_are_left_alone() -> None:
    twins = [AGAIN, replace(PAD, port="2-1", number=9)]
    assert step(NOTHING, twins, [guest(PAD)]) == (NOTHING, ())


def test_a_twin_with_the_same_serial_does_not_take_the_place_of_the_lent_one() -> None:
    """All devices of a cheap model may have the same serial."""
    twin = replace(PAD, port="2-1", number=9)
    settled, replugged = step(NOTHING, [PAD, twin], [guest(PAD)])
    assert replugged == ()
    assert again([twin], settled=settled) == []
    assert again([AGAIN, twin], settled=settled) == [AGAIN]


def test_what_two_guests_were_lent_is_left_alone() -> None:
    other = running("other", usb=(lent_as(replace(PAD, number=3)),))
    settled, replugged = step(NOTHING, [AGAIN], [guest(PAD), other])
    assert (len(settled), replugged) == (2, ())
    assert again([AGAIN], guest(PAD), replace(other, state="shut off")) == [AGAIN]


def test_a_device_that_comes_back_as_something_else_is_told_and_not_attached() -> None:
    stick = usb("1-3", 7, "0781:5581", serial="S", functions=("08",))
    for functions in (("0301",), ("0301", "08"), ("0302",)):
        evil = replace(stick, number=8, functions=functions)
        settled, (only,) = step(NOTHING, [evil], [guest(stick)])
        assert (only.device, only.changed) == (evil, True)
        assert step(settled, [evil], [guest(stick)]) == (settled, ())


def test_it_ends_with_the_guests_run() -> None:
    for domain in (replace(guest(PAD), state="shut off"), guest(), running("other")):
        assert again([AGAIN], domain) == []


def test_what_is_settled_is_forgotten_with_the_device_or_its_lending() -> None:
    settled, _ = step(NOTHING, [AGAIN], [guest(PAD)])
    assert step(settled, [], [guest(PAD)])[0] == NOTHING
    assert step(settled, [AGAIN], [guest()])[0] == NOTHING


def test_the_element_of_an_unplugged_device_is_stale_and_no_other() -> None:
    twin = replace(PAD, port="1-4", number=5, serial="31")
    away = replace(PAD, port="1-5", number=6, serial="32")
    domain = guest(PAD, twin, away)
    assert stale(AGAIN, domain, [AGAIN, twin]) == [lent_as(PAD)]
    assert stale(AGAIN, running("win11", PAD, keyboard("1-1", 2)), [AGAIN]) == [UsbHostDev.of(PAD)]
    assert stale(AGAIN, running("win11", usb=(UsbHostDev("045e", "02ea"),)), [AGAIN]) == []


def test_a_mark_has_what_was_asked_and_a_port_only_if_that_is_needed() -> None:
    twin = replace(PAD, port="2-1", number=9)
    alone, one_of_two = mark_of(PAD, [PAD], [KEYBOARD]), mark_of(PAD, [PAD, twin], ())
    assert (alone.functions, alone.accepted) == (("03",), frozenset({KEYBOARD}))
    assert (is_meant(alone, twin), is_meant(one_of_two, twin)) == (True, False)
    assert is_meant(one_of_two, AGAIN)
    assert len(alone.who) == 16


_numbers = st.integers(2, 6)


@given(st.lists(st.tuples(st.sampled_from(["plug", "unplug", "take"]), _numbers), max_size=12))
def test_only_a_device_that_was_marked_is_attached_and_never_twice(
    moves: list[tuple[str, int]],
) -> None:
    """The guest gets what is attached, unless somebody takes it; an unmarked device is always
    there."""
    stranger = usb("1-4", 99, "045e:02ea", serial="31", functions=("03",))
    devices: list[UsbDevice] = [PAD, stranger]
    settled: frozenset[Settled] = NOTHING
    has: list[UsbDevice] = [PAD]
    for move, number in moves:
        if move == "unplug":
            devices = [stranger]
        elif move == "plug" and devices == [stranger]:
            devices = [replace(PAD, number=PAD.number + number), stranger]
        elif move == "take":
            has = []
        settled, found = step(settled, devices, [guest(*has)])
        assert all(each.device in devices and each.device.serial == "30" for each in found)
        assert not any(each.device in has for each in found)
        assert has or not found
        for each in found:
            has = [each.device]
        assert step(settled, devices, [guest(*has)])[1] == ()


@given(st.text(max_size=8), st.text(max_size=8))
def test_devices_that_differ_in_their_serial_have_different_marks(one: str, other: str) -> None:
    marks = {mark_of(replace(PAD, serial=each), (), ()).who for each in (one, other)}
    assert len(marks) == len({one, other})
    assert place(PAD) == ("1-3", 7)
