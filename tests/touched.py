"""Files that record whether they were opened, however briefly, without root: a FIFO and the slave
of a pseudo terminal. O_PATH and stat do not count.

Neither needs a program that waits: the kernel keeps the trace until it is read.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
from pathlib import Path
from typing import Protocol

_UNLOCK, _NUMBER = 0x40045431, 0x80045430  # TIOCSPTLCK, TIOCGPTN of asm-generic/ioctls.h


class Trap(Protocol):
    """A file at ``place`` that nothing should open."""

    place: Path

    def touched(self) -> bool:
        """Whether it was opened since the last call."""
        ...

    def close(self) -> None: ...


class Fifo:
    """A FIFO, created at ``place``. Its own reader is closed, so each later one that opens and
    closes it causes an edge (epoll(7))."""

    def __init__(self, place: Path) -> None:
        os.mkfifo(place)
        self.place = place
        reader = os.open(place, os.O_RDWR)
        self._writer = os.open(place, os.O_WRONLY)
        os.close(reader)
        self._edges = select.epoll()
        self._edges.register(self._writer, select.EPOLLOUT | select.EPOLLET)
        self.touched()

    def touched(self) -> bool:
        return bool(self._edges.poll(0))

    def close(self) -> None:
        self._edges.close()
        os.close(self._writer)


class Terminal:
    """The slave of a pseudo terminal; ``place`` is its character device, created by the kernel.
    After it has been opened and closed, its master reads EIO (pty(7))."""

    def __init__(self) -> None:
        self._master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        fcntl.ioctl(self._master, _UNLOCK, struct.pack("i", 0))
        number = fcntl.ioctl(self._master, _NUMBER, struct.pack("i", 0))
        self.place = Path(f"/dev/pts/{struct.unpack('i', number)[0]}")

    def touched(self) -> bool:
        try:
            os.read(self._master, 1)
        except OSError as error:
            return error.errno != errno.EAGAIN
        return True

    def close(self) -> None:
        os.close(self._master)


def spring(trap: Trap) -> None:
    """Open it as a careless reader would."""
    os.close(os.open(trap.place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
