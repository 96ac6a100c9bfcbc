"""The bell and the notification on the desktop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.terminal.alert import LIMIT, alert

FOOT = {"TERM": "foot"}
TEXT = "01:00.0 bind done in 3.8 s"


def notification(text: str, environ: dict[str, str]) -> str:
    return alert(text, environ, bell=False, desktop=True)


def test_each_is_told_only_if_it_is_wanted() -> None:
    assert alert(TEXT, FOOT, bell=True, desktop=False) == "\x07"
    assert alert(TEXT, FOOT, bell=False, desktop=False) == ""
    assert alert(TEXT, FOOT, bell=True, desktop=True) == f"\x07{notification(TEXT, FOOT)}"


@pytest.mark.parametrize(
    ("environ", "sequence"),
    [
        (FOOT, f"\x1b]777;notify;vfiotop;{TEXT}\x1b\\"),
        ({}, f"\x1b]777;notify;vfiotop;{TEXT}\x1b\\"),
        ({"TERM_PROGRAM": "iTerm.app"}, f"\x1b]9;vfiotop: {TEXT}\x1b\\"),
        ({"LC_TERMINAL": "iTerm2", "TERM_PROGRAM": "tmux"}, f"\x1b]9;vfiotop: {TEXT}\x1b\\"),
        ({"TERM": "linux"}, ""),
        (
            {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"},
            f"\x1bPtmux;\x1b\x1b]777;notify;vfiotop;{TEXT}\x1b\x1b\\\x1b\\",
        ),
    ],
)
def test_each_terminal_gets_one_that_it_knows_or_ignores(
    environ: dict[str, str], sequence: str
) -> None:
    assert notification(TEXT, environ) == sequence


@given(st.text(), st.sampled_from([FOOT, {"TERM_PROGRAM": "iTerm.app"}]))
def test_no_text_ends_the_command_or_adds_to_it(text: str, environ: dict[str, str]) -> None:
    sequence = notification(f"{text}\x1b\\\x07\x9c;", environ)
    assert sequence.startswith("\x1b]") and sequence.endswith("\x1b\\")
    inside = sequence[2:-2]
    assert inside.isprintable()
    assert inside.count(";") == (3 if environ == FOOT else 1)
    assert len(inside) <= LIMIT + len("777;notify;vfiotop;")
    assert sequence.encode()


def test_a_long_text_is_cut_with_a_sign_of_it() -> None:
    assert notification("x" * 999, FOOT).endswith("xx…\x1b\\")


def test_no_text_is_markup() -> None:
    """Desktops interpret <a> and <img> in a notification, and a USB device chooses its name."""
    sequence = notification('“<img src="/etc/x"/>” attached & again', FOOT)
    assert "<" not in sequence
    assert "‹img src" in sequence
