"""Inspects every process for who has a device.

Imports little, because the scan process loads it.
"""

from __future__ import annotations

import os
import time

from tui.host.proc.file_numbers import DeviceNumber, FileInspector
from tui.host.proc.findings import GONE, Findings
from tui.host.proc.heartbeat import Heartbeat, OutOfTime
from tui.host.proc.mapped_files import MappedFiles
from tui.host.proc.mounts import FilesystemTypes
from tui.host.proc.open_files import OpenFiles
from tui.host.proc.own_files import learn_memfd, nodes_in_dev, read_link
from tui.host.proc.stat import Stat
from tui.host.proc.visibility import check_proc

TYPE_CHECKING = False  # typing and collections.abc take longer to load than all of this
if TYPE_CHECKING:
    from collections.abc import Mapping

STAGE_FILES, STAGE_MAPS, STAGE_DETAILS = 1, 2, 3
"""The stages of inspecting a process: open files, mapped files, command line and the like."""

EXIT_GRACE_S = 1.0
"""Seconds that an exiting process gets to end."""

ROUNDS = 4
"""Times that the list of processes is read: a process may hand what it has to a child that was
not on the list yet, and end."""

TEXT_LIMIT = 4096
NAMED_LIMIT = 32
"""Processes that could not be inspected and are reported by name."""

OTHER_USER = ""
"""In place of a fault: the process belongs to another user."""


class Scan:
    """Inspects processes for the ``wanted`` nodes, given by number with their names.

    ``left_out`` gives, for some processes, the stage from which on nothing is done, and their
    start time.
    """

    def __init__(
        self, proc: str, dev: str, wanted: Mapping[DeviceNumber, str], beat: Heartbeat,
        left_out: Mapping[int, tuple[int, int]],
    ) -> None:  # fmt: skip
        self._proc, self._wanted, self._beat, self._left_out = proc, wanted, beat, left_out
        types = FilesystemTypes(beat.tick)
        types.learn("/proc/self")
        learn_memfd(types)
        files = FileInspector(types, frozenset(wanted.values()))
        self._open_files = OpenFiles(files, beat.tick)
        self._mapped_files = MappedFiles(files, dict(nodes_in_dev(dev, wanted)), beat.tick)
        self.held: list[tuple[object, ...]] = []
        self.unseen = 0
        self.named: list[tuple[int, bytes, str]] = []
        self.name = b""

    def inspect(self, pid: int) -> None:
        """Record what a process has, or why that is not known."""
        process = f"{self._proc}/{pid}"
        self._beat.at(pid, 0)
        stat = _stat(process) or _Unknown()
        self.name = stat.name
        if stat.is_kernel_thread or (stat.is_zombie and stat.threads < 2):
            return
        stop, start = self._left_out.get(pid, (STAGE_DETAILS + 1, stat.start))
        if start not in (0, stat.start):  # another process has this number by now
            stop = STAGE_DETAILS + 1
        found = Findings(self._wanted)
        try:
            same_python = self._inspect(pid, stat, stop, found)
        except GONE:
            if not _lingers(process, stat.start):
                return
            found.fault("is exiting, and keeps its files open until it has exited")
            same_python = False
        name = stat.name or _text(f"{process}/comm").strip() or b"process %d" % pid
        if found.faults:
            self._note_unseen(pid, name, found.faults[0])
        if found.has:
            self._beat.at(pid, STAGE_DETAILS, stat.start, name)
            answers = stop > STAGE_DETAILS
            self.held.append((
                pid, name, sorted((*number, mapped) for number, mapped in found.has),
                _uid(process), _text(f"{process}/cmdline") if answers else b"",
                _text(f"{process}/cgroup") if answers else b"", same_python,
            ))  # fmt: skip

    def _inspect(self, pid: int, stat: Stat | _Unknown, stop: int, found: Findings) -> bool:
        """Find what a process has; return whether it runs the same Python as we do.

        Raises one of ``GONE`` if the process has ended, or has no memory any more.
        """
        process = f"{self._proc}/{pid}"
        try:
            if stop > STAGE_FILES:
                self._beat.at(pid, STAGE_FILES, stat.start, stat.name)
                self._open_files.find(process, stat.threads, found)
            if stop > STAGE_MAPS:
                self._beat.at(pid, STAGE_MAPS, stat.start, stat.name)
                return self._mapped_files.find(process, stat.is_zombie, found)
            found.fault("does not answer")
        except GONE:
            raise
        except PermissionError:
            found.fault(OTHER_USER)
        except OutOfTime:
            found.fault(
                f"has more open or mapped files than {self._beat.spent:.0f} s are enough for"
            )
        except (OSError, MemoryError) as error:
            found.fault(f"returns an error: {getattr(error, 'strerror', None) or 'no memory'}")
        return False

    def _note_unseen(self, pid: int, name: bytes, why: str) -> None:
        self.unseen += 1
        if sum((each[2] == OTHER_USER) == (why == OTHER_USER) for each in self.named) < NAMED_LIMIT:
            self.named.append((pid, name, why))


def _lingers(process: str, start: int) -> bool:
    """Whether a process without memory does not end.

    An exiting process releases its memory first and its files after that, and a driver may keep
    it there.
    """
    ends = time.monotonic() + EXIT_GRACE_S
    while time.monotonic() < ends:
        stat = _stat(process)
        if stat is None or stat.start != start or (stat.is_zombie and stat.threads < 2):
            return False
        time.sleep(EXIT_GRACE_S / 50)
    return True


class _Unknown:
    """Stands in for a ``Stat`` that cannot be read."""

    name, start, threads = b"", 0, 1
    is_kernel_thread = is_zombie = False


def _stat(process: str) -> Stat | None:
    try:
        return Stat(process)
    except (OSError, ValueError, IndexError):
        return None


def _uid(process: str) -> int | None:
    try:
        return os.stat(process).st_uid
    except OSError:
        return None


def _text(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(TEXT_LIMIT)
    except OSError:
        return b""


def scan(
    proc: str, dev: str, wanted: Mapping[DeviceNumber, str], beat: Heartbeat,
    left_out: Mapping[int, tuple[int, int]],
) -> dict[str, object]:  # fmt: skip
    """Find the processes that have the ``wanted`` nodes.

    Keys of the answer:

    ``held``: (pid, name, [(kind, major, minor, mapped)], uid, command line, control groups,
    whether it runs our Python).
    ``unseen``: how many processes could not be inspected.
    ``named``: (pid, name, why) of some of these.
    ``left``: (pid, name) of the process that took longest, if time ran out before all
    were inspected.
    ``real``: whether ``proc`` is the kernel's.
    ``blind``: why processes may be hidden, and what to do.

    Raises ``OSError`` if there is no ``proc``.
    """
    found = Scan(proc, dev, wanted, beat, left_out)
    longest: tuple[float, int, bytes] = (0.0, 0, b"")
    left = None
    seen = {read_link(f"{proc}/self")}
    for _ in range(ROUNDS):
        pids = sorted(int(name) for name in os.listdir(proc) if _is_pid(name) and name not in seen)
        for pid in pids:
            if beat.all_time_spent:
                left = longest[1:]
                break
            found.inspect(pid)
            longest = max(longest, (beat.spent, pid, found.name))
        seen |= {str(pid) for pid in pids}
        if left or not pids:
            break
    real, blind = check_proc(proc)
    return {
        "held": found.held, "unseen": found.unseen, "named": found.named, "left": left,
        "real": real, "blind": blind,
    }  # fmt: skip


def _is_pid(name: str) -> bool:
    return name.isascii() and name.isdecimal()
