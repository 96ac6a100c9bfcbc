"""What flashes on the overview: a new owner of the guest's card, and new events."""

from __future__ import annotations

from collections.abc import Hashable

from textual import constants
from textual.timer import Timer

from tui.live import Live
from tui.screens.base import HostScreen

OWNER_S, EVENT_S = 2.0, 1.0
"""Seconds for which a new owner, and the line of a new event, are in reverse video."""


class Flashes:
    """Sees changes when ``screen`` is drawn, and has it drawn again when a flash ends."""

    def __init__(self, screen: HostScreen) -> None:
        self._screen = screen
        self._owner: Hashable = None
        self._owner_timer: Timer | None = None
        self._events_seen: int | None = None
        self.owner = False
        """Whether the owner of the guest's card has just changed."""
        self.events = 0
        """How many events have just come."""

    @property
    def _still(self) -> bool:
        """Whether nothing may flash."""
        return self._screen.session.quiet or constants.TEXTUAL_ANIMATIONS == "none"

    def see(self, live: Live) -> None:
        """Compare with what was drawn last. Nothing flashes in quiet mode or without animation."""
        gpu = live.view.guest_gpu
        owner = (gpu.address, gpu.owner) if gpu is not None else None
        unknown = gpu is not None and gpu.owner.kind == "unknown"
        if owner != self._owner and not unknown:
            known, self._owner = self._owner, owner
            if known is not None and owner is not None and not self._still:
                self._flash_owner()
        # What the watch told before this run is new here, but not now.
        began_at = self._screen.session.began_at
        count, seen = sum(e.at >= began_at for e in live.events), self._events_seen
        if seen is not None and count > seen and not self._still:
            self.events += count - seen
            self._screen.set_timer(EVENT_S, self._end_events)
        self._events_seen = count

    def _flash_owner(self) -> None:
        """Flash for the whole time, also if the owner before it still flashes."""
        if self._owner_timer is not None:
            self._owner_timer.stop()
        self.owner = True
        self._owner_timer = self._screen.set_timer(OWNER_S, self._end_owner)

    def _end_owner(self) -> None:
        self.owner = False
        self._screen.show()

    def _end_events(self) -> None:
        self.events = 0
        self._screen.show()
