"""A file system in user space that answers until it is told to be silent.

It speaks to /dev/fuse itself (include/uapi/linux/fuse.h). When it ends, no process waits for it any
longer.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import struct
import threading
from pathlib import Path
from typing import Self

LOOKUP, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, OPENDIR = 1, 3, 14, 15, 18, 25, 26, 27
_FORGOTTEN = frozenset({2, 36, 42})
"""FORGET, INTERRUPT, BATCH_FORGET: they get no reply."""

_HEADER = struct.Struct("<IIQQIIII")
_ROOT, _FILE = 1, 2
SIZE = 1 << 20

_LIBC = ctypes.CDLL(None, use_errno=True)
_NOSUID_NODEV, _DETACH = 6, 2


class Silent:
    """One file, ``file``, in a folder that every user may access. Needs root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "file"
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        self._end = os.eventfd(0)
        self._silent = self._fails = False
        self._begun = threading.Event()
        self.waited_for = threading.Event()
        """Set once a request has gone unanswered."""
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _LIBC.mount(b"silent", bytes(folder), b"fuse", _NOSUID_NODEV, options.encode()):
            os.close(self._device)
            raise OSError(ctypes.get_errno(), "mount")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._begun.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()
        os.eventfd_write(self._end, 1)
        self._thread.join()
        os.close(self._device)
        os.close(self._end)

    def silence(self) -> None:
        """Answer nothing from now on."""
        self._silent = True

    def fail(self) -> None:
        """Answer with an error, EIO, from now on."""
        self._fails = True

    def detach(self) -> None:
        """Unmount it lazily (umount2(2)): a process that has the file open keeps it."""
        _LIBC.umount2(bytes(self.folder), _DETACH)

    def _serve(self) -> None:
        poller = select.poll()
        poller.register(self._device, select.POLLIN)
        poller.register(self._end, select.POLLIN)
        while self._end not in dict(poller.poll()):
            try:
                request = os.read(self._device, SIZE)
            except OSError:  # unmounted, and no process has a file of it open
                return
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        _, code, unique, node, *_ = _HEADER.unpack_from(request)
        if code in _FORGOTTEN:
            return
        if self._silent and code not in (FLUSH, RELEASE):  # a process with an open file can exit
            self.waited_for.set()
            return
        error, body = 0, b""
        if self._fails:
            error = -5  # EIO
        elif code == INIT:
            body = struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 1, 1, 4096, 1, 1, 0, 0)
        elif code == LOOKUP:
            body = struct.pack("<QQQQII", _FILE, 0, 0, 0, 0, 0) + _attributes(_FILE)
        elif code == GETATTR:
            body = struct.pack("<QII", 0, 0, 0) + _attributes(node)
        elif code in (OPEN, OPENDIR):
            body = struct.pack("<QII", 0, 0, 0)
        elif code == READ:
            body = bytes(4096)
        else:
            error = -38  # ENOSYS
        with contextlib.suppress(OSError):  # the process that asked has gone
            os.write(self._device, struct.pack("<IiQ", 16 + len(body), error, unique) + body)
        if code == INIT:
            self._begun.set()


def _attributes(node: int) -> bytes:
    mode = 0o40755 if node == _ROOT else 0o100644
    times = (0,) * 3
    return struct.pack("<6Q10I", node, SIZE, 8, *times, *times, mode, 1, 0, 0, 0, 4096, 0)
