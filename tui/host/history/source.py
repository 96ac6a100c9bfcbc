"""The history that the watch of this machine keeps, read for a screen."""

from __future__ import annotations

from tui.host.history.folder import DISK, MEMORY
from tui.host.run_folder import RunFolder
from tui.model.past import PastReadings


class StoredHistory:
    """Reads the history from its folders, on disk and in memory."""

    def __init__(self, disk: RunFolder | None = None, memory: RunFolder | None = None) -> None:
        self._disk, self._memory = disk or RunFolder(DISK), memory or RunFolder(MEMORY)

    def newest(self) -> PastReadings | None:
        return self._read(None)

    def everything(self) -> PastReadings | None:
        return self._read(self._disk)

    def _read(self, disk: RunFolder | None) -> PastReadings | None:
        if not self._memory.path.is_dir() and not self._disk.path.is_dir():
            return None
        from tui.host.history.reader import read  # noqa: PLC0415 - its decoders take a while

        return read(disk, self._memory)
