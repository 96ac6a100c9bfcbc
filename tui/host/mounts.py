"""Which files may be looked at without waiting for a server that does not answer.

A file on a network or user-space file system may keep whoever stats it for ever; no device
that we look for is a node there.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

MOUNTINFO_LIMIT = 4 << 20
FDINFO_LIMIT = 512

MAY_BLOCK = frozenset({
    "9p", "afs", "autofs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs",
    "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs", "virtiofs",
})  # fmt: skip
"""Types of file systems; those of user space (``fuse``, ``fuse.sshfs``, ...) do, too."""

_MOUNT_ID = re.compile(rb"^mnt_id:\s*(\d+)$", re.MULTILINE)
_MOUNT = re.compile(rb"^(\d+) \d+ (\d+:\d+) .* - (\S+) ", re.MULTILINE)


class Mounts:
    """The file systems that processes see, looked up once for each set of mounts."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._blocking_ids: set[bytes] = set()
        self._known_ids: set[bytes] = set()
        self._blocking_devices: set[bytes] = set()

    def may_stat_file(self, process: Path, descriptor: str) -> bool:
        """Whether an open file of a process lies where a stat(2) returns: by the mount that
        /proc/<pid>/fdinfo names (proc(5)). One that is mounted nowhere any more does not."""
        self._look_at(process)
        found = _MOUNT_ID.search(_read(process / "fdinfo" / descriptor, FDINFO_LIMIT))
        if found is None:
            return False  # closed meanwhile
        return found[1] in self._known_ids and found[1] not in self._blocking_ids

    def may_stat_mapping(self, process: Path, device: bytes) -> bool:
        """The same for a mapped file, by the device of its file system, ``08:01`` in
        /proc/<pid>/maps."""
        self._look_at(process)
        return device not in self._blocking_devices

    def _look_at(self, process: Path) -> None:
        try:
            space = str((process / "ns/mnt").readlink())
        except OSError:
            space = process.name
        if space in self._seen:
            return
        self._seen.add(space)
        for number, device, kind in _MOUNT.findall(_read(process / "mountinfo", MOUNTINFO_LIMIT)):
            self._known_ids.add(number)
            if _may_block(kind.decode("ascii", "replace")):
                self._blocking_ids.add(number)
                major, _, minor = device.partition(b":")
                self._blocking_devices.add(b"%02x:%02x" % (int(major), int(minor)))


def _may_block(kind: str) -> bool:
    return kind in MAY_BLOCK or kind.split(".", maxsplit=1)[0] in ("fuse", "fuseblk")


def _read(path: Path, limit: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, limit) if limit <= 4096 else _whole(descriptor, limit)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _whole(descriptor: int, limit: int) -> bytes:
    text = b""
    while len(text) < limit and (piece := os.read(descriptor, 1 << 16)):
        text += piece
    return text
