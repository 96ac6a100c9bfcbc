"""A tree that records what is read from it: the only list of what a capture contains.

A capture is made by running the readers of a captured host on a recorder, so that it has whatever
they open, in later versions too. On a live host the recorder itself answers reads that would take
a device's lock; everything else is what vfiotop reads all the time.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress

from tui.host.capture.archive import MEMBERS_LIMIT, SIZE_LIMIT, is_storable, size_of
from tui.host.capture.memory import Link, MemoryTree, Node, Nodes
from tui.host.confined import DEPTH_LIMIT, LINKS_LIMIT
from tui.host.tree import FILE_LIMIT, GONE, NAMES_LIMIT, Tree, text_of
from tui.host.untrusted import clean

UNREADABLE = b"\xff unreadable\n"
"""In place of a device's attribute that could not be read. No parser accepts it, so a loaded
capture reports the attribute as unreadable, not as missing."""

ROOM = SIZE_LIMIT - (8 << 20)
"""Bytes of an archive before redaction, which may make it longer."""

NODES_LIMIT = MEMBERS_LIMIT - 64
"""Files, links and folders; an archive also has a few pages for people to read."""

_OWN = "proc/self"
"""A link to the pid of whoever reads it; recorded as a folder."""


class RecordingTree:
    """A ``Tree`` that passes reads on to ``source`` and keeps what it answers.

    ``given`` stands in for the source's folder ``domains``; ``None``: the source has its own.
    After ``deadline`` (monotonic seconds) every read fails.
    """

    is_machine = False
    is_copied = True

    def __init__(
        self,
        source: Tree,
        given: Nodes | None = None,
        deadline: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._given = None if given is None else MemoryTree(given, "libvirt")
        self._live = not source.is_copied
        self._deadline = deadline
        self._clock = clock
        self._kinds: dict[str, Node] = {}
        self._size = 0
        self.nodes: dict[str, Node] = {}
        self.asked: dict[str, str] = {}
        """The paths by which files were asked for, which show what they are."""
        self.unread: dict[str, str] = {}
        """What exists but is not in the capture, with the reason."""

    def __str__(self) -> str:
        return str(self._source)

    def __truediv__(self, name: str) -> Tree:
        return _Below(self, name)

    def read(self, name: str, limit: int = FILE_LIMIT) -> bytes | None:
        try:
            path = self._resolve(name)
            data = self._answer(path)
            if data is None:
                data = self._of(path).read(path, limit)
            if data is not None:
                self._keep(path, data)
                self.asked.setdefault(path, name.strip("/"))
        except OSError as error:
            if error.errno in GONE:
                return None
            self._note(name, error)
            raise
        return data

    def names(self, name: str = "", limit: int = NAMES_LIMIT) -> list[str]:
        try:
            path = self._resolve(name)
            found = self._of(path).names(path, limit)
            self._keep(path, None)
            for each in found:
                self._note_entry(f"{path}/{each}" if path else each)
        except OSError as error:
            if error.errno not in GONE:
                self._note(name, error)
            raise
        return found

    def target(self, name: str) -> str:
        path = self._resolve(name, follow=False)
        found = self._kind(path)
        if not isinstance(found, Link):
            raise OSError(errno.EINVAL, "not a symlink")
        return found.target

    def mode(self, name: str = "") -> int:
        path = self._resolve(name)
        mode = self._of(path).mode(path)
        if stat.S_ISDIR(mode):
            self._keep(path, None)
        elif stat.S_ISREG(mode) and not path.startswith("sys/"):
            self._keep(path, self.nodes.get(path) or b"")  # only its existence matters
        return mode

    # --- what a live host is not asked ----------------------------------------

    def _answer(self, path: str) -> bytes | None:
        """Return what stands in for an attribute whose read takes the device's lock.

        The device's links say the same (kernel: Documentation/ABI/testing/sysfs-bus-pci).
        """
        folder, _, name = path.rpartition("/")
        if not self._live or not path.startswith("sys/"):
            return None
        if name == "sriov_numvfs":
            return b"%d\n" % sum(n.startswith("virtfn") for n in self.names(folder))
        if name == "uevent":
            ids = [text_of(self, f"{folder}/{n}").strip()[2:] for n in ("vendor", "device")]
            return f"PCI_ID={':'.join(ids).upper()}\n".encode()
        if name == "driver_override":
            raise OSError(errno.EPERM, "reading it may wait for the device", path)
        return None

    # --- paths ----------------------------------------------------------------

    def _of(self, path: str) -> Tree:
        given = self._given is not None and path.partition("/")[0] == "domains"
        return self._given if self._given is not None and given else self._source

    def _resolve(self, name: str, *, follow: bool = True) -> str:
        """Return the path of what ``name`` leads to, without links, and keep those on the way."""
        if self._clock() > self._deadline:
            raise OSError(errno.ETIME, "time ran out before it was read", name)
        ahead, at, links = name.split("/")[::-1], list[str](), 0
        while ahead:
            part = ahead.pop()
            if part in ("", "."):
                continue
            if part == "..":
                at = at[:-1]
                continue
            if len(at) >= DEPTH_LIMIT:
                raise OSError(errno.ENAMETOOLONG, f"more than {DEPTH_LIMIT} directories deep")
            at.append(part)
            if not (ahead or follow):
                break
            found = self._kind("/".join(at))
            if isinstance(found, Link):
                links += 1
                if links > LINKS_LIMIT:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
                at = [] if found.target.startswith("/") else at[:-1]
                ahead += found.target.split("/")[::-1]
        return "/".join(at)

    def _kind(self, path: str) -> Node:
        """Return the link at a path and keep it; ``None`` if there is none."""
        if path not in self._kinds:
            found: Node = None
            if path != _OWN:
                with suppress(OSError):  # no link, or nothing at all
                    found = Link(self._of(path).target(path))
            self._kinds[path] = found
            if isinstance(found, Link):
                self._keep(path, _relative(path, found))
        return self._kinds[path]

    def _note_entry(self, path: str) -> None:
        """Keep an entry of a folder that was listed, unless it is an unread sysfs attribute."""
        if self._kind(path) is not None or path in self.nodes:
            return
        try:
            mode = self._of(path).mode(path)
        except OSError:
            return
        if stat.S_ISDIR(mode):
            self._keep(path, None)
        elif stat.S_ISREG(mode):
            if not path.startswith("sys/"):
                self._keep(path, b"")
        else:
            self.unread.setdefault(clean(path), "not a regular file")

    def _keep(self, path: str, node: Node) -> None:
        """Keep a node. Raises ``OSError`` if the capture is full."""
        if not path or (path in self.nodes and (node is None or self.nodes[path] == node)):
            return
        size = size_of(path, node)
        if not is_storable(path):
            self.unread[clean(path)] = "its name cannot be stored"
        elif len(self.nodes) >= NODES_LIMIT or self._size + size > ROOM:
            raise OSError(errno.EFBIG, "the capture is full", path)
        else:
            self._size += size
            self.nodes[path] = node

    def _note(self, name: str, error: OSError) -> None:
        path = name.strip("/")
        self.unread.setdefault(clean(path), error.strerror or "cannot be read")
        attribute = path.startswith("sys/bus/pci/devices/") and not path.endswith("/dm/name")
        if attribute and error.errno not in (errno.ETIME, errno.EFBIG):
            try:
                self._keep(self._resolve(path), UNREADABLE)
            except OSError:
                return


class _Below:
    """A folder of a recorder."""

    is_machine = False
    is_copied = True

    def __init__(self, recorder: RecordingTree, path: str) -> None:
        self._recorder = recorder
        self._path = path

    def __str__(self) -> str:
        return f"{str(self._recorder).rstrip('/')}/{self._path}"

    def __truediv__(self, name: str) -> Tree:
        return _Below(self._recorder, f"{self._path}/{name}")

    def read(self, name: str, limit: int = FILE_LIMIT) -> bytes | None:
        return self._recorder.read(f"{self._path}/{name}", limit)

    def names(self, name: str = "", limit: int = NAMES_LIMIT) -> list[str]:
        return self._recorder.names(f"{self._path}/{name}", limit)

    def target(self, name: str) -> str:
        return self._recorder.target(f"{self._path}/{name}")

    def mode(self, name: str = "") -> int:
        return self._recorder.mode(f"{self._path}/{name}")


def _relative(path: str, link: Link) -> Link:
    """Return the link with a target that stays inside, as an archive needs it."""
    parts = link.target.split("/")
    above = path.split("/")[:-1]
    depth, low = len(above), 0
    for part in parts:
        depth += -1 if part == ".." else part not in ("", ".")
        low = min(low, depth)
    if not link.target.startswith("/") and low >= 0:
        return link
    at = [] if link.target.startswith("/") else list(above)
    for part in parts:
        if part == "..":
            at = at[:-1]
        elif part not in ("", "."):
            at.append(part)
    return Link("/".join([*[".."] * len(above), *at]) or ".")
