"""sysfs attributes, read with bounds and parsed strictly.

A captured host may hold anything in place of an attribute. Its ``Tree`` decides how that is opened
and read; text that the kernel would not write counts as an unreadable attribute. Formats:
Documentation/ABI/testing/sysfs-bus-pci and drivers/pci/pci-sysfs.c of the kernel.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from tui.host.tree import FILE_LIMIT, GONE, MACHINE, Tree, text
from tui.model import Bar

T = TypeVar("T")


def read_file(path: str, limit: int = FILE_LIMIT) -> bytes | None:
    """Read a regular file of this machine by its absolute path, as ``Tree.read`` does."""
    return MACHINE.read(path.removeprefix("/"), limit)


class Attributes:
    """The attributes of one device.

    ``unreadable`` collects the names of those that exist but cannot be read, or hold what the
    kernel never writes.
    """

    def __init__(self, directory: Tree) -> None:
        self._directory = directory
        self.unreadable: list[str] = []

    def read(self, name: str, parse: Callable[[str], T | None]) -> T | None:
        """Return an attribute, parsed; ``None`` when it does not exist or cannot be read."""
        try:
            data = self._directory.read(name)
            return None if data is None else parse(text(data).strip())
        except (OSError, ValueError):
            self.unreadable.append(name)
            return None

    def link(self, name: str, parse: Callable[[str], T]) -> T | None:
        """Return the last part of a symlink's target, parsed; ``None`` as in ``read``."""
        try:
            return parse(self._directory.target(name).rpartition("/")[2])
        except OSError as error:
            if error.errno not in GONE:
                self.unreadable.append(name)
        except ValueError:
            self.unreadable.append(name)
        return None


# --- what the attributes hold: each parser raises ValueError ------------------

_WIDTHS = (1, 2, 4, 8, 12, 16, 32)
_SPEED = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,2})?) GT/s(?: PCIe)?")
_ID = re.compile(r"0x([0-9a-fA-F]{4})")
_CLASS = re.compile(r"0x([0-9a-fA-F]{6})")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_RANGE = re.compile(r"0x([0-9a-fA-F]{1,16}) 0x([0-9a-fA-F]{1,16}) 0x([0-9a-fA-F]{1,16})")
_MASK = re.compile(r"[0-9a-fA-F]{1,16}")
_LARGEST_BAR = 44
_WORD = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_DRIVER = re.compile(r"[A-Za-z0-9_](?:[!-.0-~]| (?=[!-.0-~])){0,63}")

_IO, _MEMORY, _PREFETCHABLE = 0x100, 0x200, 0x2000  # include/linux/ioport.h
_BARS = 6


def pci_id(text: str) -> str:
    """Parse vendor, device, subsystem_*: ``0x10de`` is ``10de``."""
    return _matched(_ID, text)[1].lower()


def class_code(text: str) -> str:
    """Parse class: ``0x030000`` is ``030000``."""
    return _matched(_CLASS, text)[1].lower()


def number(text: str) -> int:
    """Parse a decimal number of at most nine digits."""
    return int(_matched(_NUMBER, text)[0])


def count(text: str) -> int:
    """Parse a decimal number that is not negative: sriov_totalvfs, the name of an IOMMU group."""
    value = number(text)
    if value < 0:
        raise ValueError(text)
    return value


def numa_node(text: str) -> int | None:
    """Parse numa_node; -1 is none."""
    value = number(text)
    return None if value < 0 else value


def flag(text: str) -> bool:
    """Parse boot_vga: 0 or 1."""
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"


def link_speed(text: str) -> float | None:
    """Parse max_link_speed and current_link_speed, in GT/s.

    The format is ``16.0 GT/s PCIe``, before Linux 5.7 ``16 GT/s``; ``Unknown`` and ``Unknown
    speed`` are none.
    """
    return None if text.startswith("Unknown") else float(_matched(_SPEED, text)[1])


def link_width(text: str) -> int | None:
    """Parse max_link_width and current_link_width, in lanes.

    0 and 255 (no link) are none, and so is any other width that PCI Express does not have.
    """
    value = number(text)
    return value if value in _WIDTHS else None


def words(text: str) -> tuple[str, ...]:
    """Parse reset_method: words separated by spaces, in the order in which they are tried."""
    return tuple(_matched(_WORD, word)[0] for word in text.split())


def word(text: str) -> str:
    """Parse power/runtime_status or power_state: one word such as ``active`` or ``D3cold``."""
    return _matched(_WORD, text.lower()) and text


@lru_cache(maxsize=1024)
def driver_name(text: str) -> str:
    """Return the target of the driver link exactly.

    What a driver may do follows from its name, so a name that looks like vfio-pci must not be taken
    for it.
    """
    return _matched(_DRIVER, text)[0]


def bars(text: str) -> tuple[Bar, ...]:
    """Parse resource: one line with start, end and flags per region, base address registers first.

    A register that does not exist is all zeros.
    """
    found = []
    for index, line in enumerate(text.split("\n")[:_BARS]):
        start, end, flags = (int(part, 16) for part in _matched(_RANGE, line.strip()).groups())
        size = end - start + 1
        if size < 0:
            raise ValueError(line)
        if end == 0 or size == 0 or not flags & (_IO | _MEMORY):
            continue
        found.append(Bar(index, size, bool(flags & _IO), bool(flags & _PREFETCHABLE)))
    return tuple(found)


def bar_sizes(text: str) -> tuple[int, ...]:
    """Parse resourceN_resize, a bit mask in hex: bit n stands for 2^n MiB."""
    mask = int(_matched(_MASK, text)[0], 16)
    return tuple(1 << (20 + bit) for bit in range(_LARGEST_BAR) if mask >> bit & 1)


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return found
