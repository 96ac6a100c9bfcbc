"""The journal of the one swap of a host: what is being done, by whom, and how to undo it.

It lies on a tmpfs, so that it is gone with the boot that it is of; it is replaced as a
whole and fsynced before each step; everybody may read it and only root writes it. A file
or folder of somebody else in its place is never followed and never believed.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from pathlib import Path
from typing import Any, get_args

from tui.host.proc.process import Process
from tui.model import SWAP_ENDS, Direction, PowerControl, SwapState
from tui.model.address import ADDRESS
from tui.model.errors import VfiotopError
from tui.process.files import write_atomically

FOLDER = Path("/run/vfiotop")
SCHEMA = 1
SIZE_LIMIT = 256 * 1024
FUNCTIONS_LIMIT = 64
TEXT_LIMIT = 2000
PID_LIMIT = 1 << 22
"""PID_MAX_LIMIT of include/linux/threads.h."""

SECONDS_LIMIT = 1e10
"""Of a time since boot: three hundred years."""

LOOK_S = 0.1
"""Seconds between two looks at whether the lock is free."""


class JournalError(VfiotopError):
    """The journal cannot be used: what happened, why, what to do, in a sentence."""


class Locked(JournalError):
    """Somebody else swaps, or a write of theirs has not returned."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a function was before: its driver and its override, ``None`` for none; its
    power/control, ``None`` where that is not known."""

    address: str
    driver: str | None
    override: str | None
    power: PowerControl | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """The journal's whole content.

    ``origins`` are in the order in which the functions move; ``home`` is what they were
    with the host, where that is known. ``step`` counts from 0 among
    ``steps``, whose words are for people. ``message`` says what it waits for or why it
    ended. Times are RFC 3339; ``began_s`` and ``step_began_s`` are the same in seconds since
    boot, which no setting of the clock changes, ``None`` where that is not known.
    """

    id: str
    boot_id: str
    direction: Direction
    address: str
    state: SwapState
    origins: tuple[Origin, ...]
    home: tuple[Origin, ...]
    steps: tuple[str, ...]
    step: int
    began_at: str
    step_began_at: str
    runner: Process
    writer: Process | None = None
    message: str | None = None
    began_s: float | None = None
    step_began_s: float | None = None

    @property
    def ended(self) -> bool:
        return self.state in SWAP_ENDS

    @property
    def host_drivers(self) -> dict[str, str | None]:
        """The drivers of the functions on the host, by address."""
        return {origin.address: origin.driver for origin in self.home}

    @property
    def host_power(self) -> dict[str, PowerControl]:
        """The power/control of the functions on the host, by address."""
        return {origin.address: origin.power for origin in self.home if origin.power is not None}


class Journal:
    """The journal in a folder, which is root's. ``owner`` is the user id that root is."""

    def __init__(self, folder: Path = FOLDER, owner: int = 0, proc: Path = Path("/proc")) -> None:
        self.folder = folder
        self._owner = owner
        self._proc = proc

    @property
    def boot_id(self) -> str:
        """/proc/sys/kernel/random/boot_id (random(4)). Raises ``JournalError``."""
        path = self._proc / "sys/kernel/random/boot_id"
        try:
            return path.read_text().strip()
        except (OSError, ValueError) as error:
            raise JournalError(f"{path} cannot be read, so no swap can be told of") from error

    def read(self) -> Entry | None:
        """The entry of this boot, or ``None`` where there is none. Raises ``JournalError``
        where the file is not one that we wrote."""
        path = self.folder / "swap.json"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _not_ours(path, error.strerror or "cannot be opened") from error
        try:
            self._check(os.fstat(descriptor), path)
            data = os.read(descriptor, SIZE_LIMIT + 1)
        except OSError as error:
            raise JournalError(f"{path} cannot be read: {error.strerror}") from error
        finally:
            os.close(descriptor)
        entry = parse(data, path)
        return entry if entry.boot_id == self.boot_id else None

    def mark(self) -> tuple[int, int] | None:
        """Another one whenever the journal has been replaced; ``None`` where there is none."""
        try:
            status = (self.folder / "swap.json").lstat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def write(self, entry: Entry) -> None:
        """Replace the journal: a reader sees the old or the new one. Raises ``JournalError``,
        with the old one in place, where that cannot be done, and for an entry that ``read``
        would not believe."""
        path = self.folder / "swap.json"
        text = dump(entry)
        try:
            parse(text.encode(), path)
        except JournalError as error:
            raise JournalError(
                f"vfiotop would not read again what it has to write to {path}, so it writes "
                "nothing; please report it"
            ) from error
        try:
            write_atomically(path, text, mode=0o644)
        except OSError as error:
            raise JournalError(f"{path} cannot be written: {error.strerror}") from error

    def clear(self) -> None:
        """Remove the entry; its room on a full tmpfs is free again. Raises ``JournalError``."""
        path = self.folder / "swap.json"
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise JournalError(f"{path} cannot be removed: {error.strerror}") from error

    @contextmanager
    def locked(self, patience: float = 0.0) -> Iterator[int]:
        """Hold the lock of this host's swaps; its descriptor, for those who inherit it: a
        write that does not return keeps the lock as long. Raises ``Locked`` where somebody
        has it for ``patience`` seconds, ``JournalError`` where the folder is not ours."""
        self._make_folder()
        path = self.folder / "lock"
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise _not_ours(path, error.strerror or "cannot be opened") from error
        try:
            self._check(os.fstat(descriptor), path)
            _take(descriptor, patience)
            yield descriptor
        finally:
            os.close(descriptor)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o755)
            self.folder.chmod(0o755)  # whatever root's umask is: everybody reads it
        except FileExistsError:
            pass
        except OSError as error:
            raise JournalError(f"{self.folder} cannot be made: {error.strerror}") from error
        status = self.folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise _not_ours(self.folder, "it is no folder")
        if status.st_uid != self._owner or status.st_mode & 0o022:
            raise _not_ours(self.folder, "others may write there")

    def _check(self, status: os.stat_result, path: Path) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise _not_ours(path, "it is no file")
        if status.st_uid != self._owner or status.st_mode & 0o022 or status.st_nlink > 1:
            raise _not_ours(path, "it belongs to somebody else, or others may write to it")


def _take(descriptor: int, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise Locked(
                    "another swap is under way on this host, or a write of it has not returned; "
                    "`vfiotop` shows it"
                ) from error
            time.sleep(LOOK_S)
        else:
            return


def _not_ours(path: Path, why: str) -> JournalError:
    return JournalError(f"{path} is not vfiotop's: {why}; look at it and remove it as root")


def updated(entry: Entry, at: datetime, at_s: float | None = None, **changes: Any) -> Entry:
    """The entry with changes; a new step begins ``at``, ``at_s`` seconds after boot. A message
    is cut to its limit."""
    if changes.get("message") is not None:
        changes["message"] = changes["message"][:TEXT_LIMIT]
    if "step" in changes and changes["step"] != entry.step:
        changes |= {"step_began_at": at.isoformat(), "step_began_s": at_s}
    return replace(entry, **changes)


# --- as text --------------------------------------------------------------------


def dump(entry: Entry) -> str:
    """The entry as JSON. What is not known of the ``_LATER`` fields is left out."""
    value = asdict(entry)
    for part in (value, *value["origins"], *value["home"]):
        for key in _LATER:
            if key in part and part[key] is None:
                del part[key]
    return json.dumps({"schema": SCHEMA, **value}, indent=1) + "\n"


def parse(data: bytes, path: Path = FOLDER / "swap.json") -> Entry:
    """What ``dump`` wrote. Raises ``JournalError`` for anything else, torn or foreign."""
    try:
        if len(data) > SIZE_LIMIT:
            raise ValueError("too long")
        return _entry(json.loads(data))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise JournalError(
            f"{path} makes no sense, so what is under way is not known: look at the cards, then "
            "remove it as root"
        ) from error


def _entry(value: Any) -> Entry:
    if value["schema"] != SCHEMA:
        raise ValueError("another schema")
    writer = value["writer"]
    steps = tuple(_text(each) for each in _list(value["steps"], 16 * FUNCTIONS_LIMIT))
    return Entry(
        id=_shaped(_ID, value["id"]),
        boot_id=_shaped(_BOOT_ID, value["boot_id"]),
        direction=_one_of(value["direction"], Direction),
        address=_shaped(ADDRESS, value["address"]),
        state=_one_of(value["state"], SwapState),
        origins=_origins(value["origins"]),
        home=_origins(value["home"]),
        steps=steps,
        step=_number(value["step"], most=len(steps)),
        began_at=_time(value["began_at"]),
        step_began_at=_time(value["step_began_at"]),
        runner=_process(value["runner"]),
        writer=None if writer is None else _process(writer),
        message=_text_or_none(value["message"]),
        began_s=_seconds_or_none(value.get("began_s")),
        step_began_s=_seconds_or_none(value.get("step_began_s")),
    )


_LATER = ("power", "began_s", "step_began_s")
"""Fields that an entry of an older version lacks."""

_ID = re.compile(r"[0-9a-f]{32}")
_BOOT_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DRIVER = re.compile(r"(?!\.{1,2}$)[ -.0-~]{1,128}")
"""A name in /sys/bus/pci/drivers, and what driver_override holds: one part of a path."""


def is_driver(name: str) -> bool:
    """Whether an entry may hold this as the name of a driver."""
    return _DRIVER.fullmatch(name) is not None


def _origins(value: Any) -> tuple[Origin, ...]:
    found = tuple(_origin(each) for each in _list(value))
    if len({origin.address for origin in found}) < len(found):
        raise ValueError("a function twice")
    return found


def _origin(value: Any) -> Origin:
    driver, override, power = value["driver"], value["override"], value.get("power")
    return Origin(
        _shaped(ADDRESS, value["address"]),
        None if driver is None else _shaped(_DRIVER, driver),
        None if override is None else _shaped(_DRIVER, override),
        None if power is None else _one_of(power, PowerControl),
    )


def _process(value: Any) -> Process:
    """Number 0 is none: to kill(2) it is whoever asks, who is always there."""
    return Process(_number(value["pid"], PID_LIMIT, least=1), _number(value["start"]))


def _list(value: Any, limit: int = FUNCTIONS_LIMIT) -> list[Any]:
    if not isinstance(value, list) or len(value) > limit:
        raise ValueError("no list")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        raise ValueError("no text")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _shaped(shape: re.Pattern[str], value: Any) -> str:
    if shape.fullmatch(_text(value)) is None:
        raise ValueError("another shape")
    return str(value)


def _time(value: Any) -> str:
    """With its offset from UTC: a time without one cannot be told from another. In the first
    and the last year that there are, it may have no local time."""
    time = datetime.fromisoformat(_text(value))
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    time = time.astimezone(UTC)
    if not MINYEAR < time.year < MAXYEAR:
        raise ValueError("no time of a swap")
    return time.isoformat()


def _number(value: Any, most: int = (1 << 63) - 1, least: int = 0) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError("no number")
    return value


def _seconds_or_none(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < SECONDS_LIMIT:  # NaN is not, either
        raise ValueError("no time since boot")
    return float(value)


def _one_of(value: Any, kind: Any) -> Any:
    if value not in get_args(kind):
        raise ValueError("no such word")
    return value
