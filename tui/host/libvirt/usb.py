"""USB devices in a domain's XML: those that it has, and the element that lends one.

A device is attached by its ids together with its bus and number: libvirt refuses if the device at
that number has other ids, and two identical devices are told apart.

A lent device carries a mark as its alias, which libvirt keeps with the element: aliases that begin
with ``ua-`` are the user's, of letters, digits, - and _ (formatdomain.html, Device addresses).

Source: https://libvirt.org/formatdomain.html; libvirt, src/hypervisor/virhostdev.c:
virHostdevFindUSBDevice
"""

from __future__ import annotations

import re
from xml.etree import ElementTree  # nosec B405  # only searches elements that are parsed already

from msgspec.structs import replace

from tui.model import UsbHostDev, UsbMark
from tui.rules.usb import BLUETOOTH, DISK, KEYBOARD, NETWORK, USES

_ID = re.compile(r"0x([0-9a-fA-F]{4})")
_MARK = re.compile(
    r"ua-vfiotop-usb-([0-9a-f]{16})-((?:[0-9a-f]{2,4}(?:_[0-9a-f]{2,4}){0,63})?)(?:-([a-z]{1,8}))?"
)
_ACCEPTED = {"k": KEYBOARD, "d": DISK, "n": NETWORK, "b": BLUETOOTH, "u": USES}
"""A letter of the mark for each question that the user may have answered."""

_NUMBER = re.compile(r"[0-9]{1,3}")


def usb_devices(domain: ElementTree.Element) -> tuple[UsbHostDev, ...]:
    """Return the USB devices of the host that a <domain> names. Malformed ids are left out."""
    elements = domain.iterfind("devices/hostdev[@type='usb']")
    found = ((_hostdev(each), _mark(each)) for each in elements)
    return tuple(replace(each, mark=mark) for each, mark in found if each != UsbHostDev())


def _hostdev(element: ElementTree.Element) -> UsbHostDev:
    return UsbHostDev(
        _matched(_ID, element, "vendor", "id"),
        _matched(_ID, element, "product", "id"),
        _number(element, "bus"),
        _number(element, "device"),
    )


def _mark(element: ElementTree.Element) -> UsbMark | None:
    """Return our mark. An unknown letter counts as a question that was not answered."""
    alias = element.find("alias")
    found = _MARK.fullmatch("" if alias is None else alias.get("name", ""))
    if found is None:
        return None
    functions = tuple(found[2].split("_")) if found[2] else ()
    accepted = (_ACCEPTED[letter] for letter in found[3] or "" if letter in _ACCEPTED)
    return UsbMark(found[1], functions, frozenset(accepted))


def _alias(mark: UsbMark) -> str:
    letters = "".join(letter for letter, id in _ACCEPTED.items() if id in mark.accepted)
    return "-".join(
        ("ua-vfiotop-usb", mark.who, "_".join(mark.functions), *filter(None, [letters]))
    )


def _number(element: ElementTree.Element, name: str) -> int | None:
    text = _matched(_NUMBER, element, "address", name)
    return int(text) if text is not None and int(text) > 0 else None


def _matched(
    pattern: re.Pattern[str], element: ElementTree.Element, tag: str, name: str
) -> str | None:
    found = element.find(f"source/{tag}")
    matched = pattern.fullmatch("" if found is None else found.get(name, ""))
    return None if matched is None else matched[pattern.groups].lower()


def hostdev_xml(device: UsbHostDev) -> str:
    """Return the element for a device, with all that is known of it."""
    ids = address = ""
    if device.vendor and device.product:
        ids = f"<vendor id='0x{device.vendor}'/><product id='0x{device.product}'/>"
    if device.bus and device.number:
        address = f"<address bus='{device.bus}' device='{device.number}'/>"
    alias = f"<alias name='{_alias(device.mark)}'/>" if device.mark is not None else ""
    return f"<hostdev mode='subsystem' type='usb'><source>{ids}{address}</source>{alias}</hostdev>"
