"""The journal file and its lock: one swap per host, readable by everybody, written by root.

The journal is on a tmpfs, so a reboot removes it. It is replaced as a whole and fsynced before
each step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tui.host.journal.entry import Entry, JournalError, Locked
from tui.host.journal.format import SIZE_LIMIT, dump, parse
from tui.host.run_folder import FOLDER, RunFolder, Taken, Untrusted

NAME, LOCK = "swap.json", "lock"

JOURNAL = FOLDER / NAME
"""The journal of this host."""


class Journal:
    """The journal in a folder that belongs to root; ``owner`` is root's user id."""

    def __init__(self, folder: Path = FOLDER, owner: int = 0, proc: Path = Path("/proc")) -> None:
        self.folder = folder
        self._files = RunFolder(folder, owner, proc)
        self._path = folder / NAME

    @property
    def boot_id(self) -> str:
        """The id of this boot. Raises ``JournalError``."""
        try:
            return self._files.boot_id
        except (OSError, ValueError) as error:
            raise JournalError(
                f"{self._files.boot_id_file} cannot be read, so no swap can be reported"
            ) from error

    def read(self) -> Entry | None:
        """Return the entry of this boot, or ``None`` if there is none.

        Raises ``JournalError`` for a file that we did not write.
        """
        try:
            data = self._files.read(NAME, SIZE_LIMIT)
        except Untrusted as error:
            raise JournalError(str(error)) from error
        except OSError as error:
            raise JournalError(f"{self._path} cannot be read: {error.strerror}") from error
        if data is None:
            return None
        entry = parse(data, self._path)
        return entry if entry.boot_id == self.boot_id else None

    def version(self) -> tuple[int, int] | None:
        """A value that changes when the journal is replaced; ``None`` if there is none."""
        return self._files.version(NAME)

    def write(self, entry: Entry) -> None:
        """Replace the journal; a reader sees either the old or the new one.

        Raises ``JournalError``, with the old journal in place, if writing fails or if ``read``
        would refuse the entry.
        """
        text = dump(entry)
        try:
            parse(text.encode(), self._path)
        except JournalError as error:
            raise JournalError(
                f"vfiotop could not read back what it was about to write to {self._path}, so it "
                "wrote nothing; please report it"
            ) from error
        try:
            self._files.write(NAME, text)
        except OSError as error:
            raise JournalError(f"{self._path} cannot be written: {error.strerror}") from error

    def clear(self) -> None:
        """Remove the entry, which frees its space on a full tmpfs. Raises ``JournalError``."""
        try:
            self._files.remove(NAME)
        except OSError as error:
            raise JournalError(f"{self._path} cannot be removed: {error.strerror}") from error

    @contextmanager
    def locked(self, timeout: float = 0.0) -> Iterator[int]:
        """Hold the lock of this host's swaps; yields its descriptor.

        A child process that inherits the descriptor holds the lock too, so a write that does not
        return keeps it. Raises ``Locked`` if somebody else holds the lock for ``timeout``
        seconds, and ``JournalError`` if the folder is not ours.
        """
        with ExitStack() as held:
            try:
                descriptor = held.enter_context(self._files.locked(LOCK, timeout))
            except Taken as error:
                raise Locked(
                    "another swap is under way on this host, or one of its writes has not "
                    "returned; `vfiotop` shows it"
                ) from error
            except Untrusted as error:
                raise JournalError(str(error)) from error
            except OSError as error:
                raise JournalError(f"{self.folder} cannot be created: {error.strerror}") from error
            yield descriptor
