"""The bounded queue of keys for the application.

Keys may arrive faster than the screen can respond, if one is held down or a program sends them.
The queue is bounded, and a user who wants to leave does not have to wait for it:

- At most ``MAX_REPEATS`` of the same key wait in a row at the end of the queue, or ``MAX_TYPED``
  if it types a character, so that no typed text is lost. Of mouse movements and of the terminal's
  reports, only the last one is kept.
- At most ``LIMIT`` events wait in total. Any more are dropped, except urgent keys.
- Urgent keys, which leave or go back, replace everything before them in the queue, as Ctrl-C does
  in a shell. An urgent key that types a character does not do so while the user types text, nor
  after a key that opens a text field (``opens_field``): it may be meant as text.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection
from itertools import islice

from textual import events
from textual.message import Message

LIMIT = 1024
MAX_REPEATS = 3
MAX_TYPED = 32


class KeyQueue:
    """Input that has not been delivered yet. Filled on one thread, emptied on another."""

    def __init__(self, urgent: Collection[str] = (), opens_field: Collection[str] = ()) -> None:
        self._urgent, self._opens_field = frozenset(urgent), frozenset(opens_field)
        self._lock = threading.Lock()
        self._waiting: deque[Message] = deque()
        self._opening = False
        """Whether a key that opens a text field was taken, and since then only characters."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: Message) -> None:
        with self._lock:
            waiting, most = self._waiting, _max_waiting(event)
            latest = list(islice(reversed(waiting), most))
            if len(latest) == most and all(_is_same_kind(each, event) for each in latest):
                if most == 1:
                    waiting[-1] = event
            elif len(waiting) < LIMIT:
                waiting.append(event)
            elif self._is_urgent(event, typing=False):
                waiting[-1] = event

    def take(self, *, typing: bool = False) -> Message | None:
        """Remove and return the next event. ``typing``: characters are text now."""
        with self._lock:
            self._drop_before_urgent(typing or self._opening)
            if not self._waiting:
                return None
            event = self._waiting.popleft()
            if isinstance(event, events.Key):
                self._opening = event.key in self._opens_field or (
                    self._opening and event.is_printable
                )
            return event

    def _drop_before_urgent(self, typing: bool) -> None:
        """Drop everything before an urgent key."""
        for index, event in enumerate(self._waiting):
            if self._is_urgent(event, typing=typing):
                for _ in range(index):
                    self._waiting.popleft()
                return
            typing = typing or (isinstance(event, events.Key) and event.key in self._opens_field)

    def _is_urgent(self, event: Message, *, typing: bool) -> bool:
        return (
            isinstance(event, events.Key)
            and event.key in self._urgent
            and not (typing and event.is_printable)
        )


def _is_same_kind(one: Message, other: Message) -> bool:
    if isinstance(one, events.Key) and isinstance(other, events.Key):
        return one.key == other.key
    return type(one) is type(other)


def _max_waiting(event: Message) -> int:
    """How many events of a kind may wait in a row."""
    if isinstance(event, events.Key):
        return MAX_TYPED if event.is_printable else MAX_REPEATS
    if isinstance(event, events.Paste | events.MouseDown | events.MouseUp):
        return MAX_REPEATS
    if isinstance(event, events.MouseScrollUp | events.MouseScrollDown):
        return MAX_TYPED
    return 1
