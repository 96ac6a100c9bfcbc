"""Parses terminal input into keys, pastes, mouse events and reports.

The input is not trusted. A terminal may send anything: answers to another program's queries, what
a printed file made it report, line noise. Each sequence is read to its end as ECMA-48 defines it,
its length is bounded, and only a known one (``tui.terminal.sequences``) becomes an event. Any
other is dropped entirely, so that no part of it is taken for a key.

An unfinished sequence times out; otherwise the keyboard would be dead:

- ESC alone is the escape key after ``ESCAPE_TIMEOUT_S``. With kitty's keyboard protocol, which we
  enable, that key has a sequence of its own and does not wait. At the end of a long piece, ESC is
  not a key: the terminal's buffer was full there;
- a sequence or a string is dropped after ``SEQUENCE_TIMEOUT_S``: slow links send it in pieces;
- a paste ends after ``PASTE_TIMEOUT_S``, or by the escape key.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from textual import constants, events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.message import Message

from tui.terminal.sequences import CSI, Sequences

ESCAPE_TIMEOUT_S = constants.ESCAPE_DELAY if "ESCDELAY" in os.environ else 0.02
"""Terminals and SSH send a sequence in one piece; a serial line of 9600 baud sends a character each
millisecond. For slower lines, set ESCDELAY in milliseconds, as for ncurses."""

LATE_S = 0.1
"""Seconds for which ``[`` or ``O`` still counts as the rest of a sequence after ESC has been taken
for the escape key. Nobody types that fast."""

LATE_INTRODUCERS = "[O"
"""The characters after ESC that begin what a keyboard or a mouse sends: CSI and SS3."""

LONG_PIECE = 64
"""Characters in a piece that is too long to have been typed."""

SEQUENCE_TIMEOUT_S = 1.0
PASTE_TIMEOUT_S = 10.0

MAX_PARAMETERS = 64
"""Maximum characters between the introducer of a sequence and its final character."""

PASTE_LIMIT = 4096
"""Characters of a paste that are used; the only text input of the application is a filter."""

ESC, CAN, SUB, BEL, ST = "\x1b", "\x18", "\x1a", "\x07", "\x9c"

STRING_INTRODUCERS = "]P_^X"
"""The characters after ESC that begin OSC, DCS, APC, PM and SOS."""

PASTE_END = f"{CSI}201~"
KITTY_ESCAPE = f"{CSI}27u"

UNDECODABLE = "\ufffd"

X10_MOUSE_LENGTH = 3
"""Arbitrary characters that follow ``CSI M`` in an X10 mouse report."""

Handler = Callable[[str], None]


class InputParser:
    """Parses text in pieces of any length. ``clock`` returns monotonic seconds.

    A state machine: ``_handler`` takes the next character. It has the states of a terminal's own
    parser (ground, escape, CSI, SS3, string) and one for pastes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sequences = Sequences()
        self._found: list[Message] = []
        self._last = clock()
        self._tail = ""
        self._enter(self._ground, None)

    def feed(self, text: str) -> list[Message]:
        """Return the events that ``text`` completes. Text that is read late may have arrived in
        time: after ESC, it continues a sequence if it looks like the rest of one."""
        if (
            self._handler == self._escape
            and self.timeout_s == 0.0
            and text[:1] not in LATE_INTRODUCERS
        ):
            self._time_out()
        for character in text:
            self._handler(character)
        if self._handler == self._escape and len(text) >= LONG_PIECE:
            self._enter(self._cut, SEQUENCE_TIMEOUT_S)
        self._last = self._clock()
        return self._take_events()

    def tick(self) -> list[Message]:
        """Return the events that a timeout completes, if ``timeout_s`` is 0."""
        if self.timeout_s == 0.0:
            self._time_out()
        return self._take_events()

    @property
    def timeout_s(self) -> float | None:
        """Seconds until the current state times out; ``None`` if it does not."""
        if self._timeout is None:
            return None
        return max(0.0, self._last + self._timeout - self._clock())

    def _time_out(self) -> None:
        escaped = self._handler == self._escape or self._tail == ESC
        if self._handler == self._paste:
            self._end_paste()
        self._enter(self._ground, None)
        if escaped:
            self._found.append(events.Key("escape", ESC))
            self._enter(self._escaped, LATE_S)

    def _take_events(self) -> list[Message]:
        found, self._found = self._found, []
        return found

    def _enter(self, handler: Handler, timeout: float | None) -> None:
        """Enter a state: ``handler`` takes the characters, until it times out (seconds)."""
        self._handler, self._timeout = handler, timeout
        self._collected, self._malformed, self._tail = "", False, ""

    def _ground(self, character: str) -> None:
        """Take a character outside of any sequence."""
        if character == ESC:
            self._enter(self._escape, ESCAPE_TIMEOUT_S)
        elif "\x80" <= character <= "\x9f":  # C1: stands for ESC and another character
            self._escape(chr(ord(character) - 0x40))
        elif character != UNDECODABLE and not "\ud800" <= character <= "\udfff":
            self._found += self._sequences.keys(character)

    def _escape(self, character: str) -> None:
        """Take the character after ESC."""
        if character == "[":
            self._enter(self._csi, SEQUENCE_TIMEOUT_S)
        elif character == "O":
            self._enter(self._ss3, SEQUENCE_TIMEOUT_S)
        elif character in STRING_INTRODUCERS:
            self._enter(self._string, SEQUENCE_TIMEOUT_S)
        else:
            self._enter(self._ground, None)
            if ESC + character in ANSI_SEQUENCES_KEYS and character != ESC:
                self._found += self._sequences.alt(character)
            elif not character.isprintable():  # the escape key, then another key
                self._found.append(events.Key("escape", ESC))
                self._ground(character)
            elif character not in ("\\", UNDECODABLE):  # ESC \ ends a string
                self._found += self._sequences.alt(character)

    def _cut(self, character: str) -> None:
        """Take the character after an ESC that is not a key, but the start of a sequence."""
        self._escape(character)

    def _escaped(self, character: str) -> None:
        """Take the character after an ESC that was taken for the escape key."""
        self._enter(self._ground, None)
        if character in LATE_INTRODUCERS:
            self._escape(character)
        else:
            self._ground(character)

    def _csi(self, character: str) -> None:
        """Take a character after CSI: parameters, then the final character."""
        if self._is_aborted(character):
            return
        if character == "[" and not self._collected:
            self._enter(self._linux_console, SEQUENCE_TIMEOUT_S)
        elif "@" <= character <= "~":
            self._end_csi(character)
        elif " " <= character <= "?":
            self._collect(character)
            if character == "$" and CSI + self._collected in ANSI_SEQUENCES_KEYS:  # rxvt's Shift
                self._end_key(CSI + self._collected)
        else:
            self._malformed = True

    def _end_csi(self, final: str) -> None:
        params, bad = self._collected, self._malformed
        self._enter(self._ground, None)
        if bad:
            return
        if params + final == "200~":
            self._enter(self._paste, PASTE_TIMEOUT_S)
        elif params + final == "M":
            self._enter(self._x10_mouse, SEQUENCE_TIMEOUT_S)
        else:
            self._found += self._sequences.control(params, final)

    def _linux_console(self, character: str) -> None:
        """Take the letter of a Linux console function key: ``CSI [`` and a letter."""
        if not self._is_aborted(character):
            self._end_key(f"{CSI}[{character}")

    def _ss3(self, character: str) -> None:
        """Take a character after SS3: usually the only one, but some terminals put modifiers before
        it."""
        if self._is_aborted(character):
            return
        if "@" <= character <= "~" and not self._malformed:
            self._end_key(f"\x1bO{self._collected}{character}")
        elif "@" <= character <= "~":
            self._enter(self._ground, None)
        else:
            self._collect(character)

    def _end_key(self, sequence: str) -> None:
        """End a sequence, which is a key if Textual's table has it."""
        self._enter(self._ground, None)
        if sequence in ANSI_SEQUENCES_KEYS:
            self._found += self._sequences.keys(sequence)

    def _is_aborted(self, character: str) -> bool:
        """Whether the character aborts the sequence: it cancels it or begins another."""
        if character == ESC:
            self._enter(self._escape, ESCAPE_TIMEOUT_S)
        elif character in (CAN, SUB):
            self._enter(self._ground, None)
        return character in (ESC, CAN, SUB)

    def _collect(self, character: str) -> None:
        if len(self._collected) < MAX_PARAMETERS:
            self._collected += character
        else:
            self._malformed = True

    def _string(self, character: str) -> None:
        """Skip a string of any length; we never request one."""
        if not self._is_aborted(character) and character in (BEL, ST):
            self._enter(self._ground, None)

    def _x10_mouse(self, _character: str) -> None:
        self._collect(" ")
        if len(self._collected) == X10_MOUSE_LENGTH:
            self._enter(self._ground, None)

    def _paste(self, character: str) -> None:
        """Take pasted text up to ``PASTE_END``; ``_tail`` is the part of that seen so far."""
        tail = self._tail + character
        if not PASTE_END.startswith(tail):
            self._keep_pasted(self._tail)
            tail = character if character == ESC else ""
            self._keep_pasted("" if tail else character)
        self._tail = tail
        self._timeout = SEQUENCE_TIMEOUT_S if tail == ESC else PASTE_TIMEOUT_S
        if tail == PASTE_END:
            self._end_paste()
        elif character == "u" and self._collected.endswith(KITTY_ESCAPE):
            self._collected = self._collected.removesuffix(KITTY_ESCAPE)
            self._end_paste()
            self._found.append(events.Key("escape", ESC))

    def _keep_pasted(self, text: str) -> None:
        self._collected += text[: PASTE_LIMIT - len(self._collected)]

    def _end_paste(self) -> None:
        self._found.append(
            events.Paste(self._collected.replace("\x00", "").replace(UNDECODABLE, ""))
        )
        self._enter(self._ground, None)
