"""What NVIDIA's Xids mean: the errors that its driver writes to the kernel's log.

From the catalogue in "XID Errors" (docs.nvidia.com/deploy/xid-errors), in our words. The table has
those that one desktop card can have, not those of NVLink, NVSwitch, MIG and vGPU.
"""

from __future__ import annotations

from typing import NamedTuple

from tui.model import EventKind

PROGRAM = "restart the program that used the card; if others fail too, change the driver's version"
RESTART = "stop what uses the card and reboot; if it comes back, change the driver's version"
CABLES = (
    "power off; check the card's power cables, riser and slot, the power supply and the temperature"
)
MEMORY = "reboot the host; if it comes back, the card's memory is failing"
CATALOGUE = "look it up in NVIDIA's list: docs.nvidia.com/deploy/xid-errors"


class Xid(NamedTuple):
    """What happened, how bad it is, and what to do."""

    text: str
    kind: EventKind
    fix: str | None


_PROGRAM = {
    8: "the GPU stopped processing",
    11: "a program sent a corrupt command stream",
    13: "the graphics engine failed in a program",
    24: "the GPU waited too long for a semaphore",
    25: "a program sent an illegal command stream",
    31: "a program accessed GPU memory that is not mapped",
    32: "a program sent a corrupt command stream",
    39: "the copy engine failed in a program",
    43: "the GPU stopped a program's work",
    46: "the GPU stopped processing",
    60: "the video processor failed in a program",
    65: "the video processor failed in a program",
    68: "the video decoder failed in a program",
    69: "the graphics engine got an illegal command",
    109: "the GPU could not switch between programs in time",
}

_DRIVER = {
    16: "the display engine hangs",
    18: "bus mastering is off: the card cannot reach the host's memory",
    19: "the display engine failed",
    37: "the driver's firmware failed",
    38: "the driver's firmware failed",
    44: "the graphics engine failed while it switched between programs",
    56: "the display engine failed",
    59: "the card's microcontroller failed",
    61: "the card's microcontroller stopped at a breakpoint",
    62: "the card's microcontroller halted",
    66: "the driver used the card in an illegal way",
    80: "corrupt data reached the card",
    110: "the card reports a security fault",
    119: "the card's firmware (GSP) does not answer",
    120: "the card's firmware (GSP) failed",
    122: "the card's firmware could not be read from its flash",
    143: "the card could not be initialised",
}

_MEMORY = {
    48: "an error in the card's memory could not be corrected",
    57: "the card's memory interface could not be set up",
    58: "the card's memory interface is unstable",
    64: "a bad part of the card's memory could not be replaced",
    92: "the card's memory needs correction often",
    94: "an error in the card's memory ended one program",
    95: "an error in the card's memory may have reached every program",
    140: "an error in the card's memory could not be corrected",
}

XIDS: dict[int, Xid] = {
    **{code: Xid(text, "warn", PROGRAM) for code, text in _PROGRAM.items()},
    **{code: Xid(text, "failed", RESTART) for code, text in _DRIVER.items()},
    **{code: Xid(text, "failed", MEMORY) for code, text in _MEMORY.items()},
    54: Xid("the card's power cables are not connected", "failed", CABLES),
    45: Xid("the driver cleaned up after an earlier error or a killed program", "note", None),
    63: Xid("a bad part of the card's memory is replaced at the next reset", "warn", MEMORY),
    154: Xid("the driver changed the recovery action that it asks for", "note", None),
}
"""By number. ``kernel_messages`` has topics of their own for 79, a card that has fallen off the
bus, and for a 154 that asks for recovery."""

UNKNOWN = Xid("an error of the nvidia driver", "warn", CATALOGUE)
"""For a number that is not listed."""
