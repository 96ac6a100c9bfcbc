"""The USB screen: what each device is, what the keys do, and what is attached again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from tests.ui.rig import GUESTS, NORMAL, PHONE, SIZES, WIDE, WIN11, FakeControl, Rig, press, until
from tests.unit.rules.usb_made import keyboard, lent_as, stick, usb
from tui.app import VfiotopApp
from tui.config import Config
from tui.host import HostError
from tui.model import Attachment, UsbDevice, UsbHostDev, UsbReading
from tui.screens.usb import DeviceList, UsbScreen
from tui.session import Session

MOUSE = usb("1-2", 3, "046d:c08b", name="Mouse", serial="M1",
            attached=(Attachment("input", "1-2", "is a mouse"),))  # fmt: skip
PAD = usb("1-3", 7, "045e:02ea", name="Pad", serial="30")
KEYS = keyboard("1-1", 2, name="Keyboard")


@asynccontextmanager
async def opened(
    rig: Rig, *devices: UsbDevice, size: tuple[int, int] = NORMAL
) -> AsyncIterator[Pilot[None]]:
    """The USB screen of a host with these devices."""
    rig.usb.reading = UsbReading(devices)
    async with rig.running(size) as pilot:
        await until(pilot, lambda: rig.session.live.view.usb is not None)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(rig.app.screen, UsbScreen) and "USB" in rig.text())
        yield pilot


def put(rig: Rig, *devices: UsbDevice, has: Iterable[UsbDevice] = ()) -> None:
    """Plug in these devices, and give the guest those that it ``has``, lent with vfiotop."""
    rig.guests.put(replace(GUESTS, domains=(replace(WIN11, usb=tuple(map(lent_as, has))),)))
    rig.usb.put(UsbReading(devices))


def events(rig: Rig) -> list[tuple[str, str, str]]:
    return [(e.subject, e.text, e.by) for e in rig.session.live.events]


@pytest.mark.parametrize("size", SIZES)
async def test_each_device_has_its_verdict(size: tuple[int, int]) -> None:
    rig = Rig()
    async with opened(rig, KEYS, MOUSE, size=size):
        text = rig.text()
        assert "1-1 Keyboard" in text
        assert "in use, asks first: the host has no" in text
        assert "1-2 Mouse" in text
        assert "can be lent: a mouse" in text


async def test_a_device_is_lent_and_taken_back() -> None:
    rig = Rig()
    async with opened(rig, MOUSE) as pilot:
        assert "Lend Mouse · to win11" in rig.text()
        await press(pilot, rig, "y")
        await until(pilot, lambda: "win11 has Mouse." in rig.text())
        put(rig, replace(MOUSE, taken=True), has=[MOUSE])
        await until(pilot, lambda: "lent: “win11” has it" in rig.text())
        assert "Take back Mouse · from win11" in rig.text()
        await pilot.press("enter")
        await until(pilot, lambda: "Mouse is back with the host." in rig.text())
    assert rig.control.asked == [("lend 3", WIN11.uuid), ("return 3", WIN11.uuid)]
    assert ("1-2", "Mouse lent to win11", "vfiotop") in events(rig)


async def test_the_last_keyboard_takes_a_question_of_its_own() -> None:
    rig = Rig()
    async with opened(rig, KEYS) as pilot:
        await pilot.press("Y")
        await press(pilot, rig, "y")
        await until(pilot, lambda: "Risk: the host has no other keyboard" in rig.text())
        await pilot.press("enter")
        await until(pilot, lambda: "because the host uses" in rig.text())
        assert rig.control.asked == []
        await pilot.press("escape")
        await until(pilot, lambda: "Risk:" not in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: "Risk:" in rig.text())
        await press(pilot, rig, "Y")
        await until(pilot, lambda: "win11 has Keyboard." in rig.text())
    assert rig.control.asked == [("lend 2", WIN11.uuid)]


async def test_another_device_under_the_cursor_is_another_plan() -> None:
    rig = Rig()
    async with opened(rig, KEYS, MOUSE) as pilot:
        await press(pilot, rig, "y")
        await until(pilot, lambda: "Risk:" in rig.text())
        await pilot.press("down")
        await until(pilot, lambda: "Lend Mouse" in rig.text())
        assert "Risk:" not in rig.text()
        # What is plugged in above moves the row; the cursor stays on the mouse.
        put(rig, KEYS, usb("1-1.1", 9, name="New"), MOUSE)
        await until(pilot, lambda: "1-1.1 New" in rig.text())
        assert "Lend Mouse" in rig.text()
        await press(pilot, rig, "y")
        await until(pilot, lambda: "win11 has Mouse." in rig.text())
    assert rig.control.asked == [("lend 3", WIN11.uuid)]


async def test_a_reading_right_after_a_key_leaves_the_cursor_where_the_key_put_it() -> None:
    rig = Rig()
    async with opened(rig, KEYS, MOUSE) as pilot:
        devices = rig.app.screen.query_one(DeviceList)
        devices.action_cursor_down()
        cast("UsbScreen", rig.app.screen).show()
        assert devices.highlighted == 1
        await until(pilot, lambda: "Lend Mouse" in rig.text())


async def test_the_cursor_waits_for_an_unplugged_device_and_no_key_acts_on_another() -> None:
    rig = Rig()
    async with opened(rig, KEYS, PAD) as pilot:
        await pilot.press("down")
        await until(pilot, lambda: "Lend Pad" in rig.text())
        put(rig, KEYS)
        await until(pilot, lambda: "the device was unplugged" in rig.text())
        await pilot.press("enter")
        await pilot.press("y")
        await until(pilot, lambda: "y lend: the device was unplugged" in rig.text())
        put(rig, KEYS, replace(PAD, number=8))
        await until(pilot, lambda: "Lend Pad" in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: "win11 has Pad." in rig.text())
    assert rig.control.asked == [("lend 8", WIN11.uuid)]


@pytest.mark.parametrize(
    ("device", "domain", "why"),
    [
        (replace(PAD, taken=True), WIN11, "a program has it open through usbfs"),
        (PAD, replace(WIN11, state="shut off"), "“win11” is shut off: start it first"),
    ],
)
async def test_a_refused_device_says_why(device: UsbDevice, domain: object, why: str) -> None:
    rig = Rig()
    rig.guests.reading = replace(GUESTS, domains=(domain,))
    async with opened(rig, device, size=WIDE) as pilot:
        assert "✗ refused" in rig.text()
        await pilot.press("y")
        await until(pilot, lambda: f"y lend: {why}" in rig.text())
    assert rig.control.asked == []


async def test_without_a_guest_or_a_device_it_says_so() -> None:
    rig = Rig()
    rig.guests.reading = replace(GUESTS, domains=())
    async with opened(rig, PAD) as pilot:
        assert "no guest is chosen: w chooses one" in rig.text()
        put(rig)
        await until(pilot, lambda: "no USB device is plugged in" in rig.text())


async def test_a_failure_is_said_here_or_as_an_event() -> None:
    rig = Rig()
    rig.control.answer = HostError("libvirt could not lend a USB device")
    async with opened(rig, PAD) as pilot:
        await press(pilot, rig, "y")
        await until(pilot, lambda: "libvirt could not lend a USB device." in rig.text())
        rig.control.free.clear()
        await press(pilot, rig, "y")
        await until(pilot, lambda: "Attaching it to win11" in rig.text())
        await pilot.press("escape")
        rig.control.free.set()
        await until(pilot, lambda: "libvirt could not lend a USB device." in str(events(rig)))


async def test_not_all_of_a_plan_that_does_not_fit_was_seen() -> None:
    rig = Rig()
    async with opened(rig, KEYS, MOUSE, PAD, size=PHONE) as pilot:
        await pilot.press("y")
        await until(pilot, lambda: "space shows the rest" in rig.text())
        for _ in range(5):
            await pilot.press("space")
        await press(pilot, rig, "y")
        await until(pilot, lambda: "Risk:" in rig.text())
    assert rig.control.asked == []


async def test_a_lent_device_that_is_unplugged_stays_in_the_list_and_is_taken_back() -> None:
    rig = Rig()
    async with opened(rig, MOUSE) as pilot:
        put(rig, MOUSE, has=[PAD])
        await until(pilot, lambda: "1-0.7 045e:02ea" in rig.text())
        assert "lent, unplugged: “win11” gets it again when it is plugged in" in " ".join(
            rig.text().split()
        )
        await pilot.press("down")
        await until(pilot, lambda: "Take back 045e:02ea · from win11" in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: "045e:02ea is back with the host." in rig.text())
    assert rig.control.asked == [("return 7", WIN11.uuid)]
    assert not [event for event in events(rig) if "045e" in str(event)]


# --- attached again ---------------------------------------------------------------------------


async def lent(rig: Rig, pilot: Pilot[None], device: UsbDevice) -> None:
    """Lend the device under the cursor, and leave the screen."""
    await press(pilot, rig, "y")
    await until(pilot, lambda: f"win11 has {device.name}." in rig.text())
    put(rig, replace(device, taken=True), has=[device])
    await until(pilot, lambda: "lent: “win11” has it" in rig.text())
    await pilot.press("escape")


async def test_a_replugged_device_is_attached_again_on_any_screen() -> None:
    rig = Rig()
    async with opened(rig, PAD) as pilot:
        await lent(rig, pilot, PAD)
        put(rig, has=[PAD])
        await until(pilot, lambda: rig.session.live.view.usb == ())
        again = replace(PAD, number=8)
        put(rig, again, has=[PAD])
        await until(pilot, lambda: len(rig.control.asked) == 3)
        assert rig.control.asked[1:] == [("return 7", WIN11.uuid), ("lend 8", WIN11.uuid)]
        put(rig, replace(again, taken=True), has=[again])
        await until(pilot, lambda: ("1-3", "Pad lent to win11", "vfiotop") in events(rig)[:2])
        assert ("1-3", "unplugged: Pad, lent to win11", "external") in events(rig)


async def test_what_would_have_to_be_asked_stays_with_the_host() -> None:
    rig = Rig()
    empty = stick("1-3", 7, mounted=False, name="Stick", serial="S")
    async with opened(rig, empty) as pilot:
        await lent(rig, pilot, empty)
        put(rig, has=[empty])
        await until(pilot, lambda: rig.session.live.view.usb == ())
        put(rig, stick("1-3", 8, name="Stick", serial="S"), has=[empty])
        await until(pilot, lambda: "not attached again: needs confirmation" in str(events(rig)))
    assert [what for what, _ in rig.control.asked] == ["lend 7"]


async def replugged(rig: Rig, pilot: Pilot[None], *devices: UsbDevice, has: UsbDevice) -> None:
    """What was lent on the command line was unplugged, and now these devices are there."""
    rig.usb.reading = UsbReading((has,))
    put(rig, has, has=[has])
    await until(pilot, lambda: any(u.guest for u in rig.session.live.view.usb or ()))
    put(rig, has=[has])
    await until(pilot, lambda: rig.session.live.view.usb == ())
    put(rig, *devices, has=[has])


async def test_what_was_lent_on_the_command_line_is_attached_again_by_an_open_screen() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await replugged(rig, pilot, replace(PAD, number=8), has=PAD)
        await until(pilot, lambda: len(rig.control.asked) == 2)
    assert rig.control.asked == [("return 7", WIN11.uuid), ("lend 8", WIN11.uuid)]


async def test_a_stick_that_comes_back_as_a_keyboard_stays_and_an_event_says_so() -> None:
    rig = Rig()
    was = stick("1-3", 7, mounted=False, serial="S", functions=("08",))
    evil = replace(keyboard("1-3", 8), vendor=was.vendor, product=was.product, serial="S",
                   functions=("0301",))  # fmt: skip
    async with rig.running() as pilot:
        await replugged(rig, pilot, evil, KEYS, has=was)
        await until(
            pilot,
            lambda: "it has functions that it did not have when it was lent" in str(events(rig)),
        )
    assert rig.control.asked == []


class Attaching(FakeControl):
    """What it attaches is the guest's from then on."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self._rig = rig

    def lend_usb(
        self, uuid: str, device: UsbHostDev, stale: Sequence[UsbHostDev], *rest: Any
    ) -> None:
        super().lend_usb(uuid, device, stale, *rest)
        (domain,) = self._rig.guests.read().domains
        usb = (*(each for each in domain.usb if each not in stale), device)
        self._rig.guests.reading = replace(GUESTS, domains=(replace(domain, usb=usb),))


async def test_of_two_keyboards_that_come_back_at_once_one_stays_with_the_host() -> None:
    """Each alone would leave the other one: they are checked in turn."""
    rig = Rig()
    rig.control = Attaching(rig)
    one, two = (keyboard(f"1-{n}", n, serial=f"S{n}") for n in (3, 4))
    async with rig.running() as pilot:
        put(rig, has=[one, two])
        await until(pilot, lambda: rig.session.live.view.usb == ())
        put(rig, replace(one, number=8), replace(two, number=9), has=[one, two])
        await until(pilot, lambda: "the host has no other keyboard" in str(events(rig)))
    assert rig.control.asked == [("return 3", WIN11.uuid), ("lend 8", WIN11.uuid)]


async def test_a_plug_with_a_loose_contact_is_attached_in_the_end() -> None:
    """The first attempt removes the old element and fails; the session remembers the lending."""
    rig = Rig()

    class Loose(Attaching):
        def lend_usb(self, *arguments: Any, **named: Any) -> None:
            super().lend_usb(*arguments, **named)
            if len(self.asked) == 2:
                rig.guests.reading = GUESTS
                raise HostError("no such device")

    rig.control = Loose(rig)
    rig.reopen = lambda: replace(Rig.reopen(rig), guests=rig.guests)  # type: ignore[method-assign]
    rig.host = replace(rig.host, reopen=rig.reopen)
    rig.app = VfiotopApp(Session(rig.host, Config(theme="vfiotop-dark", interval=3600)))
    async with rig.running() as pilot:
        put(rig, has=[PAD])
        await until(pilot, lambda: rig.session.live.view.usb == ())
        put(rig, replace(PAD, number=8), has=[PAD])
        await until(pilot, lambda: "not attached again: no such device" in str(events(rig)))
        rig.usb.put(UsbReading((replace(PAD, number=9),)))
        await until(pilot, lambda: len(rig.control.asked) == 3)
    assert [what for what, _ in rig.control.asked] == ["return 7", "lend 8", "lend 9"]
