"""Has a swap begun, from whichever screen."""

from __future__ import annotations

from textual.app import App

from tui.background import background
from tui.host import Mover
from tui.swap.request import Request


async def begin(app: App[None], mover: Mover, request: Request) -> str:
    """The id of the swap that ``mover`` has begun. Raises what it raises."""

    def attempt() -> str | Exception:
        try:
            return mover.begin(request)
        except Exception as error:  # raised below: none may leave the terminal lent
            return error

    if mover.asks:
        # The terminal is the tool's while it asks; nothing else could be done on it.
        with app.suspend():
            answer = attempt()
    else:
        answer = await background(attempt)
    if isinstance(answer, Exception):
        raise answer
    return answer
