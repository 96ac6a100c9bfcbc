"""PCI addresses as sysfs writes them: ``0000:01:00.0``.

The domain has four hex digits, or more on hosts with Intel VMD (kernel:
drivers/pci/controller/vmd.c). A slot number has five bits and a function number three (kernel:
include/uapi/linux/pci.h).
"""

from __future__ import annotations

import re

ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")


def is_address(text: str) -> bool:
    """Whether ``text`` is a full PCI address, domain included."""
    return ADDRESS.fullmatch(text) is not None


def slot_of(address: str) -> str:
    """The slot of an address: ``0000:01:00`` for ``0000:01:00.1``."""
    return address.rpartition(".")[0]


def domain_of(address: str) -> int:
    """The domain of a full address: 0 for ``0000:01:00.1``."""
    return int(address.partition(":")[0], 16)


def bus_of(address: str) -> str:
    """The bus number of an address: ``01`` for ``0000:01:00.1``; empty if it has no domain."""
    return address.split(":")[1] if address.count(":") == 2 else ""
