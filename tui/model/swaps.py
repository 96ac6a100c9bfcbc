"""The swap of a card, as its journal tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Direction = Literal["bind", "unbind"]
"""To vfio-pci, or back to the host's driver."""

SwapState = Literal["prepared", "running", "stuck", "undoing", "done", "undone", "failed"]
"""``stuck``: a write does not return. ``failed``: neither done nor undone, and nothing goes
on any more. ``done`` and ``undone`` are the ends of a swap."""

SWAP_ENDS: tuple[SwapState, ...] = ("done", "undone")


@dataclass(frozen=True, slots=True)
class Swap:
    """The last swap since the host was booted, as its journal tells it.

    ``moves`` are its functions; ``step`` counts from 0 among ``steps``, whose words are for
    people. ``message``: what it waits for, or why it ended. ``runner``: whether the process
    that does it is there; ``writer``: whether a write of it has not returned.
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

    @property
    def ended(self) -> bool:
        return self.state in SWAP_ENDS

    @property
    def under_way(self) -> bool:
        """Whether it may still change the host by itself."""
        return not self.ended and (self.runner_alive or self.writer_alive)

    @property
    def stuck(self) -> bool:
        """Whether it waits for a write that does not return."""
        return self.under_way and (self.state == "stuck" or not self.runner_alive)

    @property
    def interrupted(self) -> bool:
        """Whether it is for the user to finish or to undo."""
        return not self.ended and not self.under_way

    @property
    def current_step(self) -> str:
        """The step that it is at, in words; empty past the last one."""
        return self.steps[self.step] if self.step < len(self.steps) else ""
