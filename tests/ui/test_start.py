"""What the first frame shows, and what is read after it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from textual.app import App

from tests.ui.rig import GUEST_CARD, PATIENCE, Rig, all_read, until
from tui.app import VfiotopApp
from tui.config import Config
from tui.live import Live
from tui.sampler import FIRST, Readers
from tui.screens.overview import OverviewScreen
from tui.session import Session


def begun(rig: Rig) -> Readers:
    """Readers that have begun with what the first frame needs."""
    readers = Readers(rig.host, 3600)
    readers.start_first()
    return readers


async def test_the_first_frame_shows_what_was_read_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    readers = begun(rig)
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
    readers = begun(rig)
    reading: list[bool] = []
    display = VfiotopApp._display

    def noted(app: VfiotopApp, *frame: Any) -> None:
        reading.append(readers.started.is_set())
        display(app, *frame)

    monkeypatch.setattr(VfiotopApp, "_display", noted)
    app = rig.app = VfiotopApp(Session(rig.host, Config(interval=3600), readers))
    async with rig.running() as pilot:
        await until(pilot, lambda: all_read(app.session.live.snapshot))
    assert reading[0] is False


async def test_everything_is_styled_once_at_the_start_and_again_for_each_theme(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    refreshed: list[str] = []
    refresh = App.refresh_css

    def noted(app: App[None], animate: bool = True) -> None:
        refreshed.append(app.theme)
        refresh(app, animate)

    monkeypatch.setattr(App, "refresh_css", noted)
    async with rig.running() as pilot:
        assert len(refreshed) == 1
        before = rig.app.screen.styles.background
        rig.app.theme = "vfiotop-light"
        await until(pilot, lambda: rig.app.screen.styles.background != before)
    assert refreshed[1:] == ["vfiotop-light"]
