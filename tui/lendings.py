"""The USB devices that were lent while the program runs, to attach them again after a replug.

Not thread-safe: it belongs to the event loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec.structs import replace

from tui.live import Live
from tui.model import Event, Unavailable, UsbDevice
from tui.rules.usb_lendings import Lending, Replugged, step

OURS_S = 10.0
"""Seconds within which a change of the guest's devices counts as what we asked for."""


class Lendings:
    """The lendings of one session, by the readings in ``live``."""

    def __init__(self, live: Live, now: Callable[[], datetime]) -> None:
        self._live, self._now = live, now
        self.held: tuple[Lending, ...] = ()

    def add(self, lending: Lending) -> None:
        """Keep a lending, in place of an earlier one of the same device."""
        self.drop(lending.uuid, lending.at)
        mine = lending.uuid, lending.rule
        self.held = (*(e for e in self.held if (e.uuid, e.rule) != mine), lending)

    def attached_again(self, lending: Lending, at: tuple[str, int]) -> None:
        """Note where a lending's device is now."""
        moved = replace(lending, at=at, seen=False, tried=None)
        self.held = tuple(
            moved if (each.uuid, each.rule) == (lending.uuid, lending.rule) else each
            for each in self.held
        )

    def drop(self, uuid: str, at: tuple[str, int]) -> None:
        """Forget the lending of a device that is taken back."""
        self.held = tuple(each for each in self.held if (each.uuid, each.at) != (uuid, at))

    def replugged(self) -> tuple[Replugged, ...]:
        """The devices that must be attached again; each one once. None while a source fails."""
        usb, guests = self._live.snapshot.usb, self._live.snapshot.guests
        if not self.held or isinstance(usb, Unavailable) or isinstance(guests, Unavailable):
            return ()
        self.held, again = step(self.held, usb.devices, guests.domains)
        return again

    # --- events -----------------------------------------------------------------

    def expect_change(self, uuid: str) -> None:
        """Attribute to us what happens to the guest's devices now."""
        self._live.expect_change(uuid, self._now() + timedelta(seconds=OURS_S))

    def note_failure(self, device: UsbDevice, why: str) -> None:
        """Add an event for what failed after its screen was left."""
        self._live.note(Event(self._now(), device.port, why, "failed", "vfiotop"))
