"""The help's chapters, made from the table of commands."""

from __future__ import annotations

from collections import Counter

from tui.commands import AIMS, COMMANDS, mapped
from tui.keymap import checked
from tui.screens.help import chapters
from widgets.glyphs import PLAIN, RICH
from widgets.help_page import Chapter, Entry


def entries(title: str, found: list[Chapter]) -> list[Entry]:
    return next(list(chapter.entries) for chapter in found if chapter.title == title)


def test_the_aims_are_the_chapters_and_no_command_is_missing() -> None:
    found = chapters(COMMANDS, RICH)
    assert [chapter.title for chapter in found] == [*AIMS, "Signs", "Good to know"]
    texts = [entry.text for chapter in found for entry in chapter.entries]
    assert [command.id for command in COMMANDS if command.help not in texts] == []


def test_a_key_that_a_chapter_has_twice_says_where_each_works() -> None:
    for chapter in chapters(COMMANDS, RICH):
        keys = Counter(entry.keys for entry in chapter.entries if entry.keys)
        for entry in chapter.entries:
            assert keys[entry.keys] < 2 or entry.place, entry
        shown = Counter((entry.keys, entry.place) for entry in chapter.entries if entry.keys)
        assert set(shown.values()) == {1} or not shown


def test_a_key_that_does_not_work_on_the_overview_says_where_it_does() -> None:
    copy = next(e for e in entries("Find out why", chapters(COMMANDS, RICH)) if e.keys == "y")
    assert (copy.place, copy.text) == ("In the checks", "Copy the fix of the selected check")


def test_the_keys_are_those_of_the_configuration() -> None:
    keys = checked({"bind": "f2, B", "despite": "", "redraw": "ctrl+r"})
    found = chapters(mapped(dict(keys)), RICH)
    assert entries("Move the card", found)[0].keys == "f2 B"
    assert "Y" not in [entry.keys for entry in entries("Answer a plan", found)]
    assert "^r" in [entry.keys for entry in entries("The program", found)]


def test_the_linux_console_has_its_own_signs() -> None:
    signs = " ".join(entry.text for entry in entries("Signs", chapters(COMMANDS, PLAIN)))
    assert "# in a guest" in signs
    assert not set(signs) - {*map(chr, range(32, 127)), "–"}
