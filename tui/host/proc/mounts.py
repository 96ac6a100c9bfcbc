"""Which files can be checked without waiting for a file server that may not answer.

The type of the file system decides, as in mountinfo (proc_pid_mountinfo(5)): paths are chosen by
whoever opened the file. Imports little, because the scan process loads it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing and collections.abc take longer to load than all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCAL = frozenset({
    b"bcachefs", b"bpf", b"btrfs", b"cgroup", b"cgroup2", b"configfs", b"cramfs", b"debugfs",
    b"devpts", b"devtmpfs", b"efivarfs", b"erofs", b"exfat", b"ext2", b"ext3", b"ext4", b"f2fs",
    b"hugetlbfs", b"iso9660", b"jfs", b"mqueue", b"msdos", b"nilfs2", b"ntfs3", b"proc",
    b"pstore", b"ramfs", b"reiserfs", b"rootfs", b"securityfs", b"squashfs", b"sysfs", b"tmpfs",
    b"tracefs", b"udf", b"vfat", b"xfs", b"zfs",
})  # fmt: skip
"""Types whose stat(2) of an open file returns from memory."""

STACKED = frozenset({b"aufs", b"ecryptfs", b"fuse", b"fuseblk", b"overlay", b"virtiofs"})
"""Types that pass a stat(2) on to a server, or to another file system that may have one, but not
one with AT_STATX_DONT_SYNC (statx(2)). User namespaces can mount these."""

CHUNK = 1 << 16
"""Bytes per read(2)."""

UNMOUNTED = b"an unmounted file system"
"""In place of a type."""


def lines(path: str, tick: Callable[[], None]) -> Iterator[bytes]:
    """Yield the lines of a file of any size, without their newlines. Raises ``OSError``.

    Calls ``tick`` before each chunk.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        rest = b""
        while piece := os.read(descriptor, CHUNK):
            tick()
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        if rest:
            yield rest
    finally:
        os.close(descriptor)


def unescaped(field: bytes) -> bytes:
    """Undo the escapes in a field of mountinfo or /proc/swaps.

    Spaces, tabs, newlines, ``#`` and backslashes are three octal digits there (kernel:
    fs/seq_file.c, mangle_path).
    """
    first, *rest = field.split(b"\\")
    return first + b"".join(_plain(part) for part in rest)


def _plain(part: bytes) -> bytes:
    digits = part[:3]
    if len(digits) == 3 and digits[0] in b"0123" and all(byte in b"01234567" for byte in digits):
        return bytes([int(digits, 8)]) + part[3:]
    return b"\\" + part


class Mount:
    """A line of mountinfo.

    ``number`` is the device's, ``major:minor``. ``source`` is what was mounted: a path if it is
    a device.
    """

    def __init__(self, line: bytes) -> None:
        """Raises ``ValueError`` and ``IndexError`` if the line is malformed."""
        fields = line.split(b" ")
        dash = fields.index(b"-", 6)
        self.id, self.root = fields[0], fields[3]
        self.number = fields[2]
        major, minor = fields[2].split(b":")
        self.device = b"%02x:%02x" % (int(major), int(minor))  # as in /proc/<pid>/maps
        self.point, self.source = unescaped(fields[4]), unescaped(fields[dash + 2])
        self.type = fields[dash + 1].partition(b".")[0]  # fuse.sshfs is fuse
        self.options = frozenset(fields[5].split(b",")) | frozenset(fields[dash + 3].split(b","))


def mounts(path: str, tick: Callable[[], None] = lambda: None) -> Iterator[Mount]:
    """Yield the mounts in a mountinfo file. Raises ``OSError``."""
    for line in lines(path, tick):
        try:
            yield Mount(line)
        except (ValueError, IndexError):  # not a line that the kernel writes
            continue


class FilesystemTypes:
    """File system types by mount id and by device.

    Ids and devices are the same for the whole machine, but each process only sees its own mounts.
    """

    def __init__(self, tick: Callable[[], None] = lambda: None) -> None:
        self._tick = tick
        self._by_id: dict[bytes, bytes] = {}
        self._by_device: dict[bytes, bytes] = {}
        self._seen: set[str] = set()

    def learn(self, process: str) -> None:
        """Add what a process sees, once for each mount namespace."""
        try:
            space = os.readlink(f"{process}/ns/mnt")
        except OSError:
            space = process
        if space in self._seen:
            return
        self._seen.add(space)
        try:
            for mount in mounts(f"{process}/mountinfo", self._tick):
                self.add(mount.id, mount.device, mount.type)
        except OSError:  # it has ended, or sees nothing
            return

    def add(self, mount: bytes, device: bytes, kind: bytes) -> None:
        """Add a mount that is in no mountinfo."""
        self._by_id[mount] = self._by_device[device] = kind

    def of_file(self, process: str, mount: bytes) -> bytes:
        """Return the type of the mount that a process's open file is on."""
        if mount not in self._by_id:
            self.learn(process)
        return self._by_id.get(mount, UNMOUNTED)

    def of_mapping(self, process: str, device: bytes) -> bytes:
        """Return the type of the file system, by its device, that a process's mapped file is on."""
        if device not in self._by_device:
            self.learn(process)
        return self._by_device.get(device, UNMOUNTED)


def mount_of(fdinfo: str) -> bytes:
    """Return the mount id in a file of fdinfo (proc_pid_fdinfo(5)). Raises ``OSError``."""
    descriptor = os.open(fdinfo, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(descriptor, 512)
    finally:
        os.close(descriptor)
    return text.partition(b"mnt_id:")[2].partition(b"\n")[0].strip()
