"""A file that only grows, in frames that are complete or not there.

It begins with a line that names its version. A frame is the length of its content and its CRC-32,
four bytes each, little-endian, and the content. A reader stops at a frame that was cut
short, and at one that a power loss has left as zeros.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

MAGIC = b"vfiotop history 1\n"
_HEAD = struct.Struct("<II")


class OtherVersion(Exception):
    """The file is of another version, or not one of ours."""


def framed(content: bytes) -> bytes:
    """The frame with this content, which must not be empty."""
    return _HEAD.pack(len(content), zlib.crc32(content)) + content


def contents(data: bytes) -> Iterator[memoryview]:
    """The content of each frame up to the first that is incomplete. Raises ``OtherVersion``."""
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise OtherVersion
    view, at = memoryview(data), len(MAGIC)
    while at + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(view, at)
        content = view[at + _HEAD.size : at + _HEAD.size + length]
        if not length or len(content) < length or zlib.crc32(content) != checksum:
            return
        yield content
        at += _HEAD.size + length
