"""Sets of CPUs as text."""

from __future__ import annotations

import re
from functools import lru_cache

from tui.model import CPU_LIMIT, CpuSet

TEXT_LIMIT = 4096
"""Characters of a set: each of ``CPU_LIMIT`` CPUs, written out."""

_PART = re.compile(r"\s*(\^?)([0-9]{1,9})(?:-([0-9]{1,9}))?\s*")


@lru_cache(maxsize=256)
def cpu_set(text: str | None) -> CpuSet | None:
    """Parse ``0-3,8``, as the kernel writes it, or libvirt with its ``^2`` for "without 2".

    ``None`` if the text is empty, is not a set, is longer than ``TEXT_LIMIT``, or has a number of
    ``CPU_LIMIT`` or more.
    """
    if text is not None and len(text) > TEXT_LIMIT:
        return None
    found = 0  # a bit for each CPU: a range costs as much as a number
    for part in (text or "").split(","):
        match = _PART.fullmatch(part)
        if match is None:
            return None
        without, first, last = match[1], int(match[2]), int(match[3] or match[2])
        if last >= CPU_LIMIT or last < first:
            return None
        these = (1 << (last + 1)) - (1 << first)
        found = found & ~these if without else found | these
    return tuple(cpu for cpu in range(found.bit_length()) if found >> cpu & 1) or None
