"""Run a call that may never return, and give up after a while."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T], late: Callable[[T], None] | None = None) -> T:
    """Run ``work`` in a daemon thread; return what it returns, or raise what it raises.

    Raises ``TimeoutError`` when ``work`` has not ended after ``seconds``. A result that arrives
    later goes to ``late``.
    """
    done: queue.SimpleQueue[T | Exception] = queue.SimpleQueue()
    lock, left = threading.Lock(), threading.Event()

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # raised again by the caller below
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
