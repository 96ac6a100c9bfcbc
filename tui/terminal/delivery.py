"""Delivers keys to the application one by one, each when the previous one has been handled.

A key's action may open a screen or a text field, and the next key is meant for that. Textual
dispatches keys as they arrive, so they would still reach the old screen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from textual.message import Message

from tui.terminal.queue import KeyQueue

POLL_S = 0.002
"""Seconds between two checks whether the application is done with a key."""

OPENING_S = 5.0
"""Seconds that keys wait for a text field that an earlier key opens; a busy machine may be slow."""


class KeyReceiver(Protocol):
    """The application that the keys are for."""

    keys: KeyQueue

    def is_busy(self) -> bool:
        """Whether it has not finished with the last key."""
        ...

    def is_typing(self) -> bool:
        """Whether keys are text now, or may be after the next key."""
        ...

    def is_in_field(self) -> bool:
        """Whether a text field has the focus, or none can open any more."""
        ...

    def opens_field(self, event: Message) -> bool:
        """Whether an event is a key that opens a text field here and now."""
        ...


class Delivery:
    """Delivers the events that wait in the receiver's ``keys``.

    ``later`` wraps a call so that it runs on the event loop's thread; ``dispatch`` is called there
    for each event.
    """

    def __init__(
        self,
        receiver: KeyReceiver,
        later: Callable[[Callable[[], None]], Callable[[], None]],
        dispatch: Callable[[Message], None],
    ) -> None:
        self._receiver, self._dispatch = receiver, dispatch
        self._loop = asyncio.get_running_loop()
        self._wake, self._continue = later(self._begin), later(self._deliver)
        self._is_awake = self._delivers = False
        self._opens_since: float | None = None

    def put(self, event: Message) -> None:
        """Queue an event. Called on the thread that reads the terminal."""
        self._receiver.keys.put(event)
        if not self._is_awake:
            self._is_awake = True
            self._wake()

    def _begin(self) -> None:
        if not self._delivers:
            self._delivers = True
            self._deliver()

    def _deliver(self) -> None:
        receiver = self._receiver
        if not receiver.is_busy() and not self._is_opening():
            self._is_awake = False  # an event put after ``take`` has to wake us again
            event = receiver.keys.take(typing=receiver.is_typing())
            if event is None:
                self._delivers = False
                return
            if receiver.opens_field(event):
                self._opens_since = self._loop.time()
            self._dispatch(event)
            self._is_awake = True
        self._loop.call_later(POLL_S, self._continue)

    def _is_opening(self) -> bool:
        """Whether a text field is about to open, which the next keys are meant for."""
        since = self._opens_since
        if since is None:
            return False
        if self._receiver.is_in_field() or self._loop.time() > since + OPENING_S:
            self._opens_since = None
        return self._opens_since is not None
