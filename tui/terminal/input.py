"""What comes from the terminal, taken apart: keys, pastes, the mouse, and answers.

None of it is trusted. A terminal may send anything: answers to what others have asked it, what a
file that was printed made it say, the noise of a bad line. So a sequence is read to its end as
ECMA-48 lays down, its length is bounded, and only one that is known
(``tui.terminal.sequences``) becomes an event. The rest is dropped whole: no part of it is taken
for a key.

What begins and does not end is given up after a pause, or the keyboard would be dead:

- ESC alone is the escape key after ``ESCAPE_S``;
- a sequence or a string is dropped after ``PAUSE_S``: slow links send them in pieces;
- a paste is closed after ``PASTE_PAUSE_S``, or by the escape key.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from textual import constants, events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.message import Message

from tui.terminal.sequences import CSI, Sequences

ESCAPE_S = constants.ESCAPE_DELAY
PAUSE_S = 1.0
PASTE_PAUSE_S = 10.0

LONGEST = 64
"""Characters between the introducer of a sequence and its final character."""

PASTE_LIMIT = 4096
"""Characters of a paste that are kept: the only text that is typed here is a filter."""

ESC, CAN, SUB, BEL, ST = "\x1b", "\x18", "\x1a", "\x07", "\x9c"

STRINGS = "]P_^X"
"""What follows ESC in OSC, DCS, APC, PM and SOS."""

PASTE_END = f"{CSI}201~"
ESCAPE_BY_KITTY = f"{CSI}27u"

UNDECODABLE = "\ufffd"

OLD_MOUSE = 3
"""Characters of any kind that follow ``CSI M`` in X10's report of the mouse."""

Take = Callable[[str], None]


class InputParser:
    """Takes text as it comes, in pieces of any length. ``clock`` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sequences = Sequences()
        self._found: list[Message] = []
        self._last = clock()
        self._tail = ""
        self._expect(self._ground, None)

    def feed(self, text: str) -> list[Message]:
        """The events that ``text`` completes."""
        for character in text:
            self._take(character)
        self._last = self._clock()
        return self._told()

    def tick(self) -> list[Message]:
        """The events that a pause completes, if ``due_s`` is over."""
        if self.due_s == 0.0:
            escaped = self._take == self._escape or self._tail == ESC
            if self._take == self._paste:
                self._pasted()
            self._expect(self._ground, None)
            if escaped:
                self._found.append(events.Key("escape", ESC))
        return self._told()

    @property
    def due_s(self) -> float | None:
        """Seconds until a pause means something; ``None``: it means nothing now."""
        if self._pause is None:
            return None
        return max(0.0, self._last + self._pause - self._clock())

    def _told(self) -> list[Message]:
        found, self._found = self._found, []
        return found

    def _expect(self, take: Take, pause: float | None) -> None:
        """From now on characters go to ``take``, until a pause of so many seconds."""
        self._take, self._pause = take, pause
        self._held, self._bad, self._tail = "", False, ""

    def _ground(self, character: str) -> None:
        """Outside of any sequence."""
        if character == ESC:
            self._expect(self._escape, ESCAPE_S)
        elif "\x80" <= character <= "\x9f":  # C1: the same as ESC and another character
            self._escape(chr(ord(character) - 0x40))
        elif character != UNDECODABLE and not "\ud800" <= character <= "\udfff":
            self._found += self._sequences.keys(character)

    def _escape(self, character: str) -> None:
        """After ESC."""
        if character == "[":
            self._expect(self._control, PAUSE_S)
        elif character == "O":
            self._expect(self._shift, PAUSE_S)
        elif character in STRINGS:
            self._expect(self._string, PAUSE_S)
        else:
            self._expect(self._ground, None)
            if ESC + character in ANSI_SEQUENCES_KEYS and character != ESC:
                self._found += self._sequences.alt(character)
            elif not character.isprintable():  # it was the escape key, and another one
                self._found.append(events.Key("escape", ESC))
                self._ground(character)
            elif character not in ("\\", UNDECODABLE):  # ESC \ ends a string
                self._found += self._sequences.alt(character)

    def _control(self, character: str) -> None:
        """After CSI: parameters, then the final character."""
        if self._is_cut(character):
            return
        if character == "[" and not self._held:
            self._expect(self._console, PAUSE_S)
        elif "@" <= character <= "~":
            self._end_control(character)
        elif " " <= character <= "?":
            self._hold(character)
            if character == "$" and CSI + self._held in ANSI_SEQUENCES_KEYS:  # rxvt's Shift
                self._end(CSI + self._held)
        else:
            self._bad = True

    def _end_control(self, final: str) -> None:
        params, bad = self._held, self._bad
        self._expect(self._ground, None)
        if bad:
            return
        if params + final == "200~":
            self._expect(self._paste, PASTE_PAUSE_S)
        elif params + final == "M":
            self._expect(self._old_mouse, PAUSE_S)
        else:
            self._found += self._sequences.control(params, final)

    def _console(self, character: str) -> None:
        """The Linux console's function keys are ``CSI [`` and a letter."""
        if not self._is_cut(character):
            self._end(f"{CSI}[{character}")

    def _shift(self, character: str) -> None:
        """After SS3: one character; some terminals put modifiers before it."""
        if self._is_cut(character):
            return
        if "@" <= character <= "~" and not self._bad:
            self._end(f"\x1bO{self._held}{character}")
        elif "@" <= character <= "~":
            self._expect(self._ground, None)
        else:
            self._hold(character)

    def _end(self, sequence: str) -> None:
        """It is a key, if it is in the table."""
        self._expect(self._ground, None)
        if sequence in ANSI_SEQUENCES_KEYS:
            self._found += self._sequences.keys(sequence)

    def _is_cut(self, character: str) -> bool:
        """Whether a sequence ends before its time: the next one begins, or it is cancelled."""
        if character == ESC:
            self._expect(self._escape, ESCAPE_S)
        elif character in (CAN, SUB):
            self._expect(self._ground, None)
        return character in (ESC, CAN, SUB)

    def _hold(self, character: str) -> None:
        if len(self._held) < LONGEST:
            self._held += character
        else:
            self._bad = True

    def _string(self, character: str) -> None:
        """In a string of any length, which nobody here has asked for."""
        if not self._is_cut(character) and character in (BEL, ST):
            self._expect(self._ground, None)

    def _old_mouse(self, _character: str) -> None:
        self._hold(" ")
        if len(self._held) == OLD_MOUSE:
            self._expect(self._ground, None)

    def _paste(self, character: str) -> None:
        """Text up to ``PASTE_END``, of which ``_tail`` is what there is so far."""
        tail = self._tail + character
        if not PASTE_END.startswith(tail):
            self._keep(self._tail)
            tail = character if character == ESC else ""
            self._keep("" if tail else character)
        self._tail = tail
        self._pause = PAUSE_S if tail == ESC else PASTE_PAUSE_S
        if tail == PASTE_END:
            self._pasted()
        elif character == "u" and self._held.endswith(ESCAPE_BY_KITTY):
            self._held = self._held.removesuffix(ESCAPE_BY_KITTY)
            self._pasted()
            self._found.append(events.Key("escape", ESC))

    def _keep(self, text: str) -> None:
        self._held += text[: PASTE_LIMIT - len(self._held)]

    def _pasted(self) -> None:
        self._found.append(events.Paste(self._held.replace("\x00", "").replace(UNDECODABLE, "")))
        self._expect(self._ground, None)
