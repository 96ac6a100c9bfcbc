"""The USB devices of the lab's host, through the kernel's files, and their list on a screen.

A replug switches a port of the root hub off and on: the device goes, and comes back with another
number (kernel: Documentation/ABI/testing/sysfs-bus-usb, portX/disable).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tests.lab.host import PATIENCE, until, write
from tests.lab.terminal import Terminal

DEVICES = Path("/sys/bus/usb/devices")
STICK, KEYBOARD, MOUSE = ("46f4:0001", "50"), ("0627:0001", "01"), ("0627:0001", "02")
"""Ids and protocol: QEMU's keyboard and its mouse have the same ids."""


def port_of(device: tuple[str, str]) -> str:
    """The port of a device, once it is there with its driver."""
    until(lambda: _port(device) is not None)
    found = _port(device)
    assert found is not None
    return found


def _port(device: tuple[str, str]) -> str | None:
    for interface in DEVICES.glob("*:1.0"):
        port = interface.name.partition(":")[0]
        with suppress(OSError):  # it goes while it is read
            ids = ":".join(attribute(port, name) for name in ("idVendor", "idProduct"))
            protocol = (interface / "bInterfaceProtocol").read_text().strip()
            if (ids, protocol) == device and (interface / "driver").exists():
                return port
    return None


def attribute(port: str, name: str) -> str:
    return (DEVICES / port / name).read_text().strip()


def number(port: str) -> int | None:
    """A device's number on its bus; None if there is none at the port."""
    try:
        return int(attribute(port, "devnum"))
    except OSError:
        return None


def driver(port: str) -> str | None:
    """The driver of a device's first interface. A lent one has none, or usbfs once the guest has
    configured it."""
    try:
        return (DEVICES / f"{port}:1.0/driver").readlink().name
    except OSError:
        return None


def replug(port: str) -> None:
    """Switch a port of the root hub off and on."""
    bus, _, at = port.partition("-")
    switch, before = DEVICES / f"{bus}-0:1.0/usb{bus}-port{at}/disable", number(port)
    write(switch, "1")
    until(lambda: number(port) is None)
    write(switch, "0")
    until(lambda: number(port) not in (None, before))


def go_to(screen: Terminal, offered: str, patience: float = PATIENCE) -> None:
    """Go down the list of USB devices until the plan of one offers this."""
    while offered not in screen.text():
        screen.until(lambda text: "Steps" in text, patience)
        before = screen.text()
        screen.press("\x1b[B")
        screen.until(lambda text, before=before: text != before, patience)  # type: ignore[misc]
