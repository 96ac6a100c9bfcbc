"""Sets of CPUs as text."""

from __future__ import annotations

import re
from functools import lru_cache

from tui.model import CPU_LIMIT, CpuSet

_PART = re.compile(r"\s*(\^?)([0-9]{1,9})(?:-([0-9]{1,9}))?\s*")


@lru_cache(maxsize=256)
def cpu_set(text: str | None) -> CpuSet | None:
    """Parse ``0-3,8``, as the kernel writes it, or libvirt with its ``^2`` for "without 2".

    ``None`` if there is nothing, if it is no set, or if it has a number from ``CPU_LIMIT`` on.
    """
    found: set[int] = set()
    for part in (text or "").split(","):
        match = _PART.fullmatch(part)
        if match is None:
            return None
        without, first, last = match[1], int(match[2]), int(match[3] or match[2])
        if last >= CPU_LIMIT or last < first:
            return None
        (found.difference_update if without else found.update)(range(first, last + 1))
    return tuple(sorted(found)) or None
