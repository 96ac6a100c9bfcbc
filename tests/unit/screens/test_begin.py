"""A swap begun from a screen, and calls next to the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.ui.rig import FakeMover
from tui.background import background
from tui.model.errors import Refused
from tui.model.requests import SwapRequest
from tui.screens.begin import begin

REQUEST = SwapRequest("bind", "0000:02:00.0")


class Terminal:
    """Suspends as the application does: an error within ``suspend`` leaves the terminal lent."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    @contextmanager
    def suspend(self) -> Iterator[None]:
        self.calls.append("lent")
        yield
        self.calls.append("back")


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize(
    "answer", ["first", Refused("sudo did not start the runner"), ValueError("ours")]
)
async def test_the_terminal_is_restored_whatever_the_answer(
    asks: bool, answer: str | Exception
) -> None:
    mover, terminal = FakeMover(), Terminal()
    mover.needs_terminal, mover.answer = asks, answer
    app: Any = terminal
    if isinstance(answer, Exception):
        with pytest.raises(type(answer)):
            await begin(app, mover, REQUEST)
    else:
        assert await begin(app, mover, REQUEST) == answer
    assert terminal.calls == (["lent", "back"] if asks else [])
    assert mover.requests == [REQUEST]


async def test_a_background_call_returns_or_raises() -> None:
    assert await background(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await background(lambda: 1 / 0)


async def test_a_hung_call_delays_nobody() -> None:
    free = threading.Event()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(background(free.wait), 0.05)
    free.set()  # what it returns after that is dropped
    await asyncio.sleep(0)
