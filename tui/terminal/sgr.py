"""Writes runs of cells with the shortest control sequences: colours and attributes as SGR codes
(ECMA-48), and moves of the cursor."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


class SgrState(NamedTuple):
    """SGR codes by what they set; an empty colour is the terminal's default."""

    attributes: frozenset[str] = frozenset()
    foreground: str = ""
    background: str = ""


class Run(NamedTuple):
    """Cells of a row with one SGR state, from column ``x`` up to but not including ``end``."""

    y: int
    x: int
    end: int
    text: str
    state: SgrState


DEFAULT = SgrState()

TURNS_OFF = {
    "1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "6": "25", "7": "27", "8": "28",
    "9": "29", "21": "24", "51": "54", "52": "54", "53": "55",
}  # fmt: skip
"""Attributes, and the code that turns each off (ECMA-48); some share one."""


@lru_cache(maxsize=4096)
def parse_sgr(codes: str) -> SgrState:
    """Parse SGR codes separated by semicolons."""
    attributes, front, back = set(), "", ""
    left = codes.split(";") if codes else []
    while left:
        code = left.pop(0)
        if code in ("38", "48"):
            count = 4 if left[:1] == ["2"] else 2
            taken, left = left[:count], left[count:]
            code = ";".join((code, *taken))
        if code.startswith("38") or code[:-1] in ("3", "9"):
            front = code
        elif code.startswith("48") or code[:-1] in ("4", "10"):
            back = code
        else:
            attributes.add(code)
    return SgrState(frozenset(attributes), front, back)


@lru_cache(maxsize=4096)
def sgr_change(before: SgrState | None, after: SgrState) -> str:
    """The shortest SGR sequence from one state, ``None`` if unknown, to another."""
    if before == after:
        return ""
    from_reset = _sgr(["0", *sorted(after.attributes), after.foreground, after.background])
    if before is None:
        return from_reset
    turned_off = {TURNS_OFF[attribute] for attribute in before.attributes - after.attributes}
    left = {a for a in before.attributes if TURNS_OFF[a] not in turned_off}
    parts = [*sorted(turned_off), *sorted(after.attributes - left)]
    if after.foreground != before.foreground:
        parts.append(after.foreground or "39")
    if after.background != before.background:
        parts.append(after.background or "49")
    return min(from_reset, _sgr(parts), key=len)


def _sgr(parts: list[str]) -> str:
    return f"\x1b[{';'.join(part for part in parts if part)}m"


class SgrWriter:
    """Collects text and control sequences, and tracks the cursor and the SGR state. ``state`` is
    the terminal's at first, ``None`` if unknown."""

    def __init__(self, columns: int, state: SgrState | None) -> None:
        self._columns = columns
        self._written: list[str] = []
        self._cursor: tuple[int, int] | None = None
        self.state = state
        """The state that the terminal is left in."""
        self.size = 0
        """Bytes collected so far."""

    def write(self, run: Run) -> None:
        """Write a run at its place; the first cell of the screen is 0, 0."""
        self._move(run.x, run.y)
        if run.state != self.state:
            self._put(sgr_change(self.state, run.state))
            self.state = run.state
        self._put(run.text)
        # After the last column the cursor waits at it, and terminals differ in where that is.
        self._cursor = (run.y, run.end) if run.end < self._columns else None

    @property
    def text(self) -> str:
        """Everything that was written."""
        return "".join(self._written)

    def _move(self, x: int, y: int) -> None:
        anywhere = f"\x1b[{y + 1};{x + 1}H"
        if self._cursor is None:
            self._put(anywhere)
        else:
            was_y, was_x = self._cursor
            moves = _across(was_x, x), _vertically(was_y, y)
            self._put(min(anywhere, "".join(moves), key=len))

    def _put(self, text: str) -> None:
        self._written.append(text)
        self.size += len(text) if text.isascii() else len(text.encode())


@lru_cache(maxsize=4096)
def _across(before: int, after: int) -> str:
    """The shortest move to another column of a row."""
    if before == after:
        return ""
    moves = [f"\x1b[{after + 1}G"]
    if after > before:
        moves.append(f"\x1b[{_count(after - before)}C")
    else:
        moves += ["\b" * (before - after), f"\x1b[{_count(before - after)}D"]
    return min(moves, key=len)


@lru_cache(maxsize=4096)
def _vertically(before: int, after: int) -> str:
    """The shortest move to another row of a column."""
    if before == after:
        return ""
    letter = "B" if after > before else "A"
    return min(f"\x1b[{after + 1}d", f"\x1b[{_count(abs(after - before))}{letter}", key=len)


def _count(number: int) -> str:
    """The parameter of a move; 1 is its default."""
    return "" if number == 1 else str(number)
