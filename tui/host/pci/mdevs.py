"""The mediated devices of a PCI function, and the function that a mediated device belongs to.

A mediated device's folder lies in its parent's (kernel:
Documentation/driver-api/vfio-mediated-device.rst).
"""

from __future__ import annotations

import re

from tui.host.pci import DEVICES, FUNCTIONS_LIMIT
from tui.host.tree import Tree, exists
from tui.model.address import is_address
from tui.model.bounded import UUID

MDEV_UUID = re.compile(UUID)
"""How the kernel names a mediated device."""


def child_mdevs(directory: Tree) -> tuple[str, ...]:
    """Return the UUIDs of the mediated devices of the function in ``directory``. Raises
    ``OSError``."""
    if not exists(directory, "mdev_supported_types"):
        return ()
    return tuple(sorted(name for name in directory.names() if MDEV_UUID.fullmatch(name)))


def parent_address(root: Tree, uuid: str) -> str | None:
    """Return the address of the function that a mediated device belongs to.

    ``None`` if the parent is no PCI function. ``uuid`` is in lower case. Raises ``LookupError``
    if there is no such device.
    """
    try:
        path = root.target(f"sys/bus/mdev/devices/{uuid}").split("/")[:-1]
        return next((part for part in reversed(path) if is_address(part)), None)
    except OSError:  # a copy of sysfs may have lost the link
        pass
    try:
        addresses = root.names(DEVICES, FUNCTIONS_LIMIT)
    except OSError as error:
        raise LookupError(uuid) from error
    for address in sorted(addresses):
        if is_address(address) and exists(root, f"{DEVICES}/{address}/{uuid}"):
            return address
    raise LookupError(uuid)
