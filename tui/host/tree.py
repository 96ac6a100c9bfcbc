"""The files of a host, whether it is this machine or a captured one.

Readers get a ``Tree`` and open nothing themselves. So what they read from a captured host cannot
lead them out of it, nor to a device (``tui.host.confined``).
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Iterator
from typing import Protocol

FILE_LIMIT = 1 << 16
"""Bytes of a file, unless its reader says otherwise. The kernel writes at most one page per
attribute, and pages have up to 64 KiB."""

CHUNK = 4096
"""Bytes of the first read(2)."""

NAMES_LIMIT = 65_536
"""Names in a directory, unless its reader says otherwise."""

GONE = (errno.ENOENT, errno.ENOTDIR, errno.ENODEV)
"""The errors for a file that does not exist, or whose device has gone away."""

READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Tree(Protocol):
    """A directory and everything beneath it.

    ``name`` is a path relative to the directory, by default the directory itself. Nothing is opened
    before it is read. Failures raise ``OSError``, as the system call does. ``str()`` is the
    directory's path, safe to draw.
    """

    @property
    def is_machine(self) -> bool:
        """Whether this is the root of the machine itself, which has events and a udev database."""
        ...

    @property
    def is_copied(self) -> bool:
        """Whether its sys is a copy.

        A copy may have lost links and files, and no file in it waits for the kernel.
        """
        ...

    def __truediv__(self, name: str) -> Tree:
        """Return the directory ``name``."""
        ...

    def read(self, name: str, limit: int = FILE_LIMIT) -> bytes | None:
        """Return the bytes of a regular file.

        ``None`` if it does not exist or its device has gone away. Raises if it exists and
        cannot be read: no access, an error of the device, not a regular file, more than ``limit``
        bytes.
        """
        ...

    def names(self, name: str = "", limit: int = NAMES_LIMIT) -> list[str]:
        """Return the names in a directory. Raises also if there are more than ``limit``."""
        ...

    def target(self, name: str) -> str:
        """Return where a symlink points; the target need not exist."""
        ...

    def mode(self, name: str = "") -> int:
        """Return the ``st_mode`` of what ``name`` leads to, without opening it."""
        ...


class PlainTree:
    """A directory of this machine, read by plain system calls that follow every link.

    Without a ``path`` it is the root. It opens devices, though it reads nothing from them, so use
    it only for what the kernel, root or the user has written.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str | os.PathLike[str] = "") -> None:
        self._path = os.fspath(path).rstrip("/")

    def __str__(self) -> str:
        return self._path or "/"

    def __truediv__(self, name: str) -> PlainTree:
        return PlainTree(f"{self._path}/{name}")

    @property
    def is_machine(self) -> bool:
        return not self._path

    is_copied = False

    def read(self, name: str, limit: int = FILE_LIMIT) -> bytes | None:
        path = f"{self._path}/{name}"
        try:
            descriptor = os.open(path, READ_FLAGS)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise not_regular(path)
            return read_all(descriptor, path, limit)
        finally:
            os.close(descriptor)

    def names(self, name: str = "", limit: int = NAMES_LIMIT) -> list[str]:
        path = f"{self._path}/{name}"
        with os.scandir(path) as entries:
            return listed(entries, path, limit)

    def target(self, name: str) -> str:
        return os.readlink(f"{self._path}/{name}")  # noqa: PTH115 - saves a Path

    def mode(self, name: str = "") -> int:
        return os.stat(f"{self._path}/{name}").st_mode  # noqa: PTH116 - saves a Path


MACHINE = PlainTree()
"""This machine, from its root."""


_BOM = b"\xef\xbb\xbf"


def text(data: bytes, encoding: str = "ascii", errors: str = "strict") -> str:
    """Return the text of a kernel file, copied or not.

    It ends at the first NUL: sysfs reports a whole page as a file's size, and some copies are
    padded to it. Lines end with a newline alone. Raises ``ValueError`` if it is not in the
    ``encoding``.
    """
    content = data.removeprefix(_BOM).partition(b"\0")[0]
    return content.decode(encoding, errors).replace("\r\n", "\n")


def text_of(tree: Tree, name: str, limit: int = FILE_LIMIT) -> str:
    """Return the text of a file; empty if it does not exist or cannot be read.

    For text that is parsed strictly or shown cleaned.
    """
    try:
        return text(tree.read(name, limit) or b"", "utf-8", "replace")
    except OSError:
        return ""


def exists(tree: Tree, name: str = "") -> bool:
    """Whether there is something that we may access."""
    try:
        tree.mode(name)
    except OSError:
        return False
    return True


def is_gone(tree: Tree, name: str = "") -> bool:
    """Whether nothing is there; false if we may not access it."""
    try:
        tree.mode(name)
    except OSError as error:
        return error.errno in GONE
    return False


# --- for implementations of Tree ----------------------------------------------


def read_all(descriptor: int, path: str, limit: int) -> bytes | None:
    """Return the bytes of an open file, ``None`` if its device has gone away.

    Raises ``OSError``, also if there are more than ``limit`` bytes.
    """
    data = b""
    try:
        # An attribute has a few bytes: a buffer for a whole page would cost more than the read.
        while chunk := os.read(descriptor, min(limit + 1, max(CHUNK, 2 * len(data))) - len(data)):
            data += chunk
            if len(data) > limit:
                raise OSError(errno.EFBIG, f"more than {limit} bytes", path)
    except OSError as error:
        if error.errno in GONE:
            return None
        raise
    return data


def listed(entries: Iterator[os.DirEntry[str]], path: str, limit: int) -> list[str]:
    """Return the names of the entries. Raises ``OSError`` if there are more than ``limit``."""
    names = [entry.name for entry in itertools.islice(entries, limit)]
    if next(entries, None) is not None:
        raise OSError(errno.EFBIG, f"more than {limit} entries", path)
    return names


def not_regular(path: str) -> OSError:
    """Return the error for reading what is not a regular file."""
    return OSError(errno.EINVAL, "not a regular file", path)
