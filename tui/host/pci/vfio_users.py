"""Which processes have the cards on VFIO's driver open, for a screen that stays open.

Scanning all processes costs too much for every tick. The kernel counts in ``enable`` how often a
card is opened, and that is read on every tick. Only when the count has changed, and then stayed the
same for a tick, does a separate thread scan the processes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence

from msgspec.structs import replace

from tui.host import HostError, Wake
from tui.host.tree import MACHINE, Tree, exists
from tui.model import CardVitals, Holders, is_vfio_driver

FindHolders = Callable[[Collection[str]], Holders]
"""Finds who holds functions. Raises ``HostError``, and may take seconds."""

_Counts = frozenset[tuple[str, int | None]]


class VfioUsers:
    """What the last scan has found. Used by one thread, except for the scan itself."""

    def __init__(self, find_holders: FindHolders, root: Tree = MACHINE) -> None:
        self._find_holders = find_holders
        self._root = root
        self._counts: _Counts = frozenset()
        self._found: Holders | None = None
        self._scanning = False
        self._result: tuple[_Counts, Holders] | None = None

    def with_users(self, cards: Sequence[CardVitals], wake: Wake) -> list[CardVitals]:
        """Add to the cards who has them open, as far as that is known.

        Calls ``wake``, from any thread, once more is known.
        """
        opened = [c for c in cards if is_vfio_driver(c.driver) and c.enabled != 0]
        counts = frozenset((card.address, card.enabled) for card in opened)
        if counts != self._counts:
            self._counts, self._found = counts, None
            return list(cards)
        self._take_result()
        if opened and (self._found is None or self._has_ended(self._found)):
            self._start_scan(counts, wake)
        found = self._found
        if found is None:
            return list(cards)
        return [
            replace(card, users=replace(found, holders=found.of([card.address])))
            if card in opened else card
            for card in cards
        ]  # fmt: skip

    def _take_result(self) -> None:
        """Take a scan's result, unless the counts have changed since it began."""
        result, self._result = self._result, None
        if result is not None and result[0] == self._counts:
            self._found = result[1]

    def _has_ended(self, found: Holders) -> bool:
        """Whether a process that had one of the cards is gone: another one may have it by now."""
        return any(not exists(self._root, f"proc/{each.pid}") for each in found.holders)

    def _start_scan(self, counts: _Counts, wake: Wake) -> None:
        if self._scanning:
            return

        def scan() -> None:
            try:
                self._result = counts, self._look(counts)
            finally:
                self._scanning = False  # before the wake: its tick may begin the next scan
            wake()

        self._scanning = True
        try:
            threading.Thread(target=scan, name="vfio users", daemon=True).start()
        except RuntimeError:  # no thread can start: the next tick tries again
            self._scanning = False

    def _look(self, counts: _Counts) -> Holders:
        try:
            return self._find_holders(sorted(address for address, _ in counts))
        except HostError as error:
            return Holders((), unlisted_reason=str(error))
