"""A call that may block, beside the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tui.host import HostError

T = TypeVar("T")


async def background(call: Callable[[], T], deed: BackgroundAction | None = None) -> T:
    """The result of ``call``, or what it raises. It runs on a daemon thread of its own: one
    that never returns keeps nobody waiting who does not await it, nor the program's end. With
    ``deed`` it is something that must not be left half way, and ``finish`` waits for it. Raises
    ``HostError`` where no thread can be started."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = call()
        except Exception as error:  # it is raised again where it is awaited
            if deed is not None:
                deed.error = error
            _tell(done.set_exception, error)
        else:
            _tell(done.set_result, result)
        if deed is not None:
            deed.ended.set()

    def _tell(settle: Callable[..., None], value: object) -> None:
        def deliver() -> None:
            if not done.done():  # whoever awaited it may have gone
                settle(value)

        with contextlib.suppress(RuntimeError):  # the loop may have, too
            loop.call_soon_threadsafe(deliver)

    try:
        threading.Thread(target=run, name="background", daemon=True).start()
    except RuntimeError as error:
        raise HostError(f"{error}: raise the limit of processes (`ulimit -u`)") from error
    if deed is not None:
        _under_way.append(deed)
    try:
        return await done
    finally:
        if deed is not None and done.done() and not done.cancelled():
            _under_way.remove(deed)  # whoever awaited it tells of it


# --- what must not be left half way -----------------------------------------------


@dataclass(eq=False)
class BackgroundAction:
    """``words`` say what is done; ``error`` is what it came to, where it failed."""

    words: str
    hint: Callable[[Exception], str] = lambda _: ""
    error: Exception | None = None
    ended: threading.Event = field(default_factory=threading.Event)


_under_way: list[BackgroundAction] = []


def finish(tell: Callable[[str], object]) -> Exception | None:
    """Wait for the deeds that nobody awaits any more, as the screen has gone. What is waited
    for, and what failed, is told in sentences; returns the last failure."""
    failed = None
    while _under_way:
        deed = _under_way.pop()
        if not deed.ended.is_set():
            tell(f"{deed.words} goes on; waiting for libvirt")
            deed.ended.wait()
        if deed.error is not None:
            failed = deed.error
            tell(f"{deed.words}: {failed}{deed.hint(failed)}")
    return failed
