"""What changes on the GPUs without an event: power, link, driver and users; read on every tick."""

from __future__ import annotations

from msgspec.structs import replace

from tui.host import Wake
from tui.host.pci.function import read_vitals
from tui.host.pci.removal import Removals
from tui.host.pci.source import PciSource
from tui.host.pci.vfio_users import VfioUsers
from tui.model import CardVitals, Vitals


class VitalsSource:
    """The vitals of the GPUs that ``pci`` knows.

    ``removals`` finds cards that are being unbound, ``users`` the processes that have a card on
    vfio-pci open; without ``users`` nobody looks for them.
    """

    def __init__(
        self, pci: PciSource, removals: Removals | None = None, users: VfioUsers | None = None
    ) -> None:
        self._pci = pci
        self._removals = removals or Removals(pci.root)
        self._users = users
        self._wake: Wake = lambda: None

    def read(self) -> Vitals:
        cards: list[CardVitals] = []
        copied = self._pci.copied
        for address in self._pci.gpus():
            card = read_vitals(self._pci.directory(address), address, copied=copied)
            if card is not None:
                if card.driver is None and copied:
                    card = replace(card, driver=self._pci.listed_driver(address))
                removal = self._removals.of(address, card.driver)
                cards.append(replace(card, removal=removal) if removal else card)
                if card.runtime_status == "active":
                    self._pci.note_awake(address)
        if self._users is not None:
            cards = self._users.with_users(cards, self._wake)
        return Vitals(tuple(cards))

    def watch(self, wake: Wake) -> None:
        """Only the search for users wakes; nothing reports the other changes."""
        self._wake = wake

    def close(self) -> None:
        """This source holds nothing."""
