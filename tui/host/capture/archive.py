"""A capture as a tar.gz: a writer, and a strict reader.

An archive arrives in a bug report, so nothing in it is trusted. It is read into memory with
bounds on its size, its unpacked size and its members. Only folders, regular files and links that
stay inside are accepted; anything else makes the whole archive unusable.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path

from tui.host.capture.memory import Link, MemoryTree, Node, Nodes, parents
from tui.host.confined import DEPTH_LIMIT
from tui.host.untrusted import clean
from tui.process.files import read_file

FOLDER = "vfiotop-capture"
"""The folder that the archives contain, so that unpacking one makes no mess."""

PACKED_LIMIT = 32 << 20
"""Bytes of an archive."""

SIZE_LIMIT = 64 << 20
"""Bytes that an archive unpacks to, headers included."""

MEMBERS_LIMIT = 65_536

NAME_LIMIT = 1024
"""Characters of a path in an archive, or of a link's target."""

_GZIP = b"\x1f\x8b"
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)


class BadArchive(ValueError):
    """An archive that cannot be used; the message says why in a few words."""


# --- writing ------------------------------------------------------------------


def pack(nodes: Nodes) -> bytes:
    """Return the nodes as an archive. The same nodes give the same bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(nodes):
            member, data = _member(f"{FOLDER}/{path}", nodes[path])
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


def _member(path: str, node: Node) -> tuple[tarfile.TarInfo, bytes]:
    member, data = tarfile.TarInfo(path), b""
    member.mode = 0o644
    if node is None:
        member.type, member.mode = tarfile.DIRTYPE, 0o755
    elif isinstance(node, Link):
        member.type, member.mode, member.linkname = tarfile.SYMTYPE, 0o777, node.target
    else:
        member.size, data = len(node), node
    return member, data


def size_of(path: str, node: Node) -> int:
    """Return the maximum size of a node in an archive, in bytes, before compression."""
    data = len(node) if isinstance(node, bytes) else 0
    named = [path, node.target] if isinstance(node, Link) else [path]
    long = any(len(name) + len(FOLDER) >= 99 or not name.isascii() for name in named)
    extended = 1024 + 4 * sum(map(len, named)) if long else 0  # a header of its own (pax(1))
    return tarfile.BLOCKSIZE * (3 + data // tarfile.BLOCKSIZE) + extended


def is_storable(path: str) -> bool:
    """Whether an archive may have a node with this path."""
    parts = path.split("/")
    return (
        len(path) + len(FOLDER) < NAME_LIMIT
        and len(parts) < DEPTH_LIMIT
        and not any(part in ("", ".", "..") for part in parts)
        and _is_plain(path)
    )


# --- reading ------------------------------------------------------------------


def open_archive(path: str) -> MemoryTree | None:
    """Return the tree in the archive at ``path``; ``None`` if that is not a regular file.

    Raises ``OSError`` and ``BadArchive``.
    """
    if not Path(path).is_file():
        return None
    return MemoryTree(unpack(read_file(Path(path), PACKED_LIMIT)), path)


def unpack(data: bytes) -> dict[str, Node]:
    """Return the nodes of an archive. Raises ``BadArchive``."""
    plain = _decompressed(data) if data.startswith(_GZIP) else data
    if len(plain) > SIZE_LIMIT:
        raise BadArchive(f"it unpacks to more than {SIZE_LIMIT >> 20} MiB")
    nodes: dict[str, Node] = {}
    for member in _members(plain):
        path = _path(member.name)
        node = _node(plain, member)
        if node is not None and not path:
            raise BadArchive("it has a file without a name")
        if path in nodes and (node is not None or nodes[path] is not None):
            raise BadArchive(f"it has {clean(path)} twice")
        if path:
            nodes[path] = node
    for path in nodes:
        for above, _ in parents(path):
            if nodes.get(above) is not None:
                raise BadArchive(f"{clean(above)} is both a folder and something else in it")
    for path, node in nodes.items():
        if isinstance(node, Link):
            _check_link(path, node.target)
    return nodes


def _decompressed(data: bytes) -> bytes:
    unzip = zlib.decompressobj(wbits=31)
    try:
        plain = unzip.decompress(data, SIZE_LIMIT + 1)
    except zlib.error as error:
        raise BadArchive("it is damaged") from error
    if len(plain) > SIZE_LIMIT:
        raise BadArchive(f"it unpacks to more than {SIZE_LIMIT >> 20} MiB")
    if not unzip.eof or unzip.unused_data:
        raise BadArchive("it is cut short" if not unzip.eof else "something follows it")
    return plain


def _members(plain: bytes) -> Iterator[tarfile.TarInfo]:
    """Yield the members. A header that leads backwards ends in an error, not in a loop."""
    at, number = -1, 0
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:", errorlevel=2) as archive:
            while (member := archive.next()) is not None:
                number += 1
                if number > MEMBERS_LIMIT:
                    raise BadArchive(f"it has more than {MEMBERS_LIMIT} members")
                if member.offset <= at:
                    raise BadArchive("it is damaged")
                at = member.offset
                archive.members.clear()  # type: ignore[attr-defined]  # it keeps them all
                yield member
    except BadArchive:
        raise
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, EOFError, OSError,
            IndexError, KeyError) as error:  # fmt: skip
        raise BadArchive("it is not a tar archive, or it is damaged") from error
    if not number:
        raise BadArchive("it is empty")


def _node(plain: bytes, member: tarfile.TarInfo) -> Node:
    shown = clean(member.name)
    if member.isdir():
        return None
    if member.issym():
        return Link(member.linkname)
    if member.type not in _FILES or member.issparse():
        raise BadArchive(f"{shown} is neither a folder, a regular file nor a symlink")
    end = member.offset_data + member.size
    if member.size < 0 or end > len(plain):
        raise BadArchive("it is cut short")
    return plain[member.offset_data : end]


def _path(name: str) -> str:
    """Return a member's path, empty for the top. Raises ``BadArchive``."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise BadArchive(f"{clean(name)} leads outside the archive")
    if len(name) > NAME_LIMIT or len(parts) > DEPTH_LIMIT:
        raise BadArchive(f"the name {clean(name, 60)} is too long")
    if not _is_plain(name):
        raise BadArchive(f"the name {clean(name)} has non-printable characters")
    return "/".join(parts)


def _check_link(path: str, target: str) -> None:
    """Raise ``BadArchive`` if a link could lead out, or its target is not a path."""
    if not target or len(target) > NAME_LIMIT or not _is_plain(target):
        raise BadArchive(f"{clean(path)} is a link whose target is not a path")
    depth = path.count("/")
    for part in target.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            break
    if depth < 0 or target.startswith("/"):
        raise BadArchive(f"the link {clean(path)} leads outside the archive")


def _is_plain(text: str) -> bool:
    """Whether it has no control, format, private or unassigned character, and no surrogate."""
    return (text.isascii() and text.isprintable()) or not any(
        unicodedata.category(c)[0] == "C" for c in text
    )
