"""What the command line and modprobe.d say about passthrough, by the kernel's rules."""

from __future__ import annotations

import pytest

from tui.host.readiness.kernel_options import options
from tui.host.readiness.modprobe import rules
from tui.model import Cpu, KernelSettings
from tui.rules.kernel_settings import (
    blacklists_vfio,
    forbids_vfio,
    intel_on,
    interrupts_off,
    iommu_off,
    parameter,
    value_in,
)


def running(text: str, modprobe: str = "") -> KernelSettings:
    return KernelSettings(
        options(text, "/proc/cmdline"), modules=tuple(rules(modprobe, "/etc/modprobe.d/x.conf"))
    )


@pytest.mark.parametrize(
    ("text", "cpu", "off"),
    [
        ("quiet", "amd", []),
        ("amd_iommu=off", "amd", ["amd_iommu=off"]),
        ("amd_iommu=off", None, ["amd_iommu=off"]),
        ("amd_iommu=off", "intel", []),
        ("amd-iommu=off", "amd", ["amd-iommu=off"]),
        ("amd_iommu=fullflush,off", "amd", ["amd_iommu=fullflush,off"]),
        # AMD's driver has no "on": nothing revokes "off".
        ("amd_iommu=off amd_iommu=on", "amd", ["amd_iommu=off"]),
        ("amd_iommu=on", "amd", []),
        ("intel_iommu=off", "intel", ["intel_iommu=off"]),
        ("intel_iommu=off", "amd", []),
        ("intel_iommu=off intel_iommu=on", "intel", []),
        ("intel_iommu=on intel_iommu=off", "intel", ["intel_iommu=off"]),
        ("intel_iommu=on,igfx_off", "intel", []),
        ("intel_iommu=sm_on", "intel", []),
        ("iommu=off", "intel", ["iommu=off"]),
        ("iommu=pt,off", "amd", ["iommu=pt,off"]),
        ("iommu=pt iommu.passthrough=1 iommu=soft", "amd", []),
        ("acpi=off", "amd", ["acpi=off"]),
        ("acpi=off acpi=force", "amd", []),
        ("iommu=off intel_iommu=off amd_iommu=off", "arm", []),
        ("iommu=off acpi=off", "arm", ["acpi=off"]),
        ('"amd_iommu=off"', "amd", ["amd_iommu=off"]),
        ('amd_iommu="off"', "amd", ["amd_iommu=off"]),
        ("-- amd_iommu=off", "amd", []),
        ("foo=amd_iommu=off xamd_iommu=off", "amd", []),
    ],
)
def test_what_keeps_the_iommu_off(text: str, cpu: Cpu | None, off: list[str]) -> None:
    assert [o.text for o in iommu_off(options(text, "/proc/cmdline"), cpu)] == off


@pytest.mark.parametrize(
    ("text", "on"),
    [("intel_iommu=on", True), ("intel-iommu=on,sm_on", True), ("intel_iommu=off", False),
     ("intel_iommu=on intel_iommu=off", False), ("intel_iommu", False), ("", False)],
)  # fmt: skip
def test_what_asks_for_intels(text: str, on: bool) -> None:
    assert (intel_on(options(text, "/proc/cmdline")) is not None) is on


@pytest.mark.parametrize(
    ("text", "off"),
    [("intremap=off", True), ("nointremap", True), ("intremap=off intremap=on", False),
     ("intremap=nosid", False), ("intremap=nosid,off", True), ("", False)],
)  # fmt: skip
def test_interrupt_remapping(text: str, off: bool) -> None:
    found = options(text, "/proc/cmdline")
    assert (interrupts_off(found, "intel") is not None) is off
    assert interrupts_off(found, "arm") is None


@pytest.mark.parametrize(
    ("text", "modprobe", "forbidden", "skipped"),
    [
        ("module_blacklist=vfio-pci", "", 1, 0),
        ("module_blacklist=nouveau,vfio_pci_core", "", 1, 0),
        ("module_blacklist=nouveau", "", 0, 0),
        ("nomodule", "", 1, 0),
        ("nomodule=0", "", 0, 0),
        ("modprobe.blacklist=nouveau,vfio_pci", "", 0, 1),
        ("rd.driver.blacklist=vfio-pci", "", 0, 1),
        ("", "blacklist vfio-pci\nblacklist vfio_pci\nblacklist vfio\n", 0, 2),
        ("", "install vfio-pci /bin/false\n", 1, 0),
        ("", "install vfio_pci /usr/bin/true \n", 1, 0),
        ("", "install vfio_pci exit 1\n", 1, 0),
        ("", "install vfio-pci /bin/false # no\n", 1, 0),
        ("", "install vfio-pci # not here\n", 1, 0),
        ("", "install vfio-pci /usr/bin/env false\n", 1, 0),
        ("", "install vfio-pci env  true\n", 1, 0),
        ("", "install vfio-pci /bin/true; exit 0\n", 1, 0),
        ("", "install vfio-pci false || :\n", 1, 0),
        ("", "install vfio-pci\n", 0, 0),
        ("", "install vfio-pci /bin/false#1\n", 0, 0),
        ("", "install vfio-pci true && modprobe -i vfio-pci\n", 0, 0),
        ("", "install vfio-pci /sbin/modprobe --ignore-install vfio-pci # /bin/false\n", 0, 0),
        ("", "install vfio-pci echo x > /sys/y; modprobe -i vfio-pci\n", 0, 0),
        ("vfio-pci.ids=10de:2482", "options vfio-pci ids=10de:2482\nsoftdep nvidia pre: vfio-pci\n",
         0, 0),
    ],
)  # fmt: skip
def test_what_keeps_vfio_pci_from_being_loaded(
    text: str, modprobe: str, forbidden: int, skipped: int
) -> None:
    told = running(text, modprobe)
    assert (len(forbids_vfio(told)), len(blacklists_vfio(told))) == (forbidden, skipped)


@pytest.mark.parametrize(
    ("text", "modprobe", "value"),
    [
        ("", "", None),
        ("nvidia-drm.modeset=1", "", "1"),
        ("nvidia_drm.modeset", "", "1"),
        ("", "options nvidia-drm modeset=1 fbdev=1\n", "1"),
        ("", "options nvidia_drm modeset=1\noptions nvidia_drm modeset=0\n", "0"),
        ("nvidia_drm.modeset=1", "options nvidia_drm modeset=0\n", "1"),
        ("", "options nvidia modeset=1\n", None),
        ("nvidia.modeset=1", "", None),
    ],
)
def test_where_a_parameter_comes_from(text: str, modprobe: str, value: str | None) -> None:
    found = parameter(running(text, modprobe), "nvidia_drm", "modeset")
    assert (None if found is None else value_in(found, "modeset")) == value
