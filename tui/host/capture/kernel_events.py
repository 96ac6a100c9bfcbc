"""What the kernel has logged since boot about cards, ports, the IOMMU and vfio, for a capture."""

from __future__ import annotations

import os
from collections.abc import Callable

from tui.host.kernel_log import KEPT, RECORD_BYTES, Follower, Record, open_log, records
from tui.model import KernelMessage

RECORDS_LIMIT = 100_000
"""Maximum number of records to read. A log of 16 MiB, among the largest, has about as many."""


class _Since(Follower):
    """Follows past records: its clock is the time of the current record."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: self._at_s)
        self._at_s = 0.0

    def take(self, found: Record) -> bool:
        self._at_s = found.at_s
        return super().take(found)


def kernel_events(open: Callable[[], int] = open_log) -> str:
    """Return the last messages, one a line: seconds since boot, topic, address and detail.

    It has no text from the log. Raises ``OSError`` if the log cannot be read.
    """
    lines: list[str] = []
    log = open()
    try:
        follower = _Since()
        for found in records(lambda: os.read(log, RECORD_BYTES), RECORDS_LIMIT):
            last = follower.log.messages[-1:]
            follower.take(found)
            if follower.log.messages[-1:] != last:
                lines.append(_line(found.at_s, follower.log.messages[-1]))
    finally:
        os.close(log)
    return "".join(lines[-KEPT:])


def _line(at_s: float, message: KernelMessage) -> str:
    words = (f"{at_s:.3f}", message.topic, message.address or "-", message.detail)
    return " ".join(word for word in words if word) + "\n"
