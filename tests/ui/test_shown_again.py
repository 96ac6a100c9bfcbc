"""A screen that was open once is shown again, not made again, and what it shows is current."""

from __future__ import annotations

import threading
from collections.abc import Collection

import pytest
from rich.style import Style

from tests.ui.rig import PATIENCE, PHONE, FakeInspector, Rig, at_home, until
from tui.model import Readiness
from widgets.help_page import HelpPage

KEPT = ("question_mark", "d", "o", "c")
"""The keys of the screens that are kept."""


def drawn(rig: Rig) -> list[tuple[str, Style | None]]:
    """The text and the colours of what the screen shows."""
    strips = rig.app.screen._compositor.render_strips()
    return [
        (text, style.clear_meta_and_links() if style else None)
        for strip in strips
        for text, style, _ in strip
    ]


@pytest.mark.parametrize("key", KEPT)
async def test_the_second_time_nothing_is_mounted(key: str) -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press(key)
        screen = rig.app.screen
        assert screen.name != "overview"
        before = list(screen.walk_children())
        await pilot.press("escape", key)
        assert rig.app.screen is screen
        assert list(screen.walk_children()) == before


@pytest.mark.parametrize("action", ["help", "doctor", "settings", "calls"])
async def test_it_may_be_closed_before_it_is_mounted(action: str) -> None:
    rig = Rig()
    async with rig.running() as pilot:
        getattr(rig.app, f"action_{action}")()
        assert not rig.app.screen.is_mounted
        rig.app.pop_screen()
        getattr(rig.app, f"action_{action}")()
        await until(pilot, lambda: rig.app.screen.is_mounted)
        await pilot.press("escape")
        assert rig.app.screen.name == "overview"


@pytest.mark.parametrize("key", ["question_mark", "o"])
async def test_it_has_the_theme_and_the_size_of_now(key: str) -> None:
    shown = []
    for opened_before in (True, False):
        rig = Rig()
        async with rig.running() as pilot:
            await pilot.press(*((key, "escape") if opened_before else ()), "t")
            await pilot.resize_terminal(*PHONE)
            await pilot.press(key)
            await pilot.pause()
            shown.append(drawn(rig))
    assert shown[0] == shown[1]


async def test_the_help_begins_at_the_top_without_a_filter() -> None:
    rig = Rig()
    async with rig.running(PHONE) as pilot:
        await pilot.press("question_mark")
        before = drawn(rig)
        await pilot.press("end", "slash", *"bind")
        await rig.app.run_action("app.settings")
        await pilot.press("escape", "question_mark")
        await pilot.pause()
        assert rig.app.screen.query_one(HelpPage).has_focus
        assert drawn(rig) == before


class Slow(FakeInspector):
    """Answers once it is set free."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()
        self.free.set()

    def readiness(self, gpus: Collection[str]) -> Readiness:
        assert self.free.wait(PATIENCE)
        return super().readiness(gpus)


async def test_the_checks_are_made_anew() -> None:
    rig, slow = Rig(), Slow()
    rig.inspector = slow
    at_home(rig)
    async with rig.running() as pilot:
        await pilot.press("d")
        await until(pilot, lambda: "✗ 0" in rig.text())
        slow.free.clear()
        await pilot.press("escape", "d")
        assert "Checking the host and its guests" in rig.text()
        assert "✗ 0" not in rig.text()
        slow.free.set()
        await until(pilot, lambda: "✗ 0" in rig.text())


async def test_a_notice_is_not_shown_again() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("d")
        rig.app.say("Copied: modprobe vfio-pci")
        await pilot.pause()
        assert "Copied" in rig.text()
        await rig.app.run_action("app.settings")
        await rig.app.run_action("app.doctor")
        await pilot.pause()
        assert "Copied" not in rig.text()
