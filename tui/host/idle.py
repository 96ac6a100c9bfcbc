"""Which cards may be read, so that one that can sleep gets to sleep.

An open NVML keeps a card awake, and so does each read of a sensor of amdgpu, i915 or xe. A
card that sleeps is never asked. An idle one whose runtime power management is on is let go
of; it is held again once something else has woken it, or when it turns out that it does not
go to sleep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from tui.model import CardReading

IDLE_AFTER = 10.0
"""Seconds without a process and without load after which a card is let go of."""

SUSPEND_GRACE = 30.0
"""Seconds that a card gets to fall asleep; drivers wait about 15."""

HOLD_ANYWAY = 600.0
"""Seconds that a card which did not fall asleep is held for, idle or not."""


@dataclass(frozen=True, slots=True)
class RuntimePower:
    """Power management of a card (kernel: Documentation/ABI/testing/sysfs-devices-power):
    ``asleep`` from power/runtime_status, ``may_sleep`` from power/control ``auto``."""

    address: str
    asleep: bool = False
    may_sleep: bool = False


class CardReadings(Protocol):
    """A reading of some cards."""

    def of(self, address: str) -> CardReading | None:
        """What it says of one, ``None`` where it says nothing."""
        ...


class IdlePolicy:
    """Decides from what each reading says. ``clock`` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._idle_since: dict[str, float] = {}
        self._let_go: dict[str, float] = {}
        self._slept: set[str] = set()
        self._sleepless_until: dict[str, float] = {}

    def readable(self, cards: Iterable[RuntimePower]) -> tuple[str, ...]:
        """The addresses of the cards that may be held now."""
        return tuple(card.address for card in cards if self._may_hold(card))

    def observe(self, reading: CardReadings, cards: Iterable[RuntimePower]) -> None:
        """Take note of which of the ``cards`` are idle."""
        now = self._clock()
        for card in cards:
            seen = reading.of(card.address)
            sleepless = now < self._sleepless_until.get(card.address, now)
            if seen is None or not card.may_sleep or sleepless or not _idle(seen):
                self._idle_since.pop(card.address, None)
            elif now - self._idle_since.setdefault(card.address, now) >= IDLE_AFTER:
                del self._idle_since[card.address]
                self._let_go[card.address] = now

    def _may_hold(self, card: RuntimePower) -> bool:
        if card.asleep:
            self._slept.add(card.address)
            return False
        woken = card.address in self._slept
        self._slept.discard(card.address)
        since = self._let_go.get(card.address)
        if since is None:
            return True
        now = self._clock()
        if not woken and now - since < SUSPEND_GRACE:
            return False
        del self._let_go[card.address]
        if not woken:
            self._sleepless_until[card.address] = now + HOLD_ANYWAY
        return True


def _idle(card: CardReading) -> bool:
    """Whether nothing uses the card, as far as its reading tells; unknown is not idle."""
    loads = (card.metrics.util_pct, card.metrics.enc_pct or 0, card.metrics.dec_pct or 0)
    return card.lost is None and card.processes == () and all(load == 0 for load in loads)
