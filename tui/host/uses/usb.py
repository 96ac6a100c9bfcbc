"""The USB devices of this machine, or of a captured host, and what the host does with each.

They are read on udev's events, and while their list is on the screen. Reading the strings of a
device takes its lock, which a driver may hold for as long as the device does not answer; so they
are read once for each time that a device is plugged in.

Source: kernel, Documentation/ABI/testing/sysfs-bus-usb, sysfs-devices-removable;
drivers/usb/core/sysfs.c.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from tui.host import HostError, NothingToRead, Wake
from tui.host.pci.names import database_names
from tui.host.sysfs import Attributes, count, driver_name
from tui.host.tree import MACHINE, Tree, text_of
from tui.host.untrusted import clean, visible
from tui.host.uses.attached import (
    HID,
    USB_INTERFACE,
    attached_in,
    beneath,
    has_own_keyboard,
    is_keyboard,
)
from tui.host.uses.bluetooth import connected
from tui.host.uses.disks import Disks
from tui.host.uses.network import Interfaces
from tui.model import UsbDevice, UsbReading
from tui.model.address import is_address

DEVICES = "sys/bus/usb/devices"

SUBSYSTEMS = ("usb", "block", "net")
"""The subsystems of a device, and of the devices that its drivers create."""

ENTRIES_LIMIT = 4096
"""Entries of the folder: a device has one for itself and one for each of its interfaces."""

DEVICES_LIMIT = 256
"""Devices to read; a large host has about fifty."""

SERIAL_LIMIT = 126
"""Characters of a string: a descriptor has 255 bytes (USB 2.0, 9.6.7)."""

PART_LIMIT = 40
"""Characters of a manufacturer or product that are shown."""

_PORT = re.compile(r"[0-9]{1,9}-[0-9]{1,3}(?:\.[0-9]{1,3}){0,8}")
_ID = re.compile(r"[0-9a-f]{4}")
_CODE = re.compile(r"[0-9a-f]{2}")
_HUB = "09"
"""Class of a hub and of its interface (USB 2.0, 11.23.1). The device class alone does not make it
one: a device with only other interfaces gets their drivers, so it is listed."""

_Strings = tuple[str, str | None]
"""The name of a device, and its serial number."""


class UsbSource:
    """All USB devices but the root hubs."""

    def __init__(self, root: Tree = MACHINE) -> None:
        self._root = root
        self._devices = root / DEVICES
        self._strings: dict[tuple[str, int, str], _Strings] = {}
        self._stop: Callable[[], None] = lambda: None

    def read(self) -> UsbReading:
        try:
            names = self._devices.names(limit=ENTRIES_LIMIT)
        except FileNotFoundError as error:
            raise NothingToRead("this host has no USB devices") from error
        except OSError as error:
            raise HostError(f"no USB devices: {self._devices}: {error.strerror}") from error
        disks, interfaces = Disks(self._root), Interfaces(self._root)
        ports = sorted((name for name in names if _PORT.fullmatch(name)), key=_in_order)
        if len(ports) > DEVICES_LIMIT:
            raise HostError(f"{len(ports)} USB devices; vfiotop reads {DEVICES_LIMIT}")
        found = (self._device(port, disks, interfaces) for port in ports)
        devices = tuple(device for device in found if device is not None)
        present = {(device.port, device.number, device.id) for device in devices}
        self._strings = {key: value for key, value in self._strings.items() if key in present}
        return UsbReading(devices, has_own_keyboard(self._root))

    def watch(self, wake: Wake) -> None:
        """Listen to the events of a live host. Without any, as in a container, the list is read
        while it is on the screen."""
        if not self._root.is_machine:
            return
        from tui.host.pci.udev import listen  # noqa: PLC0415 - libudev is for live hosts only

        try:
            self._stop = listen(wake, SUBSYSTEMS, is_usable)
        except OSError:
            return

    def close(self) -> None:
        self._stop()

    def _device(self, port: str, disks: Disks, interfaces: Interfaces) -> UsbDevice | None:
        """Return a device; ``None`` if it has been unplugged, or sysfs has no ids for it."""
        home = self._devices / port
        at = Attributes(home)
        vendor, product = at.read("idVendor", _id), at.read("idProduct", _id)
        number = at.read("devnum", count)
        if vendor is None or product is None or number is None:
            return None
        name, serial = self._strings_of(port, number, f"{vendor}:{product}")
        device = UsbDevice(
            port, number, vendor, product, name, serial, controller=self._controller(port)
        )
        own = _interfaces(home)
        if _is_hub(home, own):
            return replace(device, hub=True)
        folders, whole = beneath(home)
        unknown = [] if whole else ["everything attached to it"]
        attached = attached_in(home, folders, disks, interfaces, unknown)
        attached += connected(self._root, home, folders, unknown)
        drivers = [Attributes(home / each).link("driver", driver_name) for each in own]
        inputs = [is_keyboard(home, each, folders) for each in own]
        return replace(
            device,
            ready=bool(own) and at.link("driver", driver_name) == "usb",
            attached=tuple(dict.fromkeys(attached)),
            keyboard=next((each for each in inputs if each is not None), False),
            taken="usbfs" in drivers,
            unreadable=tuple(dict.fromkeys(unknown)),
            functions=tuple(sorted({_function(home / each) for each in own} - {""})),
        )

    def _controller(self, port: str) -> str | None:
        """Return the PCI function that a device is behind, from where its link leads."""
        try:
            parts = self._root.target(f"{DEVICES}/{port}").split("/")
        except OSError:
            return None
        return next((part for part in reversed(parts) if is_address(part)), None)

    def _strings_of(self, port: str, number: int, id: str) -> _Strings:
        key = port, number, id
        if key not in self._strings:
            home = self._devices / port
            maker, product, serial = (
                text_of(home, each).strip() for each in ("manufacturer", "product", "serial")
            )
            name = _joined(clean(maker, PART_LIMIT), clean(product, PART_LIMIT))
            name = name or self._database_name(port, number) or id
            self._strings[key] = name, visible(serial, SERIAL_LIMIT) or None
        return self._strings[key]

    def _database_name(self, port: str, number: int) -> str | None:
        """Return the name that udev's hardware database gives the device, on a live host.

        Its key is the device node's: major 189, 128 numbers a bus (drivers/usb/core/usb.h).
        """
        if not self._root.is_machine:
            return None
        minor = (int(port.partition("-")[0]) - 1) * 128 + number - 1
        product, maker = database_names(f"c189:{minor}")
        return _joined(maker, product)


def _interfaces(home: Tree) -> list[str]:
    try:
        return sorted(n for n in home.names("", ENTRIES_LIMIT) if USB_INTERFACE.fullmatch(n))
    except OSError:
        return []


def _is_hub(home: Tree, interfaces: list[str]) -> bool:
    """Whether other devices are, or may be, plugged into the device: they would go with it."""
    if not interfaces:
        return Attributes(home).read("bDeviceClass", _code) == _HUB
    kinds = (Attributes(home / each).read("bInterfaceClass", _code) for each in interfaces)
    return _HUB in kinds


def _function(interface: Tree) -> str:
    at = Attributes(interface)
    kind = at.read("bInterfaceClass", _code) or ""
    return kind + (at.read("bInterfaceProtocol", _code) or "") if kind == HID else kind


def is_usable(subsystem: str, action: str) -> bool:
    """Whether an event may change a reading. A USB device that was added has no configuration yet;
    its ``bind`` follows."""
    return (subsystem, action) != ("usb", "add")


def _in_order(port: str) -> list[int]:
    return [int(part) for part in re.split(r"[-.]", port)]


def _joined(maker: str | None, product: str | None) -> str | None:
    """Return a device's name, with the manufacturer's in front unless it begins with that."""
    if not product:
        return None
    named = not maker or product.casefold().startswith(maker.casefold())
    return product if named else f"{maker} {product}"


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError(text)
    return text


def _code(text: str) -> str:
    if not _CODE.fullmatch(text):
        raise ValueError(text)
    return text
