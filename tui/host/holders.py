"""Who keeps a card from leaving its driver: the processes that have one of its nodes open,
or map it, over all of /proc, by device number.

A mapping outlives the file that it was made from, and a container has other names for the
nodes. No scan is complete: a process may open a node the moment after it was looked at, and
the kernel's own clients have no file. As another user than root most processes cannot be
looked into; they are counted.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tui.host import HostError
from tui.host.device_nodes import Node, Number, nodes, number_of
from tui.host.mounts import Mounts
from tui.host.untrusted import clean
from tui.model import Holder, Holders

FILES_LIMIT = 16 << 20
"""Bytes that are read of a file of /proc; maps of a browser have some hundred KiB."""

COMMAND_LIMIT = 200

_OURS = "/tui/host/nvml_child.py"
"""How one of the arguments ends of a process of ours that reads NVML, of this installation
or of another."""

_PF_KTHREAD = 0x00200000  # include/linux/sched.h

_UNIT = re.compile(r"[A-Za-z0-9@:._\\-]{1,250}\.(?:service|scope)")
_MAPPED = re.compile(rb"^([0-9a-f]+-[0-9a-f]+) \S+ \S+ (\S+) ([1-9]\d*) +(/.*)$", re.MULTILINE)
"""Of a line of /proc/<pid>/maps (proc(5)): the range, the device of the file system, the
inode, the path. Anonymous memory has no inode."""


@dataclass(frozen=True, slots=True)
class _Held:
    """One node that a process has, and how."""

    node: Node
    mapped: bool

    @property
    def what(self) -> str:
        return f"maps {self.node.name}" if self.mapped else self.node.name


def holders(addresses: Collection[str], root: Path = Path("/")) -> Holders:
    """Who holds the functions at ``addresses``. Raises ``HostError`` where there is no
    /proc. May take some hundred milliseconds on a busy host."""
    return who_has(nodes(root, sorted(addresses)), root)


def who_has(wanted: Iterable[Node], root: Path = Path("/")) -> Holders:
    """The same for nodes, which may be gone already. Raises ``HostError``."""
    by_number: dict[Number, list[Node]] = {}
    for node in wanted:
        by_number.setdefault(node.number, []).append(node)
    found: list[Holder] = []
    unseen = 0
    scan = _Scan(by_number)
    for process in _processes(root / "proc"):
        try:
            held = scan.held_by(process)
        except PermissionError:
            unseen += not is_of_the_kernel(process)
            continue
        found += _holders(process, held)
    return Holders(tuple(sorted(found, key=lambda h: (h.address, h.pid or 0, h.what))), unseen)


def _processes(proc: Path) -> list[Path]:
    try:
        return [entry for entry in proc.iterdir() if entry.name.isdecimal()]
    except OSError as error:
        raise HostError(f"no process can be seen: {proc}: {error.strerror}") from error


class _Scan:
    """Looks into processes for the nodes that are wanted."""

    def __init__(self, wanted: Mapping[Number, list[Node]]) -> None:
        self._wanted = wanted
        self._mapped: dict[tuple[bytes, bytes], Number | None] = {}
        self._mounts = Mounts()

    def held_by(self, process: Path) -> set[_Held]:
        """What a process has; nothing where it has ended. Raises ``PermissionError`` where
        it is somebody else's."""
        try:
            numbers = [(number, False) for number in self._files(process)]
            numbers += [(number, True) for number in self._maps(process)]
        except (FileNotFoundError, ProcessLookupError):
            return set()
        return {_Held(n, mapped) for number, mapped in numbers for n in self._wanted[number]}

    def _files(self, process: Path) -> Iterator[Number]:
        """/proc/<pid>/fd (proc(5)). Sockets and pipes are told by their names."""
        with os.scandir(process / "fd") as entries:
            for entry in entries:
                try:
                    target = os.readlink(entry.path)  # noqa: PTH115 - thousands
                    if not target.startswith("/") or not self._may_stat(process, entry, target):
                        continue
                    number = number_of(entry.stat())
                except OSError:  # closed meanwhile, or on a file system that has no devices
                    continue
                if number is not None and number in self._wanted:
                    yield number

    def _may_stat(self, process: Path, entry: os.DirEntry[str], target: str) -> bool:
        """What lies in a /dev is on the machine itself, whoever has it."""
        return target.startswith("/dev/") or self._mounts.may_stat_file(process, entry.name)

    def _maps(self, process: Path) -> Iterator[Number]:
        """/proc/<pid>/maps; what the mapped file is, by /proc/<pid>/map_files. A file that
        many processes map, a library, is looked at once."""
        with (process / "maps").open("rb") as file:
            text = file.read(FILES_LIMIT)
            if len(text) == FILES_LIMIT:
                raise PermissionError("too much to look at")  # then it is not known either
        for area, device, inode, path in _MAPPED.findall(text):
            key = device, inode
            if key not in self._mapped:
                if not self._mounts.may_stat_mapping(process, device):
                    continue
                start, _, end = area.decode().partition("-")
                entry = process / "map_files" / f"{int(start, 16):x}-{int(end, 16):x}"
                try:
                    self._mapped[key] = _mapped(entry, inode, path)
                except FileNotFoundError:  # unmapped meanwhile; another process may have it
                    continue
            number = self._mapped[key]
            if number is not None and number in self._wanted:
                yield number


def _mapped(entry: Path, inode: bytes, path: bytes) -> Number | None:
    """The number of what is mapped, if it is a device. Only root may follow the entry of
    map_files; others look at the path, where the same file may still lie."""
    try:
        return number_of(entry.stat())
    except PermissionError:
        pass
    try:
        status = Path(os.fsdecode(path)).stat()
    except OSError:
        return None
    return number_of(status) if status.st_ino == int(inode) else None


# --- what a process is ----------------------------------------------------------


def _holders(process: Path, held: set[_Held]) -> Iterator[Holder]:
    if not held:
        return
    pid = int(process.name)
    name = clean(_read(process / "comm")) or f"process {pid}"
    words = _read(process / "cmdline").split("\0")
    command = clean(" ".join(words), COMMAND_LIMIT) or None
    unit, of_user = _unit(_read(process / "cgroup"))
    for each in held:
        yield Holder(
            each.node.address, pid, name, each.what, _user(process), command, unit, of_user,
            each.node.shared, _reads_nvml(words),
        )  # fmt: skip


def ours(proc: Path = Path("/proc")) -> list[int]:
    """The processes of any vfiotop that read NVML, whether they have a card already or not."""
    return [int(process.name) for process in _processes(proc) if is_ours(int(process.name), proc)]


def is_ours(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process says that it is the one of vfiotop's that reads NVML."""
    return _reads_nvml(_read(proc / str(pid) / "cmdline").split("\0"))


def _reads_nvml(words: list[str]) -> bool:
    return any(word.endswith(_OURS) for word in words)


def is_of_the_kernel(process: Path) -> bool:
    """Whether it is a thread of the kernel's own, which has no files: PF_KTHREAD among the
    flags in stat (proc(5))."""
    fields = _read(process / "stat").rpartition(")")[2].split()
    return len(fields) > 6 and fields[6].isdecimal() and bool(int(fields[6]) & _PF_KTHREAD)


def _unit(cgroup: str) -> tuple[str | None, bool]:
    """The systemd unit of a process, and whether it is one of the user's manager, from the
    last service or scope of its control group's path (cgroups(7))."""
    for line in cgroup.splitlines():
        parts = line.rpartition(":")[2].split("/")
        units = [part for part in parts if _UNIT.fullmatch(part)]
        if units:
            return units[-1], len(units) > 1 and units[0].startswith("user@")
    return None, False


def _user(process: Path) -> str | None:
    try:
        return _user_name(process.stat().st_uid)
    except OSError:
        return None


@lru_cache(maxsize=256)
def _user_name(uid: int) -> str:
    try:
        return clean(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(4096).decode("utf-8", "replace")
    except OSError:
        return ""
