"""Blocks of lines that share a panel. A block that does not fit is left out entirely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from widgets.lines import Line


class Ranked(NamedTuple):
    """Lines that stay together. The block with the lowest ``rank`` gets its rows first; among
    equals, the first block."""

    rank: int
    lines: Sequence[Line]


def fitted(blocks: Sequence[Ranked], height: int) -> list[Sequence[Line]]:
    """The lines of each block; none for a block that does not fit into ``height`` rows."""
    left = height
    found: list[Sequence[Line]] = [()] * len(blocks)
    for index in sorted(range(len(blocks)), key=lambda index: blocks[index].rank):
        lines = blocks[index].lines
        if len(lines) <= left:
            found[index] = lines
            left -= len(lines)
    return found
