"""A tree in memory: the content of an archive, or of a recording.

Nothing is unpacked to disk, so no name or link in an archive can reach a file of this machine.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Mapping

from msgspec import Struct

from tui.host.confined import DEPTH_LIMIT, LINKS_LIMIT
from tui.host.tree import FILE_LIMIT, GONE, NAMES_LIMIT, not_regular
from tui.host.untrusted import clean


class Link(Struct, frozen=True):
    """A symlink, with its target as written."""

    target: str


Node = bytes | Link | None
"""A file's bytes, a link, or ``None`` for a folder."""

Nodes = Mapping[str, Node]
"""Nodes by path. The folders above a node need no node of their own."""


class MemoryTree:
    """A ``Tree`` of ``nodes``. ``place`` is where they come from, for messages.

    Links are followed as in ``Confined``: absolute ones start at the root, and ``..`` stops there.
    """

    is_machine = False
    is_copied = True

    def __init__(self, nodes: Nodes, place: str) -> None:
        self._nodes = nodes
        self._folders = folders(nodes)
        self._place = place
        self._path = ""
        self._parts = 1

    def __str__(self) -> str:
        return clean(f"{self._place.rstrip('/')}/{self._path}".rstrip("/")) or "/"

    @property
    def label(self) -> str:
        """A name for the whole tree: the last part of its place; for a subroot the last two."""
        return clean("/".join(self._place.rsplit("/", self._parts)[-self._parts :])) or "/"

    def __truediv__(self, name: str) -> MemoryTree:
        below = object.__new__(MemoryTree)
        below._nodes, below._folders = self._nodes, self._folders
        below._place, below._parts = self._place, self._parts
        below._path = self._join(name)
        return below

    def subroot(self, name: str) -> MemoryTree:
        """Return the folder ``name`` as a tree of its own. Raises ``OSError``, also for a link."""
        path = self._walk(self._join(name), follow=False)
        self._must_be_folder(path)
        start = f"{path}/" if path else ""
        nodes = {p[len(start) :]: node for p, node in self._nodes.items() if p.startswith(start)}
        inner = MemoryTree(nodes, f"{self._place}/{path}")
        inner._parts = 2
        return inner

    def read(self, name: str, limit: int = FILE_LIMIT) -> bytes | None:
        path = self._join(name)
        try:
            found = self._nodes.get(self._walk(path))
        except OSError as error:
            if error.errno in GONE:
                return None
            raise
        if not isinstance(found, bytes):
            raise not_regular(path)
        if len(found) > limit:
            raise OSError(errno.EFBIG, f"more than {limit} bytes", path)
        return found

    def names(self, name: str = "", limit: int = NAMES_LIMIT) -> list[str]:
        path = self._walk(self._join(name))
        self._must_be_folder(path)
        found = self._folders[path]
        if len(found) > limit:
            raise OSError(errno.EFBIG, f"more than {limit} entries", path)
        return list(found)

    def target(self, name: str) -> str:
        found = self._nodes.get(self._walk(self._join(name), follow=False))
        if not isinstance(found, Link):
            raise OSError(errno.EINVAL, "not a symlink")
        return found.target

    def mode(self, name: str = "") -> int:
        path = self._walk(self._join(name))
        return stat.S_IFDIR | 0o755 if path in self._folders else stat.S_IFREG | 0o644

    def _join(self, name: str) -> str:
        return f"{self._path}/{name}" if self._path and name else self._path or name

    def _walk(self, path: str, *, follow: bool = True) -> str:
        """Return the path of what ``path`` leads to, without links."""
        ahead, at, links = path.split("/")[::-1], list[str](), 0
        while ahead:
            part = ahead.pop()
            here = "/".join(at)
            self._must_be_folder(here)
            if part in ("", ".", ".."):
                if part == ".." and at:
                    at.pop()
                continue
            if len(at) >= DEPTH_LIMIT:
                raise OSError(errno.ENAMETOOLONG, f"more than {DEPTH_LIMIT} directories deep")
            there = f"{here}/{part}" if here else part
            node = self._nodes.get(there)
            if node is None and there not in self._folders:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), there)
            if not isinstance(node, Link) or not (ahead or follow):
                at.append(part)
                continue
            links += 1
            if links > LINKS_LIMIT:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), there)
            if node.target.startswith("/"):
                at.clear()
            ahead += node.target.split("/")[::-1]
        return "/".join(at)

    def _must_be_folder(self, path: str) -> None:
        if path not in self._folders:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)


def folders(nodes: Nodes) -> dict[str, list[str]]:
    """Return the names in each folder, by its path."""
    found: dict[str, dict[str, None]] = {"": {}}
    for path, node in nodes.items():
        if node is None:
            found.setdefault(path, {})
        for above, name in parents(path):
            found.setdefault(above, {})[name] = None
    return {path: list(names) for path, names in found.items()}


def parents(path: str) -> Iterable[tuple[str, str]]:
    """Yield each folder above a path, with the name in it that leads there; the nearest first."""
    while path:
        above, _, name = path.rpartition("/")
        yield above, name
        path = above
