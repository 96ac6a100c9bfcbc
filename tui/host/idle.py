"""Which cards may be read, so that a card that can sleep gets to sleep.

An open NVML keeps a card awake, and so does every read of a sensor of amdgpu, i915 or xe. A
sleeping card is never read. An idle card with runtime power management on is released. It is held
again once something else has woken it, or when it turns out that it does not fall asleep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from tui.model import CardReading

IDLE_AFTER = 10.0
"""Seconds without a process and without load after which a card is released."""

SUSPEND_GRACE = 30.0
"""Seconds that a released card gets to fall asleep; drivers wait about 15."""

HOLD_ANYWAY = 600.0
"""Seconds for which a card that did not fall asleep is held, whether idle or not."""


class RuntimePower(Struct, frozen=True):
    """Runtime power management of a card.

    ``asleep`` comes from power/runtime_status, ``may_sleep`` is power/control ``auto`` (kernel:
    Documentation/ABI/testing/sysfs-devices-power).
    """

    address: str
    asleep: bool = False
    may_sleep: bool = False


class CardReadings(Protocol):
    """Readings of several cards."""

    def of(self, address: str) -> CardReading | None:
        """Return the reading of one card, ``None`` if there is none."""
        ...


class IdlePolicy:
    """Decides from the readings which cards to hold. ``clock`` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._idle_since: dict[str, float] = {}
        self._released_at: dict[str, float] = {}
        self._asleep: set[str] = set()
        self._hold_until: dict[str, float] = {}

    def readable(self, cards: Iterable[RuntimePower]) -> tuple[str, ...]:
        """Return the addresses of the cards that may be held now."""
        return tuple(card.address for card in cards if self._may_hold(card))

    def observe(self, reading: CardReadings, cards: Iterable[RuntimePower]) -> None:
        """Record which of the ``cards`` are idle in this reading."""
        now = self._clock()
        for card in cards:
            seen = reading.of(card.address)
            hold_anyway = now < self._hold_until.get(card.address, now)
            if seen is None or not card.may_sleep or hold_anyway or not _idle(seen):
                self._idle_since.pop(card.address, None)
            elif now - self._idle_since.setdefault(card.address, now) >= IDLE_AFTER:
                del self._idle_since[card.address]
                self._released_at[card.address] = now

    def _may_hold(self, card: RuntimePower) -> bool:
        if card.asleep:
            self._asleep.add(card.address)
            return False
        woken = card.address in self._asleep
        self._asleep.discard(card.address)
        since = self._released_at.get(card.address)
        if since is None:
            return True
        now = self._clock()
        if not woken and now - since < SUSPEND_GRACE:
            return False
        del self._released_at[card.address]
        if not woken:
            self._hold_until[card.address] = now + HOLD_ANYWAY
        return True


def _idle(card: CardReading) -> bool:
    """Whether nothing uses the card, as far as its reading shows; unknown is not idle."""
    loads = (card.metrics.util_pct, card.metrics.enc_pct or 0, card.metrics.dec_pct or 0)
    return card.problem is None and card.processes == () and all(load == 0 for load in loads)
