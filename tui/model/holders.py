"""Who keeps a card from being unbound from its driver."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct


class Holder(Struct, frozen=True):
    """A process, or a part of the kernel if ``pid`` is None, that keeps a function from being
    unbound from its driver.

    ``what`` is what it has open: ``/dev/nvidia0``, ``maps /dev/nvidia0``. ``unit`` is its systemd
    unit, a user unit if ``of_user``. ``shared``: the node belongs to all cards of the driver, so
    the process may not use this one. ``ours``: a vfiotop process that reads the card and releases
    it when a swap begins. ``stop``: how to end the hold, as a command or a short sentence.
    ``guest`` is the name that a QEMU command line gives its guest, for display only.
    """

    address: str
    pid: int | None
    name: str
    what: str
    user: str | None = None
    command: str | None = None
    unit: str | None = None
    of_user: bool = False
    shared: bool = False
    ours: bool = False
    stop: str | None = None
    guest: str | None = None


class UninspectedProcess(Struct, frozen=True):
    """A process that could not be inspected. ``why`` is a predicate ("does not answer");
    ``None`` if the only reason is that it belongs to another user."""

    pid: int
    name: str
    why: str | None = None


class Holders(Struct, frozen=True):
    """The holders of the functions in question, by address and pid.

    ``uninspected`` counts the processes that could not be inspected: what they hold is unknown.
    ``examples`` are some of them, those with a reason of their own first. ``unlisted_reason``:
    why some processes or nodes may not even be listed. ``fix``: what would let us see more.
    """

    holders: tuple[Holder, ...]
    uninspected: int = 0
    examples: tuple[UninspectedProcess, ...] = ()
    unlisted_reason: str | None = None
    fix: str | None = None

    @property
    def complete(self) -> bool:
        """Whether no holder can have been missed."""
        return not self.uninspected and self.unlisted_reason is None

    def of(self, addresses: Collection[str]) -> tuple[Holder, ...]:
        return tuple(h for h in self.holders if h.address in addresses)
