"""Amounts of memory and lists of numbers, as a domain's XML writes them.

Source: https://libvirt.org/formatdomain.html
"""

from __future__ import annotations

import re
from xml.etree import ElementTree  # nosec B405  # only reads elements that are parsed already

NUMBERS_LIMIT = 1024
"""Numbers in a list: NUMA nodes or processors; the kernel has no more nodes."""

_COUNT = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"(\^?)([0-9]{1,4})(?:-([0-9]{1,4}))?")
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


def numbers(text: str | None) -> tuple[int, ...]:
    """Parse ``0-3,^2,8``. What is no such list is empty."""
    found: set[int] = set()
    for part in (text or "").replace(" ", "").split(",")[:NUMBERS_LIMIT]:
        matched = _RANGE.fullmatch(part)
        if matched is None:
            return ()
        first, last = int(matched[2]), int(matched[3] or matched[2])
        each = range(first, min(last, first + NUMBERS_LIMIT) + 1)
        found = found - set(each) if matched[1] else found | set(each)
    return tuple(sorted(found))[:NUMBERS_LIMIT]
