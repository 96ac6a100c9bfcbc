"""What the kernel's log said about the devices that matter here."""

from __future__ import annotations

from msgspec import Struct


class KernelMessage(Struct, frozen=True):
    """A line of the kernel's log that ``tui.rules.kernel_messages`` knows.

    Its text is not kept. ``number`` is the record's sequence number, ``topic`` is what the line
    says. ``address`` is a device as the line names it, which may lack the function
    (``0000:01:00``) or the domain (``01:00.0``); ``None`` if it names none. ``detail`` is the part
    of the text that varies, such as the number of an Xid.
    """

    number: int
    topic: str
    address: str | None = None
    detail: str = ""


class KernelLog(Struct, frozen=True):
    """The last messages since vfiotop began to read, oldest first, and how many lines it missed
    because the kernel had overwritten them."""

    messages: tuple[KernelMessage, ...] = ()
    lost: int = 0
