"""The help's screen and its filter."""

from __future__ import annotations

import re

import pytest

from tests.ui.rig import SIZES, Rig
from tui.app import VfiotopApp
from tui.config import Config
from tui.keymap import Keys, checked
from tui.session import Session
from widgets.help_page import HelpPage


def remapped(keys: Keys) -> Rig:
    """The rig with a configuration of its own."""
    rig = Rig()
    config = Config(theme="vfiotop-dark", interval=3600, keys=keys)
    rig.app = VfiotopApp(Session(rig.host, config))
    return rig


def told(rig: Rig) -> str:
    lines = rig.app.screen.query_one(HelpPage).lines
    return "\n".join("".join(span.text for span in row) for row in lines)


@pytest.mark.parametrize("size", SIZES)
async def test_the_help_says_how_much_more_there_is(size: tuple[int, int]) -> None:
    rig = Rig()
    async with rig.running(size) as pilot:
        await pilot.press("question_mark")
        assert "Hand the guest GPU" in rig.text()
        assert re.search(r"↓ \d+( more)? ─", rig.text())
        await pilot.press("end")
        assert re.search(r"↑ \d+( more)? ─", rig.text())
        assert "Good to know" in rig.text()


async def test_the_filter_narrows_and_escape_clears_it_before_it_leaves() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("question_mark", "slash", *"reboot")
        assert "Ask the guest to reboot" in told(rig)
        assert "Hand the guest GPU" not in told(rig)
        assert "with “reboot”" in rig.text()
        await pilot.press("escape")
        assert rig.app.screen.name == "help"
        assert "Hand the guest GPU" in told(rig)
        await pilot.press("escape")
        assert rig.app.screen.name == "overview"


async def test_letters_in_the_filter_are_text_not_keys() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("question_mark", "slash", *"[b]q")
        assert rig.app.is_running
        assert "Nothing in the help contains “[b]q”." in told(rig)
        await pilot.press("enter", "down")
        assert rig.app.focused is rig.app.screen.query_one(HelpPage)


# --- keys of the configuration ---------------------------------------------------


async def test_remapped_keys_work_and_are_shown_everywhere() -> None:
    rig = remapped(checked({"help": "f1", "doctor": "D", "quit": "Q", "back": "backspace"}))
    async with rig.running() as pilot:
        footer = rig.text().splitlines()[-1]
        assert "f1 help" in footer
        assert "D checks" in footer
        await pilot.press("question_mark", "d")
        assert rig.app.screen.name == "overview"
        await pilot.press("f1")
        assert rig.app.screen.name == "help"
        assert "f1     The keys" in told(rig)
        assert "backspace back" in rig.text()
        await pilot.press("escape")
        assert rig.app.screen.name == "help"
        await pilot.press("backspace", "D")
        assert rig.app.screen.name == "doctor"
        await pilot.press("q")
        assert rig.app.is_running
        await pilot.press("Q")
    assert rig.app.return_code == 0


async def test_swapped_keys_do_each_others_work() -> None:
    rig = remapped(checked({"groups": "e", "events": "g"}))
    async with rig.running() as pilot:
        await pilot.press("e")
        assert "g" not in rig.app.screen.query_one("#groups").classes
        assert rig.app.screen.query_one("#groups").size.height > 20
        await pilot.press("escape", "g")
        assert rig.app.screen.query_one("#events").size.height > 20


async def test_a_command_without_keys_is_nowhere() -> None:
    rig = remapped(checked({"doctor": "", "filter": "f3"}))
    async with rig.running() as pilot:
        assert "checks" not in rig.text().splitlines()[-1]
        await pilot.press("d")
        assert rig.app.screen.name == "overview"
        await pilot.press("f3", *"nvme")
        assert rig.app.focused is rig.app.screen.query_one("#filter")
        offered = [each.title for each in rig.app.get_system_commands(rig.app.screen)]
        assert "Checks" in offered


def test_keys_that_overtake_others_are_those_of_the_configuration() -> None:
    rig = remapped(checked({"back": "backspace", "quit": "Q"}))
    assert rig.app.keys._urgent == {"backspace", "Q", "ctrl+c", "ctrl+q"}
    assert rig.app.keys._opens_field == {"slash", "ctrl+p"}
