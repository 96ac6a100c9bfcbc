"""Looks into all processes for who has a device.

Light: the scan's own process loads it.
"""

from __future__ import annotations

import os
import time

from tui.host.proc.file_numbers import DeviceNumber, FileInspector, NotChecked
from tui.host.proc.heartbeat import Heartbeat, OutOfTime
from tui.host.proc.mounts import FilesystemTypes, lines
from tui.host.proc.own_files import FileId, interpreter, learn_memfd, nodes_in_dev, read_link
from tui.host.proc.stat import Stat
from tui.host.proc.visibility import check_proc

TYPE_CHECKING = False  # typing and collections.abc take longer to load than all of this
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

STAGE_FILES, STAGE_MAPS, STAGE_DETAILS = 1, 2, 3
"""The stages of a look into a process: open files, mapped files, what it is."""

EXIT_GRACE_S = 1.0
"""Seconds that a process gets to end."""

ROUNDS = 4
"""Times that the list of processes is read: one may have passed what it has to a child that
was not on it, and ended."""

TEXT_LIMIT = 4096
FAULTS_LIMIT = 4
NAMED_LIMIT = 32
"""Processes that could not be looked into that are told by name."""

OTHER_USER = ""
"""Why a process of another user could not be looked into."""

_GONE = (FileNotFoundError, ProcessLookupError)


class Findings:
    """What a process has, by number and whether it is mapped, and what could not be asked."""

    def __init__(self, wanted: Collection[DeviceNumber]) -> None:
        self._wanted = wanted
        self.has: set[tuple[DeviceNumber, bool]] = set()
        self.faults: list[str] = []

    def note(self, number: DeviceNumber | None, *, mapped: bool) -> None:
        """Take down a file that is one of those wanted."""
        if number is not None and number in self._wanted:
            self.has.add((number, mapped))

    def fault(self, why: str) -> None:
        """Take down what is not known; the first few suffice."""
        if len(self.faults) < FAULTS_LIMIT:
            self.faults.append(why)


class Scan:
    """Looks into processes for nodes, given by number with their names. ``left_out``: of these
    processes the stage from which on nothing is done, and their start."""

    def __init__(
        self, proc: str, dev: str, wanted: Mapping[DeviceNumber, str], beat: Heartbeat,
        left_out: Mapping[int, tuple[int, int]],
    ) -> None:  # fmt: skip
        self._proc, self._wanted, self._beat, self._left_out = proc, wanted, beat, left_out
        self._types = FilesystemTypes(beat.tick)
        self._types.learn("/proc/self")
        learn_memfd(self._types)
        self._files = FileInspector(self._types, frozenset(wanted.values()))
        self._mapped: dict[FileId, DeviceNumber | None] = dict(nodes_in_dev(dev, wanted))
        self._python = interpreter()
        self.held: list[tuple[object, ...]] = []
        self.unseen = 0
        self.named: list[tuple[int, bytes, str]] = []
        self.name = b""

    def inspect(self, pid: int) -> None:
        """Note what a process has, or why that is not known."""
        process = f"{self._proc}/{pid}"
        self._beat.at(pid, 0)
        stat = _stat(process) or _Unknown()
        self.name = stat.name
        if stat.is_kernel_thread or (stat.is_zombie and stat.threads < 2):
            return
        stop, start = self._left_out.get(pid, (STAGE_DETAILS + 1, stat.start))
        if start not in (0, stat.start):  # its number is another one's by now
            stop = STAGE_DETAILS + 1
        found = Findings(self._wanted)
        try:
            same = self._look_into(pid, stat, stop, found)
        except _GONE:
            if not _lingers(process, stat.start):
                return
            found.fault("is ending, and keeps what it has until it has ended")
            same = False
        name = stat.name or _text(f"{process}/comm").strip() or b"process %d" % pid
        if found.faults:
            self._note_unseen(pid, name, found.faults[0])
        if found.has:
            self._beat.at(pid, STAGE_DETAILS, stat.start, name)
            answers = stop > STAGE_DETAILS
            self.held.append((
                pid, name, sorted((*number, mapped) for number, mapped in found.has),
                _uid(process), _text(f"{process}/cmdline") if answers else b"",
                _text(f"{process}/cgroup") if answers else b"", same,
            ))  # fmt: skip

    def _look_into(self, pid: int, stat: Stat | _Unknown, stop: int, found: Findings) -> bool:
        """Find what a process has; whether it runs the same Python as we. Raises what tells
        that it has ended, or has no memory any more."""
        process = f"{self._proc}/{pid}"
        try:
            if stop > STAGE_FILES:
                self._beat.at(pid, STAGE_FILES, stat.start, stat.name)
                self._open_files(process, found)
                for thread in self._threads_apart(process, stat.threads):
                    self._open_files_of_thread(thread, found)
            if stop > STAGE_MAPS:
                self._beat.at(pid, STAGE_MAPS, stat.start, stat.name)
                return self._maps(process, stat.is_zombie, found)
            found.fault("does not answer")
        except _GONE:
            raise
        except PermissionError:
            found.fault(OTHER_USER)
        except OutOfTime:
            found.fault(f"has more open or mapped than {self._beat.spent:.0f} s suffice for")
        except (OSError, MemoryError) as error:
            found.fault(f"gives an error: {getattr(error, 'strerror', None) or 'no memory'}")
        return False

    def _note_unseen(self, pid: int, name: bytes, why: str) -> None:
        self.unseen += 1
        if sum((each[2] == OTHER_USER) == (why == OTHER_USER) for each in self.named) < NAMED_LIMIT:
            self.named.append((pid, name, why))

    # --- open files ---

    def _threads_apart(self, process: str, threads: int) -> Iterator[str]:
        """The threads that have open files of their own (clone(2), CLONE_FILES), seen by that
        they have another number of them. Those of a first thread that has ended are none."""
        if threads < 2:
            return
        seen = {_count(process)}
        for thread in os.listdir(f"{process}/task"):
            self._beat.tick()
            part = f"{process}/task/{thread}"
            try:
                if _count(part) in seen:
                    continue
                seen.add(_count(process))  # it may have opened or closed one meanwhile
                count = _count(part)
            except _GONE:
                continue
            if count not in seen:
                seen.add(count)
                yield part

    def _open_files_of_thread(self, thread: str, found: Findings) -> None:
        try:
            self._open_files(thread, found)
        except _GONE:
            return  # it has ended, and its process has not

    def _open_files(self, part: str, found: Findings) -> None:
        """/proc/<pid>/fd (proc_pid_fd(5))."""
        with os.scandir(f"{part}/fd") as entries:
            for entry in entries:
                self._beat.tick()
                try:
                    found.note(self._files.opened(part, entry.name), mapped=False)
                except _GONE:  # closed meanwhile
                    continue
                except PermissionError:  # it has become somebody else's
                    raise
                except NotChecked as doubt:
                    found.fault(str(doubt))
                except OSError as error:
                    found.fault(f"has a file open that gives an error: {error.strerror}")

    # --- mapped files ---

    def _maps(self, process: str, ended: bool, found: Findings) -> bool:
        """/proc/<pid>/maps (proc_pid_maps(5)); whether it runs the same Python as we. A file
        that many processes map, a library, is asked once. A first thread that has ended has
        no memory any more, though its process has."""
        same = False
        part = f"{process}/task/{os.listdir(f'{process}/task')[-1]}" if ended else process
        for line in lines(f"{part}/maps", self._beat.tick):
            fields = line.split(None, 5)
            if len(fields) < 6 or fields[4] == b"0" or not fields[5].startswith(b"/"):
                continue
            key = fields[3], fields[4]
            same = same or (key, fields[5]) == self._python
            if key not in self._mapped:
                try:
                    self._mapped[key] = self._ask(process, fields[0], key[0], fields[5])
                except _GONE:
                    # Unmapped meanwhile; another process may have it.
                    if ended and self._files.is_named(os.fsdecode(fields[5])):
                        found.fault(f"maps {os.fsdecode(fields[5][-200:])}, or what is named so")
                    continue
                except NotChecked as doubt:
                    found.fault(str(doubt))
                    continue
                except OSError as error:
                    found.fault(f"maps a file that gives an error: {error.strerror}")
                    continue
            found.note(self._mapped[key], mapped=True)
        return same and read_link(f"{process}/exe") == os.fsdecode(self._python[1])

    def _ask(self, process: str, area: bytes, device: bytes, path: bytes) -> DeviceNumber | None:
        start, _, end = area.partition(b"-")
        entry = f"{int(start, 16):x}-{int(end, 16):x}"
        return self._files.mapped(process, entry, device, os.fsdecode(path))


# --- what a process is ----------------------------------------------------------


def _lingers(process: str, start: int) -> bool:
    """Whether a process without memory does not end: it lets go of its memory first, and of
    its files after that, in which a driver may keep it."""
    ends = time.monotonic() + EXIT_GRACE_S
    while time.monotonic() < ends:
        stat = _stat(process)
        if stat is None or stat.start != start or (stat.is_zombie and stat.threads < 2):
            return False
        time.sleep(EXIT_GRACE_S / 50)
    return True


class _Unknown:
    """In place of a ``Stat`` that cannot be read."""

    name, start, threads = b"", 0, 1
    is_kernel_thread = is_zombie = False


def _stat(process: str) -> Stat | None:
    try:
        return Stat(process)
    except (OSError, ValueError, IndexError):
        return None


def _count(part: str) -> object:
    """How many files are open: the size of the folder from Linux 6.2 on, else their names."""
    folder = f"{part}/fd"
    return os.stat(folder).st_size or tuple(os.listdir(folder))


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


# --- all of them ----------------------------------------------------------------


def scan(
    proc: str, dev: str, wanted: Mapping[DeviceNumber, str], beat: Heartbeat,
    left_out: Mapping[int, tuple[int, int]],
) -> dict[str, object]:  # fmt: skip
    """Who has the nodes. ``held``: (pid, name, [(kind, major, minor, mapped)], uid, command
    line, control groups, whether it runs our Python). ``named``: (pid, name, why) of some of
    the ``unseen`` processes. ``left``: (pid, name) of the one that took longest, where the
    time was over before all were looked into. ``real``: it is the kernel's /proc. ``blind``:
    why processes may be hidden, and what to do. Raises ``OSError`` where there is no
    ``proc``."""
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
