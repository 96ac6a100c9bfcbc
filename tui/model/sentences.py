"""Lists in sentences."""

from __future__ import annotations

from collections.abc import Sequence

FEW = 3


def listed(words: Sequence[str], few: int = FEW) -> str:
    """The first ``few`` words, and how many more there are: ``a, b, c and 2 more``."""
    shown = ", ".join(words[:few])
    more = len(words) - few
    return f"{shown} and {more} more" if more > 0 else shown
