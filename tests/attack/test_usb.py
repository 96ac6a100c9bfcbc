"""Malicious USB devices: a device chooses its own names, serial and functions, and a captured host
may have anything in their place."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest

from tests.attack.test_captured_host import SECRET, put, root, shown, terminal
from tests.touched import Fifo, Terminal, Trap, spring
from tests.unit.host.uses.usb_tree import KEYBOARD, add_usb

__all__ = ["root", "terminal"]

XHCI = "0000:00:14.0"
LIST = ("usb", "list", "--json")

ATTRIBUTES = (
    "idVendor", "idProduct", "devnum", "bDeviceClass", "manufacturer", "product", "serial",
    "driver", "1-1:1.0/bInterfaceClass", "1-1:1.0/bInterfaceProtocol", "1-1:1.0/driver",
)  # fmt: skip
"""All that is read of a device."""

KEYS = "1-1:1.0/0003:046D:C31C.0001/input/input5/capabilities/key"

HOSTILE = (
    b"\x1b]0;owned\x07\x1b[2J\x9b31m", b"'\"></hostdev><hostdev>&lt;", b"a\nb\r\tc\0d",
    b"[bold red]x[/][@click=app.quit]y[/]", b"$(id) `id` ; rm -rf ~ #", b"\xff\xfe\xed\xa0\x80",
    "\u202eevil\u200b\u2066".encode(), b"A" * 10_240, b"", b" ", b"\\x41", "Кеуbоаrd".encode(),
)  # fmt: skip
"""Names and serials that a device, or the maker of a captured host, may choose."""


def plugged(root: Path) -> Path:
    """A keyboard at port 1-1, with all that is read."""
    strings = {"manufacturer": "M", "product": "P", "serial": "S"}
    return add_usb(root, XHCI, "1-1", 2, interfaces={KEYBOARD: "usbhid"}, strings=strings)


def listed(root: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(shown(root, LIST))["usb"]
    return found


@pytest.mark.parametrize("absolute", [True, False])
def test_no_link_of_a_device_tells_what_is_outside(root: Path, absolute: bool) -> None:
    at, outside = plugged(root), root.parent / "outside"
    outside.mkdir()
    for attribute in (*ATTRIBUTES, KEYS):
        if not attribute.endswith("driver"):
            secret = outside / attribute.replace("/", "-")
            secret.write_text(f"{SECRET}\n")
            (at / attribute).parent.mkdir(parents=True, exist_ok=True)
            target = secret if absolute else os.path.relpath(secret, (at / attribute).parent)
            put(at / attribute, target)
    assert listed(root) == []
    beside = add_usb(outside, XHCI, "1-2", 3, strings={"product": SECRET})
    put(root / "sys/bus/usb/devices/1-2", beside)
    assert SECRET not in shown(root, LIST)
    put(root / "sys/bus/usb/devices", outside / "sys/bus/usb/devices")
    assert SECRET not in shown(root, ("status",))


def test_no_fifo_and_no_device_is_opened(root: Path, terminal: Terminal) -> None:
    at = plugged(root)
    traps: list[Trap] = []
    with contextlib.ExitStack() as stack:
        for attribute in (*ATTRIBUTES, KEYS):
            if not attribute.startswith("id"):  # without its ids nothing else is read
                place = at / attribute
                place.parent.mkdir(parents=True, exist_ok=True)
                place.unlink(missing_ok=True)
                traps.append(Fifo(place))
                stack.callback(traps[-1].close)
        (at / "devnum").unlink()
        (at / "devnum").write_text("2\n")
        for name in ("1-2", "1-2:1.0", "usb9"):
            put(root / "sys/bus/usb/devices" / name, terminal.place)
        other = add_usb(root, XHCI, "1-3", 4, interfaces={KEYBOARD: "usbhid"})
        for attribute in ("product", "serial", "1-3:1.0/bInterfaceClass"):
            put(other / attribute, f"{'../' * 30}{str(terminal.place)[1:]}")
        assert {each["port"] for each in listed(root)} == {"1-1", "1-3"}
        left = [trap for trap in traps if trap.place.is_fifo()]
        assert not terminal.touched()
        assert [trap.place for trap in left if trap.touched()] == []
        for trap in (terminal, *left):
            spring(trap)
            assert trap.touched()  # otherwise the above would prove nothing


def test_whatever_a_device_calls_itself_is_harmless_and_told_apart(root: Path) -> None:
    for number, text in enumerate(HOSTILE, 2):
        at = add_usb(root, XHCI, f"1-{number}", number, interfaces={KEYBOARD: "usbhid"})
        for name in ("manufacturer", "product", "serial"):
            (at / name).write_bytes(text + b"\n")
    found = listed(root)
    assert [each["port"] for each in found] == [f"1-{n}" for n in range(2, 2 + len(HOSTILE))]
    names = [str(each["name"]) for each in found]
    assert all(0 < len(name) <= 81 and name.isprintable() for name in names)
    serials = [each["serial"] for each in found if each["serial"] is not None]
    assert len(set(serials)) == len(serials) == len(HOSTILE) - 2
    assert all(str(serial).isprintable() and len(str(serial)) < 1024 for serial in serials)
    shown(root, ("usb", "list"))
    shown(root, ("usb", "lend", "1-3", "--dry-run"))


def test_what_its_drivers_made_may_have_any_name(root: Path) -> None:
    at = add_usb(root, XHCI, "1-1", 2, interfaces={("08", "50"): "usb-storage", ("ff", "00"): "x"})
    (root / "proc/1").mkdir(parents=True, exist_ok=True)
    (root / "proc/swaps").write_text("Filename\n")
    evil = (b"\x1b[2J", b"a\nb", b"\xff\xfe", "\u202e".encode(), b"x" * 250, b"[red]", b"'\"<>&")
    lines = []
    for number, name in enumerate(evil):
        text = os.fsdecode(name)
        disk = at / f"1-1:1.0/host6/target6:0:0/6:0:0:0/block/{text}"
        (disk / "holders").mkdir(parents=True)
        (disk / "dev").write_text(f"8:{number}\n")
        lines.append(
            b"1 1 8:%d / /media/%s rw - ext4 /dev/%s rw\n" % (number, name[:99], name[:99])
        )
        (at / f"1-1:1.1/net/{text}").mkdir(parents=True)
        (at / f"1-1:1.1/net/{text}/operstate").write_bytes(name + b"\n")
    (root / "proc/1/mountinfo").write_bytes(b"".join(lines))
    (only,) = listed(root)
    assert only["state"] == "in use"
    shown(root, ("usb", "list"))
    shown(root, ("usb", "lend", "1-1", "--dry-run"))


def test_more_devices_than_any_host_has_and_names_that_are_none(root: Path) -> None:
    plugged(root)
    devices = root / "sys/bus/usb/devices"
    for name in (b"\xff-1", b"1-\x1b[2J", b"1-1\n", b"1-1.", b"01--1", "1-\u0661".encode()):
        Path(os.fsdecode(bytes(devices) + b"/" + name)).mkdir()
    assert [each["port"] for each in listed(root)] == ["1-1"]
    for number in range(256):
        (devices / f"9-{number}").symlink_to("1-1")
    assert "257 USB devices; vfiotop reads 256" in shown(root, LIST)
