"""The devices that a guest takes: what the host uses them for, and the verdict on each."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from tui.model.checks import Verdict

AttachmentKind = Literal["disk", "network", "keyboard", "input", "bluetooth"]


class Attachment(Struct, frozen=True):
    """Something attached to a PCI function. ``name`` is the kernel's (``nvme0n1p2``, ``enp5s0``,
    ``1-3``), ``what`` a predicate for it (``is mounted at /``). ``in_use``: the host would miss
    it."""

    kind: AttachmentKind
    name: str
    what: str
    in_use: bool = False

    @property
    def text(self) -> str:
        return f"{self.name} {self.what}"


class DeviceUse(Struct, frozen=True):
    """Everything attached to the function at ``address``. ``unreadable`` names what could not be
    read: there may be more attached, or more of it in use."""

    address: str
    attached: tuple[Attachment, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def in_use(self) -> tuple[Attachment, ...]:
        return tuple(each for each in self.attached if each.in_use)


class DeviceUses(Struct, frozen=True):
    """The uses of the functions in question. ``builtin_keyboard``: the host has a keyboard that
    is not on USB, as notebooks have."""

    uses: tuple[DeviceUse, ...] = ()
    builtin_keyboard: bool = False

    def of(self, address: str) -> DeviceUse | None:
        """The use of one function; ``None`` if it was not read."""
        return next((use for use in self.uses if use.address == address), None)


class GuestDevice(Struct, frozen=True):
    """The verdict on a device of a guest. ``why`` is a clause that names it, ``fix`` what to do.
    ``short`` is two or three words for a panel, empty if the device is fine."""

    address: str
    verdict: Verdict
    why: str
    short: str = ""
    fix: str | None = None
