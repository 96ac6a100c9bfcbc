"""What a swap needs from this host besides its devices: root, vfio-pci, the nvidia module.

For a captured host, only the capture counts; nothing of this machine stands in for what it lacks.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable

from tui.host import sysfs
from tui.host.readiness.boot import boot
from tui.host.readiness.boot_files import written_options
from tui.host.readiness.initramfs import initramfs
from tui.host.readiness.kernel_options import options
from tui.host.readiness.modprobe import module_rules
from tui.host.readiness.modules import is_built_in, is_installed, is_loaded
from tui.host.readiness.nvidia import nvidia_module
from tui.host.readiness.setup import host_setup
from tui.host.sysfs import Attributes
from tui.host.tree import MACHINE, Tree, exists, text_of
from tui.model import Boot, Cpu, KernelSettings, Readiness
from tui.process.code import code
from tui.process.privileges import ROOT_PATH

MODPROBE_S = 10.0

CPUINFO_LIMIT = 1 << 22
"""Bytes of /proc/cpuinfo: about 1500 per processor."""

_VENDOR = re.compile(r"^vendor_id\s*: (GenuineIntel|AuthenticAMD|HygonGenuine)$", re.MULTILINE)
_IMPLEMENTER = re.compile(r"^CPU implementer\s*: 0x[0-9a-f]{1,2}$", re.MULTILINE)

_CMDLINE = "proc/cmdline"
_UNSAFE = "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"


def readiness(gpus: Iterable[str], root: Tree = MACHINE) -> Readiness:
    """Return what the host offers for a swap of one of the ``gpus``.

    Runs ``modprobe --dry-run`` if vfio-pci is not loaded, which loads nothing. On a live host it
    reads no attribute that takes a device lock: virtual functions show as links (kernel:
    Documentation/ABI/testing/sysfs-bus-pci, virtfnN).
    """
    built_in = is_built_in(root, "vfio_pci")
    loaded = _vfio_loaded(root) or (built_in and not root.is_machine)
    booted = boot(root)
    gpus = tuple(gpus)
    try:
        vfs = _vfs(root, gpus)
    except OSError:
        vfs = None
    return Readiness(
        root=os.geteuid() == 0 if root.is_machine else None,
        vfio_pci=True if loaded else _vfio_loadable(root),
        nvidia=nvidia_module(root),
        with_vfs=None if vfs is None else tuple(a for a, has in vfs.items() if has),
        unreadable_vfs=tuple(a for a, has in (vfs or {}).items() if has is None),
        boot=booted,
        cpu=_cpu(root),
        vfio_loaded=loaded,
        vfio_built_in=built_in and loaded,
        unsafe_interrupts=text_of(root, _UNSAFE).strip() in ("Y", "1"),
        settings=_settings(root, booted),
        captured=not root.is_machine,
        code=code() if root.is_machine else None,
        setup=host_setup(root, gpus),
    )


def _vfio_loaded(root: Tree) -> bool:
    return exists(root, "sys/bus/pci/drivers/vfio-pci") or (
        not root.is_machine and is_loaded(root, "vfio_pci") is True
    )


def _vfio_loadable(root: Tree) -> bool | None:
    if not root.is_machine:
        return is_installed(root, "vfio_pci")
    try:
        done = subprocess.run(
            ["modprobe", "--dry-run", "--quiet", "vfio-pci"],  # noqa: S607  # nosec B607
            env={"PATH": ROOT_PATH},  # ignores the user's folders and MODPROBE_OPTIONS
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=MODPROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.returncode == 0


def _settings(root: Tree, booted: Boot) -> KernelSettings:
    """Read the kernel's options and modprobe's rules.

    An empty command line means that it was not copied: files in /proc have no size, and some
    archivers go by the size.
    """
    running = text_of(root, _CMDLINE)
    options_written, files = written_options(root, booted)
    return KernelSettings(
        running=options(running, f"/{_CMDLINE}") if running.strip() else None,
        written=options_written,
        files=files,
        modules=module_rules(root),
        modules_disabled=text_of(root, "proc/sys/kernel/modules_disabled").strip() == "1",
        initramfs=initramfs(root),
    )


def _cpu(root: Tree) -> Cpu | None:
    """Return the maker of the first processor, from vendor_id (proc(5), cpuinfo); Hygon counts as
    AMD. On Arm, each licensee is an implementer (kernel: arch/arm64/kernel/cpuinfo.c)."""
    text = text_of(root, "proc/cpuinfo", CPUINFO_LIMIT)
    vendor = _VENDOR.search(text)
    if vendor is None:
        return "arm" if _IMPLEMENTER.search(text) else None
    return "intel" if vendor[1] == "GenuineIntel" else "amd"


def _vfs(root: Tree, gpus: Iterable[str]) -> dict[str, bool | None]:
    """Return whether each function has virtual functions. Raises ``OSError``.

    A copy may have lost the links to them; reading their number in a copy takes no lock.
    """
    devices = root / "sys/bus/pci/devices"
    found: dict[str, bool | None] = {}
    for address in gpus:
        linked = any(name.startswith("virtfn") for name in devices.names(address))
        found[address] = linked or (_counted(devices / address) if root.is_copied else False)
    return found


def _counted(directory: Tree) -> bool | None:
    """Decide by sriov_numvfs; ``None`` if the function could have some and the file is
    missing."""
    at = Attributes(directory)
    number = at.read("sriov_numvfs", sysfs.count)
    if number is not None:
        return number > 0
    return None if at.read("sriov_totalvfs", sysfs.count) or at.unreadable else False
