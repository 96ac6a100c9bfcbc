"""What flashes on the overview: a new owner of the guest's card, and new events."""

from __future__ import annotations

from textual import constants
from textual.timer import Timer

from tui.live import Live
from tui.rules.events import Changed
from tui.screens.base import HostScreen

OWNER_S, EVENT_S = 2.0, 1.0
"""Seconds for which a new owner, and the line of a new event, are in reverse video."""


class Flashes:
    """Makes what has changed flash at the next drawing of ``screen``, which is redrawn when a flash
    ends."""

    def __init__(self, screen: HostScreen) -> None:
        self._screen = screen
        self._owner_timer: Timer | None = None
        self._new_owners: frozenset[str] = frozenset()
        self._new_events = 0
        self.owner = False
        """Whether the owner of the guest's card has just changed."""
        self.events = 0
        """How many events are new."""

    @property
    def _still(self) -> bool:
        """Whether nothing may flash."""
        return self._screen.session.quiet or constants.TEXTUAL_ANIMATIONS == "none"

    def see(self, live: Live) -> None:
        """Start to flash what is new. Nothing flashes in quiet mode or without animations."""
        owners, self._new_owners = self._new_owners, frozenset()
        count, self._new_events = self._new_events, 0
        gpu = live.view.guest_gpu
        if self._still:
            return
        if gpu is not None and gpu.address in owners:
            self._flash_owner()
        if count:
            self.events += count
            self._screen.set_timer(EVENT_S, self._end_events)

    def hear(self, changed: Changed) -> None:
        """Remember what is new until the next ``see``."""
        self._new_owners |= changed.owners
        # Events that the watch recorded before this run are new here, but not recent.
        began_at = self._screen.session.began_at
        self._new_events += sum(event.at >= began_at for event in changed.events)

    def _flash_owner(self) -> None:
        """Flash for the full time, even if the previous owner is still flashing."""
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
