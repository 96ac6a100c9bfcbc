"""A journal entry as text: the progress of a swap, and what an undo restores."""

from __future__ import annotations

from tui.host.journal.entry import Entry


def progress(entry: Entry) -> str:
    """The current step in one line: state, position, what is done, and the message."""
    place = f"{entry.step + 1:>2}/{len(entry.steps)}"
    what = entry.steps[entry.step] if entry.step < len(entry.steps) else ""
    note = f"  {entry.message}" if entry.message else ""
    return f"{entry.state:<9} {place}  {what}{note}"


def origins(entry: Entry) -> str:
    """The driver that an undo restores for each function, as recorded before the first step."""
    lines = (f"  {o.address}  to {o.driver or 'no driver'}" for o in reversed(entry.origins))
    return "\n".join([f"Undo the {entry.direction} of {entry.address}", *lines])
