"""PCI addresses, as sysfs writes them: ``0000:01:00.0``.

The domain has four hex digits, or more on hosts with Intel VMD (kernel:
drivers/pci/controller/vmd.c). A slot has five bits and a function three (kernel:
include/uapi/linux/pci.h).
"""

from __future__ import annotations

import re

ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")


def is_address(text: str) -> bool:
    """Whether ``text`` is a whole address, domain included."""
    return ADDRESS.fullmatch(text) is not None
