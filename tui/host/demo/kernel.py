"""The simulated kernel's log: what it says, and when.

Times are seconds since the simulation began.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import floor

from msgspec import Struct

from tui.host.kernel_log import KEPT
from tui.model import KernelLog, KernelMessage
from tui.rules.kernel_messages import recognised


class KernelLine(Struct, frozen=True):
    """A line that the kernel writes ``at`` a time, and again every ``every`` seconds."""

    at: float
    text: str
    every: float | None = None

    def times(self, until: float) -> Iterator[float]:
        """The last times up to ``until`` at which it is written, as many as a log keeps."""
        if until < self.at:
            return
        last = 0 if self.every is None else floor((until - self.at) / self.every)
        for count in range(max(0, last + 1 - KEPT), last + 1):
            yield self.at + count * (self.every or 0)

    def next_time(self, after: float) -> float | None:
        """The first time after ``after`` at which it is written."""
        if after < self.at:
            return self.at
        if self.every is None:
            return None
        return self.at + (floor((after - self.at) / self.every) + 1) * self.every


def log_at(lines: Iterable[KernelLine], at: float) -> KernelLog:
    """The log at a time. Its records are numbered by the millisecond."""
    written = sorted((time, line.text) for line in lines for time in line.times(at))
    messages = (
        KernelMessage(round(1000 * time), found.topic.id, found.address, found.detail)
        for time, text in written
        if (found := recognised(text)) is not None
    )
    return KernelLog(tuple(messages)[-KEPT:])
