"""Keyboards and mice that the host has through a Bluetooth adapter.

The kernel's HIDP puts a HID device below the adapter. BlueZ does without HIDP by default
(UserspaceHID in its input.conf): its devices are below uhid, where nothing names the adapter. They
may stay while the keyboard sleeps.

Source: kernel, net/bluetooth/hidp/core.c, drivers/hid/uhid.c, and drivers/hid/hid-core.c
(hid_add_device): a name begins with the bus, and 0005 is BUS_BLUETOOTH.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from tui.host.sysfs import Attributes
from tui.host.tree import GONE, Tree
from tui.host.uses.attached import beneath, types_text
from tui.model import Attachment

UHID = "sys/devices/virtual/misc/uhid"
CLASS = "sys/class/bluetooth"
CLASS_LIMIT = 1024
"""Entries of the class: the adapters, and their connections."""

_ADAPTER = re.compile(r"hci[0-9]{1,5}")
_IN_DEVICE = re.compile(r"(?:.*/)?bluetooth/(hci[0-9]{1,5})")
_INPUT = re.compile(r"(?:.*/)?0005:[0-9A-F]{4}:[0-9A-F]{4}\.[0-9A-F]{4,8}/input/input[0-9]{1,9}")
_X_AND_Y = 0b11  # input-event-codes.h: REL_X, REL_Y
_POINTER = 0b1  # input-event-codes.h: INPUT_PROP_POINTER, which touchpads have


def connected(
    root: Tree, home: Tree, folders: Sequence[str], unknown: list[str]
) -> list[Attachment]:
    """Return what is connected through each adapter in ``folders`` beneath ``home``. Adds to
    ``unknown`` what cannot be read."""
    found: list[Attachment] = []
    for adapter in [at[1] for each in folders if (at := _IN_DEVICE.fullmatch(each))]:
        what, verb = _best(_inputs(home, folders)), "connects"
        if what is None:
            what = _best(_inputs(root / UHID, _beneath_uhid(root, unknown)))
            verb = "connects" if _adapters(root) < 2 else "may connect"
        if what is not None:
            found.append(Attachment("bluetooth", adapter, f"{verb} {what}", in_use=True))
    return found


def _beneath_uhid(root: Tree, unknown: list[str]) -> Sequence[str]:
    try:
        root.mode(UHID)
    except OSError as error:
        if error.errno not in GONE:
            unknown.append("what is connected over Bluetooth")
        return ()
    folders, whole = beneath(root / UHID)
    if not whole:
        unknown.append("what is connected over Bluetooth")
    return folders


def _adapters(root: Tree) -> int:
    try:
        return sum(bool(_ADAPTER.fullmatch(name)) for name in root.names(CLASS, CLASS_LIMIT))
    except OSError:
        return 0


def _inputs(home: Tree, folders: Iterable[str]) -> Iterator[Attributes]:
    return (Attributes(home / each) for each in folders if _INPUT.fullmatch(each))


def _best(inputs: Iterable[Attributes]) -> str | None:
    """A keyboard, else a mouse; ``None`` if there is neither, as with a headset."""
    found = [_kind(each) for each in inputs]
    return next((each for each in ("a keyboard", "a mouse") if each in found), None)


def _kind(at: Attributes) -> str | None:
    """What an input device is, as in udev (systemd: src/udev/udev-builtin-input_id.c)."""
    if at.read("capabilities/key", types_text):
        return "a keyboard"
    moves = at.read("capabilities/rel", _low_word) or 0
    points = at.read("properties", _low_word) or 0
    return "a mouse" if moves & _X_AND_Y == _X_AND_Y or points & _POINTER else None


def _low_word(bitmap: str) -> int:
    return int(bitmap.rpartition(" ")[2], 16)
