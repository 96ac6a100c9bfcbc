"""Alerts the user beyond the screen: with the terminal's bell, and with a desktop notification.

Terminals show a notification for OSC 777 (``notify``, a title and a text: urxvt, foot, kitty,
Konsole, WezTerm, Ghostty) or OSC 9 (a text: iTerm2), and ignore a command that they do not know.
There is no query for support, and some know both and would show two, so only one is sent.
"""

from __future__ import annotations

from collections.abc import Mapping

BELL = "\x07"

TITLE = "vfiotop"

LIMIT = 200
"""Maximum characters of a notification; desktops cut longer ones."""

_REPLACED = str.maketrans(";<>", ",‹›")
"""The separator of a command, and the ends of a tag."""


def alert(text: str, environ: Mapping[str, str], *, bell: bool, desktop: bool) -> str:
    """What to write to the terminal. ``environ`` tells which one it is."""
    return (BELL if bell else "") + (_notification(text, environ) if desktop else "")


def _notification(text: str, environ: Mapping[str, str]) -> str:
    if environ.get("TERM") == "linux":
        return ""
    told = _clean(text)
    takes_osc_9 = "iTerm" in environ.get("LC_TERMINAL", environ.get("TERM_PROGRAM", ""))
    command = f"9;{TITLE}: {told}" if takes_osc_9 else f"777;notify;{TITLE};{told}"
    sequence = f"\x1b]{command}\x1b\\"
    return _through_tmux(sequence) if environ.get("TMUX") else sequence


def _clean(text: str) -> str:
    """The text without control characters, which would end the command, without its separator, and
    without the tags that desktops interpret: names in the text are not ours."""
    shown = "".join(c if c.isprintable() else " " for c in text.translate(_REPLACED))
    return shown if len(shown) <= LIMIT else f"{shown[: LIMIT - 1]}…"


def _through_tmux(sequence: str) -> str:
    """A sequence for the terminal that tmux runs in, if its ``allow-passthrough`` is on."""
    doubled = sequence.replace("\x1b", "\x1b\x1b")
    return f"\x1bPtmux;{doubled}\x1b\\"
