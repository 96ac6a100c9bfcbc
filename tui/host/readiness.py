"""What a swap needs of this host besides its devices: root, vfio-pci, the nvidia module."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from typing import Literal

from tui.host.boot import boot
from tui.host.tree import FILE_LIMIT, MACHINE, Tree, exists
from tui.model import NvidiaModule, Readiness
from tui.privileged import SEARCHED

MODPROBE_S = 10.0

CPUINFO_LIMIT = 1 << 22
"""Bytes of /proc/cpuinfo: some 1500 a processor."""

_VENDOR = re.compile(r"^vendor_id\s*: (GenuineIntel|AuthenticAMD)$", re.MULTILINE)

_VERSION = re.compile(r"Module\s+(?:for x86_64\s+)?([0-9]{1,4}(?:\.[0-9]{1,4}){1,2})\s")
"""Of /proc/driver/nvidia/version; the open modules put "for x86_64" in between."""


def readiness(gpus: Iterable[str], root: Tree = MACHINE) -> Readiness:
    """What is there for a swap of one of the ``gpus``. Asks modprobe where vfio-pci is not
    loaded, which loads nothing. Reads no attribute that takes a device's lock: virtual
    functions are seen as links (kernel: Documentation/ABI/testing/sysfs-bus-pci, virtfnN)."""
    return Readiness(
        root=os.geteuid() == 0,
        vfio_pci=_vfio_pci(root),
        nvidia=nvidia_module(root),
        with_vfs=_with_vfs(root, gpus),
        boot=boot(root),
        cpu=_cpu(root),
    )


def _vfio_pci(root: Tree) -> bool | None:
    if exists(root, "sys/bus/pci/drivers/vfio-pci"):
        return True
    if not root.is_machine:
        return None
    try:
        asked = subprocess.run(
            ["modprobe", "--dry-run", "--quiet", "vfio-pci"],  # noqa: S607  # nosec B607
            env={"PATH": SEARCHED},  # neither the user's folders nor their MODPROBE_OPTIONS
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=MODPROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.returncode == 0


def _cpu(root: Tree) -> Literal["intel", "amd"] | None:
    """vendor_id of the first processor (proc(5), cpuinfo)."""
    vendor = _VENDOR.search(_text(root, "proc/cpuinfo", CPUINFO_LIMIT) or "")
    if vendor is None:
        return None
    return "intel" if vendor[1] == "GenuineIntel" else "amd"


def nvidia_module(root: Tree) -> NvidiaModule | None:
    """The loaded module, from /proc/driver/nvidia/version; ``None`` where it is not loaded."""
    if not exists(root, "sys/module/nvidia"):
        return None
    version = _VERSION.search(_text(root, "proc/driver/nvidia/version") or "")
    return NvidiaModule(version[1] if version else None, _modeset(root / "sys/module/nvidia_drm"))


def _modeset(module: Tree) -> bool | None:
    """The parameter modeset of nvidia_drm, which only root may read."""
    if not exists(module):
        return False
    return {"Y": True, "N": False}.get((_text(module, "parameters/modeset") or "").strip())


def _with_vfs(root: Tree, gpus: Iterable[str]) -> tuple[str, ...] | None:
    devices = root / "sys/bus/pci/devices"
    try:
        return tuple(
            address for address in gpus
            if any(name.startswith("virtfn") for name in devices.names(address))
        )  # fmt: skip
    except OSError:
        return None


def _text(tree: Tree, name: str, limit: int = FILE_LIMIT) -> str | None:
    try:
        return (tree.read(name, limit) or b"").decode("ascii", "replace")
    except OSError:
        return None
