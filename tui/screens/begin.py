"""Begins a swap and follows it in the journal, for the screens that need one."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import App

from tui.background import background
from tui.host import Mover
from tui.model import Swap, Unavailable
from tui.model.errors import Refused
from tui.model.requests import SwapRequest
from tui.session import Session


class SwapLost(Refused):
    """The journal no longer shows a swap that was begun, so its outcome is unknown."""


async def begin(app: App[None], mover: Mover, request: SwapRequest) -> str:
    """Begin a swap and return its id. Raises what ``mover.begin`` raises."""

    def attempt() -> str | Exception:
        try:
            return mover.begin(request)
        except Exception as error:  # raised below, after the terminal is ours again
            return error

    if mover.needs_terminal:
        # While sudo or another tool asks for a password, the terminal is its own: we may block.
        with app.suspend():
            answer = attempt()
    else:
        answer = await background(attempt)
    if isinstance(answer, Exception):
        raise answer
    return answer


class SwapFollower:
    """Follows one swap in the journal. Create it before the swap begins: older entries are not
    about that swap."""

    def __init__(self, session: Session) -> None:
        self._session = session
        before = session.live.view.swap
        self._before = before.id if before is not None else None

    async def until(self, identity: str, wanted: Callable[[Swap], bool]) -> Swap:
        """Wait for an entry of the swap ``identity`` for which ``wanted`` holds. Raises
        ``SwapLost`` if a reading that began after the swap shows something else."""
        session = self._session
        # A reading that was in progress when the swap began says nothing about it. A reading that
        # hangs is never counted.
        old = session.finished["swap"] + 1
        while True:
            swap = session.live.view.swap
            if swap is not None and swap.id == identity:
                if wanted(swap):
                    return swap
                old = session.finished["swap"]
            elif session.finished["swap"] > old or (swap is not None and swap.id != self._before):
                raise SwapLost(self._why(swap))
            await session.next_change()

    def _why(self, swap: Swap | None) -> str:
        if swap is not None:
            return "another swap has begun, and the end of this one was not seen: check the card"
        reading = self._session.live.snapshot.swap
        if isinstance(reading, Unavailable) and not reading.expected:
            return f"cannot tell how it ended: {reading.reason}"
        return "its journal is gone: cannot tell how it ended; check the card"
