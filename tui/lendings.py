"""The USB devices that must be attached again while the program runs.

Not thread-safe: it belongs to the event loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from tui.live import Live
from tui.model import Event, EventKind, Guests, Unavailable, UsbDevice
from tui.rules.usb import domains_here
from tui.rules.usb_attempts import FLAPS, FLAPS_FIX, Attempts
from tui.rules.usb_lendings import Lending, Replugged, Settled, settled_as, step, still_lost

if TYPE_CHECKING:
    from asyncio import Lock

OURS_S = 10.0
"""Seconds within which a change of the guest's devices counts as what we asked for."""


class Lendings:
    """The lendings of all running guests, by the readings in ``live``."""

    def __init__(self, live: Live, now: Callable[[], datetime]) -> None:
        self._live, self._now = live, now
        self._settled: frozenset[Settled] = frozenset()
        self._lost: tuple[Lending, ...] = ()
        self._attempts = Attempts()
        self._flapping: list[UsbDevice] = []

    @cached_property
    def turn(self) -> Lock:
        """Held while a device is lent or returned: the checks of the next one must see what the
        host has left by then."""
        from asyncio import Lock  # noqa: PLC0415 - 3 MiB, which the watch has no use for

        return Lock()

    def replugged(self) -> tuple[Replugged, ...]:
        """The devices that must be attached again now; each one once, and once more when it is time
        for the next try. Empty while a source fails, if we may not change the guests, or if the
        watch attaches them."""
        usb, guests = self._live.snapshot.usb, self._live.snapshot.guests
        if isinstance(usb, Unavailable) or not isinstance(guests, Guests) or guests.readonly:
            return ()
        domains = domains_here(guests)
        self._lost = still_lost(self._lost, domains)
        at = self._now()
        self._settled -= {settled_as(due.lending, due.device) for due in self._attempts.due(at)}
        self._settled, found = step(self._settled, usb.devices, domains, self._lost)
        watch = self._live.view.watch
        if watch is not None and watch.running and watch.acts:
            return ()
        turns = [(again, self._attempts.turn(again, at)) for again in found]
        self._flapping += [again.device for again, turn in turns if turn == "flaps"]
        return tuple(again for again, turn in turns if turn == "now")

    def flapping(self) -> tuple[UsbDevice, ...]:
        """The devices that were plugged in too often and are attached once they stay; each once."""
        found, self._flapping = tuple(self._flapping), []
        return found

    def note_flapping(self) -> None:
        """Add an event for each of them."""
        for device in self.flapping():
            self.note(device, f"{device.name} {FLAPS}", "warn", FLAPS_FIX)

    def failed(self, again: Replugged, *, final: bool = False) -> float | None:
        """Record that a device was not attached. Returns the seconds to the next try; ``None`` if
        there is none, as after a ``final`` failure, which another try would not change."""
        return None if final else self._attempts.failed(again, self._now())

    def keep(self, lending: Lending) -> None:
        """Keep a lending for the next replug although its element is gone, as with a plug that has
        a loose contact."""
        self._lost = (*(each for each in self._lost if each != lending), lending)

    # --- events -----------------------------------------------------------------

    def expect_change(self, uuid: str) -> None:
        """Attribute to us what happens to the guest's devices now."""
        self._live.expect_change(uuid, self._now() + timedelta(seconds=OURS_S))

    def note(
        self, device: UsbDevice, text: str, kind: EventKind = "failed", fix: str | None = None
    ) -> None:
        """Add an event about something that no screen shows, or that none shows any more."""
        self._live.note(Event(self._now(), device.port, text, kind, "vfiotop", fix))
