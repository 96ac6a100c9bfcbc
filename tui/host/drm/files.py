"""Where the DRM clients of cards are open: /proc/<pid>/fd of each process (proc(5)).

Files are matched by device number, because a container may have other names for the nodes. fdinfo
does not serve for this: the driver answers it, and may wake a sleeping card. Without root most
processes cannot be inspected; they are counted.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from tui.host.proc.file_numbers import DeviceNumber, FileInspector, NotChecked
from tui.host.proc.mounts import FilesystemTypes
from tui.host.proc.visibility import is_kernel_thread
from tui.host.sysfs import Attributes
from tui.host.tree import Tree

PROCESSES_LIMIT = 65_536
FILES_LIMIT = 65_536
"""Processes to inspect, and open files of one of them."""

CLIENTS_LIMIT = 1024
"""Open clients to list, of all cards together."""

_NODE = re.compile(r"(?:card|renderD)[0-9]{1,5}")
_DEV = re.compile(r"([0-9]{1,9}):([0-9]{1,9})")
_DEVICES, _NODES = "/dev/", "/dev/dri/"

_GONE = (FileNotFoundError, ProcessLookupError, NotADirectoryError)

_INITIAL = "pid:[4026531836]"  # PROC_PID_INIT_INO of include/linux/proc_ns.h


class OpenFile(Struct, frozen=True):
    """A node of the card at ``address`` that a process has open, and its file of fdinfo."""

    pid: int
    address: str
    path: str


class FilesByProcess(Struct, frozen=True):
    """The open files, by process id.

    ``unseen`` processes could not be inspected. ``hidden``: there may be others that are not even
    listed. ``unknown`` are the cards whose nodes are not known.
    """

    files: tuple[OpenFile, ...]
    unseen: int = 0
    hidden: bool = False
    unknown: frozenset[str] = frozenset()


class Nodes(Struct, frozen=True):
    """The addresses of cards by the numbers of their nodes and by their usual names."""

    by_number: Mapping[DeviceNumber, str]
    by_name: Mapping[str, str]


def drm_nodes(cards: Mapping[str, Tree]) -> Nodes:
    """Return the nodes of the ``cards``, given as directories by address.

    Source: the ``dev`` files in their ``drm`` folder (kernel: Documentation/ABI/testing/sysfs-dev).
    """
    by_number: dict[DeviceNumber, str] = {}
    by_name: dict[str, str] = {}
    for address, directory in cards.items():
        try:
            names = [name for name in directory.names("drm") if _NODE.fullmatch(name)]
        except OSError:  # its driver has just been bound, or is being unbound
            continue
        for name in names:
            by_name[_NODES + name] = address
            if number := Attributes(directory / "drm" / name).read("dev", _dev):
                by_number[number] = address
    return Nodes(by_number, by_name)


def find_open_files(proc: Path, cards: Mapping[str, Tree]) -> FilesByProcess | None:
    """Return the open files of all processes; ``None`` if there is no ``proc``.

    Takes tens of milliseconds on a busy host.
    """
    try:
        pids = sorted(int(name) for name in os.listdir(proc) if _is_pid(name))  # noqa: PTH208
    except OSError:
        return None
    wanted = drm_nodes(cards)
    inspector = FileInspector(FilesystemTypes())
    files: list[OpenFile] = []
    unseen = 0
    for pid in pids[:PROCESSES_LIMIT]:
        process = f"{proc}/{pid}"
        try:
            files += _files(process, pid, wanted, inspector)
        except _GONE:
            continue
        except OSError:
            unseen += not is_kernel_thread(process)
    hidden = len(pids) > PROCESSES_LIMIT or len(files) > CLIENTS_LIMIT or _hides(proc, pids)
    unknown = frozenset(cards.keys() - set(wanted.by_name.values()))
    return FilesByProcess(tuple(files[:CLIENTS_LIMIT]), unseen, hidden, unknown)


def _files(process: str, pid: int, wanted: Nodes, inspector: FileInspector) -> list[OpenFile]:
    """Return the card nodes that one process has open.

    Raises ``OSError`` if it cannot be inspected: it belongs to another user, or has too many
    files.
    """
    with os.scandir(f"{process}/fd") as entries:
        found = list(
            _nodes_among(process, itertools.islice(entries, FILES_LIMIT), wanted, inspector)
        )
        if next(entries, None) is not None:
            raise OSError(errno.EFBIG, "too many files", process)
    return [OpenFile(pid, address, f"{process}/fdinfo/{fd}") for fd, address in found]


def _nodes_among(
    process: str, entries: Iterator[os.DirEntry[str]], wanted: Nodes, inspector: FileInspector
) -> Iterator[tuple[str, str]]:
    for entry in entries:
        try:
            target = os.readlink(entry.path)  # noqa: PTH115 - thousands
        except _GONE:
            continue
        if not target.startswith(_DEVICES):
            continue
        try:
            number = inspector.opened(process, entry.name)
        except (OSError, NotChecked):  # by name on a captured host, which has no nodes
            address = wanted.by_name.get(target)
        else:
            address = wanted.by_number.get(number) if number is not None else None
        if address is not None:
            yield entry.name, address


def _hides(proc: Path, pids: list[int]) -> bool:
    """Whether processes may be missing from the list.

    The mount option ``hidepid`` hides those of other users, the first process among them (proc(5));
    a PID namespace hides all outside it.
    """
    if not pids or pids[0] != 1:
        return True
    try:
        return os.readlink(proc / "self/ns/pid") != _INITIAL  # noqa: PTH115 - no path
    except OSError:
        return False


def _is_pid(name: str) -> bool:
    return name.isdecimal() and name.isascii() and len(name) < 10


def _dev(text: str) -> DeviceNumber:
    found = _DEV.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return "c", int(found[1]), int(found[2])
