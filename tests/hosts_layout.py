"""Lays out a host of ``tests/hosts`` as a captured host, in the kernel's layout: attributes below
sys/devices, symlinks everywhere else.

The files of ``tests/hosts`` list functions, groups and, if their source has them, drivers;
``tests/hosts/README.md`` says how an unknown driver is laid out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HOSTS = Path(__file__).parent / "hosts"

USUAL_DRIVER = {
    "0101": "ata_piix", "0106": "ahci", "0108": "nvme", "0200": "igb", "0280": "iwlwifi",
    "0403": "snd_hda_intel", "0480": "snd_pci_acp3x", "0604": "pcieport", "0780": "mei_me",
    "0c00": "firewire_ohci", "0c03": "xhci_hcd", "0c05": "i801_smbus", "0c80": "intel-lpss",
    "1080": "ccp", "1180": "intel_pch_thermal",
}  # fmt: skip
"""The driver that Linux usually binds to a PCI class; other classes get none."""

GPU_DRIVER = {"1002": "amdgpu", "10de": "nouveau", "8086": "i915", "102b": "mgag200"}

IOMMU = {"8086": "dmar0", "1022": "ivhd0"}
"""The first entry of /sys/class/iommu by the vendor of the host bridge."""

UNKNOWN_ID = "ffff"
"""Stands for an id that a host's source lacks; PCI reads return it if no device answers."""


def hosts() -> dict[str, dict[str, Any]]:
    """Every host, by the name of its file."""
    files = sorted(HOSTS.glob("[0-9]*.json"))
    return {file.stem: json.loads(file.read_text()) for file in files}


def expected() -> dict[str, dict[str, Any]]:
    """The expected findings, by host and GPU."""
    found: dict[str, dict[str, Any]] = json.loads((HOSTS / "EXPECTED.json").read_text())
    return found


def driver_of(function: Mapping[str, Any]) -> str | None:
    """The driver that a function is laid out with."""
    driver: str | None = function["driver"]
    if driver != "unknown":
        return driver
    if function["class"].startswith("03"):
        return GPU_DRIVER.get(function["vendor"])
    return USUAL_DRIVER.get(function["class"])


def lay_out(host: Mapping[str, Any], target: Path) -> Path:
    """Write ``host`` below ``target``, and return ``target``."""
    sys = target / "sys"
    for made in ("bus/pci/devices", "bus/pci/drivers", "kernel/iommu_groups", "class/iommu"):
        (sys / made).mkdir(parents=True)
    for group, functions in host["groups"].items():
        for function in functions:
            add_group(sys, group, add_function(sys, function, boot_vga=host["boot_vga"]))
    for function in host.get("ungrouped", ()):
        add_function(sys, function, boot_vga=host["boot_vga"])
    if host["groups"]:
        _add_iommu(sys, host)
    kernel = target / "proc/sys/kernel"
    kernel.mkdir(parents=True)
    (kernel / "hostname").write_text("captured\n")
    (kernel / "osrelease").write_text("6.12.0\n")
    return target


def add_function(sys: Path, function: Mapping[str, Any], boot_vga: str | None = None) -> Path:
    """Add one function, bound to its driver, and return its directory."""
    address: str = function["addr"]
    device = sys / f"devices/pci{address[:7]}" / address
    device.mkdir(parents=True)
    subvendor, subdevice = function.get("subsystem", "0000:0000").split(":")
    attributes = {
        "vendor": f"0x{function['vendor'] or UNKNOWN_ID}",
        "device": f"0x{function['device'] or UNKNOWN_ID}",
        "class": f"0x{function['class']}00",
        "subsystem_vendor": f"0x{subvendor}",
        "subsystem_device": f"0x{subdevice}",
        "driver_override": "(null)",
        "power_state": "D0",
        "power/runtime_status": "active",
    }
    if function["class"] == "0300" and boot_vga is not None:
        attributes["boot_vga"] = str(int(address == boot_vga))
    (device / "power").mkdir()
    for name, text in attributes.items():
        (device / name).write_text(text + "\n")
    link(sys / "bus/pci/devices" / address, device)
    bind(sys, device, driver_of(function))
    return device


def bind(sys: Path, device: Path, driver: str | None) -> None:
    """Bind ``device`` to ``driver``, or with ``None`` unbind it."""
    bound = device / "driver"
    if bound.is_symlink():
        (bound.resolve() / device.name).unlink()
        bound.unlink()
    if driver is not None:
        home = sys / "bus/pci/drivers" / driver
        home.mkdir(parents=True, exist_ok=True)
        link(bound, home)
        link(home / device.name, device)


def add_group(sys: Path, group: str, device: Path, name: str | None = None) -> None:
    """Put ``device`` into an IOMMU group, which may have a name."""
    home = sys / "kernel/iommu_groups" / group
    (home / "devices").mkdir(parents=True, exist_ok=True)
    if name is not None:
        (home / "name").write_text(name + "\n")
    link(home / "devices" / device.name, device)
    link(device / "iommu_group", home)


def link(place: Path, destination: Path) -> None:
    """Create a relative symlink, as in sysfs."""
    place.symlink_to(os.path.relpath(destination, place.parent))


def _add_iommu(sys: Path, host: Mapping[str, Any]) -> None:
    """Add Intel's or AMD's IOMMU, by the vendor of the first host bridge or, without one, of the
    first function of either vendor."""
    functions = [f for group in host["groups"].values() for f in group]
    functions.sort(key=lambda f: (f["class"] != "0600", f["addr"]))
    vendor = next((f["vendor"] for f in functions if f["vendor"] in IOMMU), None)
    if vendor is not None:
        unit = sys / "devices/virtual/iommu" / IOMMU[vendor]
        unit.mkdir(parents=True)
        link(sys / "class/iommu" / unit.name, unit)
