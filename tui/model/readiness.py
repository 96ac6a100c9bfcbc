"""What a swap needs of a host besides its devices: privilege, modules, boot settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from tui.model.host_setup import HostSetup
from tui.model.settings import KernelSettings

PowerControl = Literal["auto", "on"]
"""power/control of a device: ``auto`` lets it suspend while nothing uses it (kernel:
Documentation/ABI/testing/sysfs-devices-power)."""

Cpu = Literal["intel", "amd", "arm"]
"""The maker of the processor, which decides how the IOMMU is turned on."""

BootLoader = Literal["grub", "systemd-boot", "limine", "refind"]


class NvidiaModule(Struct, frozen=True):
    """The loaded nvidia kernel module. ``modeset`` is nvidia_drm's parameter, False if that
    module is not loaded. ``None``: could not be read."""

    version: str | None = None
    modeset: bool | None = None


class Boot(Struct, frozen=True):
    """How the host boots, and so where its kernel options are set.

    ``distribution`` is the family from os-release(5): debian, fedora, arch, suse, or one with
    tools of its own, such as nixos. ``file`` is the file to edit.
    """

    loader: BootLoader | None = None
    distribution: str | None = None
    file: str | None = None


class Code(Struct, frozen=True):
    """Who can change the code that root runs for a swap.

    ``writers``: only "root", root and the "user" who runs this, or "others" too. ``who`` can change
    ``path``, the first place found; if "unknown", ``who`` is why. ``swap`` is the program of an
    installation that takes a request for a swap; a checkout has none. ``user`` is who runs this.
    """

    writers: Literal["root", "user", "others", "unknown"]
    who: str = ""
    path: str = ""
    swap: str | None = None
    user: str = ""

    @property
    def refusal(self) -> str | None:
        """Why root must not run it for the user."""
        if self.writers == "others":
            return f"root would run code that {self.who} can change ({self.path})"
        if self.writers == "unknown":
            return f"cannot tell who can change the code that root would run ({self.who})"
        return None


class Readiness(Struct, frozen=True):
    """What a swap needs of a host besides its devices.

    ``root``: whether we are root; ``None`` on a captured host. ``vfio_pci``: whether the driver
    is loaded (``vfio_loaded``) or can be; ``None`` if that is not known. ``vfio_built_in``: it is
    part of the kernel. ``with_vfs`` are the functions that have virtual functions now, ``None``
    if that could not be read; ``unreadable_vfs`` are the functions for which it is not known.
    ``cpu`` is the processor's maker. ``unsafe_interrupts``: VFIO works without interrupt
    remapping (vfio_iommu_type1 allow_unsafe_interrupts). ``captured``: all of it comes from a
    captured host. ``home_power`` is the power/control that functions had on the host before a
    swap of this boot, by address. ``code``: what root runs for a swap; ``None`` where nothing is
    run, as on a captured host. ``setup`` is what else bears on a card.
    """

    root: bool | None
    vfio_pci: bool | None
    nvidia: NvidiaModule | None = None
    with_vfs: tuple[str, ...] | None = ()
    boot: Boot = Boot()
    cpu: Cpu | None = None
    vfio_loaded: bool = False
    vfio_built_in: bool = False
    unsafe_interrupts: bool = False
    settings: KernelSettings = KernelSettings()
    captured: bool = False
    unreadable_vfs: tuple[str, ...] = ()
    home_power: Mapping[str, PowerControl] = field(default_factory=dict)
    code: Code | None = None
    setup: HostSetup = HostSetup()
