"""The journal's values: one swap, who runs it, and what undoes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tui.host.proc.process import Process
from tui.model import SWAP_ENDS, Direction, PowerControl, SwapState
from tui.model.errors import VfiotopError

TEXT_LIMIT = 2000
"""Characters of one text in an entry."""


class JournalError(VfiotopError):
    """The journal cannot be used: what happened, why, what to do, in a sentence."""


class Locked(JournalError):
    """Another swap holds the lock, or one of its writes has not returned."""


class Origin(Struct, frozen=True):
    """The state of a PCI function before it was moved.

    ``driver`` and ``override`` (driver_override) are ``None`` where there was none; ``power``
    (power/control) is ``None`` where it is unknown.
    """

    address: str
    driver: str | None
    override: str | None
    power: PowerControl | None = None


class Entry(Struct, frozen=True):
    """The whole content of the journal.

    ``origins`` are in the order in which the functions move. ``home`` is the state of functions
    while the host used them, where it is known. ``step`` counts from 0 and indexes ``steps``,
    which are texts for people. ``message`` says what the swap waits for or why it ended.
    ``began_at`` and ``step_began_at`` are RFC 3339 times. ``began_s`` and ``step_began_s`` are
    the same times in seconds since boot, which setting the clock does not change; ``None`` where
    they are unknown.
    """

    id: str
    boot_id: str
    direction: Direction
    address: str
    state: SwapState
    origins: tuple[Origin, ...]
    home: tuple[Origin, ...]
    steps: tuple[str, ...]
    step: int
    began_at: str
    step_began_at: str
    runner: Process
    writer: Process | None = None
    message: str | None = None
    began_s: float | None = None
    step_began_s: float | None = None

    @property
    def ended(self) -> bool:
        return self.state in SWAP_ENDS

    @property
    def host_drivers(self) -> dict[str, str | None]:
        """The host drivers of the functions, by address."""
        return {origin.address: origin.driver for origin in self.home}

    @property
    def host_power(self) -> dict[str, PowerControl]:
        """The power/control that the functions had on the host, by address."""
        return {origin.address: origin.power for origin in self.home if origin.power is not None}


def updated(entry: Entry, at: datetime, at_s: float | None = None, **changes: Any) -> Entry:
    """Return the entry with ``changes``.

    A new step begins ``at``, ``at_s`` seconds after boot. A message is cut to ``TEXT_LIMIT``.
    """
    if changes.get("message") is not None:
        changes["message"] = changes["message"][:TEXT_LIMIT]
    if "step" in changes and changes["step"] != entry.step:
        changes |= {"step_began_at": at.isoformat(), "step_began_s": at_s}
    return replace(entry, **changes)
