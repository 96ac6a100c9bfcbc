"""Who has a USB device, what the host would miss, and which device is meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.made import guests
from tests.unit.rules.usb_made import CONTROLLER, keyboard, lent_as, running, stick, usb
from tui.model import (
    Attachment,
    HostDev,
    Unavailable,
    Usb,
    UsbDevice,
    UsbHostDev,
    UsbReading,
    UsbRule,
)
from tui.rules.usb import found, holder, hostdev_of, rule_for, usb_devices
from tui.rules.usb_lendings import away_devices

WIN11 = running("win11")


def seen(*devices: UsbDevice, builtin: bool = False, **domain: object) -> dict[str, Usb]:
    reading = UsbReading(devices, builtin_keyboard=builtin)
    rows = usb_devices(reading, guests(replace(WIN11, **domain)))
    return {each.device.port: each for each in rows}


def test_a_device_that_nobody_misses_is_free() -> None:
    mouse = usb("1-2", attached=(Attachment("input", "1-2", "is a mouse"),))
    assert (seen(mouse)["1-2"].state, seen(mouse)["1-2"].why) == ("free", "a mouse")
    assert seen(usb())["1-1"].why == "not in use"


def test_hubs_are_not_listed() -> None:
    assert seen(usb(hub=True)) == {}


@pytest.mark.parametrize("builtin", [True, False])
def test_the_last_keyboard_is_asked_about_unless_one_is_built_in(builtin: bool) -> None:
    found = seen(keyboard("1-1"), builtin=builtin)["1-1"]
    assert found.state == ("free" if builtin else "in use")
    assert builtin or found.why == "the host has no other keyboard"


def test_another_keyboard_must_be_the_hosts_and_no_mouse_with_keys() -> None:
    one, two = keyboard("1-1"), keyboard("1-2", 3)
    assert [each.state for each in seen(one, two).values()] == ["free", "free"]
    lent = (UsbHostDev.of(two),)
    assert [each.state for each in seen(one, two, usb=lent).values()] == ["in use", "lent"]
    for useless in ({"keyboard": False}, {"taken": True}, {"ready": False}):
        assert seen(one, replace(two, **useless))["1-1"].state == "in use"


def test_a_mounted_disk_and_a_network_in_use_are_asked_about() -> None:
    net = usb("1-3", attached=(Attachment("network", "enx0", "has 10.0.0.2", in_use=True),))
    rows = seen(stick("1-1"), stick("1-2", 3, mounted=False), net)
    assert [each.state for each in rows.values()] == ["in use", "free", "in use"]
    assert rows["1-1"].why == "sda1 is mounted at /media/x"
    assert rows["1-3"].why == "enx0 has 10.0.0.2"


def test_a_bluetooth_adapter_with_a_keyboard_or_a_mouse_is_asked_about() -> None:
    used = Attachment("bluetooth", "hci0", "connects a mouse", in_use=True)
    row = seen(usb(attached=(used,)), keyboard("1-2"), keyboard("1-3"))["1-1"]
    assert (row.state, row.why) == ("in use", "hci0 connects a mouse")


def test_what_cannot_be_told_is_not_free() -> None:
    found = seen(usb(unreadable=("what is mounted",)))["1-1"]
    assert (found.state, found.why) == ("in use", "cannot tell what is mounted")


def test_what_a_program_or_a_whole_controller_has_stays() -> None:
    assert seen(usb(taken=True))["1-1"].state == "taken"
    assert seen(usb(ready=False))["1-1"].state == "kept"
    whole = (HostDev(CONTROLLER, managed=True),)
    assert "“win11” has" in seen(usb(), hostdevs=whole)["1-1"].why
    assert seen(usb(), hostdevs=whole, state="shut off")["1-1"].state == "free"
    assert seen(usb(controller=None), hostdevs=whole)["1-1"].state == "free"


def test_a_lent_device_is_the_guests_while_it_runs() -> None:
    device = usb(taken=True)
    lent = seen(device, usb=(UsbHostDev.of(device),))["1-1"]
    assert (lent.state, lent.guest, lent.guest_uuid) == ("lent", "win11", "uuid-win11")
    off = seen(device, usb=(UsbHostDev.of(device),), state="shut off")["1-1"]
    assert (off.state, off.guest) == ("taken", None)


def test_a_lent_device_that_is_unplugged_is_away() -> None:
    pad = usb("1-3", 7, "045e:02ea", serial="30")
    domain = running("win11", usb=(lent_as(pad), UsbHostDev.of(usb("1-4", 8))))

    def away(*devices: UsbDevice, **domain_facts: object) -> list[Usb]:
        there = guests(replace(domain, **domain_facts))
        return list(away_devices(UsbReading(devices), there))

    (row,) = away()
    assert (row.state, row.guest, row.guest_uuid) == ("away", "win11", "uuid-win11")
    assert (row.device.id, row.device.name, row.device.away) == ("045e:02ea", "045e:02ea", True)
    assert hostdev_of(row.device, domain) == lent_as(pad)
    assert away(pad) == [], "it is there"
    assert away(replace(pad, number=9)) == [], "it is about to be attached again"
    assert away(replace(pad, number=9, serial="31")) == [row], "another one"
    assert away(state="shut off") == []


def test_of_two_that_are_away_each_has_a_name_of_its_own() -> None:
    pads = [usb("1-3", 7, "045e:02ea", serial="30"), usb("1-4", 8, "045e:02ea", serial="31")]
    there = guests(running("win11", usb=tuple(map(lent_as, pads))))
    ports = [row.device.port for row in away_devices(UsbReading(()), there)]
    assert ports == ["1-0.7", "1-0.8"]


def test_without_libvirt_a_device_is_still_listed() -> None:
    rows = usb_devices(UsbReading((usb(taken=True),)), Unavailable("libvirtd is down"))
    assert [each.state for each in rows] == ["taken"]


@pytest.mark.parametrize(
    ("uri", "captured", "here"),
    [
        ("qemu:///system", False, True), ("qemu:///session", False, True),
        ("qemu+ssh://other/system", False, False), ("qemu+ssh://other/system", True, True),
    ],
)  # fmt: skip
def test_a_guest_of_another_machine_has_no_device_of_this_one(
    uri: str, captured: bool, here: bool
) -> None:
    device = usb()
    elsewhere = replace(guests(running("win11", device)), uri=uri, captured=captured)
    (row,) = usb_devices(UsbReading((device,)), elsewhere)
    assert (row.state == "lent") is here


def test_two_alike_devices_are_told_apart_by_their_numbers() -> None:
    one, two = usb("1-1", 2), usb("1-2", 3)
    domain = running("win11", two)
    assert (holder(one, [domain]), holder(two, [domain])) == (None, domain)
    assert hostdev_of(one, domain) is None
    assert holder(usb("1-1", 9), [running("vm", usb=(UsbHostDev("046d", "c52b"),))]) is not None
    assert holder(one, [running("vm", usb=(UsbHostDev(),))]) is None


# --- which device is meant ------------------------------------------------------------


def test_a_rule_is_the_serial_number_else_the_port() -> None:
    plain, serial = usb("1-1"), usb("1-2", 3, serial="A1")
    assert rule_for(plain, (plain, serial)).port == "1-1"
    assert rule_for(serial, (plain, serial)) == UsbRule("046d", "c52b", "A1", None)
    twin = usb("1-3", 4, serial="A1")
    assert rule_for(serial, (plain, serial, twin)).port == "1-2"
    other = usb("1-3", 4, "1111:2222", serial="A1")
    assert rule_for(serial, (serial, other)).port is None


def test_what_is_typed_may_mean_several() -> None:
    devices = (usb("1-1"), usb("1-2", 3, serial="A1"), usb("1-3", 4, "1111:2222"))
    assert found(UsbRule("046d", "c52b"), devices) == devices[:2]
    assert found(UsbRule("046d", "c52b", "A1"), devices) == devices[1:2]
    assert found(UsbRule(port="1-3"), devices) == devices[2:]


_devices = st.lists(
    st.builds(
        usb,
        st.sampled_from(("1-1", "1-2", "1-3.1", "2-1")),
        st.integers(1, 127),
        st.sampled_from(("046d:c52b", "0781:5581")),
        serial=st.sampled_from((None, "A1", "B2")),
    ),
    unique_by=lambda device: device.port,
    min_size=1,
)


@given(_devices, st.data())
def test_a_rule_finds_its_device_after_a_replug_and_no_other(
    devices: list[UsbDevice], data: st.DataObject
) -> None:
    device = data.draw(st.sampled_from(devices))
    rule = rule_for(device, devices)
    others = [each for each in devices if each != device]
    again = replace(device, number=device.number % 127 + 1)
    assert found(rule, [*others, again]) == (again,)
    assert found(rule, others) == ()
