"""Files that remember whether anybody has opened them, however shortly, and for whoever asks
without root: a FIFO, and the slave of a pseudo terminal. To look at them (O_PATH, stat) does
not count.

Neither needs a program that waits: the kernel keeps the trace until it is asked for.
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
    """Something at ``place`` that nobody is to open."""

    place: Path

    def touched(self) -> bool:
        """Whether somebody has opened it since it was last asked."""
        ...

    def close(self) -> None: ...


class Fifo:
    """A FIFO, made at ``place``. Its only reader was this one, and went: each that comes and
    goes after it makes another edge (epoll(7))."""

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
    """The slave of a pseudo terminal; ``place`` is its character device, made by the kernel.
    Once it was open and is not any more, its master reads EIO (pty(7))."""

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
    """Open it as a careless reader does."""
    os.close(os.open(trap.place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
