"""Rules are parsed once for each set of variables, and always with the current values."""

from __future__ import annotations

import pytest
from textual.app import App
from textual.color import Color
from textual.css.stylesheet import StylesheetParseError
from textual.widgets import Static

from tui.terminal.stylesheet import ParsedOnce


class Painted(App[None]):
    CSS = "Static { background: $paint; }"

    def __init__(self) -> None:
        self.paint = "#ff0000"
        super().__init__()
        self.stylesheet = ParsedOnce(variables=self.get_css_variables())

    def get_css_variables(self) -> dict[str, str]:
        return {**super().get_css_variables(), "paint": self.paint}


async def test_a_changed_variable_changes_what_is_drawn() -> None:
    app = Painted()
    async with app.run_test() as pilot:
        shown = Static("here")
        await app.mount(shown)
        seen = []
        for paint in ("#ff0000", "#0000ff", "#ff0000"):
            app.paint = paint
            app.refresh_css()
            await pilot.pause()
            seen.append(shown.styles.background)
    red, blue = Color.parse("#ff0000"), Color.parse("#0000ff")
    assert seen == [red, blue, red]


def test_a_mistake_is_reported_and_leaves_the_rules_as_they_were() -> None:
    sheet = ParsedOnce(variables={"paint": "#ff0000"})
    sheet.add_source("Static { background: $paint; }", read_from=("here", ""))
    sheet.parse()
    before = sheet.rules
    sheet.add_source("Static { colour: red; }", read_from=("there", ""))
    with pytest.raises(StylesheetParseError):
        sheet.reparse()
    assert sheet._rules == before


def test_rules_parsed_before_are_taken_again() -> None:
    rules = []
    for paint in ("#ff0000", "#ff0000", "#0000ff"):
        sheet = ParsedOnce(variables={"paint": paint})
        sheet.add_source("Label { background: $paint; }", read_from=("once", ""))
        rules.append(sheet.rules)
    assert rules[0][0] is rules[1][0]
    assert rules[0][0] is not rules[2][0]
