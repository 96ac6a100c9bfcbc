"""Blocking calls on threads of their own, next to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct, field

from tui.host import HostError

T = TypeVar("T")


async def background(call: Callable[[], T], action: BackgroundAction | None = None) -> T:
    """Return the result of ``call``, or raise what it raises.

    The call runs on a daemon thread of its own, so one that never returns delays neither the event
    loop nor the program's end. With ``action`` the call must not be abandoned halfway: ``finish``
    waits for it. Raises ``HostError`` if no thread can be started.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = call()
        except Exception as error:  # raised again where it is awaited
            if action is not None:
                action.error = error
            settle_soon(done.set_exception, error)
        else:
            settle_soon(done.set_result, result)
        if action is not None:
            action.ended.set()

    def settle_soon(settle: Callable[..., None], value: object) -> None:
        def deliver() -> None:
            if not done.done():  # the awaiting task may have been cancelled
                settle(value)

        with contextlib.suppress(RuntimeError):  # the loop may have ended
            loop.call_soon_threadsafe(deliver)

    try:
        threading.Thread(target=run, name="background", daemon=True).start()
    except RuntimeError as error:
        raise HostError(f"{error}: raise the limit of processes (`ulimit -u`)") from error
    if action is not None:
        _running.append(action)
    try:
        return await done
    finally:
        if action is not None and done.done() and not done.cancelled():
            _running.remove(action)  # reported by whoever awaited it


# --- calls that must not be abandoned -----------------------------------------------


class BackgroundAction(Struct, eq=False):
    """A call that must not be abandoned halfway.

    ``name`` says what it does; ``error`` is how it failed, if it did; ``hint`` says, for such
    an error, what the user can do.
    """

    name: str
    hint: Callable[[Exception], str] = lambda _: ""
    error: Exception | None = None
    ended: threading.Event = field(default_factory=threading.Event)


_running: list[BackgroundAction] = []


def finish(report: Callable[[str], object]) -> Exception | None:
    """Wait for the actions that outlived the screen, and return the last failure.

    ``report`` gets a sentence for each one that is waited for, and for each that failed.
    """
    failed = None
    while _running:
        action = _running.pop()
        if not action.ended.is_set():
            report(f"{action.name} continues; waiting for libvirt")
            action.ended.wait()
        if action.error is not None:
            failed = action.error
            report(f"{action.name}: {failed}{action.hint(failed)}")
    return failed
