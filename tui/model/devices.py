"""The host's side of the devices that a guest takes: what hangs on them, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tui.model.view import Verdict

AttachmentKind = Literal["disk", "network", "keyboard", "input"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something that hangs on a PCI function. ``name`` is the kernel's (``nvme0n1p2``,
    ``enp5s0``, ``1-3``), ``what`` completes the sentence that begins with it (``is mounted at
    /``). ``used``: the host would miss it."""

    kind: AttachmentKind
    name: str
    what: str
    in_use: bool = False

    @property
    def text(self) -> str:
        return f"{self.name} {self.what}"


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """All that hangs on the function at ``address``. ``dark`` names what could not be read:
    there may be more, or more use of it."""

    address: str
    attached: tuple[Attachment, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def in_use(self) -> tuple[Attachment, ...]:
        return tuple(each for each in self.attached if each.in_use)


@dataclass(frozen=True, slots=True)
class DeviceUses:
    """The uses of the functions that were asked about. ``keyboard``: the host has one besides
    USB, as notebooks have."""

    uses: tuple[DeviceUse, ...] = ()
    builtin_keyboard: bool = False

    def of(self, address: str) -> DeviceUse | None:
        """``None``: it was not asked about."""
        return next((use for use in self.uses if use.address == address), None)


@dataclass(frozen=True, slots=True)
class GuestDevice:
    """A device of a guest, judged. ``short`` is for a panel, two or three words, empty where
    the device is fine; ``why`` is a clause that names it, ``fix`` what to do."""

    address: str
    verdict: Verdict
    why: str
    short: str = ""
    fix: str | None = None
