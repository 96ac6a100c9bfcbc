"""Whether the host uses a disk: file systems, swap, and what is built on the disk.

A file system is recognised by its device number, or by the path that was mounted if it has a
number of its own, as btrfs does. What is built on a partition (LVM, LUKS, md, bcache) is among its
``holders``. Only udev knows the disks of a ZFS pool.

Source: proc_pid_mountinfo(5), proc(5) on swaps; kernel, Documentation/ABI/testing/sysfs-block.
"""

from __future__ import annotations

import re
from functools import cached_property

from msgspec import Struct, field

from tui.host.proc.mounts import Mount, unescaped
from tui.host.tree import Tree
from tui.host.untrusted import clean
from tui.model import Attachment, listed

MOUNTS_LIMIT = 8 << 20
"""Bytes of mountinfo: about 150 per mount, and containers make many."""

SWAPS_LIMIT = 1 << 18

HOLDERS_LIMIT = 64
"""Devices built on one partition, one on top of another, to follow."""

NAME_LIMIT = 60
"""Characters of a mount point or a device that are shown."""

_NUMBER = re.compile(rb"[0-9]{1,9}:[0-9]{1,9}")
_BLANKS = re.compile(rb"[ \t]+")
_HIDDEN_NVME = re.compile(r"(nvme[0-9]{1,9})c[0-9]{1,9}(n[0-9]{1,9})")
_BUILT = re.compile(r"/dev/(?:mapper/.|dm-[0-9]|md[0-9/_]|bcache[0-9])")
_PARTITION = re.compile(r"p?[0-9]{1,9}")


class Mounted(Struct):
    """The mounts of a host by device number and by source.

    ``read`` is false if no file lists them.
    """

    read: bool = False
    by_number: dict[bytes, list[str]] = field(default_factory=dict)
    by_source: dict[str, list[str]] = field(default_factory=dict)
    zfs: bool = False

    def add(self, number: bytes | None, source: bytes, point: bytes, kind: bytes) -> None:
        where = clean(point.decode("utf-8", "replace"), NAME_LIMIT)
        self.zfs = self.zfs or kind == b"zfs"
        if number is not None:
            self.by_number.setdefault(number, []).append(where)
        for each in _text(source).split(":"):  # bcachefs names all of its devices
            self.by_source.setdefault(each, []).append(where)


def from_mountinfo(data: bytes) -> Mounted:
    """Parse the lines of a mountinfo; other lines are left out."""
    found = Mounted(read=True)
    for line in data.split(b"\n"):
        try:
            mount = Mount(line)
        except (ValueError, IndexError):
            continue
        found.add(mount.number, mount.source, mount.point, mount.type)
    return found


def from_mounts(data: bytes) -> Mounted:
    """Parse the lines of /proc/mounts, which has no device numbers (fstab(5))."""
    found = Mounted(read=True)
    for line in data.split(b"\n"):
        fields = line.split(b" ")
        if len(fields) >= 4:
            found.add(None, unescaped(fields[0]), unescaped(fields[1]), fields[2])
    return found


def swap_devices(data: bytes) -> frozenset[str]:
    """Return the partitions in /proc/swaps, by path. Swap files are on a mounted file system."""
    rows = (_BLANKS.split(line) for line in data.split(b"\n")[1:])
    return frozenset(
        _text(unescaped(row[0])) for row in rows if len(row) >= 5 and row[1] == b"partition"
    )


class Disks:
    """The disks of a host. What is the same for all of them is read once."""

    def __init__(self, root: Tree) -> None:
        self._root = root

    def uses_of(
        self, home: Tree, folder: str, partitions: list[str], unknown: list[str]
    ) -> list[Attachment]:
        """Return the uses of the disk in ``folder`` beneath a function, and of its ``partitions``.

        Returns one entry that says so if there is no use. Adds to ``unknown`` what cannot be
        read.
        """
        name = folder.rpartition("/")[2]
        hidden = _HIDDEN_NVME.fullmatch(name)
        disk = home / folder
        if hidden:  # one path of a multipath disk: what is mounted is the whole disk
            name = hidden[1] + hidden[2]
            disk, partitions = self._class(name), []
        names = {name: disk} | {
            last: home / path
            for path in partitions
            if _is_partition(last := path.rpartition("/")[2], name)
        }
        if hidden:
            names |= {
                part: disk / part for part in self._names(disk, "") if _is_partition(part, name)
            }
        used = [
            Attachment("disk", clean(block, NAME_LIMIT), what, in_use=True)
            for block, at in sorted(names.items())
            if (what := self._use(block, at)) is not None
        ]
        if not used:
            self._note_unknown(unknown, names)
            if not self._root.is_machine:
                self._note_uncaptured(unknown, names)
        return used or [Attachment("disk", clean(name, NAME_LIMIT), "is not in use")]

    def _use(self, name: str, at: Tree) -> str | None:
        """Return how a disk or a partition is used, as the end of a sentence; ``None`` if it is
        not."""
        points = self._mounted_at(name, at)
        if points:
            return f"is mounted at {points}"
        if f"/dev/{name}" in self._swaps or self._mapped(at) in self._swaps:
            return "is swap"
        if self._zfs and self._is_zfs(at):
            return "is part of a ZFS pool"
        return self._use_by_holders(at)

    def _use_by_holders(self, at: Tree) -> str | None:
        built = self._built_on(at)
        for holder in built:
            known = self._class(holder)
            points = self._mounted_at(holder, known)
            shown = clean((self._mapped(known) or holder).removeprefix("/dev/mapper/"), NAME_LIMIT)
            if points:
                return f"is part of {shown}, mounted at {points}"
            if {f"/dev/{holder}", self._mapped(known)} & self._swaps:
                return f"is part of {shown}, which is swap"
        return f"is part of {clean(built[0], NAME_LIMIT)}" if built else None

    def _note_unknown(self, unknown: list[str], names: dict[str, Tree]) -> None:
        if not self._mounted.read:
            unknown.append("what is mounted")
        if self._swap_data is None:
            unknown.append("what is swapped to")
        if self._zfs and not any(self._udev(at) for at in names.values()):
            unknown.append("whether it is part of a ZFS pool")

    def _note_uncaptured(self, unknown: list[str], names: dict[str, Tree]) -> None:
        """Add what a capture lacks: each disk and partition has a ``holders`` folder (sysfs-block).

        A capture may be without it, or without the links in it.
        """
        if any(self._listed(at, "holders") is None for at in names.values()):
            unknown.append("what is built on it")
        unknown += [
            f"what {clean(source, NAME_LIMIT)} is built on" for source in self._unplaced[:1]
        ]

    @cached_property
    def _unplaced(self) -> list[str]:
        """Return what is mounted or swapped to and is built on disks, but is no known disk's
        holder."""
        sources = sorted({*self._mounted.by_source, *self._swaps})
        built = [source for source in sources if _BUILT.match(source)]
        if not built:
            return []
        blocks = self._names(self._root, "sys/class/block")
        held = {each for block in blocks for each in self._names(self._class(block), "holders")}
        known = {f"/dev/{each}" for each in held}
        known |= {path for each in held if (path := self._mapped(self._class(each))) is not None}
        return [source for source in built if source not in known]

    # --- what is mounted ---

    def _mounted_at(self, name: str, at: Tree) -> str | None:
        number = self._number(at)
        mounted = self._mounted
        points = list(mounted.by_number.get(number, ())) if number else []
        for each in {name, *self._btrfs.get(name, ())}:
            points += mounted.by_source.get(f"/dev/{each}", ())
        mapped = self._mapped(at)
        points += mounted.by_source.get(mapped, ()) if mapped else ()
        unique = sorted(dict.fromkeys(points), key=lambda point: (len(point), point))
        if not unique:
            return None
        return listed(unique)

    @cached_property
    def _mounted(self) -> Mounted:
        """The mounts as the first process sees them, else as we do."""
        for place in ("proc/1/mountinfo", "proc/self/mountinfo"):
            data = self._read(place, MOUNTS_LIMIT)
            if data:
                return from_mountinfo(data)
        for place in ("proc/1/mounts", "proc/self/mounts", "proc/mounts"):
            data = self._read(place, MOUNTS_LIMIT)
            if data:
                return from_mounts(data)
        return Mounted()

    @cached_property
    def _swap_data(self) -> bytes | None:
        return self._read("proc/swaps", SWAPS_LIMIT)

    @cached_property
    def _swaps(self) -> frozenset[str]:
        return swap_devices(self._swap_data or b"")

    @cached_property
    def _btrfs(self) -> dict[str, tuple[str, ...]]:
        """The devices of each btrfs, by each of them (kernel: fs/btrfs/sysfs.c)."""
        found: dict[str, tuple[str, ...]] = {}
        for each in self._names(self._root, "sys/fs/btrfs"):
            devices = tuple(self._names(self._root, f"sys/fs/btrfs/{each}/devices"))
            found |= dict.fromkeys(devices, devices)
        return found

    # --- what is built on it ---

    def _built_on(self, at: Tree) -> list[str]:
        """Return the devices that are built on it, nearest first."""
        found: list[str] = []
        pending = self._names(at, "holders")
        while pending and len(found) < HOLDERS_LIMIT:
            holder = pending.pop(0)
            if holder not in found:
                found.append(holder)
                pending += self._names(self._class(holder), "holders")
        return found

    def _class(self, name: str) -> Tree:
        return self._root / "sys/class/block" / name

    def _mapped(self, at: Tree) -> str | None:
        """Return the path of a device of the device mapper (kernel: sysfs-block-dm)."""
        name = _text((self._read_in(at, "dm/name") or b"").strip())
        return f"/dev/mapper/{name}" if name else None

    @cached_property
    def _zfs(self) -> bool:
        pools = self._names(self._root, "proc/spl/kstat/zfs")
        return self._mounted.zfs or any(self._names(self._root, f"proc/spl/kstat/zfs/{p}")
                                        for p in pools)  # fmt: skip

    def _is_zfs(self, at: Tree) -> bool:
        return b"\nE:ID_FS_TYPE=zfs_member\n" in self._udev(at)

    def _udev(self, at: Tree) -> bytes:
        """Return what udev has stored about a block device, empty if it has nothing."""
        number = self._number(at)
        return (self._read(f"run/udev/data/b{number.decode()}", 1 << 16) or b"") if number else b""

    # --- reading ---

    def _number(self, at: Tree) -> bytes | None:
        number = (self._read_in(at, "dev") or b"").strip()
        return number if _NUMBER.fullmatch(number) else None

    def _read(self, name: str, limit: int) -> bytes | None:
        return self._read_in(self._root, name, limit)

    @staticmethod
    def _read_in(at: Tree, name: str, limit: int = 4096) -> bytes | None:
        try:
            return at.read(name, limit)
        except OSError:
            return None

    @classmethod
    def _names(cls, at: Tree, name: str) -> list[str]:
        return cls._listed(at, name) or []

    @staticmethod
    def _listed(at: Tree, name: str) -> list[str] | None:
        try:
            return sorted(at.names(name, 1024))
        except OSError:
            return None


def _is_partition(name: str, disk: str) -> bool:
    return name.startswith(disk) and _PARTITION.fullmatch(name[len(disk) :]) is not None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
