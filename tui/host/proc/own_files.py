"""What our own process shows about files, so that other processes need not be checked for it.

Imports little, because the scan process loads it.
"""

from __future__ import annotations

import os

from tui.host.proc.file_numbers import DeviceNumber, device_number
from tui.host.proc.mounts import FilesystemTypes, lines, mount_of, mounts

TYPE_CHECKING = False  # typing and collections.abc take longer to load than all of this
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FileId = tuple[bytes, bytes]
"""The device of a file's file system and its inode, as in maps (proc_pid_maps(5))."""


def read_link(path: str) -> str:
    """Return where a symlink points; empty if that cannot be read."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def learn_memfd(types: FilesystemTypes) -> None:
    """Add the tmpfs, mounted nowhere, that holds unnamed shared memory (memfd_create(2))."""
    try:
        descriptor = os.memfd_create("vfiotop")
    except OSError:
        return
    try:
        number = os.fstat(descriptor).st_dev
        device = b"%02x:%02x" % (os.major(number), os.minor(number))
        types.add(mount_of(f"/proc/self/fdinfo/{descriptor}"), device, b"tmpfs")
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _mount_points() -> frozenset[bytes]:
    try:
        return frozenset(mount.point for mount in mounts("/proc/self/mountinfo"))
    except OSError:
        return frozenset()


def nodes_in_dev(
    dev: str, wanted: Mapping[DeviceNumber, str]
) -> Iterator[tuple[FileId, DeviceNumber]]:
    """Yield the wanted nodes in our own /dev, each with the id by which maps refer to it.

    File systems mounted below /dev have no nodes of cards, and are not entered.
    """
    mounted = _mount_points()
    folders = [dev]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_symlink() or entry.is_file(follow_symlinks=False):
                continue
            if entry.is_dir(follow_symlinks=False):
                if os.fsencode(entry.path) not in mounted:
                    folders.append(entry.path)
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            number = device_number(status)
            if number is not None and number in wanted:
                at = b"%02x:%02x" % (os.major(status.st_dev), os.minor(status.st_dev))
                yield (at, b"%d" % status.st_ino), number


def interpreter() -> tuple[FileId, bytes]:
    """Return the id and the path of the Python that runs this."""
    path = os.fsencode(read_link("/proc/self/exe"))
    try:
        for line in lines("/proc/self/maps", lambda: None):
            fields = line.split(None, 5)
            if path and fields[5:] == [path]:
                return (fields[3], fields[4]), path
    except OSError:
        pass
    return (b"", b""), b"?"
