"""The device number of another process's file, without waiting for a file server.

Imports little, because the scan process loads it.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from tui.host.proc.mounts import LOCAL, STACKED, UNMOUNTED, FilesystemTypes, mount_of

TYPE_CHECKING = False  # typing and collections.abc take longer to load than all of this
if TYPE_CHECKING:
    from collections.abc import Collection

DeviceNumber = tuple[str, int, int]
"""``c`` or ``b`` (character, block), major, minor."""

_AT_FDCWD, _DONT_SYNC, _TYPE = -100, 0x4000, 1  # include/uapi/linux/fcntl.h, stat.h
_STATX_SIZE, _MODE, _MAJOR, _MINOR = 256, 28, 128, 132
"""struct statx: its size, and the offsets of these fields."""

_DELETED = " (deleted)"


class NotChecked(Exception):
    """A file with the name of a card's node could not be checked; the text is a clause whose
    subject is the process."""


def device_number(status: os.stat_result) -> DeviceNumber | None:
    """Return the number of the device that a file is a node of."""
    return _number(status.st_mode, os.major(status.st_rdev), os.minor(status.st_rdev))


def _number(mode: int, major: int, minor: int) -> DeviceNumber | None:
    if stat.S_ISCHR(mode):
        return "c", major, minor
    if stat.S_ISBLK(mode):
        return "b", major, minor
    return None


class FileInspector:
    """Finds the device numbers of files.

    ``names`` are the names of the wanted nodes, for files about which nothing else is known.
    """

    def __init__(self, types: FilesystemTypes, names: Collection[str] = ()) -> None:
        self._types = types
        self._names = names

    def opened(self, process: str, descriptor: str) -> DeviceNumber | None:
        """Return the number of an open file of a process; ``None`` if it is not a device.

        Raises ``NotChecked``, ``OSError``.
        """
        path = f"{process}/fd/{descriptor}"
        try:
            target = os.readlink(path)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            target = ""
        if target and not target.startswith("/"):
            return None  # a socket, a pipe
        if not target or target.startswith("/dev/"):
            return self._pinned(process, path, target)
        kind = self._types.of_file(process, mount_of(f"{process}/fdinfo/{descriptor}"))
        return self._check(path, kind, target)

    def mapped(self, process: str, area: str, device: bytes, path: str) -> DeviceNumber | None:
        """Return the number of a mapped file, by its entry of map_files.

        Only root may follow that. Raises as ``opened`` does.
        """
        kind = self._types.of_mapping(process, device)
        try:
            return self._check(f"{process}/map_files/{area}", kind, path)
        except PermissionError:
            self._doubt(path, kind)
            return None

    def _pinned(self, process: str, path: str, target: str) -> DeviceNumber | None:
        """Return the number of an open file through a descriptor of our own.

        Reading fdinfo of a card's node calls its driver, which may wake the card. Opening with
        O_PATH calls nobody (open(2)).
        """
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            kind = self._types.of_file(process, mount_of(f"/proc/self/fdinfo/{descriptor}"))
            return self._check(f"/proc/self/fd/{descriptor}", kind, target)
        finally:
            os.close(descriptor)

    def _check(self, path: str, kind: bytes, target: str) -> DeviceNumber | None:
        if kind in LOCAL:
            return device_number(os.stat(path))
        if kind in STACKED or kind == UNMOUNTED:
            try:
                return _without_server(path)
            except (FileNotFoundError, ProcessLookupError):  # closed meanwhile
                raise
            except (ImportError, AttributeError, OSError):  # no statx, or its server has died
                pass
        self._doubt(target, kind)
        return None

    def is_named(self, target: str) -> bool:
        """Whether a file has the name of one of the nodes."""
        return target.removesuffix(_DELETED).rpartition("/")[2] in self._names

    def _doubt(self, target: str, kind: bytes) -> None:
        if self.is_named(target):
            where = kind.decode("ascii", "replace")
            raise NotChecked(f"has {target[-200:]} on {where}, where it cannot be checked")


def _without_server(path: str) -> DeviceNumber | None:
    """Return what is known about a file without asking its server (statx(2), AT_STATX_DONT_SYNC).

    Raises ``ImportError`` and ``AttributeError`` if there is no statx, ``OSError``.
    """
    import ctypes  # noqa: PLC0415 - slow to load, and rarely needed

    buffer = ctypes.create_string_buffer(_STATX_SIZE)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.statx(_AT_FDCWD, os.fsencode(path), _DONT_SYNC, _TYPE, buffer):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    mode, major, minor = (
        int.from_bytes(buffer.raw[at : at + size], sys.byteorder)
        for at, size in ((_MODE, 2), (_MAJOR, 4), (_MINOR, 4))
    )
    return _number(mode, major, minor)
