"""The kernel's log, followed as it is written: what it says about cards, ports, the IOMMU and vfio.

/dev/kmsg (kernel: Documentation/ABI/testing/dev-kmsg) gives one record per read(2), and EPIPE where
records were overwritten before they were read. It is read from its end, so only what happens while
vfiotop runs counts. Only what ``tui.rules.kernel_messages`` knows is kept, and no text of a line.

Messages have no time of their own. A record's is a local clock that stops in suspend, and they are
read within a fraction of a second, so an event gets the time of its reading.
"""

from __future__ import annotations

import errno
import os
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from tui.host import HostError, Wake
from tui.host.tree import MACHINE, Tree, text_of
from tui.model import KernelLog, KernelMessage
from tui.rules.kernel_log import NO_RIGHT

DEVICE = "/dev/kmsg"

RECORD_BYTES = 8192
"""Bytes of a record, prefix and properties included (kernel: CONSOLE_EXT_LOG_MAX). A longer
one fails with EINVAL and counts as lost."""

BURST = 500
"""Records that are read before the reader rests, however many wait."""

REST_S = 0.1
"""Seconds between two bursts: they bound the cost of a log that is written without end."""

KEPT = 50
"""Messages in a reading, the newest ones."""

LOST_QUIET_S = 60.0
"""Seconds for which further lost lines are only counted."""

KERNEL = 0
"""The kernel's own facility (syslog(2)). A process that writes to /dev/kmsg cannot have it."""

_PREFIX = re.compile(rb"(\d{1,9}),(\d{1,20}),(\d{1,18}),[^;\n]{1,200};")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")

RESTRICTED = "proc/sys/kernel/dmesg_restrict"


class Record(Struct, frozen=True):
    """A record: its facility, its sequence number, its text, which is not trusted, and its time in
    seconds since boot without suspend."""

    facility: int
    number: int
    text: str
    at_s: float = 0.0


def record(data: bytes) -> Record | None:
    """The record that read(2) returned; ``None`` if it is malformed.

    The lines after the first are properties of the device, `` KEY=value``. Unprintable bytes and
    the backslash are escaped as ``\\xNN``.
    """
    found = _PREFIX.match(data)
    if found is None:
        return None
    line = data[found.end() :].partition(b"\n")[0]
    text = _ESCAPED.sub(lambda escape: bytes([int(escape[1], 16)]), line)
    at_s = int(found[3]) / 1e6
    return Record(int(found[1]) >> 3, int(found[2]), text.decode("utf-8", "replace"), at_s)


class Follower:
    """Keeps what matters from the records that it is given, in order. ``clock`` gives monotonic
    seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: int | None = None
        self._missed = 0
        self._quiet_until: dict[object, float] = {}
        self.log = KernelLog()

    def take(self, found: Record) -> bool:
        """Take the next record; return whether it changes the log."""
        before = self.log
        if self._next is not None:
            self._missed += max(0, found.number - self._next)
        self._next = found.number + 1
        if self._missed and self._is_news("lost", LOST_QUIET_S):
            self.log = replace(self.log, lost=self.log.lost + self._missed)
            self._missed = 0
        message = self._message(found) if found.facility == KERNEL else None
        if message is not None:
            self.log = replace(self.log, messages=(*self.log.messages, message)[-KEPT:])
        return self.log is not before

    def _message(self, found: Record) -> KernelMessage | None:
        # Imported with the first record: the first frame does not need it.
        from tui.rules.kernel_messages import recognised  # noqa: PLC0415

        line = recognised(found.text)
        if line is None:
            return None
        slot = line.address and line.address.partition(".")[0]  # an Xid names no function
        if not self._is_news((line.topic.id, slot, line.detail), line.topic.quiet_s):
            return None
        return KernelMessage(found.number, line.topic.id, line.address, line.detail)

    def _is_news(self, what: object, quiet_s: float) -> bool:
        """Whether ``what`` was not reported within the time for which a report silences it."""
        now = self._clock()
        self._quiet_until = {key: end for key, end in self._quiet_until.items() if end > now}
        if what in self._quiet_until:
            return False
        self._quiet_until[what] = now + quiet_s
        return True


Read = Callable[[], bytes]
"""Returns the next record, as a read(2) of /dev/kmsg that does not block."""


def records(read: Read, limit: int) -> Iterator[Record]:
    """Yield the records that wait, at most ``limit``. Raises ``OSError`` if the log cannot be read
    any more."""
    for _ in range(limit):
        try:
            data = read()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EINVAL):  # the next number tells what was lost
                continue
            raise
        if not data:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        found = record(data)
        if found is not None:
            yield found


def drained(read: Read, follower: Follower) -> bool:
    """Give the ``follower`` the records that wait, at most a burst; return whether the log changed.

    Raises ``OSError`` if the log cannot be read any more.
    """
    changed = False
    for found in records(read, BURST):
        changed |= follower.take(found)
    return changed


def open_log() -> int:
    """Open the log at the first record that the kernel still has. Raises ``OSError``."""
    return os.open(DEVICE, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def open_at_end() -> int:
    """Open the log where the next record will be. Raises ``OSError``."""
    log = open_log()
    try:
        os.lseek(log, 0, os.SEEK_END)
    except OSError:
        os.close(log)
        raise
    return log


class KernelLogSource:
    """Follows the log in a thread of its own, which wakes the sampler when something matters.

    ``open`` returns a descriptor of the log.
    """

    def __init__(self, open: Callable[[], int] = open_at_end, root: Tree = MACHINE) -> None:
        self._open, self._root = open, root
        self._log = KernelLog()
        self._failed: str | None = None
        self._stop: socket.socket | None = None

    def read(self) -> KernelLog:
        """Return the last messages. Raises ``HostError`` if the log cannot be read."""
        if self._failed is not None:
            raise HostError(self._failed)
        return self._log

    def watch(self, wake: Wake) -> None:
        try:
            log = self._open()
        except OSError as error:
            self._failed = self._why(error)
            return
        self._stop, stopped = socket.socketpair()
        arguments = (log, stopped, wake)
        threading.Thread(target=self._run, args=arguments, name="kernel-log", daemon=True).start()

    def close(self) -> None:
        if self._stop is not None:
            self._stop.close()

    def _run(self, log: int, stopped: socket.socket, wake: Wake) -> None:
        follower, records, end = Follower(), select.poll(), select.poll()
        for poll in (records, end):
            poll.register(stopped, select.POLLIN)
        records.register(log, select.POLLIN)
        with stopped:
            try:
                while stopped.fileno() not in dict(records.poll()):
                    if drained(lambda: os.read(log, RECORD_BYTES), follower):
                        self._log = follower.log
                        wake()
                    if end.poll(REST_S * 1000):
                        break
            except OSError as error:
                self._failed = self._why(error)
                wake()
            except Exception as error:  # a bug of ours costs only the log, and shows there
                self._failed = f"vfiotop failed here ({type(error).__name__}); please report it"
                wake()
            finally:
                os.close(log)

    def _why(self, error: OSError) -> str:
        restricted = text_of(self._root, RESTRICTED).strip()
        if error.errno == errno.EPERM and restricted not in ("", "0"):
            return NO_RIGHT
        return f"the kernel's log cannot be read: {DEVICE}: {error.strerror}"
