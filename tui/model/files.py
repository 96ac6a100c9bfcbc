"""Files of the host that a guest's definition names."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

FileKind = Literal["missing", "file", "device", "other", "unknown"]
"""``unknown``: it could not be inspected."""


class RomImage(Struct, frozen=True):
    """The head of an option ROM (PCI Firmware Specification 3.3, section 5.1).

    ``signature``: it begins with the bytes of one. ``header``: NVIDIA's own header precedes it, as
    in a file from a flash tool. ``vendor`` and ``device`` are those that it is for.
    """

    signature: bool
    header: bool = False
    vendor: str | None = None
    device: str | None = None


class FileFacts(Struct, frozen=True):
    """A file. ``mode`` are its permission bits, ``owner`` and ``group`` are names, or numbers
    without a name. ``open_path``: everybody may enter the folders above it. ``rom`` is what it
    begins with, ``None`` if it could not be read. ``mapped_by`` are the processes that map it, as
    far as they could be seen; ``None``: nobody looked."""

    kind: FileKind
    size: int = 0
    mode: int = 0
    owner: str = ""
    group: str = ""
    open_path: bool = True
    rom: RomImage | None = None
    mapped_by: tuple[str, ...] | None = None
