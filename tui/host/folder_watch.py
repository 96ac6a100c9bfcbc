"""Watches the files of a folder without polling them.

The kernel reports when a file is created, replaced or removed (inotify(7)). Where it does not,
because the user has no watches left or the parent folder does not exist either, the folder counts
as changed every ``POLL_S``.

inotify is called through ctypes: it takes three calls, while inotify_simple has no types and runs
ldconfig or a compiler to find libc, and watchdog and watchfiles bring threads of their own, 10 ms
of CPU at import and 1 to 2 MiB; pyudev has no inotify.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tui.host import Wake

POLL_S = 0.1
"""Seconds between two checks of a folder whose changes the kernel does not report."""

EVENTS_SIZE = 4096
"""Bytes to read at once; what they say about the change is ignored."""

_CHANGE = 0x3C0
"""IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE and IN_DELETE of linux/inotify.h."""
_END = 0xC00
"""IN_DELETE_SELF and IN_MOVE_SELF."""
_FOLDER = 0x3000000
"""IN_ONLYDIR and IN_DONT_FOLLOW."""
_ONCE = 0x80000000
"""IN_ONESHOT."""

_libc = ctypes.CDLL(None)


class FolderChanges:
    """The changes of ``folder`` from now on; it may not exist yet. ``poke`` may be called from any
    thread, the rest from a single one, which also leaves the context."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._events = _libc.inotify_init1(os.O_CLOEXEC)
        self._poked, self._poke = socket.socketpair()
        self._poll = select.poll()
        self._poll.register(self._poked, select.POLLIN)
        if self._events >= 0:
            self._poll.register(self._events, select.POLLIN)
        self._told = self._listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._poked.close()
        self._poke.close()
        if self._events >= 0:
            os.close(self._events)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for a change since the last wait, at most ``seconds``; return whether there may have
        been one."""
        if not self._told:
            seconds = POLL_S if seconds is None else min(seconds, POLL_S)
        ready = self._poll.poll(None if seconds is None else seconds * 1000)
        for descriptor, _ in ready:
            os.read(descriptor, EVENTS_SIZE)
        told, self._told = self._told, self._listen()
        return bool(ready) or not told

    def poke(self) -> None:
        """End the current wait, or the next one."""
        with contextlib.suppress(OSError):  # closed, or poked so often that the buffer is full
            self._poke.send(b"\0", socket.MSG_DONTWAIT)

    def _listen(self) -> bool:
        """Have the kernel report the next change; return whether it will.

        Asking again changes nothing for a folder that is watched, and finds one created since.
        Until then, its parent folder is watched for its creation.
        """
        if self._add(self._folder, _CHANGE | _END):
            return True
        around = self._add(self._folder.parent, _CHANGE | _ONCE)
        return self._add(self._folder, _CHANGE | _END) or (around and not self._folder.exists())

    def _add(self, folder: Path, mask: int) -> bool:
        path, wanted = os.fsencode(folder), ctypes.c_uint32(mask | _FOLDER)
        return int(_libc.inotify_add_watch(self._events, path, wanted)) >= 0


class FolderWatch:
    """Wakes when ``version()`` changes, which depends on the files of ``folder``, on a thread
    called ``name``."""

    def __init__(self, name: str, folder: Path, version: Callable[[], object], wake: Wake) -> None:
        self._version, self._wake = version, wake
        self._every_s: float | None = None
        self._closed = False
        self._changes = FolderChanges(folder)
        arguments = (version(),)  # now: the thread may start after the next change
        thread = threading.Thread(target=self._run, args=arguments, name=name, daemon=True)
        thread.start()

    def look_every(self, seconds: float | None) -> None:
        """Check the version that often as well: it depends on more than the folder."""
        if seconds != self._every_s:
            self._every_s = seconds
            self._changes.poke()

    def close(self) -> None:
        """End the thread; does not wait for it."""
        self._closed = True
        self._changes.poke()

    def _run(self, seen: object) -> None:
        with self._changes:
            while not self._closed:
                now = self._version()
                if now != seen:
                    seen = now
                    self._wake()
                self._changes.wait(self._every_s)
