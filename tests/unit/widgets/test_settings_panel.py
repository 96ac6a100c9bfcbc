"""The settings as lines."""

from __future__ import annotations

import pytest

from widgets.glyphs import PLAIN, RICH, Glyphs
from widgets.lines import width_of
from widgets.settings_panel import Setting, setting_blocks

SETTINGS = (
    Setting("theme", "Theme", "dark", "The colours of every screen.", 1, 5),
    Setting("layout", "Layout", "full", "Cards, guest, groups and events.", 1, 4, "80x24"),
    Setting("theme-of-others", "Palette", "nord", "A theme of Textual's own.", 0, 5),
    Setting("interval", "Interval", "1 s", "The default; interval changes it."),
    Setting("keys", "Keys", "as in the help", "The default."),
)


def text(width: int, glyphs: Glyphs = RICH) -> list[str]:
    blocks = setting_blocks(SETTINGS, width, glyphs)
    return ["".join(s.text for s in row).rstrip() for block in blocks for row in block.lines]


def test_each_has_its_value_and_a_sentence() -> None:
    assert text(76) == [
        "Theme            ‹ dark ›  1 of 5",
        "                 The colours of every screen.",
        "",
        "Layout           ‹ full ›  1 of 4  for 80x24",
        "                 Cards, guest, groups and events.",
        "",
        "Palette          ‹ nord ›",
        "                 A theme of Textual's own.",
        "",
        "From the configuration",
        "Interval         1 s",
        "                 The default; interval changes it.",
        "",
        "Keys             as in the help",
        "                 The default.",
        "",
    ]


def test_on_a_phone_the_sentence_is_under_the_name() -> None:
    assert text(38)[3:5] == [
        "Layout           ‹ full ›  1 of 4",
        "  Cards, guest, groups and events.",
    ]


def test_the_cursor_stops_at_each_setting_and_nowhere_else() -> None:
    blocks = list(setting_blocks(SETTINGS, 76))
    assert [block.id for block in blocks if block.id] == [setting.id for setting in SETTINGS]


def test_a_click_on_an_arrow_changes_the_setting() -> None:
    first = next(setting_blocks(SETTINGS, 76)).lines[0]
    assert [(span.text, span.action) for span in first if span.action] == [
        ("‹ ", "change(-1, 'theme')"),
        ("dark", "change(1, 'theme')"),
        (" ›", "change(1, 'theme')"),
    ]
    fixed = list(setting_blocks(SETTINGS, 76))[-1].lines[0]
    assert not any(span.action for span in fixed)


@pytest.mark.parametrize("width", range(20, 240, 11))
def test_no_line_is_too_long(width: int) -> None:
    for block in setting_blocks(SETTINGS, width):
        assert all(width_of(row) <= width for row in block.lines)


def test_the_linux_console_has_its_own_signs() -> None:
    assert all(row.isascii() for row in text(76, PLAIN))
