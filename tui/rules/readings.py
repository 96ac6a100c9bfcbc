"""Access to the readings of a snapshot."""

from __future__ import annotations

from typing import TypeVar

from tui.model import Snapshot, Unavailable

T = TypeVar("T")


def read(reading: T | Unavailable) -> T | None:
    """The reading, or ``None`` if it is unavailable."""
    return None if isinstance(reading, Unavailable) else reading


def is_captured(snapshot: Snapshot) -> bool:
    """Whether the snapshot is of a captured host."""
    facts = read(snapshot.facts)
    return facts is not None and facts.captured
