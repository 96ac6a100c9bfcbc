"""What a PCI function's ``uevent`` says about it (kernel: drivers/pci/pci-driver.c, pci_uevent).

Only for captured hosts: a copy of sysfs may have lost links and attributes that ``uevent`` repeats.
On a live host reading it takes the device lock.
"""

from __future__ import annotations

import re

from msgspec import Struct

from tui.host import sysfs
from tui.host.sysfs import Attributes

_LINE = re.compile(r"^(DRIVER|PCI_CLASS|PCI_ID)=(.*)$", re.MULTILINE)
_CLASS = re.compile(r"[0-9A-Fa-f]{1,6}")
_IDS = re.compile(r"([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})")


class Uevent(Struct, frozen=True):
    """Fields as in ``PciFunction``; ``None``: not given."""

    vendor: str | None = None
    device: str | None = None
    class_code: str | None = None
    driver: str | None = None


def read_uevent(at: Attributes) -> Uevent:
    """Return what the function's ``uevent`` says; nothing if it does not exist or cannot be
    read."""
    return at.read("uevent", _parsed) or Uevent()


def _parsed(text: str) -> Uevent:
    found = dict(_LINE.findall(text))
    ids = _IDS.fullmatch(found.get("PCI_ID", ""))
    code = found.get("PCI_CLASS", "")
    driver = found.get("DRIVER")
    return Uevent(
        vendor=ids[1].lower() if ids else None,
        device=ids[2].lower() if ids else None,
        class_code=code.lower().zfill(6) if _CLASS.fullmatch(code) else None,
        driver=None if driver is None else sysfs.driver_name(driver),
    )
