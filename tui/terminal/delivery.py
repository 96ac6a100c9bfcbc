"""Keys are handed to the application one by one, when it has taken those before them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message import Message
from textual.widgets import Input

if TYPE_CHECKING:
    from tui.app import VfiotopApp

LOOK_S = 0.002
"""Seconds between two looks at whether the application is done with a key."""

OPENING_S = 5.0
"""Seconds for which keys wait for a field that an earlier one opens; a busy machine needs some."""


class Delivery:
    """Hands on what waits in the application's ``keys``. ``later`` has a call made on the event
    loop's thread, ``hand_on`` is called there for each event."""

    def __init__(
        self,
        app: VfiotopApp,
        later: Callable[[Callable[[], None]], Callable[[], None]],
        hand_on: Callable[[Message], None],
    ) -> None:
        self._app, self._hand_on = app, hand_on
        self._loop = asyncio.get_running_loop()
        self._tell, self._go_on = later(self._begin), later(self._deliver)
        self._is_told = self._delivers = False
        self._opens_since: float | None = None

    def put(self, event: Message) -> None:
        """Have it delivered. For the thread that reads the terminal."""
        self._app.keys.put(event)
        if not self._is_told:
            self._is_told = True
            self._tell()

    def _begin(self) -> None:
        if not self._delivers:
            self._delivers = True
            self._deliver()

    def _deliver(self) -> None:
        if not self._is_busy() and not self._is_opening():
            self._is_told = False  # what is put in after the next look is told anew
            event = self._app.keys.take(typing=self._app.is_typing())
            if event is None:
                self._delivers = False
                return
            if self._app.opens_field(event):
                self._opens_since = self._loop.time()
            self._hand_on(event)
            self._is_told = True
        self._loop.call_later(LOOK_S, self._go_on)

    def _is_busy(self) -> bool:
        """Whether a message waits where a key goes through."""
        app = self._app
        if not app.screen_stack:
            return False
        nodes = [app, app.screen, *(app.focused.ancestors_with_self if app.focused else ())]
        return not all(node._message_queue.empty() for node in nodes)

    def _is_opening(self) -> bool:
        """Whether a field for text is about to open, which the next keys are for."""
        since = self._opens_since
        if since is None or not self._app.screen_stack:
            return False
        if isinstance(self._app.focused, Input) or self._loop.time() > since + OPENING_S:
            self._opens_since = None
        return self._opens_since is not None
