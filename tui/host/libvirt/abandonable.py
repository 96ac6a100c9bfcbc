"""A connection to libvirt that may be given up in the middle of a call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from tui.host.libvirt.connection import Connection

T = TypeVar("T")


class AbandonableConnection:
    """A connection that may be given up in the middle of a call. libvirt would free it under
    that call, so it is closed when the last has returned."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._calls, self._given_up = 0, False

    @property
    def alive(self) -> bool:
        return not self._given_up and self._connection.alive

    def used(self, call: Callable[[Connection], T]) -> T:
        """What ``call`` returns or raises."""
        with self._lock:
            self._calls += 1
        try:
            return call(self._connection)
        finally:
            with self._lock:
                self._calls -= 1
                unused = self._given_up and self._calls == 0
            if unused:
                self._hang_up()

    def close(self) -> None:
        """Returns at once."""
        with self._lock:
            unused = not self._given_up and self._calls == 0
            self._given_up = True
        if unused:
            self._hang_up()

    def _hang_up(self) -> None:
        # Beside us: one that does not answer takes its time to be closed as well.
        threading.Thread(target=self._connection.close, name="close-libvirt", daemon=True).start()
