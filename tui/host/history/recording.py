"""A history that is opened later, often on another machine.

Its files may come from anybody, as in a bug report. They are read through a ``Tree``, by the same
decoder as this machine's own, and refused if they hold more than a watch writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec.structs import replace

from tui.host.errors import HostError
from tui.host.history.entry import Entry
from tui.host.history.folder import ON_DISK, segments_among
from tui.host.history.reader import Past, entries
from tui.host.tree import Tree
from tui.model import Clock
from tui.model.past import TIERS, SeriesKey

FOLDER = "history"
"""The folder of a capture that has the history of its host."""

PARTS_LIMIT = 400_000
"""Entries of a recording, counted with all their parts. The fullest store that a watch can write
has fewer; a malicious file of the same size could hold millions."""

SHOWN_EVENTS, SHOWN_SWAPS = 5_000, 500
"""Events and swaps of a recording that are shown, the newest ones."""

RECENT_S = 10
"""A reading counts as the last if it is within this many seconds of the end, or two steps."""


class TooMuch(HostError):
    """A history holds more than a watch writes."""

    def __init__(self) -> None:
        super().__init__("it holds more than a watch would write")


class Recording(NamedTuple):
    """A history, and a clock that is stopped at its end."""

    past: Past
    clock: Clock

    def last(self, key: SeriesKey) -> float | None:
        """What a series was at the end; ``None`` if it was not measured then."""
        now = self.clock.now().timestamp()
        for tier in TIERS:
            reach_s = max(RECENT_S, 2 * tier.step_s)
            found = self.past.means(key, tier, reach_s)
            recent = [each for each in found if now - reach_s <= each[0] <= now]
            if recent:
                return max(recent)[1]
        return None


def recording(found: Sequence[Entry]) -> Recording | None:
    """The recording with these entries, the oldest first; ``None`` if there are none. It ends when
    the last of them was written."""
    if not found:
        return None
    boot_id = found[-1].boot_id
    last = max((e for e in found if e.boot_id == boot_id), key=lambda entry: entry.at_s)
    end = datetime.fromtimestamp(last.booted_at + last.at_s, UTC)
    clock = Clock(lambda: end, lambda: last.at_s)
    return Recording(Past(_newest(found), boot_id, clock), clock)


def _newest(found: Sequence[Entry]) -> list[Entry]:
    """The entries without the events and swaps beyond the limits."""
    kept, events, swaps = list[Entry](), SHOWN_EVENTS, SHOWN_SWAPS
    for entry in reversed(found):
        shown = replace(
            entry, events=entry.events[max(0, len(entry.events) - events) :],
            swaps=entry.swaps[max(0, len(entry.swaps) - swaps) :],
        )  # fmt: skip
        events, swaps = events - len(shown.events), swaps - len(shown.swaps)
        kept.append(shown)
    return kept[::-1]


def entries_in(folder: Tree) -> list[Entry]:
    """The entries in a folder, the oldest first. Raises ``OSError`` and ``TooMuch``."""
    numbers, found, left = segments_among(folder.names()), list[Entry](), PARTS_LIMIT
    for entry in entries(numbers, folder.read, ON_DISK):
        left -= _parts(entry)
        if left < 0:
            raise TooMuch
        found.append(entry)
    return found


def _parts(entry: Entry) -> int:
    owners = [series for block in entry.blocks for series in block.owners.values()]
    runs = [of_series for series in owners for of_series in series.values()]
    parts = (entry.blocks, owners, runs, *runs, entry.events, entry.swaps)
    return 1 + sum(map(len, parts))
