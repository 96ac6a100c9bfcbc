"""The files that one process maps.

Imports little, because the scan process loads it.
"""

from __future__ import annotations

import os

from tui.host.proc.file_numbers import DeviceNumber, FileInspector, NotChecked
from tui.host.proc.findings import GONE, Findings
from tui.host.proc.mounts import lines
from tui.host.proc.own_files import FileId, interpreter, read_link

TYPE_CHECKING = False  # typing and collections.abc take longer to load than all of this
if TYPE_CHECKING:
    from collections.abc import Callable


class MappedFiles:
    """Reads /proc/PID/maps (proc_pid_maps(5)).

    Many processes map the same files, libraries above all: each file is checked once. ``known``
    are the wanted nodes in our own /dev. Calls ``tick`` between two pieces of a file.
    """

    def __init__(
        self, files: FileInspector, known: dict[FileId, DeviceNumber], tick: Callable[[], None]
    ) -> None:
        self._files = files
        self._tick = tick
        self._numbers: dict[FileId, DeviceNumber | None] = dict(known)
        self._python = interpreter()

    def find(self, process: str, is_zombie: bool, found: Findings) -> bool:
        """Add the devices that a process maps; return whether it runs the same Python as we do.

        The first thread of a process may have ended (a zombie) and then has no memory, while
        the process still has some. Raises ``OSError``.
        """
        same_python = False
        part = f"{process}/task/{os.listdir(f'{process}/task')[-1]}" if is_zombie else process
        for line in lines(f"{part}/maps", self._tick):
            fields = line.split(None, 5)
            if len(fields) < 6 or fields[4] == b"0" or not fields[5].startswith(b"/"):
                continue
            key = fields[3], fields[4]
            same_python = same_python or (key, fields[5]) == self._python
            if key not in self._numbers:
                try:
                    self._numbers[key] = self._check(process, fields[0], key[0], fields[5])
                except GONE:
                    # Unmapped meanwhile; another process may still map it.
                    if is_zombie and self._files.is_named(os.fsdecode(fields[5])):
                        found.fault(f"maps {os.fsdecode(fields[5][-200:])}, or a file of that name")
                    continue
                except NotChecked as doubt:
                    found.fault(str(doubt))
                    continue
                except OSError as error:
                    found.fault(f"maps a file that returns an error: {error.strerror}")
                    continue
            found.note(self._numbers[key], mapped=True)
        return same_python and read_link(f"{process}/exe") == os.fsdecode(self._python[1])

    def _check(self, process: str, area: bytes, device: bytes, path: bytes) -> DeviceNumber | None:
        start, _, end = area.partition(b"-")
        entry = f"{int(start, 16):x}-{int(end, 16):x}"
        return self._files.mapped(process, entry, device, os.fsdecode(path))
