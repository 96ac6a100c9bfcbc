"""Begins a swap and follows it in the journal, for whichever screen asked."""

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
    """The journal no longer tells of a swap that was begun, so its end cannot be known."""


async def begin(app: App[None], mover: Mover, request: SwapRequest) -> str:
    """The id of the swap that ``mover`` has begun. Raises what it raises."""

    def attempt() -> str | Exception:
        try:
            return mover.begin(request)
        except Exception as error:  # raised below: none may leave the terminal lent
            return error

    if mover.needs_terminal:
        # The terminal is the tool's while it asks; nothing else could be done on it.
        with app.suspend():
            answer = attempt()
    else:
        answer = await background(attempt)
    if isinstance(answer, Exception):
        raise answer
    return answer


class SwapFollower:
    """A swap that was begun, as the journal tells of it. Create it before the swap begins: what
    the journal told until then is no news of it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        before = session.live.view.swap
        self._before = before.id if before is not None else None

    async def until(self, identity: str, wanted: Callable[[Swap], bool]) -> Swap:
        """Wait for an entry of the swap ``identity`` for which ``wanted`` holds. Raises
        ``Lost`` when a reading that began after the swap did tells of something else."""
        session = self._session
        # One reading may have been under way when the swap began. One that hangs never ends,
        # so it is never news.
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
            return "another swap has begun, and how this one ended was not seen: look at the card"
        reading = self._session.live.snapshot.swap
        if isinstance(reading, Unavailable) and not reading.expected:
            return f"how it ended cannot be read: {reading.reason}"
        return "its journal is gone, so how it ended is not known: look at the card"
