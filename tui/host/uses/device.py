"""What the host uses of a PCI function: disks, network interfaces, input devices.

Read on request, never while sampling.

Source: kernel, Documentation/ABI/testing/sysfs-bus-pci.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tui.host.pci.function import read_class
from tui.host.tree import MACHINE, Tree
from tui.host.uses.attached import ENTRIES_LIMIT, attached_in, beneath, has_own_keyboard
from tui.host.uses.disks import Disks
from tui.host.uses.network import Interfaces
from tui.model import Attachment, DeviceUse, DeviceUses

FUNCTIONS_LIMIT = 256
"""Functions to check at a time; a guest has about ten at most."""

CLASSES_WITH_CHILDREN = ("01", "02", "0c03")
"""Classes whose driver makes child devices, if anything is attached: storage, network, USB."""

NOT_CAPTURED = "what is attached to it, which is not in the capture"

_USB_BUS = re.compile(r"usb[0-9]{1,9}")


def device_uses(addresses: Iterable[str], root: Tree = MACHINE) -> DeviceUses:
    """Return what is attached to each of the functions that exist.

    Never raises: what cannot be read is listed as unreadable.
    """
    disks, interfaces = Disks(root), Interfaces(root)
    unique = list(dict.fromkeys(addresses))
    uses = [_use(root, address, disks, interfaces) for address in unique[:FUNCTIONS_LIMIT]]
    uses += [DeviceUse(address, unreadable=("too many functions at once",))
             for address in unique[FUNCTIONS_LIMIT:]]  # fmt: skip
    return DeviceUses(tuple(uses), has_own_keyboard(root))


def _use(root: Tree, address: str, disks: Disks, interfaces: Interfaces) -> DeviceUse:
    home = root / "sys/bus/pci/devices" / address
    folders, whole = beneath(home)
    if not root.is_machine:
        folders = list(dict.fromkeys((*folders, *_linked(root, address))))
    unknown = [] if whole else ["everything attached to it"]
    code = read_class(home) or ""
    attached = attached_in(home, folders, disks, interfaces, unknown)
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
