"""Whether a card is awake, and whether it may fall asleep: one rule for PCI, DRM and NVML.
Reading this wakes none (kernel: Documentation/ABI/testing/sysfs-devices-power).
"""

from __future__ import annotations

from tui.host import sysfs
from tui.host.idle import RuntimePower
from tui.host.sysfs import Attributes
from tui.host.tree import Tree

STATUS, CONTROL = "power/runtime_status", "power/control"


def read_status(at: Attributes) -> tuple[str | None, bool]:
    """power/runtime_status, and whether it says that the device is awake. One that cannot be
    read, or is neither awake nor asleep, may be woken by a look; without the attribute, on
    kernels without runtime power management, nothing sleeps."""
    status = at.read(STATUS, sysfs.word)
    return status, status == "active" or (status is None and STATUS not in at.unreadable)


def read_power(directory: Tree, address: str) -> RuntimePower:
    """Of the card in ``directory``. Where power/control cannot be read the card may sleep, so
    that it is not kept from it."""
    at = Attributes(directory)
    _, awake = read_status(at)
    may_sleep = awake and (at.read(CONTROL, sysfs.word) == "auto" or CONTROL in at.unreadable)
    return RuntimePower(address, asleep=not awake, may_sleep=may_sleep)
