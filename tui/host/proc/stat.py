"""The file ``/proc/PID/stat`` (proc_pid_stat(5)).

Imports little, because the scan process loads it.
"""

from __future__ import annotations

import os

_PF_KTHREAD = 0x00200000  # include/linux/sched.h
_SIZE = 4096


class Stat:
    """The fields that are read of a process or a thread.

    They are counted from the last parenthesis, because the name before it may contain spaces and
    parentheses.
    """

    def __init__(self, process: str) -> None:
        """Read it from the folder of a process or a thread, such as ``/proc/1``.

        Raises ``OSError``, and ``ValueError`` or ``IndexError`` if the file is cut short.
        """
        descriptor = os.open(f"{process}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            head, _, tail = os.read(descriptor, _SIZE).rpartition(b")")
        finally:
            os.close(descriptor)
        fields = tail.split()
        self.name = head.partition(b"(")[2]
        self.is_zombie = fields[0] == b"Z"
        """Whether it is a zombie."""
        self.is_kernel_thread = bool(int(fields[6]) & _PF_KTHREAD)
        self.threads = int(fields[17]) if len(fields) > 17 else 1
        self.start = int(fields[19]) if len(fields) > 19 else 0
        """Clock ticks since boot."""
        self._fields = fields

    @property
    def ticks(self) -> int:
        """Clock ticks that it has run, in user mode and in the kernel; raises like the rest."""
        return int(self._fields[11]) + int(self._fields[12])

    @property
    def cpu(self) -> int:
        """The CPU that it ran on last."""
        return int(self._fields[36])
