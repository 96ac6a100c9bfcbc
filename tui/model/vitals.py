"""What changes on a GPU without an event: power state, link, driver, users."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from tui.model.holders import Holders
from tui.model.pci import Link


def is_awake(runtime_status: str | None) -> bool:
    """Whether a device with this power/runtime_status is awake. ``None`` counts as awake: a
    kernel without runtime power management has no such attribute, and suspends nothing."""
    return runtime_status in (None, "active")


class Removal(Struct, frozen=True):
    """A driver removal in progress: the driver link is gone, but the remove callback has not
    returned. ``since`` is when we first saw it. ``stuck``: it takes longer than it would if
    nothing held the card."""

    driver: str
    since: datetime
    stuck: bool = False


class CardVitals(Struct, frozen=True):
    """What is read of a GPU on every tick. Reading it never wakes the card.

    ``runtime_status`` is power/runtime_status (active, suspended, ...), ``power_state`` is
    power_state (D0 ... D3cold). ``link`` is read only while the card is active, because reading
    it wakes a sleeping one. ``driver`` is the target of the driver link now, and ``removal`` the
    removal behind a link that is gone. ``enabled`` is the enable count of a card on a VFIO
    driver: 0 while nobody has it open. ``users`` are the processes that have it open, ``None``
    if that was not checked.
    """

    address: str
    runtime_status: str | None = None
    power_state: str | None = None
    link: Link | None = None
    driver: str | None = None
    removal: Removal | None = None
    enabled: int | None = None
    users: Holders | None = None


class Vitals(Struct, frozen=True):
    """The vitals of every GPU, by address."""

    cards: tuple[CardVitals, ...]

    def of(self, address: str) -> CardVitals | None:
        return next((card for card in self.cards if card.address == address), None)
