"""Holds a umockdev testbed and changes it as stdin says, a JSON list per line.

The system's Python runs it, because only that has gi. Answers each line with one on stdout: the
testbed's root first, then the monotonic time just before the event was sent.
"""

import json
import sys
import time
from pathlib import Path

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import UMockdev  # noqa: E402

testbed = UMockdev.Testbed.new()
root = Path(testbed.get_root_dir())


def answer(value: object) -> None:
    print(json.dumps(value), flush=True)


def add(address: str, code: str) -> float:
    """Plug in a PCI function; umockdev sends its event once it is there."""
    attributes = ["vendor", "0x10de", "device", "0x2684", "class", code, "power_state", "D0"]
    began = time.monotonic()
    testbed.add_device("pci", address, None, attributes, ["PCI_SLOT_NAME", address])
    return began


def child(subsystem: str, name: str, address: str) -> float:
    """Add a child of a function, as a driver does."""
    began = time.monotonic()
    testbed.add_device(subsystem, name, f"/sys/devices/{address}", [], [])
    return began


def driver(address: str, name: str | None) -> float:
    """Bind a driver, or with ``None`` unbind it."""
    link = root / "sys/devices" / address / "driver"
    if link.is_symlink():
        link.unlink()
    if name is not None:
        link.symlink_to(f"../../bus/pci/drivers/{name}")
    return event(f"/sys/devices/{address}", "unbind" if name is None else "bind")


def remove(address: str) -> float:
    """Pull out a function."""
    device = root / "sys/devices" / address
    (root / "sys/bus/pci/devices" / address).unlink()
    device.rename(device.with_name(f"gone-{address}"))
    device.with_name(address).mkdir()  # umockdev reads the event's properties there
    (device / "uevent").write_text(f"PCI_SLOT_NAME={address}\n")
    (device / "subsystem").symlink_to("../../bus/pci")
    return event(f"/sys/devices/{address}", "remove")


def event(path: str, action: str) -> float:
    began = time.monotonic()
    testbed.uevent(path, action)
    return began


COMMANDS = {f.__name__: f for f in (add, child, driver, remove)}

answer(str(root))
for line in sys.stdin:
    command, *arguments = json.loads(line)
    answer(COMMANDS[command](*arguments))
