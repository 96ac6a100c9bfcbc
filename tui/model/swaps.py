"""The swap of a card, as its journal records it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from tui.model.requests import Requester

Direction = Literal["bind", "unbind"]
"""To vfio-pci, or back to the host's driver."""

SwapState = Literal["prepared", "running", "stuck", "undoing", "done", "undone", "failed"]
"""``stuck``: a write does not return. ``failed``: neither done nor undone, and nothing runs any
more. ``done`` and ``undone`` are the ends of a swap."""

SWAP_ENDS: tuple[SwapState, ...] = ("done", "undone")


class Swap(Struct, frozen=True):
    """The last swap since boot, as its journal records it.

    ``moves`` are its functions. ``steps`` are in words, and ``step`` is an index into them.
    ``message``: what it waits for, or why it ended. ``runner_alive``: its runner process exists.
    ``writer_alive``: one of its writes has not returned. ``drivers`` are those of ``moves`` before
    the swap, in the same order; empty if they are not known. ``by`` is who asked for it.
    """

    id: str
    direction: Direction
    address: str
    moves: tuple[str, ...]
    state: SwapState
    steps: tuple[str, ...]
    step: int
    began_at: datetime
    step_began_at: datetime
    message: str | None = None
    runner_alive: bool = True
    writer_alive: bool = False
    drivers: tuple[str | None, ...] = ()
    by: Requester = "user"

    @property
    def ended(self) -> bool:
        return self.state in SWAP_ENDS

    @property
    def under_way(self) -> bool:
        """Whether it may still change the host."""
        return not self.ended and (self.runner_alive or self.writer_alive)

    @property
    def stuck(self) -> bool:
        """Whether it waits for a write that does not return."""
        return self.under_way and (self.state == "stuck" or not self.runner_alive)

    @property
    def interrupted(self) -> bool:
        """Whether the user has to finish or undo it."""
        return not self.ended and not self.under_way

    @property
    def current_step(self) -> str:
        """The current step in words; empty after the last one."""
        return self.steps[self.step] if self.step < len(self.steps) else ""
