"""Amounts of memory, as a domain's XML writes them.

Source: https://libvirt.org/formatdomain.html
"""

from __future__ import annotations

import re
from xml.etree import ElementTree  # nosec B405  # only reads elements that are parsed already

_COUNT = re.compile(r"[0-9]{1,18}")
_BYTES_PER_UNIT = {"b": 1, "bytes": 1} | {
    unit: base**power
    for power, letter in enumerate("kmgtpe", start=1)
    for unit, base in ((letter, 1024), (f"{letter}ib", 1024), (f"{letter}b", 1000))
}


def count(text: str | None) -> int | None:
    """Parse a number that is not negative."""
    text = (text or "").strip()
    return int(text) if _COUNT.fullmatch(text) else None


def in_bytes(text: str | None, unit: str | None) -> int | None:
    """Parse an amount; the default unit is KiB."""
    amount = count(text)
    scale = _BYTES_PER_UNIT.get((unit or "KiB").lower())
    return None if amount is None or scale is None else amount * scale


def mib(element: ElementTree.Element | None) -> float | None:
    """Return the amount in an element, in MiB."""
    if element is None:
        return None
    found = in_bytes(element.text, element.get("unit"))
    return None if found is None else found / (1 << 20)
