"""Turns a complete sequence from the terminal into events, if it is known and in range.

Textual's tables say which sequence is which key. This module relies on its ``XTermParser`` for
keys and the mouse, and passes it nothing that is out of range.
"""

from __future__ import annotations

import re

from textual import events, messages
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._keyboard_protocol import FUNCTIONAL_KEYS
from textual._xterm_parser import XTermParser
from textual.keys import Keys
from textual.message import Message

CSI = "\x1b["

MAX_CELL = 9999
"""Largest column or row of a mouse event."""

TEXT_LIMIT = 8
"""Maximum characters that one key may type."""

_MOUSE = re.compile(r"<(\d{1,3});(\d{1,4});(\d{1,4})", re.ASCII)
_CURSOR_POSITION = re.compile(r"(\d{1,4});(\d{1,4})", re.ASCII)
_SYNC_SUPPORTED = re.compile(r"\?2026;[123]\$")
_KITTY_KEY = re.compile(
    r"(?P<code>\d{0,7})(?::[\d:]*)?"
    r"(?:;(?P<modifiers>\d{0,3})(?::(?P<event>\d?))?)?"
    r"(?:;(?P<text>\d{0,7}(?::\d{0,7})*))?",
    re.ASCII,
)
"""kitty's keyboard protocol, a superset of xterm's: key code (with alternate codes), modifiers,
event type (press, repeat, release) and text."""

_MODIFY_OTHER_KEYS = re.compile(r"27;(?P<modifiers>\d{1,3});(?P<code>\d{1,7})", re.ASCII)
"""xterm's modifyOtherKeys."""

RELEASED = "3"
KEY_FINALS = "u~ABCDEFHPQRS"


class Sequences:
    """Decodes the sequences of one terminal. Keeps the mouse position, for relative movement."""

    def __init__(self) -> None:
        self._textual = XTermParser()

    def control(self, params: str, final: str) -> list[Message]:
        """The events of ``CSI params final``; none if it is unknown."""
        if not params and final in "IO":
            return [events.AppFocus() if final == "I" else events.AppBlur()]
        if final == "R" and (cursor := _CURSOR_POSITION.fullmatch(params)):
            row, column = map(int, cursor.groups())
            return [events.CursorPosition(column - 1, row - 1)]
        if final in "Mm" and (mouse := _MOUSE.fullmatch(params)):
            return self._mouse(CSI + params + final, int(mouse[2]), int(mouse[3]))
        if final == "y" and _SYNC_SUPPORTED.fullmatch(params):
            return [messages.TerminalSupportsSynchronizedOutput()]
        return self._control_key(params, final)

    def _control_key(self, params: str, final: str) -> list[Message]:
        whole = CSI + params + final
        if final == "~" and (key := _MODIFY_OTHER_KEYS.fullmatch(params)):
            return self._key(key["code"], key["modifiers"], "", "u")
        if whole in ANSI_SEQUENCES_KEYS:
            return self.keys(whole)
        if (
            final in KEY_FINALS
            and (key := _KITTY_KEY.fullmatch(params))
            and key["event"] != RELEASED
        ):
            return self._key(key["code"], key["modifiers"] or "", key["text"] or "", final)
        return []

    def keys(self, sequence: str) -> list[Message]:
        """The key events of a character, or of a sequence in Textual's table."""
        found = self._textual._sequence_to_key_events(sequence)
        return [key for key in found if key.key != Keys.Ignore]

    def alt(self, character: str) -> list[Message]:
        """The key events of a character with Alt, which terminals send as ESC before it."""
        if "\x1b" + character in ANSI_SEQUENCES_KEYS:
            return self.keys("\x1b" + character)
        return [*self._textual._sequence_to_key_events(character, alt=True)]

    def _mouse(self, whole: str, x: int, y: int) -> list[Message]:
        if not (1 <= x <= MAX_CELL and 1 <= y <= MAX_CELL):
            return []
        found = self._textual.parse_mouse_code(whole)
        return [] if found is None else [found]

    def _key(self, code: str, modifiers: str, text: str, final: str) -> list[Message]:
        point = int(code or "1")
        points = [int(part or "0") for part in text.split(":")] if text else []
        if f"{point}{final}" not in FUNCTIONAL_KEYS and (final != "u" or not _is_key_code(point)):
            return []
        if len(points) > TEXT_LIMIT or not all(is_text(each) for each in points):
            return []
        parts = [str(point), str(int(modifiers or "0")), ":".join(map(str, points))]
        while len(parts) > 1 and parts[-1] in ("", "0"):
            parts.pop()
        return self.keys(f"{CSI}{';'.join(parts)}{final}")


def is_text(point: int) -> bool:
    """Whether a code point is a character that can be part of typed text."""
    surrogate, control = 0xD800 <= point <= 0xDFFF, point < 0x20 or 0x7F <= point <= 0x9F
    return point <= 0x10FFFF and not surrogate and not control


def _is_key_code(point: int) -> bool:
    """Whether a key code stands for a character; 0 stands for text without a key. Keys without
    a character have codes in the private use area, and a table of their own."""
    return point == 0 or (is_text(point) and not 0xE000 <= point <= 0xF8FF)
