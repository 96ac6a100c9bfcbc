"""USB devices in a domain's XML: those that it has, and the element that lends one.

A device is attached by its ids together with its bus and number: libvirt refuses if the device at
that number has other ids, and two alike devices are told apart.

Source: https://libvirt.org/formatdomain.html; libvirt, src/hypervisor/virhostdev.c:
virHostdevFindUSBDevice
"""

from __future__ import annotations

import re
from xml.etree import ElementTree  # nosec B405  # only searches elements that are parsed already

from tui.model import UsbHostDev

_ID = re.compile(r"0x([0-9a-fA-F]{4})")
_NUMBER = re.compile(r"[0-9]{1,3}")


def usb_devices(domain: ElementTree.Element) -> tuple[UsbHostDev, ...]:
    """Return the USB devices of the host that a <domain> names. What is no id is left out."""
    found = (_hostdev(each) for each in domain.iterfind("devices/hostdev[@type='usb']"))
    return tuple(device for device in found if device != UsbHostDev())


def _hostdev(element: ElementTree.Element) -> UsbHostDev:
    return UsbHostDev(
        _matched(_ID, element, "vendor", "id"),
        _matched(_ID, element, "product", "id"),
        _number(element, "bus"),
        _number(element, "device"),
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
    return f"<hostdev mode='subsystem' type='usb'><source>{ids}{address}</source></hostdev>"
