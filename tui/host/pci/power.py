"""Whether a card is awake and whether it may fall asleep: one rule for PCI, DRM and NVML.

Reading this wakes no card (kernel: Documentation/ABI/testing/sysfs-devices-power).
"""

from __future__ import annotations

from tui.host import sysfs
from tui.host.idle import RuntimePower
from tui.host.sysfs import Attributes
from tui.host.tree import Tree
from tui.model import is_awake

STATUS, CONTROL = "power/runtime_status", "power/control"


def read_status(at: Attributes) -> tuple[str | None, bool]:
    """Return power/runtime_status, and whether it says that the device is awake.

    A device whose status cannot be read, or is neither awake nor asleep, counts as not awake:
    reading more might wake it. Kernels without runtime power management lack the attribute, and
    there nothing sleeps.
    """
    status = at.read(STATUS, sysfs.word)
    return status, is_awake(status) and STATUS not in at.unreadable


def read_power(directory: Tree, address: str) -> RuntimePower:
    """Return the power management of the card in ``directory``.

    If power/control cannot be read the card counts as one that may sleep, so that we do not keep
    it awake.
    """
    at = Attributes(directory)
    _, awake = read_status(at)
    may_sleep = awake and (at.read(CONTROL, sysfs.word) == "auto" or CONTROL in at.unreadable)
    return RuntimePower(address, asleep=not awake, may_sleep=may_sleep)
