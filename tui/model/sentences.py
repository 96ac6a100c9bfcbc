"""Lists and clauses as sentences."""

from __future__ import annotations

from collections.abc import Sequence

FEW = 3


def listed(words: Sequence[str], few: int = FEW) -> str:
    """The first ``few`` words, and how many more there are: ``a, b, c and 2 more``."""
    shown = ", ".join(words[:few])
    more = len(words) - few
    return f"{shown} and {more} more" if more > 0 else shown


def capital(clause: str) -> str:
    """The clause with its first letter in upper case. The rest stays: it may contain names."""
    return clause[:1].upper() + clause[1:]
