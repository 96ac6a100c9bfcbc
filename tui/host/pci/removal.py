"""A card that is being unbound and is not free yet.

The ``driver`` link goes before the driver's remove callback runs, and the event comes after it. In
between the card appears to have no driver. The nvidia driver shows the difference: its entry in
/proc stays until the callback is done with the card, which never happens while something uses the
card (kernel-open/nvidia/nv-pci.c: nv_pci_remove).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from tui.host.tree import Tree, exists
from tui.model import CLOCK, Removal

STUCK_AFTER = 30.0
"""Seconds that a removal never takes if nothing holds the card."""


class Removals:
    """Which cards a driver is releasing, and since when. ``clock`` gives monotonic seconds."""

    def __init__(
        self,
        root: Tree,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = CLOCK.now,
    ) -> None:
        self._entries = root / "proc/driver/nvidia/gpus"
        self._clock = clock
        self._now = now
        self._began: dict[str, tuple[float, Removal]] = {}

    def of(self, address: str, driver: str | None) -> Removal | None:
        """Return the removal that the card is in, if any; ``driver`` is what its driver link
        names."""
        if driver is not None or not exists(self._entries, address):
            self._began.pop(address, None)
            return None
        at = self._clock()
        began, removal = self._began.setdefault(address, (at, Removal("nvidia", self._now())))
        return replace(removal, stuck=at - began >= STUCK_AFTER)
