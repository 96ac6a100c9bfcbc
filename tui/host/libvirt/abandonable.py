"""A libvirt connection that a caller may abandon in the middle of a call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from tui.host.libvirt.connection import Connection

T = TypeVar("T")


class AbandonableConnection:
    """Closes its connection only when no call is left in it.

    libvirt frees a connection that is closed during a call, which crashes that call. So ``close``
    takes effect when the last call has returned.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._calls, self._abandoned = 0, False

    @property
    def alive(self) -> bool:
        return not self._abandoned and self._connection.alive

    def call(self, function: Callable[[Connection], T]) -> T:
        """Call ``function`` with the connection; returns and raises what it does."""
        with self._lock:
            self._calls += 1
        try:
            return function(self._connection)
        finally:
            with self._lock:
                self._calls -= 1
                unused = self._abandoned and self._calls == 0
            if unused:
                self._close_in_background()

    def close(self) -> None:
        """Abandon the connection. Returns at once."""
        with self._lock:
            unused = not self._abandoned and self._calls == 0
            self._abandoned = True
        if unused:
            self._close_in_background()

    def _close_in_background(self) -> None:
        # Closing blocks, too, if the daemon does not answer.
        threading.Thread(target=self._connection.close, name="close-libvirt", daemon=True).start()
