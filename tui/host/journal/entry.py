"""The journal's values: one swap, who runs it, and what undoes it.

Their types say what ``tui.host.journal.format`` accepts of a file.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from tui.host.proc.process import Process
from tui.model import SWAP_ENDS, Direction, PowerControl, SwapState
from tui.model.bounded import TEXT_LIMIT, Address, Id, Seconds, Text, Uuid
from tui.model.errors import VfiotopError
from tui.model.requests import Requester

FUNCTIONS_LIMIT = 64
STEPS_LIMIT = 16 * FUNCTIONS_LIMIT
DRIVER = r"^(?!\.{1,2}$)[ -.0-~]{1,128}\Z"
"""A name in /sys/bus/pci/drivers or the value of driver_override: one component of a path."""

Driver = Annotated[str, Meta(pattern=DRIVER)]


class JournalError(VfiotopError):
    """The journal cannot be used: what happened, why, what to do, in a sentence."""


class Locked(JournalError):
    """Another swap holds the lock, or one of its writes has not returned."""


class Origin(Struct, frozen=True, omit_defaults=True):
    """The state of a PCI function before it was moved.

    ``driver`` and ``override`` (driver_override) are ``None`` if there was none; ``power``
    (power/control) is ``None`` if it is unknown. Older versions did not write it.
    """

    address: Address
    driver: Driver | None
    override: Driver | None
    power: PowerControl | None = None


Origins = Annotated[tuple[Origin, ...], Meta(max_length=FUNCTIONS_LIMIT)]


class Entry(Struct, frozen=True, omit_defaults=True):
    """The whole content of the journal.

    ``origins`` are in the order in which the functions move. ``home`` is the state of functions
    while the host used them, if it is known. ``step`` counts from 0 and indexes ``steps``,
    which are texts for people. ``message`` says what the swap waits for or why it ended.
    ``began_at`` and ``step_began_at`` are RFC 3339 times. ``began_s`` and ``step_began_s`` are
    the same times in seconds since boot, which setting the clock does not change; ``None`` if
    they are unknown. Older versions did not write them. ``by`` is who asked for the swap.
    """

    id: Id
    boot_id: Uuid
    direction: Direction
    address: Address
    state: SwapState
    origins: Origins
    home: Origins
    steps: Annotated[tuple[Text, ...], Meta(max_length=STEPS_LIMIT)]
    step: Annotated[int, Meta(ge=0, le=STEPS_LIMIT)]
    began_at: Text
    step_began_at: Text
    runner: Process
    writer: Process | None
    message: Text | None
    began_s: Seconds | None = None
    step_began_s: Seconds | None = None
    by: Requester = "user"

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
