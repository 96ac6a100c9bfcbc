"""The USB devices that must be attached again while the program runs.

Not thread-safe: it belongs to the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from tui.live import Live
from tui.model import Event, Guests, Unavailable, UsbDevice
from tui.rules.usb import domains_here
from tui.rules.usb_lendings import Lending, Replugged, Settled, step, still_lost

OURS_S = 10.0
"""Seconds within which a change of the guest's devices counts as what we asked for."""


class Lendings:
    """The lendings of all running guests, by the readings in ``live``.

    ``turn`` is held while a device is lent or returned: the next one's checks must see what the
    host has left then.
    """

    def __init__(self, live: Live, now: Callable[[], datetime]) -> None:
        self._live, self._now = live, now
        self._settled: frozenset[Settled] = frozenset()
        self._lost: tuple[Lending, ...] = ()
        self.turn = asyncio.Lock()

    def replugged(self) -> tuple[Replugged, ...]:
        """The devices that must be attached again; each one once. None while a source fails, or
        if we may not change the guests."""
        usb, guests = self._live.snapshot.usb, self._live.snapshot.guests
        if isinstance(usb, Unavailable) or not isinstance(guests, Guests) or guests.readonly:
            return ()
        domains = domains_here(guests)
        self._lost = still_lost(self._lost, domains)
        self._settled, again = step(self._settled, usb.devices, domains, self._lost)
        return again

    def keep(self, lending: Lending) -> None:
        """Keep a lending for the next replug although its element is gone, as with a plug that has
        a loose contact."""
        self._lost = (*(each for each in self._lost if each != lending), lending)

    # --- events -----------------------------------------------------------------

    def expect_change(self, uuid: str) -> None:
        """Attribute to us what happens to the guest's devices now."""
        self._live.expect_change(uuid, self._now() + timedelta(seconds=OURS_S))

    def note_failure(self, device: UsbDevice, why: str) -> None:
        """Add an event for what failed after its screen was left."""
        self._live.note(Event(self._now(), device.port, why, "failed", "vfiotop"))
