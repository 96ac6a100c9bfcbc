"""The watch: the service that returns the card by itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from tui.model.bounded import Address, Id, Seconds, Text, Uuid
from tui.model.events import Event

AfterStop = Literal["keep", "unbind"]
"""What happens to the card when the guest that has it has ended."""

AtBoot = Literal["keep", "bind"]
"""What happens to the card while the host boots."""

PAUSE_RANGE = (0.0, 3600.0)
"""The shortest and the longest pause in seconds before a card returns."""


class WatchPolicy(Struct, frozen=True):
    """What the watch does by itself. ``pause_s``: seconds from the end of a guest to the return
    of its card, in which a new start cancels it."""

    after_stop: AfterStop = "keep"
    at_boot: AtBoot = "keep"
    pause_s: Annotated[float, Meta(ge=PAUSE_RANGE[0], le=PAUSE_RANGE[1])] = 30.0

    @property
    def deeds(self) -> tuple[str, ...]:
        """What the watch does under it, in a few words each."""
        found = (
            ("unbinds after the guest", self.after_stop == "unbind"),
            ("binds at boot", self.at_boot == "bind"),
        )
        return tuple(words for words, wanted in found if wanted)


class Pending(Struct, frozen=True, omit_defaults=True):
    """A pending return. ``due_s``: seconds since boot. ``guest`` is the name for display of the
    domain that ended. ``tries`` were refused, the last one because of ``reason``. ``swap`` is the
    id of the last swap when the guest ended: if it is another one now, somebody else moves the
    card.
    """

    id: Id
    address: Address
    guest: Text
    due_s: Seconds
    tries: int = 0
    reason: Text | None = None
    swap: Text | None = None


class WatchMemory(Struct, frozen=True, omit_defaults=True):
    """What the watch has seen of the guest GPU, from one reading to the next.

    ``user`` is the UUID of the running domain that has the card at ``address``, and ``guest`` its
    name for display; ``swap`` is the id of the last swap when it was seen with the card.
    ``acting``: the return is being carried out. ``booted``: what was to be done at boot is done.
    The last return began ``returned_s`` seconds after boot, if no guest has had the card since;
    ``in_vain`` is how many in a row were soon followed by a start.
    """

    booted: bool = False
    address: Address | None = None
    user: Uuid | None = None
    guest: Text = ""
    swap: Text | None = None
    pending: Pending | None = None
    acting: bool = False
    returned_s: Seconds | None = None
    in_vain: int = 0


class PendingReturn(Struct, frozen=True):
    """The pending return of the card at ``address``, due at ``due_at``. ``guest`` is the name of
    the domain that ended. ``reason``: why the last try was refused."""

    id: str
    address: str
    guest: str
    due_at: datetime
    reason: str | None = None

    def left_s(self, at: datetime) -> float:
        """Seconds from ``at`` to the return; 0 once it is due."""
        return max(0.0, (self.due_at - at).total_seconds())


class Watch(Struct, frozen=True):
    """The watch of this host, as it describes itself.

    ``running``: its process exists. ``stopped``: it was asked to end. ``acts``: it may move cards.
    ``file`` is its configuration, ``None`` without one. ``stays_awake``: the host may not sleep,
    because a guest has a card. ``events`` are what it did, or did not do, and why, newest first.
    """

    running: bool
    acts: bool
    policy: WatchPolicy
    file: str | None = None
    pending: PendingReturn | None = None
    stays_awake: bool = False
    events: tuple[Event, ...] = ()
    stopped: bool = False

    @property
    def failed(self) -> bool:
        """Whether it has ended, and nobody asked for that."""
        return not self.running and not self.stopped

    @property
    def deeds(self) -> tuple[str, ...]:
        """What it does by itself, in a few words each; ``tells only`` if that is nothing."""
        return (self.policy.deeds if self.acts else ()) or ("tells only",)
