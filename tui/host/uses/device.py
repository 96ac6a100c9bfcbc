"""What the host uses of a PCI function: disks, network interfaces, input devices.

Read on request, never while sampling. Only directories are listed and attributes read that the
kernel answers from memory: none takes the device lock, waits for the device, or wakes it. This
excludes ``carrier`` and ``speed`` of an interface, which take the network lock, and the strings of
a USB device, which take its lock.

Source: kernel, Documentation/ABI/testing/sysfs-bus-pci, sysfs-block, sysfs-class-net,
sysfs-bus-usb.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator

from tui.host.pci.function import read_class
from tui.host.sysfs import Attributes
from tui.host.tree import GONE, MACHINE, Tree
from tui.host.untrusted import clean
from tui.host.uses.disks import Disks
from tui.host.uses.network import Interfaces
from tui.model import Attachment, DeviceUse, DeviceUses

FUNCTIONS_LIMIT = 256
"""Functions to check at a time; a guest has some ten at most."""

FOLDERS_LIMIT = 4096
"""Directories to visit beneath one function."""

ENTRIES_LIMIT = 1024
"""Entries of one of these directories."""

DEPTH_LIMIT = 24
"""Levels of directories: a partition of a disk behind five USB hubs lies 15 deep."""

INPUTS_LIMIT = 1 << 18
"""Bytes of the list of input devices: some 300 each."""

CLASSES_WITH_CHILDREN = ("01", "02", "0c03")
"""Classes whose driver makes child devices, if anything is attached: storage, network, USB."""

NOT_CAPTURED = "what is attached to it, which is not in the capture"

_NO_DEVICES = frozenset({
    "firmware_node", "holders", "hwmon", "integrity", "iommu", "led", "leds", "mq", "msi_irqs",
    "power", "ptp", "queue", "queues", "slaves", "statistics", "thermal", "trace", "wakeup",
})  # fmt: skip
"""Directories that never contain any of these devices."""

_NVME_DISK = re.compile(r"nvme[0-9]{1,9}(?:c[0-9]{1,9})?n[0-9]{1,9}")
_USB_BUS = re.compile(r"usb[0-9]{1,9}")
_USB_INTERFACE = re.compile(r"([0-9]{1,9}-[0-9.]{1,32}):[0-9]{1,9}\.[0-9]{1,9}")
_KBD = re.compile(rb"^H: Handlers=(?:.* )?kbd(?: |$)", re.MULTILINE)
_HID, _KEYBOARD, _MOUSE = "03", "01", "02"  # USB HID 1.11, 4.1 to 4.3


def device_uses(addresses: Iterable[str], root: Tree = MACHINE) -> DeviceUses:
    """Return what is attached to each of the functions that exist.

    Never raises: what cannot be read is listed as unreadable.
    """
    disks, interfaces = Disks(root), Interfaces(root)
    unique = list(dict.fromkeys(addresses))
    uses = [_use(root, address, disks, interfaces) for address in unique[:FUNCTIONS_LIMIT]]
    uses += [DeviceUse(address, unreadable=("too many functions at a time",))
             for address in unique[FUNCTIONS_LIMIT:]]  # fmt: skip
    return DeviceUses(tuple(uses), _has_own_keyboard(root))


def _use(root: Tree, address: str, disks: Disks, interfaces: Interfaces) -> DeviceUse:
    home = root / "sys/bus/pci/devices" / address
    folders, whole = _beneath(home)
    if not root.is_machine:
        folders = list(dict.fromkeys((*folders, *_linked(root, address))))
    attached: list[Attachment] = []
    unknown = [] if whole else ["everything attached to it"]
    code = read_class(home) or ""
    for folder in folders:
        above, _, name = folder.rpartition("/")
        parent = above.rpartition("/")[2]
        if parent == "block" or _NVME_DISK.fullmatch(name):
            partitions = [f for f in folders if f.rpartition("/")[0] == folder]
            attached += disks.uses_of(home, folder, partitions, unknown)
        elif parent == "net":
            attached.append(interfaces.use_of(home / folder, name, unknown))
        elif found := _USB_INTERFACE.fullmatch(name):
            attached += _input(home / folder, clean(found[1]))
    if (
        not root.is_machine
        and code.startswith(CLASSES_WITH_CHILDREN)
        and not _is_whole(code, folders, attached)
    ):
        unknown.append(NOT_CAPTURED)
    return DeviceUse(address, tuple(dict.fromkeys(attached)), tuple(dict.fromkeys(unknown)))


def _is_whole(code: str, folders: list[str], attached: list[Attachment]) -> bool:
    """Whether a capture has more than the controller.

    That is a disk, an interface, or the root hub of a USB controller, which may have nothing
    attached.
    """
    if code.startswith("0c03"):
        return any(_USB_BUS.fullmatch(folder.rpartition("/")[2]) for folder in folders)
    return bool(attached)


def _beneath(home: Tree) -> tuple[list[str], bool]:
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


def _linked(root: Tree, address: str) -> Iterator[str]:
    """Yield where the links of a class lead to beneath a function: a capture may have only
    these."""
    for place in ("sys/class/block", "sys/block", "sys/class/net"):
        try:
            names = root.names(place, ENTRIES_LIMIT)
        except OSError:
            continue
        for name in sorted(names):
            try:
                _, found, below = root.target(f"{place}/{name}").partition(f"/{address}/")
            except OSError:
                continue
            if found:
                yield below


def _is_folder(home: Tree, path: str) -> bool:
    try:
        home.target(path)
    except OSError:  # no link
        try:
            return stat.S_ISDIR(home.mode(path))
        except OSError:
            return False
    return False


def _has_own_keyboard(root: Tree) -> bool:
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


def _input(folder: Tree, name: str) -> list[Attachment]:
    """Return a keyboard or another input device, by its USB interface descriptor."""
    at = Attributes(folder)
    if at.read("bInterfaceClass", str) != _HID:
        return []
    protocol = at.read("bInterfaceProtocol", str)
    if protocol == _KEYBOARD:
        return [Attachment("keyboard", name, "is a keyboard")]
    kind = "a mouse" if protocol == _MOUSE else "an input device"
    return [Attachment("input", name, f"is {kind}")]
