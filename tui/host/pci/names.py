"""The names of PCI functions: from the udev database, else from pci.ids, else their ids.

The udev database is read from its files. libudev would read the function's ``uevent`` attribute,
which takes the device lock in kernels of 2024 and early 2025 (up to 6.14, and their stable
branches), and would hang while an unbind is stuck.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterable, Iterator

from tui.host.tree import MACHINE, Tree
from tui.host.untrusted import clean

SIZE_LIMIT = 16 << 20
"""Bytes of a pci.ids file; the real one is 1.5 MiB."""

PLACES = (
    "usr/share/hwdata/pci.ids",
    "usr/share/misc/pci.ids",
    "usr/share/hwdata/pci.ids.gz",
    "usr/share/misc/pci.ids.gz",
)
"""Where distributions install pci.ids, below the root."""

UDEV = MACHINE / "run/udev/data"
"""The database of this machine's udev."""

_NEXT_VENDOR = re.compile(rb"\n[0-9a-zA-Z]")


class Names:
    """Names of the functions of one host, safe to draw.

    ``udev`` is the database of its udev; a captured host has none. Its own pci.ids takes precedence
    over this machine's.
    """

    def __init__(self, root: Tree, udev: Tree | None = None) -> None:
        self._udev = UDEV if udev is None and root.is_machine else udev
        self._ids = PciIds([root] if root.is_machine else [root, MACHINE])
        self._known: dict[tuple[str, str, str], tuple[str, str | None]] = {}

    def of(self, address: str, vendor: str, device: str) -> tuple[str, str | None]:
        """Return the names of a function and of its vendor."""
        key = address, vendor, device
        if key in self._known:
            return self._known[key]
        by_udev = (None, None) if self._udev is None else udev_names(address, self._udev)
        by_ids = self._ids.names(vendor, device) if None in by_udev else (None, None)
        name = by_udev[0] or by_ids[0] or f"{vendor}:{device}"
        found = name, by_udev[1] or by_ids[1]
        if by_udev[0] or self._udev is None:  # else udev may still be handling a hotplug
            self._known[key] = found
        return found

    def release(self) -> None:
        """Free what was read of pci.ids; a new function causes it to be read again."""
        self._ids.release()


class PciIds:
    """The first pci.ids file (https://pci-ids.ucw.cz) in the ``trees``.

    A vendor starts a line, its devices follow after one tab, subsystems after two. The file is
    searched, not parsed, which is a thousand times faster for the few ids that are needed.
    """

    def __init__(self, trees: Iterable[Tree], places: Iterable[str] = PLACES) -> None:
        self._places = tuple(itertools.product(trees, places))
        self._text: bytes | None = None
        self._found: dict[tuple[str, str], tuple[str | None, str | None]] = {}
        self._vendors: dict[str, tuple[int, int]] = {}

    def names(self, vendor: str, device: str) -> tuple[str | None, str | None]:
        """Return the names of a device and of its vendor, ``None`` if the file has none."""
        key = vendor, device
        if key not in self._found:
            self._found[key] = self._search(vendor, device)
        return self._found[key]

    def release(self) -> None:
        """Free the text, which is 1.5 MiB. Names that were looked up stay known."""
        self._text = None
        self._vendors.clear()

    def _search(self, vendor: str, device: str) -> tuple[str | None, str | None]:
        if self._text is None:
            self._text = next((b"\n" + text for text in self._texts()), b"")
        if vendor not in self._vendors:
            self._vendors[vendor] = self._part_of(vendor, self._text)
        start, end = self._vendors[vendor]
        if start < 0:
            return None, None
        at = self._text.find(f"\n\t{device}  ".encode(), start, end)
        return self._name_at(at), self._name_at(start)

    @staticmethod
    def _part_of(vendor: str, text: bytes) -> tuple[int, int]:
        """Return where a vendor's lines start, -1 if there are none, and where they end."""
        start = text.find(f"\n{vendor}  ".encode())
        after = _NEXT_VENDOR.search(text, start + 1) if start >= 0 else None
        return start, after.start() + 1 if after else len(text)

    def _name_at(self, start: int) -> str | None:
        """Return the rest of the line after the id that begins at ``start``."""
        if start < 0 or self._text is None:
            return None
        end = self._text.find(b"\n", start + 1)
        line = self._text[start + 1 : end if end >= 0 else None]
        return clean(line.partition(b"  ")[2].decode("utf-8", "replace")) or None

    def _texts(self) -> Iterator[bytes]:
        """Yield the files that can be read; without any, ids stand for names."""
        for tree, place in self._places:
            try:
                data = tree.read(place, SIZE_LIMIT)
                if data is not None and place.endswith(".gz"):
                    data = zlib.decompressobj(wbits=31).decompress(data, SIZE_LIMIT)
            except (OSError, zlib.error):
                continue
            if data:
                yield data


def udev_names(address: str, database: Tree = UDEV) -> tuple[str | None, str | None]:
    """Return the names that udev's hardware database gave a function and its vendor."""
    return database_names(f"+pci:{address}", database)


def database_names(device: str, database: Tree = UDEV) -> tuple[str | None, str | None]:
    """Return the names that udev's hardware database gave a device and its vendor.

    Source: lines ``E:KEY=value`` of ``/run/udev/data/<device>`` (systemd: sd-device).
    """
    try:
        data = database.read(device, 1 << 16)
    except OSError:
        return None, None
    properties = {}
    for line in (data or b"").decode("utf-8", "replace").split("\n"):
        if line.startswith("E:ID_"):
            key, _, value = line[2:].partition("=")
            properties[key] = clean(value) or None
    get = properties.get
    return get("ID_MODEL_FROM_DATABASE"), get("ID_VENDOR_FROM_DATABASE")
