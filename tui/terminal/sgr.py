"""Writes runs of cells with the shortest control sequences: colours and attributes as SGR codes
(ECMA-48), and moves of the cursor."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple


class SgrState(NamedTuple):
    """SGR codes by what they set; an empty colour is the terminal's default."""

    attributes: frozenset[str] = frozenset()
    foreground: str = ""
    background: str = ""


class Run(NamedTuple):
    """Cells of a row with one SGR state, from column ``x`` up to but not including ``end``. The
    ``moved`` cells before them are not written: they come from one column further right."""

    y: int
    x: int
    end: int
    text: str
    state: SgrState
    moved: int = 0

    @property
    def first(self) -> int:
        """The first column that changes."""
        return self.x - self.moved


DEFAULT = SgrState()

TURNS_OFF = {
    "1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "6": "25", "7": "27", "8": "28",
    "9": "29", "21": "24", "51": "54", "52": "54", "53": "55",
}  # fmt: skip
"""Attributes, and the code that turns each off (ECMA-48); some share one."""

NEXT_ROW, ROW_BEFORE = "\x1bD", "\x1bM"
"""Index and reverse index (IND and RI, VT100). A line feed is shorter, but may return the cursor to
the first column."""

DELETE, INSERT = "\x1b[P", "\x1b[@"
"""Delete and insert a character (DCH and ICH, ECMA-48); the rest of the row moves."""

MANY = 20
"""With more states than this, as when a screen opens, each is written where it first comes: to
compare every one with all the others would take as long as the rest of the frame."""


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
    the terminal's initial state, ``None`` if unknown."""

    def __init__(self, columns: int, state: SgrState | None) -> None:
        self._columns = columns
        self._written: list[str] = []
        self._cursor: tuple[int, int] | None = None
        self.state = state
        """The state that the terminal is left in."""
        self.size = 0
        """Bytes collected so far."""

    @property
    def text(self) -> str:
        """Everything that was written."""
        return "".join(self._written)

    def write(self, run: Run) -> None:
        """Write a run at its place; the first cell of the screen is 0, 0."""
        way = self._way(run.first, run.y)
        # One after the other: what is right of the graph is back in place before it is seen.
        moving = f"{DELETE}{_across(run.first, run.x)}{INSERT}" if run.moved else ""
        text = f"{way}{moving}{sgr_change(self.state, run.state)}{run.text}"
        self._written.append(text)
        self.size += len(text) if text.isascii() else len(text.encode())
        self.state = run.state
        # After a write to the last column, terminals differ in where the cursor is.
        self._cursor = (run.y, run.end) if run.end < self._columns else None

    def write_all(self, runs: Iterable[Run]) -> None:
        """Write all runs of a state together, then those of the state that is set in the fewest
        bytes: a colour costs more than a move. To look for the nearest run, too, would save 5 % of
        the bytes, and take as long again."""
        by_state: dict[SgrState, list[Run]] = {}
        for run in runs:
            by_state.setdefault(run.state, []).append(run)
        few = len(by_state) <= MANY
        while by_state:
            nearest = min(by_state, key=self._cost) if few else next(iter(by_state))
            for run in by_state.pop(nearest):
                self.write(run)

    def _cost(self, state: SgrState) -> int:
        """The bytes to set a state."""
        return len(sgr_change(self.state, state))

    def _way(self, x: int, y: int) -> str:
        """The shortest move to a cell."""
        anywhere = f"\x1b[{y + 1};{x + 1}H"
        if self._cursor is None:
            return anywhere
        was_y, was_x = self._cursor
        return min(anywhere, _across(was_x, x) + _vertically(was_y, y), key=len)


@lru_cache(maxsize=4096)
def _across(before: int, after: int) -> str:
    """The shortest move to another column in a row."""
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
    """The shortest move to another row in a column."""
    if before == after:
        return ""
    if abs(after - before) == 1:
        return NEXT_ROW if after > before else ROW_BEFORE
    letter = "B" if after > before else "A"
    return min(f"\x1b[{after + 1}d", f"\x1b[{_count(abs(after - before))}{letter}", key=len)


def _count(number: int) -> str:
    """The parameter of a move; 1 is its default."""
    return "" if number == 1 else str(number)
