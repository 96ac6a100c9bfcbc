"""Cards on amdgpu, i915 and xe, from sysfs and from what their drivers report about clients.

No card is woken: a card that is not awake is left out (``tui.host.drm.power``). Each read of a
sensor delays a card's sleep, so an idle card that may sleep is released (``tui.host.idle``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tui.host import NothingToRead, NothingYet, Wake, sysfs
from tui.host.drm import amdgpu, intel
from tui.host.drm.clients import Clients
from tui.host.drm.hwmon import CardPower
from tui.host.drm.power import read_power
from tui.host.drm.usage import CardUse
from tui.host.idle import IdlePolicy, RuntimePower
from tui.host.pci.source import PciSource
from tui.host.sysfs import Attributes
from tui.host.tree import Tree
from tui.model import CardReading, DrmReading, Metrics

Driver = Literal["amdgpu", "i915", "xe"]

DRIVERS: Mapping[str, Driver] = {"amdgpu": "amdgpu", "i915": "i915", "xe": "xe"}

NO_CARD = "no card is on amdgpu, i915 or xe"
ASLEEP = "asleep: reading does not wake the cards on amdgpu, i915 or xe"
IDLE = "idle: the cards on amdgpu, i915 or xe are released, so they can sleep"


class _Card(Struct, frozen=True):
    address: str
    directory: Tree
    driver: Driver
    power: RuntimePower


class DrmSource:
    """Reads the GPUs of ``pci`` on these drivers that are awake.

    ``proc`` is where the processes are, ``clock`` gives monotonic seconds, ``now`` stamps the
    readings.
    """

    def __init__(
        self,
        pci: PciSource,
        proc: Path = Path("/proc"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pci = pci
        self._clock = clock
        self._clients = Clients(proc, clock)
        self._meters: dict[str, CardPower] = {}
        self._idle_policy = IdlePolicy(clock)

    def read(self) -> DrmReading:
        """Read the cards once, ordered by address.

        Raises ``NothingToRead`` if there is no such card, or none that may be read now, and
        ``HostError`` if there are no PCI devices.
        """
        cards = [card for address in self._pci.gpus() if (card := self._card(address))]
        readable = frozenset(self._idle_policy.readable(card.power for card in cards))
        awake = [card for card in cards if card.address in readable]
        self._meters = {a: meter for a, meter in self._meters.items() if a in readable}
        if not awake:
            self._clients.forget()
            raise _nothing_to_read(cards)
        uses = self._clients.read({card.address: card.directory for card in awake})
        read = [self._read(card, uses[card.address]) for card in awake]
        reading = DrmReading(tuple(sorted(read, key=lambda card: card.address)))
        self._idle_policy.observe(_as_loads(reading), [card.power for card in awake])
        return reading

    def watch(self, wake: Wake) -> None:
        """The app wakes this source when a card changes its driver; its cards have no events."""

    def close(self) -> None:
        """This source holds nothing."""

    def _card(self, address: str) -> _Card | None:
        """Return a GPU that is on one of the drivers."""
        directory = self._pci.directory(address)
        driver = DRIVERS.get(Attributes(directory).link("driver", sysfs.driver_name) or "")
        if driver is None:
            return None
        return _Card(address, directory, driver, read_power(directory, address))

    def _read(self, card: _Card, use: CardUse) -> CardReading:
        if card.driver == "amdgpu":
            metrics = amdgpu.metrics(card.directory)
        else:
            read = intel.i915 if card.driver == "i915" else intel.xe
            metrics, channels = read(card.directory)
            meter = self._meters.setdefault(card.address, CardPower())
            watts, limit = meter.read(self._clock(), channels)
            metrics = replace(metrics, util_pct=_util(use), power_w=watts, power_limit_w=limit)
        return CardReading(card.address, card.driver, metrics, processes=use.processes)


def _util(use: CardUse) -> float | None:
    """Return the load of the busiest engine; 0 if everything can be seen and there is no client."""
    if use.loads is None:
        return None
    return max(use.loads.values(), default=0.0)


def _as_loads(reading: DrmReading) -> DrmReading:
    """Return the reading as ``IdlePolicy`` judges it.

    These drivers put a card to sleep even while it is open, so only work counts. If it is not
    known whether there is any, the card is released as a trial: one that does not fall asleep is
    read again.
    """
    return DrmReading(tuple(_as_load(card) for card in reading.cards))


def _as_load(card: CardReading) -> CardReading:
    shares = [process.util_pct or 0.0 for process in card.processes or ()]
    load = max([card.metrics.util_pct or 0.0, *shares])
    return replace(card, metrics=Metrics(util_pct=load), processes=())


def _nothing_to_read(cards: list[_Card]) -> NothingToRead:
    if not cards:
        return NothingYet(NO_CARD)
    return NothingToRead(ASLEEP if all(card.power.asleep for card in cards) else IDLE)
