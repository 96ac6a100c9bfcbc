"""Keys that wait for the application: how many, and which one is next.

A key may come more often than its answer can be drawn: held down, or from a program. What waits
is bounded, and a person who wants to leave does not wait for it:

- Of a key that repeats itself at the end of the queue, ``REPEATS`` wait at most; of one that
  types a character ``TYPED``, so that no text is lost that anybody types. Of movements of the
  mouse, and of what the terminal says of itself, the last one counts.
- At most ``LIMIT`` events wait in all; what comes then is dropped, but for the keys that come
  first.
- The keys that come first (``first``: those that leave or go back) take the place of all that
  waits before them, as Ctrl-C does in a shell. One that types a character does not while text is
  typed, nor behind a key that opens a field for text (``opens``): it may be meant as text.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection
from itertools import islice

from textual import events
from textual.message import Message

LIMIT = 1024
REPEATS = 3
TYPED = 32


class KeyQueue:
    """What was typed and is not yet delivered. Put in on one thread, taken on another."""

    def __init__(self, first: Collection[str] = (), opens: Collection[str] = ()) -> None:
        self._first, self._opens = frozenset(first), frozenset(opens)
        self._lock = threading.Lock()
        self._waiting: deque[Message] = deque()
        self._opening = False
        """Whether a key was taken that opens a field, and only characters since."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: Message) -> None:
        with self._lock:
            waiting, most = self._waiting, _most(event)
            latest = list(islice(reversed(waiting), most))
            if len(latest) == most and all(_alike(each, event) for each in latest):
                if most == 1:
                    waiting[-1] = event
            elif len(waiting) < LIMIT:
                waiting.append(event)
            elif self._is_first(event, typing=False):
                waiting[-1] = event

    def take(self, *, typing: bool = False) -> Message | None:
        """The next event; ``typing`` is whether characters are text now."""
        with self._lock:
            self._leave_first(typing or self._opening)
            if not self._waiting:
                return None
            event = self._waiting.popleft()
            if isinstance(event, events.Key):
                self._opening = event.key in self._opens or (self._opening and event.is_printable)
            return event

    def _leave_first(self, typing: bool) -> None:
        """Drop what waits before a key that comes first."""
        for index, event in enumerate(self._waiting):
            if self._is_first(event, typing=typing):
                for _ in range(index):
                    self._waiting.popleft()
                return
            typing = typing or (isinstance(event, events.Key) and event.key in self._opens)

    def _is_first(self, event: Message, *, typing: bool) -> bool:
        return (
            isinstance(event, events.Key)
            and event.key in self._first
            and not (typing and event.is_printable)
        )


def _alike(one: Message, other: Message) -> bool:
    if isinstance(one, events.Key) and isinstance(other, events.Key):
        return one.key == other.key
    return type(one) is type(other)


def _most(event: Message) -> int:
    """How many of a kind may wait one after the other."""
    if isinstance(event, events.Key):
        return TYPED if event.is_printable else REPEATS
    if isinstance(event, events.Paste | events.MouseDown | events.MouseUp):
        return REPEATS
    if isinstance(event, events.MouseScrollUp | events.MouseScrollDown):
        return TYPED
    return 1
