"""A recording on the screen: the state at its end, the keys that move in time, and no key that
acts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests import recordings
from tests.recordings import EVENTS
from tests.thorough import thorough
from tests.ui.rig import PHONE, WIDE, all_read, text_of, until
from tui.app import VfiotopApp
from tui.config import Config
from tui.host import NoKeeper, NoMover, ReadOnlyControl
from tui.host.replayed import replayed
from tui.session import Session

RECORDED = "Recorded 2026-03-01 12:30"


@asynccontextmanager
async def shown(
    path: Path, size: tuple[int, int] = WIDE
) -> AsyncIterator[tuple[Pilot[None], VfiotopApp]]:
    found = replayed(str(path))
    settings = Config(theme="vfiotop-dark", interval=3600, guest_gpu=found.card, guest=found.guest)
    session = Session(found.host, settings)
    app = VfiotopApp(session)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: all_read(session.live.snapshot))
        await until(pilot, lambda: len(session.live.events) == len(EVENTS) + 1)
        yield pilot, app


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return recordings.bug_report(tmp_path / "host")


async def test_values_and_events_of_the_end_are_on_the_screen(report: Path) -> None:
    async with shown(report) as (_, app):
        text = text_of(app)
        for value in ("Load      91 %", "VRAM   9.0 GiB", "Load      37 %", "Temp     54 °C",
                      "CPU        63 %"):  # fmt: skip
            assert value in text
        assert "12:25 ✗ 0a:00.0 NVRM: Xid 79" in text
        assert "12:10 ✓ win11 started" in text
        assert "12:05 ✓ 0a:00.0 bind done in 12 s" in text
        assert "◆ in win11" in text and "17 ✓ guest GPU" in text
        assert text.count("⣿" * 20) > 4, "the graphs are full"


@pytest.mark.parametrize("size", [PHONE, *thorough((WIDE,))])
async def test_every_screen_says_that_it_is_a_recording(
    report: Path, size: tuple[int, int]
) -> None:
    async with shown(report, size) as (pilot, app):
        for key in ("1", "g", "e", "question_mark", "d", "o", "w", "b", "s", "U"):
            await pilot.press(key)
            await pilot.pause()
            assert RECORDED in text_of(app).splitlines()[0], key
            await pilot.press("escape")


async def test_the_time_cursor_shows_values_and_events_of_its_time(report: Path) -> None:
    async with shown(report) as (pilot, app):
        await pilot.press("1")
        assert "Load 91 %" in text_of(app)
        await pilot.press(*["left"] * 17)
        text = text_of(app)
        assert "12:28:56  1 min 5 s ago" in text
        assert "Load 91 % (90 %)" in text, "it was one less a minute before"
        await pilot.press("plus")
        while "NVRM: Xid 79, the card has fallen off the bus" not in text_of(app):
            assert "12:24" not in text_of(app)
            await pilot.press("left")
        assert "12:25:00" in text_of(app)
        assert "Load 91 % (87 %)" in text_of(app)


async def test_time_stands_still(report: Path) -> None:
    async with shown(report) as (pilot, app):
        seen = []
        for _ in range(2):  # the first readings come in any order, and some rest on others
            readings = dict(app.session.finished)
            app.session.poke()
            await until(
                pilot,
                lambda before=readings: all(app.session.finished[n] > before[n] for n in before),  # type: ignore[misc]
            )
            seen.append(text_of(app))
        assert seen[0] == seen[1]


@pytest.mark.parametrize("key", ["b", "s", *thorough("u", "x", "p", "r")])
async def test_no_key_changes_the_host(report: Path, key: str) -> None:
    async with shown(report) as (pilot, app):
        host, before = app.session.host, app.session.live.snapshot
        assert isinstance(host.mover, NoMover)
        assert isinstance(host.control, ReadOnlyControl)
        assert isinstance(host.keeper, NoKeeper)
        await pilot.press(key)
        if len(app.screen_stack) > 1:
            await until(pilot, lambda: "read-only" in text_of(app))
        else:
            assert f"{key} " in text_of(app).splitlines()[-1], "it says why it does nothing"
        await pilot.press("y", "y")
        await pilot.pause()
        assert app.session.live.snapshot.pci == before.pci
        assert app.session.live.snapshot.guests == before.guests


async def test_a_history_alone_is_shown(tmp_path: Path) -> None:
    folder = recordings.keep(tmp_path / "history", recordings.entries())
    async with shown(folder) as (pilot, app):
        text = text_of(app)
        for value in ("unknown card", "Load      91 %", "CPU        63 %", "win11", "Xid 79",
                      "IOMMU group unknown", RECORDED):  # fmt: skip
            assert value in text
        await pilot.press("1", "left", "left", "left")
        assert "(91 %)" in text_of(app)
