"""vfiotop's folder in /run: root's files, which everybody can read, and locks. The folders of the
history follow the same rules.

The folder is on a tmpfs, so a reboot empties it. A file is replaced as a whole: a reader sees the
old one or the new one. A file or folder that belongs to somebody else is never followed and never
trusted.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tui.model.errors import VfiotopError
from tui.process.files import write_atomically

FOLDER = Path("/run/vfiotop")
POLL_S = 0.1
"""Seconds between two attempts to take a lock."""


class Untrusted(VfiotopError):
    """A file or the folder is not ours; the sentence says what to do about it."""


class Taken(VfiotopError):
    """Somebody else holds a lock."""


class RunFolder:
    """A folder that belongs to root; ``owner`` is root's user id."""

    def __init__(self, path: Path = FOLDER, owner: int = 0, proc: Path = Path("/proc")) -> None:
        self.path = path
        self.boot_id_file = proc / "sys/kernel/random/boot_id"
        self.owner = owner

    @property
    def boot_id(self) -> str:
        """The id of this boot (random(4)). Raises ``OSError`` and ``ValueError``."""
        return self.boot_id_file.read_text().strip()

    def read(self, name: str, limit: int) -> bytes | None:
        """Return the first ``limit`` + 1 bytes of a file, ``None`` if there is none. Raises
        ``Untrusted`` for a file that we did not write, and ``OSError``."""
        path = self.path / name
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise untrusted(path, error.strerror or "cannot be opened") from error
        try:
            self._check(os.fstat(descriptor), path)
            return os.read(descriptor, limit + 1)
        finally:
            os.close(descriptor)

    def version(self, name: str) -> tuple[int, int] | None:
        """A value that changes when a file is replaced; ``None`` if there is none."""
        try:
            status = os.lstat(f"{self.path}/{name}")  # saves a Path: it is read every second
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def write(self, name: str, text: str) -> None:
        """Replace a file; everybody may read it. Raises ``OSError``."""
        write_atomically(self.path / name, text, mode=0o644)

    def remove(self, name: str) -> None:
        """Remove a file, which frees its space on a full tmpfs. Raises ``OSError``."""
        (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def locked(self, name: str, timeout: float = 0.0) -> Iterator[int]:
        """Hold the lock file ``name``; yields its descriptor.

        A child process that inherits the descriptor holds the lock too. Raises ``Taken`` if
        somebody else holds it for ``timeout`` seconds, ``Untrusted`` if the folder is not ours or
        has just been removed, and ``OSError`` if it cannot be made.
        """
        self.make()
        path = self.path / name
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise untrusted(path, error.strerror or "cannot be opened") from error
        try:
            self._check(os.fstat(descriptor), path)
            _lock(descriptor, timeout)
            # A purge of the Debian package holds the lock while it removes the folder.
            if not os.fstat(descriptor).st_nlink:
                raise Untrusted(f"{path} has just been removed; try again")
            yield descriptor
        finally:
            os.close(descriptor)

    def make(self) -> None:
        """Create the folder if there is none. Raises ``OSError`` and ``Untrusted``."""
        try:
            self.path.mkdir(mode=0o755)
            self.path.chmod(0o755)  # mkdir obeys root's umask, but everybody must be able to read
        except FileExistsError:
            pass
        status = self.path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise untrusted(self.path, "it is not a folder")
        if status.st_uid != self.owner or status.st_mode & 0o022:
            raise untrusted(self.path, "other users may write to it")

    def _check(self, status: os.stat_result, path: Path) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise untrusted(path, "it is not a regular file")
        if status.st_uid != self.owner or status.st_mode & 0o022 or status.st_nlink > 1:
            raise untrusted(path, "it belongs to somebody else, or other users may write to it")


def _lock(descriptor: int, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise Taken("somebody else holds the lock") from error
            time.sleep(POLL_S)
        else:
            return


def untrusted(path: Path, why: str) -> Untrusted:
    """The error for a path that is not ours."""
    return Untrusted(f"{path} is not vfiotop's: {why}; check it and remove it as root")
