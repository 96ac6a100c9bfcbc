"""Hands items from threads to the event loop, which is woken once per batch."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """Filled by any thread, emptied by one. ``wake`` is called for the first item of each batch; it
    may raise ``RuntimeError``, as a closed event loop does."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._items: list[T] = []

    def put(self, item: T) -> None:
        with self._lock:
            is_first = not self._items
            self._items.append(item)
        if is_first:
            with contextlib.suppress(RuntimeError):
                self._wake()

    def take(self) -> list[T]:
        """Remove and return all items, oldest first."""
        with self._lock:
            items, self._items = self._items, []
        return items
