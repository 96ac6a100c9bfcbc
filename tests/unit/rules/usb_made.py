"""USB devices in a few words."""

from __future__ import annotations

from typing import Any

from tui.model import Attachment, Domain, UsbDevice, UsbHostDev
from tui.rules.usb_lendings import mark_of

CONTROLLER = "0000:00:14.0"


def usb(port: str = "1-1", number: int = 2, id: str = "046d:c52b", **facts: Any) -> UsbDevice:
    vendor, _, product = id.partition(":")
    facts = {"name": f"Device {id}", "controller": CONTROLLER} | facts
    return UsbDevice(port, number, vendor, product, **facts)


def keyboard(port: str, number: int = 2, **facts: Any) -> UsbDevice:
    attached = (Attachment("keyboard", port, "is a keyboard"),)
    return usb(port, number, "04d9:0169", attached=attached, keyboard=True, **facts)


def stick(port: str, number: int = 2, *, mounted: bool = True, **facts: Any) -> UsbDevice:
    used = Attachment("disk", "sda1", "is mounted at /media/x", in_use=True)
    free = Attachment("disk", "sda", "is not in use")
    return usb(port, number, "0781:5581", attached=(used if mounted else free,), **facts)


def lent_as(device: UsbDevice, *accepted: str) -> UsbHostDev:
    """The element of a device that was lent with vfiotop while no other was plugged in."""
    return UsbHostDev.of(device, mark_of(device, (device,), accepted))


def running(name: str, *devices: UsbDevice, **facts: Any) -> Domain:
    """A running domain that has these devices."""
    has = tuple(UsbHostDev.of(each) for each in devices)
    return Domain(name, f"uuid-{name}", "running", **({"usb": has} | facts))
