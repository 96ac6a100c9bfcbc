"""USB devices in the kernel's layout, below a PCI function."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.hosts_layout import link

KEYBOARD, MOUSE, STORAGE = ("03", "01"), ("03", "02"), ("08", "50")
"""Class and protocol of an interface."""


def add_usb(
    root: Path,
    controller: str,
    port: str,
    number: int,
    id: str = "046d:c52b",
    interfaces: Mapping[tuple[str, str], str | None] | None = None,
    strings: Mapping[str, str] | None = None,
    device_class: str = "00",
) -> Path:
    """Plug a device in, and return its directory. ``interfaces`` have the driver of each."""
    bus, _, path = port.partition("-")
    ports = path.split(".")
    hubs = [f"{bus}-{'.'.join(ports[:n])}" for n in range(1, len(ports))]
    at = root / f"sys/devices/pci0000:00/{controller}/usb{bus}" / "/".join([*hubs, port])
    at.mkdir(parents=True)
    vendor, _, product = id.partition(":")
    attributes = {
        "idVendor": vendor, "idProduct": product, "busnum": bus, "devnum": str(number),
        "bDeviceClass": device_class, "speed": "480", **(strings or {}),
    }  # fmt: skip
    for name, text in attributes.items():
        (at / name).write_text(f"{text}\n")
    buses = root / "sys/bus/usb"
    (buses / "devices").mkdir(parents=True, exist_ok=True)
    link(buses / "devices" / port, at)
    _drive(root, at, "usb")
    for index, ((kind, protocol), driver) in enumerate((interfaces or {}).items()):
        interface = at / f"{port}:1.{index}"
        interface.mkdir()
        (interface / "bInterfaceClass").write_text(f"{kind}\n")
        (interface / "bInterfaceProtocol").write_text(f"{protocol}\n")
        link(buses / "devices" / interface.name, interface)
        if driver is not None:
            _drive(root, interface, driver)
    return at


def unplug(root: Path, at: Path) -> None:
    """Take the links of a device away, which is what its readers begin with."""
    for entry in (root / "sys/bus/usb/devices").iterdir():
        if entry.name.partition(":")[0] == at.name:
            entry.unlink()


def _drive(root: Path, at: Path, driver: str) -> None:
    folder = root / "sys/bus/usb/drivers" / driver
    folder.mkdir(parents=True, exist_ok=True)
    if (at / "driver").is_symlink():
        (at / "driver").unlink()
    link(at / "driver", folder)


def drive(root: Path, at: Path, driver: str) -> None:
    """Bind every interface of a device to ``driver``."""
    for interface in at.glob(f"{at.name}:*"):
        _drive(root, interface, driver)
