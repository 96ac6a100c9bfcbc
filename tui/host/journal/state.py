"""Whether a swap is under way on this host, according to its journal."""

from __future__ import annotations

from tui.host.journal.entry import JournalError
from tui.host.journal.file import Journal
from tui.host.proc.process import is_alive


def under_way(journal: Journal | None = None) -> bool:
    """Whether a swap is under way: its runner is alive, or one of its writes has not returned.

    ``True`` for a journal that cannot be read: holding a card then could block an unbind.
    """
    try:
        entry = (journal or Journal()).read()
    except (JournalError, OSError):
        return True
    if entry is None or entry.ended:
        return False
    return is_alive(entry.runner) or (entry.writer is not None and is_alive(entry.writer))
