"""What the first frame shows, and what is read after it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.ui.rig import GUEST_CARD, PATIENCE, Rig, all_read, until
from tui.app import VfiotopApp
from tui.config import Config
from tui.live import Live
from tui.sampler import FIRST, Readers
from tui.screens.overview import OverviewScreen
from tui.session import Session


async def test_the_first_frame_shows_what_was_read_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    readers = Readers(rig.host, 3600)
    readers.start_first()
    deadline = time.monotonic() + PATIENCE
    while len(readers._early) < len(FIRST):
        assert time.monotonic() < deadline
    drawn: list[tuple[list[str], int]] = []
    draw = OverviewScreen.draw

    def noted(screen: OverviewScreen, live: Live) -> None:
        drawn.append(([gpu.address for gpu in live.view.gpus], rig.guests.readings))
        draw(screen, live)

    monkeypatch.setattr(OverviewScreen, "draw", noted)
    app = rig.app = VfiotopApp(Session(rig.host, Config(interval=3600), readers))
    async with rig.running() as pilot:
        addresses, readings = drawn[0]
        assert GUEST_CARD.address in addresses
        assert readings == 0
        await until(pilot, lambda: all_read(app.session.live.snapshot))


async def test_all_else_is_read_once_the_first_frame_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their imports would take the time of the thread that draws."""
    rig = Rig()
    readers = Readers(rig.host, 3600)
    readers.start_first()
    begun: list[bool] = []
    display = VfiotopApp._display

    def noted(app: VfiotopApp, *frame: Any) -> None:
        begun.append(readers.started.is_set())
        display(app, *frame)

    monkeypatch.setattr(VfiotopApp, "_display", noted)
    app = rig.app = VfiotopApp(Session(rig.host, Config(interval=3600), readers))
    async with rig.running() as pilot:
        await until(pilot, lambda: all_read(app.session.live.snapshot))
    assert begun[0] is False
