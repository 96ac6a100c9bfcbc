"""Whether a swap of this host is under way, as its journal tells."""

from __future__ import annotations

from tui.host.journal.file import Journal, JournalError
from tui.host.proc.process import is_alive


def under_way(journal: Journal | None = None) -> bool:
    """Whether a swap goes on now: its runner lives, or a write of it has not returned."""
    try:
        entry = (journal or Journal()).read()
    except (JournalError, OSError):  # what cannot be told is no leave to hold a card
        return True
    if entry is None or entry.ended:
        return False
    return is_alive(entry.runner) or (entry.writer is not None and is_alive(entry.writer))
