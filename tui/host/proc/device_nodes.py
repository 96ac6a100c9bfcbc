"""The device nodes through which a PCI function can be held, by device number.

Numbers and not names, because a container has its own ``/dev``. The nodes that a driver made are
the ``dev`` attributes beneath the function (kernel: Documentation/ABI/testing/sysfs-dev): DRM,
sound, I2C, USB and what is plugged into it, VFIO devices. The nodes of the nvidia driver and of
IOMMU groups are found in other places.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from tui.host import sysfs
from tui.host.pci.mdevs import MDEV_UUID
from tui.host.proc.file_numbers import DeviceNumber
from tui.host.sysfs import Attributes, read_file
from tui.host.tree import PlainTree, is_gone
from tui.host.untrusted import clean
from tui.model import VFIO_NODES, is_vfio_driver

DEPTH = 24
"""Levels of folders to search beneath a function. A partition of a disk behind five USB hubs
lies 15 deep, and USB allows no more hubs (USB 2.0, 4.1.1)."""

NODES_LIMIT = 4096

_DEV = re.compile(r"([0-9]{1,9}):([0-9]{1,9})")
_MINOR = re.compile(r"^Device Minor:\s*([0-9]{1,9})$", re.MULTILINE)
_NVIDIA_MAJOR = 195  # kernel-open/common/inc/nv-chardev-numbers.h
_NVIDIACTL, _NVIDIA_MODESET = 255, 254


class Node(Struct, frozen=True):
    """A node: its number, its name, and the function that it leads to.

    ``shared``: it belongs to all cards of its driver.
    """

    number: DeviceNumber
    name: str
    address: str
    shared: bool = False


class FoundNodes(Struct, frozen=True):
    """The nodes of functions. ``unknown`` says why there may be others."""

    nodes: tuple[Node, ...]
    unknown: str | None = None


def nodes(root: Path, addresses: list[str]) -> tuple[Node, ...]:
    """Return the nodes of PCI functions, as far as they are known."""
    return find_nodes(root, addresses).nodes


def find_nodes(root: Path, addresses: list[str]) -> FoundNodes:
    """Find the nodes of PCI functions. Reads no attribute that takes a device lock."""
    majors = _majors(root)
    found: list[Node] = []
    unknown = None
    for address in addresses:
        directory = root / "sys/bus/pci/devices" / address
        beneath, whole = _beneath(directory, address)
        nvidia, group = list(_nvidia(root, address, majors)), list(_group(root, directory, address))
        found += [*beneath, *group, *_mdevs(root, directory, address), *nvidia]
        driver = _driver(directory)
        if not whole:
            unknown = f"not all devices of {address} can be seen in /sys"
        elif (
            is_vfio_driver(driver)
            and not group
            and not any(n.name.startswith(VFIO_NODES) for n in beneath)
        ):
            unknown = f"/sys does not show which VFIO node leads to {address}"
        elif driver == "nvidia" and not any(n.name[-1].isdigit() for n in nvidia):
            unknown = f"the nvidia driver does not report which node {address} has"
    if len(found) > NODES_LIMIT:
        unknown = f"the functions have more than {NODES_LIMIT} device nodes"
    return FoundNodes(tuple(found[:NODES_LIMIT]), unknown)


def _driver(directory: Path) -> str | None:
    return Attributes(PlainTree(directory)).link("driver", str)


def _beneath(directory: Path, address: str) -> tuple[list[Node], bool]:
    """Return the nodes that the function's driver made, and whether these are all."""
    found: list[Node] = []
    whole = True
    pending = [(str(directory), 0)]
    while pending:
        folder, depth = pending.pop()
        try:
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):  # it went away meanwhile
            continue
        except OSError:
            whole = False
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if depth < DEPTH:
                    pending.append((entry.path, depth + 1))
                else:
                    whole = False
            elif entry.name == "dev":
                node = _node(folder, address)
                whole = whole and (node is not None or is_gone(PlainTree(folder), "dev"))
                found += [node] if node is not None else []
    return found, whole


def _node(folder: str, address: str) -> Node | None:
    at = Attributes(PlainTree(folder))
    number = at.read("dev", _dev)
    if number is None:
        return None
    subsystem = at.link("subsystem", str)
    name = clean(Path(folder).name)
    if subsystem == "usb":  # 128 numbers a bus (kernel: drivers/usb/core/usb.c)
        name = f"{number[1] // 128 + 1:03}/{number[1] % 128 + 1:03}"
    kind = "b" if subsystem == "block" else "c"
    return Node((kind, *number), f"/dev/{_FOLDERS.get(subsystem or '', '')}{name}", address)


_FOLDERS = {
    "drm": "dri/", "sound": "snd/", "vfio-dev": "vfio/devices/", "input": "input/",
    "usb": "bus/usb/",
}  # fmt: skip
"""Where udev puts the nodes of a subsystem below /dev."""


def _group(root: Path, directory: Path, address: str) -> Iterator[Node]:
    """Yield /dev/vfio/<group>, through which a guest has all functions of the group.

    Only its number: opening it would take it away from a guest (kernel:
    Documentation/driver-api/vfio.rst).
    """
    group = Attributes(PlainTree(directory)).link("iommu_group", sysfs.count)
    if group is None:
        return
    number = Attributes(PlainTree(root / "sys/class/vfio" / str(group))).read("dev", _dev)
    if number is not None:
        yield Node(("c", *number), f"/dev/vfio/{group}", address)


def _mdevs(root: Path, directory: Path, address: str) -> Iterator[Node]:
    """Yield /dev/vfio/<group> of each mediated device of the function.

    Their folders lie in the function's (kernel: Documentation/driver-api/vfio-mediated-device.rst).
    """
    for name in _entries(directory):
        if MDEV_UUID.fullmatch(name):
            yield from _group(root, directory / name, address)


def _nvidia(root: Path, address: str, majors: dict[str, int]) -> Iterator[Node]:
    """Yield /dev/nvidiaN, by the "Device Minor" that the driver reports, and the nodes all cards
    share."""
    information = _text(root / "proc/driver/nvidia/gpus" / address / "information")
    minor = _MINOR.search(information)
    if not information:
        return
    # With a single card, whoever has these nodes uses that card.
    shared = len(_entries(root / "proc/driver/nvidia/gpus")) > 1
    major = majors.get("nvidia", majors.get("nvidia-frontend", _NVIDIA_MAJOR))
    if minor is not None:
        yield Node(("c", major, int(minor[1])), f"/dev/nvidia{int(minor[1])}", address)
    yield Node(("c", major, _NVIDIACTL), "/dev/nvidiactl", address, shared)
    yield Node(("c", major, _NVIDIA_MODESET), "/dev/nvidia-modeset", address, shared)
    if "nvidia-uvm" in majors:
        yield Node(("c", majors["nvidia-uvm"], 0), "/dev/nvidia-uvm", address, shared)


def _entries(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - only names are needed
    except OSError:
        return []


def _majors(root: Path) -> dict[str, int]:
    """Return the major numbers of character devices by driver, from /proc/devices (proc(5))."""
    characters = _text(root / "proc/devices").partition("Block devices:")[0]
    lines = (line.split() for line in characters.splitlines())
    return {words[1]: int(words[0]) for words in lines if len(words) == 2 and words[0].isdecimal()}


def _text(path: Path) -> str:
    try:
        return (read_file(str(path), 1 << 16) or b"").decode("utf-8", "replace")
    except OSError:
        return ""


def _dev(text: str) -> tuple[int, int]:
    found = _DEV.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return int(found[1]), int(found[2])
