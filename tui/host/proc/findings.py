"""What the scan finds out about one process.

Imports little, because the scan process loads it.
"""

from __future__ import annotations

from tui.host.proc.file_numbers import DeviceNumber

TYPE_CHECKING = False  # typing and collections.abc take longer to load than all of this
if TYPE_CHECKING:
    from collections.abc import Collection

GONE = (FileNotFoundError, ProcessLookupError)
"""The errors for a process that has ended, or a file that was closed."""

FAULTS_LIMIT = 4


class Findings:
    """The wanted devices that a process has, and what could not be checked.

    ``has`` holds device numbers, each with whether it is mapped. ``faults`` are clauses whose
    subject is the process.
    """

    def __init__(self, wanted: Collection[DeviceNumber]) -> None:
        self._wanted = wanted
        self.has: set[tuple[DeviceNumber, bool]] = set()
        self.faults: list[str] = []

    def note(self, number: DeviceNumber | None, *, mapped: bool) -> None:
        """Record a file, if it is one of the wanted devices."""
        if number is not None and number in self._wanted:
            self.has.add((number, mapped))

    def fault(self, why: str) -> None:
        """Record what could not be checked; the first few are enough."""
        if len(self.faults) < FAULTS_LIMIT:
            self.faults.append(why)
