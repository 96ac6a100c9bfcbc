"""Cuts what differs in a row into runs of cells that are written at once."""

from __future__ import annotations

from collections.abc import Iterator

from tui.terminal.sgr import DEFAULT, Run, SgrState, parse_sgr

Cell = tuple[str, str]
"""The text of a cell, and its colours and attributes as SGR codes (ECMA-48). The second cell of
a wide character has empty text."""

MAX_GAP = 4
"""Bytes of unchanged cells between two changed ones that are no dearer to write than to jump
over."""

VISIBLE_ON_BLANKS = frozenset({"4", "7", "9", "21", "53"})
"""Attributes that show on a blank: underline and other lines, and reverse video."""


def runs(y: int, left: int, old: list[Cell], new: list[Cell]) -> Iterator[Run]:
    """The runs that turn ``old`` into ``new`` in row ``y``, from column ``left``: the cells that
    differ, and those between them that are cheaper to write than to jump over. A wide character
    is written whole."""

    def run() -> Run:
        text = "".join(text for text, _ in new[start : last + 1])
        return Run(y, left + start, left + last + 1, text, state)

    start = last = -1
    state = DEFAULT
    for x in (x for x, (was, now) in enumerate(zip(old, new, strict=True)) if was != now):
        while x > 0 and new[x][0] == "":
            x -= 1  # noqa: PLW2901 - to the first cell of the wide character
        if x <= last:
            continue
        wanted = parse_sgr(new[x][1])
        between = new[last + 1 : x + 1]
        if (
            start >= 0
            and _fits_gap(between[:-1])
            and all(_can_join(cell, state) for cell in between)
        ):
            last = x
        else:
            if start >= 0:
                yield run()
            start, last, state = x, x, wanted
        while last + 1 < len(new) and new[last + 1][0] == "":
            last += 1
    if start >= 0:
        yield run()


def _fits_gap(cells: list[Cell]) -> bool:
    """Whether unchanged cells are worth writing to stay in one run."""
    return len(cells) <= MAX_GAP and sum(len(text.encode()) for text, _ in cells) <= MAX_GAP


def _can_join(cell: Cell, state: SgrState) -> bool:
    """Whether a cell looks right in this state; of a blank only the background counts."""
    wanted = parse_sgr(cell[1])
    if cell[0] == " " and not (wanted.attributes | state.attributes) & VISIBLE_ON_BLANKS:
        return wanted.background == state.background
    return wanted == state
