"""Which processes have the cards on VFIO's driver open, for a screen that stays.

To look into all processes costs too much for every tick. The kernel counts in ``enable`` who
opens a card, and that is read on every tick: only when it has changed, and has stayed so for a
tick, processes are looked into, on a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from tui.host import HostError, Wake
from tui.host.tree import MACHINE, Tree, exists
from tui.model import CardVitals, Holders, on_vfio

FindHolders = Callable[[Collection[str]], Holders]
"""Who holds functions. Raises ``HostError``, and may take seconds."""

_Counts = frozenset[tuple[str, int | None]]


class VfioUsers:
    """What the last look has found. Used by one thread, but for the look itself."""

    def __init__(self, look: FindHolders, root: Tree = MACHINE) -> None:
        self._look = look
        self._root = root
        self._counts: _Counts = frozenset()
        self._found: Holders | None = None
        self._looking: threading.Thread | None = None
        self._answer: tuple[_Counts, Holders] | None = None

    def with_users(self, cards: Sequence[CardVitals], wake: Wake) -> list[CardVitals]:
        """The cards with who has them, as far as that is known by now; ``wake`` is called from
        any thread once more is."""
        opened = [c for c in cards if on_vfio(c.driver) and c.enabled != 0]
        counts = frozenset((card.address, card.enabled) for card in opened)
        if counts != self._counts:
            self._counts, self._found = counts, None
            return list(cards)
        self._take_answer()
        if opened and (self._found is None or self._has_ended(self._found)):
            self._begin(counts, wake)
        found = self._found
        if found is None:
            return list(cards)
        return [
            replace(card, users=replace(found, holders=found.of([card.address])))
            if card in opened else card
            for card in cards
        ]  # fmt: skip

    def _take_answer(self) -> None:
        """What a look found that began with other counts is of no use any more."""
        answer, self._answer = self._answer, None
        if answer is not None and answer[0] == self._counts:
            self._found = answer[1]

    def _has_ended(self, found: Holders) -> bool:
        """Whether a process is gone that has one of the cards: another may have it by now."""
        return any(not exists(self._root, f"proc/{each.pid}") for each in found.holders)

    def _begin(self, counts: _Counts, wake: Wake) -> None:
        if self._looking is not None and self._looking.is_alive():
            return

        def look() -> None:
            try:
                found = self._look(sorted(address for address, _ in counts))
            except HostError as error:
                found = Holders((), blind=str(error))
            self._answer = counts, found
            wake()

        self._looking = threading.Thread(target=look, name="vfio users", daemon=True)
        try:
            self._looking.start()
        except RuntimeError:  # no thread may start: the next tick tries again
            self._looking = None
