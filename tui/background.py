"""A call that may block, beside the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def background(call: Callable[[], T]) -> T:
    """The result of ``call``, or what it raises. It runs on a daemon thread of its own: one
    that never returns keeps nobody waiting who does not await it, nor the program's end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = call()
        except Exception as error:  # it is raised again where it is awaited
            _tell(done.set_exception, error)
        else:
            _tell(done.set_result, result)

    def _tell(settle: Callable[..., None], value: object) -> None:
        def deliver() -> None:
            if not done.done():  # whoever awaited it may have gone
                settle(value)

        with contextlib.suppress(RuntimeError):  # the loop may have, too
            loop.call_soon_threadsafe(deliver)

    threading.Thread(target=run, name="background", daemon=True).start()
    return await done
