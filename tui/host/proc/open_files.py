"""The open files of one process, its threads included.

Imports little, because the scan process loads it.
"""

from __future__ import annotations

import os

from tui.host.proc.file_numbers import FileInspector, NotChecked
from tui.host.proc.findings import GONE, Findings

TYPE_CHECKING = False  # typing and collections.abc take longer to load than all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class OpenFiles:
    """Reads /proc/PID/fd (proc_pid_fd(5)). Calls ``tick`` before each file and thread."""

    def __init__(self, files: FileInspector, tick: Callable[[], None]) -> None:
        self._files = files
        self._tick = tick

    def find(self, process: str, threads: int, found: Findings) -> None:
        """Add the devices that a process with that many threads has open.

        Raises ``OSError`` if the process may not be inspected or has ended.
        """
        self._find(process, found)
        for thread in self._threads_apart(process, threads):
            try:
                self._find(thread, found)
            except GONE:  # the thread has ended, its process has not
                continue

    def _threads_apart(self, process: str, threads: int) -> Iterator[str]:
        """Yield the threads with open files of their own (clone(2) without CLONE_FILES).

        They are recognised by a different number of open files. A first thread that has ended
        has no open files.
        """
        if threads < 2:
            return
        seen = {_count(process)}
        for thread in os.listdir(f"{process}/task"):
            self._tick()
            part = f"{process}/task/{thread}"
            try:
                if _count(part) in seen:
                    continue
                seen.add(_count(process))  # it may have opened or closed a file meanwhile
                count = _count(part)
            except GONE:
                continue
            if count not in seen:
                seen.add(count)
                yield part

    def _find(self, part: str, found: Findings) -> None:
        with os.scandir(f"{part}/fd") as entries:
            for entry in entries:
                self._tick()
                try:
                    found.note(self._files.opened(part, entry.name), mapped=False)
                except GONE:  # closed meanwhile
                    continue
                except PermissionError:  # the process has changed its user
                    raise
                except NotChecked as doubt:
                    found.fault(str(doubt))
                except OSError as error:
                    found.fault(f"has an open file that returns an error: {error.strerror}")


def _count(part: str) -> object:
    """Return the number of open files: the folder's size from Linux 6.2 on, else their names."""
    folder = f"{part}/fd"
    return os.stat(folder).st_size or tuple(os.listdir(folder))
