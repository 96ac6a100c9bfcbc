"""The journal file and its lock: one swap per host, readable by everybody, written by root.

The journal is on a tmpfs, so a reboot removes it. It is replaced as a whole and fsynced before
each step. A file or folder that belongs to somebody else is never followed and never believed.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tui.host.journal.entry import Entry, JournalError, Locked
from tui.host.journal.format import SIZE_LIMIT, dump, parse
from tui.process.files import write_atomically

FOLDER = Path("/run/vfiotop")
POLL_S = 0.1
"""Seconds between two attempts to take the lock."""


class Journal:
    """The journal in a folder that belongs to root; ``owner`` is root's user id."""

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
            raise JournalError(f"{path} cannot be read, so no swap can be reported") from error

    def read(self) -> Entry | None:
        """Return the entry of this boot, or ``None`` if there is none.

        Raises ``JournalError`` for a file that we did not write.
        """
        path = self.folder / "swap.json"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _untrusted(path, error.strerror or "cannot be opened") from error
        try:
            self._check(os.fstat(descriptor), path)
            data = os.read(descriptor, SIZE_LIMIT + 1)
        except OSError as error:
            raise JournalError(f"{path} cannot be read: {error.strerror}") from error
        finally:
            os.close(descriptor)
        entry = parse(data, path)
        return entry if entry.boot_id == self.boot_id else None

    def version(self) -> tuple[int, int] | None:
        """A value that changes when the journal is replaced; ``None`` if there is none."""
        try:
            status = (self.folder / "swap.json").lstat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def write(self, entry: Entry) -> None:
        """Replace the journal; a reader sees either the old or the new one.

        Raises ``JournalError``, with the old journal in place, if writing fails or if ``read``
        would refuse the entry.
        """
        path = self.folder / "swap.json"
        text = dump(entry)
        try:
            parse(text.encode(), path)
        except JournalError as error:
            raise JournalError(
                f"vfiotop could not read back what it was about to write to {path}, so it wrote "
                "nothing; please report it"
            ) from error
        try:
            write_atomically(path, text, mode=0o644)
        except OSError as error:
            raise JournalError(f"{path} cannot be written: {error.strerror}") from error

    def clear(self) -> None:
        """Remove the entry, which frees its space on a full tmpfs. Raises ``JournalError``."""
        path = self.folder / "swap.json"
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise JournalError(f"{path} cannot be removed: {error.strerror}") from error

    @contextmanager
    def locked(self, timeout: float = 0.0) -> Iterator[int]:
        """Hold the lock of this host's swaps; yields its descriptor.

        A child process that inherits the descriptor holds the lock too, so a write that does not
        return keeps it. Raises ``Locked`` if somebody else holds the lock for ``timeout``
        seconds, and ``JournalError`` if the folder is not ours.
        """
        self._make_folder()
        path = self.folder / "lock"
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise _untrusted(path, error.strerror or "cannot be opened") from error
        try:
            self._check(os.fstat(descriptor), path)
            _lock(descriptor, timeout)
            # A purge of the Debian package holds the lock while it removes the folder.
            if not os.fstat(descriptor).st_nlink:
                raise JournalError(f"{path} has just been removed; try again")
            yield descriptor
        finally:
            os.close(descriptor)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o755)
            self.folder.chmod(0o755)  # mkdir obeys root's umask, but everybody must be able to read
        except FileExistsError:
            pass
        except OSError as error:
            raise JournalError(f"{self.folder} cannot be created: {error.strerror}") from error
        status = self.folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise _untrusted(self.folder, "it is not a folder")
        if status.st_uid != self._owner or status.st_mode & 0o022:
            raise _untrusted(self.folder, "other users may write to it")

    def _check(self, status: os.stat_result, path: Path) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise _untrusted(path, "it is not a regular file")
        if status.st_uid != self._owner or status.st_mode & 0o022 or status.st_nlink > 1:
            raise _untrusted(path, "it belongs to somebody else, or other users may write to it")


def _lock(descriptor: int, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise Locked(
                    "another swap is under way on this host, or one of its writes has not "
                    "returned; `vfiotop` shows it"
                ) from error
            time.sleep(POLL_S)
        else:
            return


def _untrusted(path: Path, why: str) -> JournalError:
    return JournalError(f"{path} is not vfiotop's: {why}; check it and remove it as root")
