"""The settings' screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ui.rig import SIZES, Rig, until
from tests.values import replace
from tui import state
from tui.app import VfiotopApp
from tui.config import Config
from tui.model import Watch
from tui.model.watch import WatchPolicy
from tui.session import Session
from tui.theme import CYCLE, NAMES
from widgets.settings_panel import SettingsPanel


def rig_with(config: Config) -> Rig:
    rig = Rig()
    rig.app = VfiotopApp(Session(rig.host, config))
    return rig


def told(rig: Rig) -> str:
    lines = rig.app.screen.query_one(SettingsPanel).lines
    return " ".join(" ".join("".join(span.text for span in row) for row in lines).split())


@pytest.mark.parametrize("size", SIZES)
async def test_each_setting_has_its_value_and_a_sentence(size: tuple[int, int]) -> None:
    rig = rig_with(Config())
    async with rig.running(size) as pilot:
        await pilot.press("o")
        for words in (
            "Theme ‹ dark › 1 of 5", "kept for the next start", "Layout ‹ full › 1 of 4",
            "Quiet mode ‹ off › 1 of 2", "Guest readings auto, at most every 5 s",
            "The default; guest_readings and guest_interval in config.toml change it.",
            "Interval 1 s", "Keys as in the help",
        ):  # fmt: skip
            assert words in told(rig), words


async def test_what_the_watch_does_is_told_with_the_settings_and_the_roles() -> None:
    rig = rig_with(Config())
    async with rig.running() as pilot:
        await pilot.press("o")
        await until(pilot, lambda: "Watch off It returns the card" in told(rig))
        policy = WatchPolicy(after_stop="unbind", pause_s=90)
        rig.watch.put(Watch(True, True, policy, "/etc/vfiotop.toml"))
        does = "unbinds 90 s after the guest has ended"
        await until(pilot, lambda: f"Watch {does} Set by [watch] in /etc" in told(rig))
        await pilot.press("escape", "w")
        await until(pilot, lambda: f"Watch: {does}. Set by [watch] in /etc" in rig.text())


async def test_the_theme_changes_at_once_and_is_kept() -> None:
    rig = rig_with(Config())
    async with rig.running() as pilot:
        await pilot.press("o")
        for name in (*CYCLE[1:], CYCLE[0]):
            await pilot.press("right")
            await until(pilot, lambda: "Theme:" in rig.text())
            assert rig.app.theme == name
            assert f"‹ {NAMES[name]} ›" in told(rig)
        await pilot.press("left")
        await until(pilot, lambda: rig.app.theme == CYCLE[-1])
        await until(pilot, lambda: state.load().theme == CYCLE[-1])


async def test_a_layout_is_for_terminals_of_this_size() -> None:
    rig = rig_with(Config())
    async with rig.running((80, 24)) as pilot:
        groups = rig.app.screen.query_one("#groups")
        assert groups.display
        await pilot.press("o", "down", "enter")
        await until(pilot, lambda: "Layout ‹ gaming › 2 of 4 for 80x24" in told(rig))
        await until(pilot, lambda: state.load().layouts == {"normal": "gaming"})
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: "Layout ‹ full › 1 of 4 for 120x40" in told(rig))
        await pilot.press("left")
        await until(pilot, lambda: state.load().layouts == {"normal": "gaming", "desk": "phone"})
        await pilot.resize_terminal(80, 24)
        await pilot.press("escape")
        await until(pilot, lambda: not groups.display)


async def test_the_layout_key_changes_the_same_setting() -> None:
    rig = rig_with(Config())
    async with rig.running((80, 24)) as pilot:
        await pilot.press("l", "o")
        assert "Layout ‹ gaming ›" in told(rig)


async def test_the_theme_key_changes_the_same_setting() -> None:
    rig = rig_with(Config())
    async with rig.running((80, 24)) as pilot:
        await pilot.press("o", "t")
        assert "Theme ‹ light ›" in told(rig)


async def test_quiet_mode_is_switched_with_the_space_bar() -> None:
    rig = rig_with(Config())
    async with rig.running() as pilot:
        await pilot.press("o", "end", "home", "down", "down", "space")
        await until(pilot, lambda: rig.session.quiet)
        assert "Quiet mode ‹ on › 2 of 2" in told(rig)
        assert "Quiet: a reading every 5 s" in rig.text()


async def test_what_the_configuration_sets_says_so_and_does_not_change(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    config = Config(
        theme="vfiotop-light", interval=3600, guest_readings="off", file=file,
        keys=(("bind", "f2"), ("despite", "")),
    )  # fmt: skip
    rig = rig_with(config)
    async with rig.running((120, 40)) as pilot:
        await pilot.press("o")
        for words in (
            "the next start uses theme in", "Guest readings off,", "is not read. Set by",
            "Interval 3600 s", "or --interval.", "Keys bind f2, despite no key", "[keys] in",
        ):  # fmt: skip
            assert words in told(rig), words
        before = told(rig)
        await pilot.press("end", "right", "enter", "left", "space")
        assert told(rig) == before
    assert not file.exists()


async def test_a_path_that_is_long_or_strange_is_shown_safely() -> None:
    file = Path("/nowhere/" + "x" * 300 + "\x1b[31m/config.toml")
    rig = rig_with(replace(Config(interval=2), file=file))
    async with rig.running((80, 24)) as pilot:
        await pilot.press("o")
        assert "\x1b" not in rig.text()
        assert "interval in /nowhere/ xx" in told(rig)


async def test_a_theme_of_textuals_own_is_shown_by_its_name() -> None:
    rig = rig_with(Config(theme="nord"))
    async with rig.running() as pilot:
        await pilot.press("o")
        assert "Theme ‹ nord › The colours" in told(rig)
        await pilot.press("right")
        await until(pilot, lambda: rig.app.theme == CYCLE[0])


async def test_a_click_on_an_arrow_changes_its_setting() -> None:
    rig = rig_with(Config())
    async with rig.running((80, 24)) as pilot:
        await pilot.press("o")
        row = next(y for y, text in enumerate(rig.text().splitlines()) if "Quiet mode" in text)
        column = rig.text().splitlines()[row].index("›")
        await pilot.click(offset=(column, row))
        await until(pilot, lambda: rig.session.quiet)
        assert rig.app.screen.query_one(SettingsPanel).selected == "quiet"
