"""Splits the changes in a row into runs of cells that are each written in one go."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress, pairwise
from operator import ne

from tui.terminal.sgr import DEFAULT, Run, SgrState, parse_sgr

Cell = tuple[str, str]
"""The text of a cell, and its colours and attributes as SGR codes (ECMA-48). The second cell of
a wide character has empty text."""

MAX_GAP = 4
"""Maximum bytes of unchanged cells between two changed ones that cost no more to write than to
skip."""

MOVE_COST = 11
"""Bytes to delete a cell, move to another and insert one there."""

VISIBLE_ON_BLANKS = frozenset({"4", "7", "9", "21", "53"})
"""Attributes that show on a blank: underline and other lines, and reverse video."""


def runs(y: int, left: int, old: list[Cell], new: list[Cell]) -> Iterator[Run]:
    """The runs that turn ``old`` into ``new`` in row ``y``, from column ``left``: the cells that
    differ, and those between them that are cheaper to write than to skip. A wide character is never
    split. Cells that moved left by one are moved and not written, if that is cheaper."""

    def run() -> Run:
        text = "".join(text for text, _ in new[start : last + 1])
        return Run(y, left + start, left + last + 1, text, state, moved)

    start = last = -1
    moved, codes = 0, ""
    state = DEFAULT
    for x in compress(range(len(new)), map(ne, old, new)):
        while x > 0 and new[x][0] == "":
            x -= 1  # noqa: PLW2901 - to the first cell of the wide character
        if x <= last:
            continue
        moves = _moved(old, new, x) if x + 1 < len(new) and old[x + 1] == new[x] else 0
        if (
            start >= 0
            and not moves
            and (new[x][1] == codes or _can_join(new[x], state))
            and (x == last + 1 or _can_bridge(new[last + 1 : x], state))
        ):
            last = x
        else:
            if start >= 0:
                yield run()
            start = last = x + moves
            codes = new[start][1]
            state, moved = parse_sgr(codes), moves
        while last + 1 < len(new) and new[last + 1][0] == "":
            last += 1
    if start >= 0:
        yield run()


def _moved(old: list[Cell], new: list[Cell], x: int) -> int:
    """How many cells from ``x`` on have moved there from one column further right, given that the
    first has; 0 if moving them saves nothing, or if some are wide: terminals differ in how they
    handle half a character."""
    end = x + 1
    while end + 1 < len(new) and old[end + 1] == new[end]:
        end += 1
    if "" in [text for text, _ in old[x : end + 2] + new[x : end + 2]]:
        return 0
    differ = [at for at in range(x, end + 1) if old[at] != new[at]]
    saved = len("".join([new[at][0] for at in differ[:-1]]).encode())
    saved += MAX_GAP * sum([after - at > 1 for at, after in pairwise(differ)])
    return differ[-1] - x if saved > MOVE_COST else 0


def _can_bridge(cells: list[Cell], state: SgrState) -> bool:
    """Whether unchanged cells are cheaper to write in this state than to skip."""
    return (
        len(cells) <= MAX_GAP
        and sum(len(text.encode()) for text, _ in cells) <= MAX_GAP
        and all(_can_join(cell, state) for cell in cells)
    )


def _can_join(cell: Cell, state: SgrState) -> bool:
    """Whether a cell looks right in this state; of a blank only the background counts."""
    wanted = parse_sgr(cell[1])
    if cell[0] == " " and not (wanted.attributes | state.attributes) & VISIBLE_ON_BLANKS:
        return wanted.background == state.background
    return wanted == state
