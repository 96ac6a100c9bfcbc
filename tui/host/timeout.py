"""A call that may never return, given up after a while."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T], late: Callable[[T], None] | None = None) -> T:
    """What ``work`` returns or raises, on a daemon thread of its own. Raises ``TimeoutError``
    where it has not ended after ``seconds``; what it returns later is given to ``late``."""
    done: queue.SimpleQueue[T | Exception] = queue.SimpleQueue()
    lock, left = threading.Lock(), threading.Event()

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # it is raised again where it is awaited
            done.put(error)
            return
        with lock:
            if not left.is_set():
                done.put(result)
                return
        if late is not None:
            late(result)

    threading.Thread(target=run, name="bounded", daemon=True).start()
    try:
        ended = done.get(timeout=seconds)
    except queue.Empty:
        with lock:
            left.set()
            if done.empty():
                raise TimeoutError(f"no answer within {seconds:g} s") from None
        ended = done.get()
    if isinstance(ended, Exception):
        raise ended
    return ended
