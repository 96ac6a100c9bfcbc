"""PCI addresses in a domain's definition.

Source: https://libvirt.org/formatdomain.html; libvirt, src/conf/device_conf.c
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_C_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10}")


class DefinitionError(ValueError):
    """A definition cannot be read; the message says why in a few words."""


def pci_address(address: Mapping[str, str]) -> str:
    """Return the PCI address in the attributes of an <address>.

    A missing attribute counts as 0, as in libvirt. Raises ``DefinitionError``.
    """
    domain = _part(address, "domain", 0xFFFFFFFF)
    bus = _part(address, "bus", 0xFF)
    slot = _part(address, "slot", 0x1F)
    function = _part(address, "function", 0x7)
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"


def _part(address: Mapping[str, str], key: str, most: int) -> int:
    """Parse a number as libvirt does, with strtoul(3) in base 0.

    A leading 0x means hexadecimal, a leading 0 octal.
    """
    text = address.get(key, "0")
    if not _C_NUMBER.fullmatch(text):
        raise DefinitionError(f"the {key} of a PCI hostdev is not a number")
    try:
        value = int(text, 8 if text.isdecimal() and text.startswith("0") else 0)
    except ValueError as error:
        raise DefinitionError(f"the {key} of a PCI hostdev is not a number") from error
    if value > most:
        raise DefinitionError(f"the {key} of a PCI hostdev is out of range")
    return value
