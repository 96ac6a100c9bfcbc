"""What is attached beneath a device's directory in sysfs: disks, networks, input devices.

Only directories are listed and attributes read that the kernel answers from memory: none takes the
device lock, waits for the device, or wakes it. This excludes ``carrier`` and ``speed`` of an
interface, which take the network lock, and the strings of a USB device, which take its lock.

Source: kernel, Documentation/ABI/testing/sysfs-block, sysfs-class-net, sysfs-bus-usb.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence

from tui.host.sysfs import Attributes
from tui.host.tree import GONE, Tree
from tui.host.untrusted import clean
from tui.host.uses.disks import Disks
from tui.host.uses.network import Interfaces
from tui.model import Attachment

FOLDERS_LIMIT = 4096
"""Directories to visit beneath one device."""

ENTRIES_LIMIT = 1024
"""Entries of one of these directories."""

DEPTH_LIMIT = 24
"""Levels of directories: a partition of a disk behind five USB hubs lies 15 deep."""

INPUTS_LIMIT = 1 << 18
"""Bytes of the list of input devices: some 300 each."""

_NO_DEVICES = frozenset({
    "firmware_node", "holders", "hwmon", "integrity", "iommu", "led", "leds", "mq", "msi_irqs",
    "power", "ptp", "queue", "queues", "slaves", "statistics", "thermal", "trace", "wakeup",
})  # fmt: skip
"""Directories that never contain any of these devices."""

USB_INTERFACE = re.compile(r"([0-9]{1,9}-[0-9.]{1,32}):[0-9]{1,9}\.[0-9]{1,9}")
_NVME_DISK = re.compile(r"nvme[0-9]{1,9}(?:c[0-9]{1,9})?n[0-9]{1,9}")
_INPUT = re.compile(r"input[0-9]{1,9}")
_FIRST_KEYS = 0xFFFFFFFE  # input-event-codes.h: KEY_ESC is 1, KEY_S is 31
_KBD = re.compile(rb"^H: Handlers=(?:.* )?kbd(?: |$)", re.MULTILINE)
HID, _KEYBOARD, _MOUSE = "03", "01", "02"  # USB HID 1.11, 4.1 to 4.3


def attached_in(
    home: Tree, folders: Sequence[str], disks: Disks, interfaces: Interfaces, unknown: list[str]
) -> list[Attachment]:
    """Return what is attached in ``folders`` beneath ``home``. Adds to ``unknown`` what cannot be
    read."""
    attached: list[Attachment] = []
    for folder in folders:
        above, _, name = folder.rpartition("/")
        parent = above.rpartition("/")[2]
        if parent == "block" or _NVME_DISK.fullmatch(name):
            partitions = [f for f in folders if f.rpartition("/")[0] == folder]
            attached += disks.uses_of(home, folder, partitions, unknown)
        elif parent == "net":
            attached.append(interfaces.use_of(home / folder, name, unknown))
        elif found := USB_INTERFACE.fullmatch(name):
            attached += _input(home, folder, folders, clean(found[1]))
    return attached


def beneath(home: Tree) -> tuple[list[str], bool]:
    """Return the directories beneath one, by path, and whether these are all.

    No link is followed: links lead to other devices.
    """
    found: list[str] = []
    whole, pending = True, [""]
    while pending:
        folder = pending.pop()
        try:
            names = sorted(home.names(folder, ENTRIES_LIMIT))
        except OSError as error:
            whole = whole and error.errno in GONE
            continue
        for name in names:
            path = f"{folder}/{name}" if folder else name
            if name in _NO_DEVICES or not _is_folder(home, path):
                continue
            if len(found) >= FOLDERS_LIMIT or path.count("/") >= DEPTH_LIMIT:
                return found, False
            found.append(path)
            pending.append(path)
    return found, whole


def _is_folder(home: Tree, path: str) -> bool:
    try:
        home.target(path)
    except OSError:  # no link
        try:
            return stat.S_ISDIR(home.mode(path))
        except OSError:
            return False
    return False


def has_own_keyboard(root: Tree) -> bool:
    """Whether a keyboard is attached to the i8042.

    Source: /proc/bus/input/devices (kernel: drivers/input/input.c), a block with that location and
    the keyboard handler.
    """
    try:
        data = root.read("proc/bus/input/devices", INPUTS_LIMIT) or b""
    except OSError:
        return False
    blocks = data.split(b"\n\n")
    return any(b"Phys=isa0060/serio" in block and _KBD.search(block) for block in blocks)


def is_keyboard(home: Tree, folder: str, folders: Sequence[str]) -> bool | None:
    """Whether the USB interface in ``folder`` beneath ``home`` is a keyboard; ``None`` if it is no
    input device.

    It may say so in its descriptor, which few but boot keyboards do. Else the keys of its input
    device decide, as in udev (systemd: src/udev/udev-builtin-input_id.c: test_key).
    """
    at = Attributes(home / folder)
    if at.read("bInterfaceClass", str) != HID:
        return None
    protocol = at.read("bInterfaceProtocol", str)
    if protocol in (_KEYBOARD, _MOUSE):
        return protocol == _KEYBOARD
    inputs = (each for each in folders if each.startswith(f"{folder}/"))
    return any(
        Attributes(home / each).read("capabilities/key", types_text) is True
        for each in inputs
        if _INPUT.fullmatch(each.rpartition("/")[2])
    )


def types_text(keys: str) -> bool:
    """Whether a bitmap has all of the first 31 keys: Escape, the digits, and Q to S.

    It is words of hexadecimal digits, the lowest keys last (kernel: drivers/input/input.c:
    input_print_bitmap).
    """
    return int(keys.rpartition(" ")[2], 16) & _FIRST_KEYS == _FIRST_KEYS


def _input(home: Tree, folder: str, folders: Sequence[str], name: str) -> list[Attachment]:
    """Return a keyboard or another input device."""
    keyboard = is_keyboard(home, folder, folders)
    if keyboard is None:
        return []
    if keyboard:
        return [Attachment("keyboard", name, "is a keyboard")]
    mouse = Attributes(home / folder).read("bInterfaceProtocol", str) == _MOUSE
    return [Attachment("input", name, f"is {'a mouse' if mouse else 'an input device'}")]
