"""The signs that a terminal can draw. No state is shown by colour alone: each has its sign."""

from __future__ import annotations

from msgspec import Struct


class Glyphs(Struct, frozen=True):
    """The characters of one kind of terminal."""

    braille: bool = True
    filled: str = "■"
    rest: str = "·"
    axis: str = "─"
    tick: str = "┬"
    frame: str = "─"
    cursor: str = "┊"
    in_guest: str = "◆"
    on_host: str = "●"
    free: str = "○"
    nobody: str = "–"
    moving: str = "◐"
    stuck: str = "✗"
    passed: str = "✓"
    warned: str = "!"
    failed: str = "✗"
    unknown: str = "?"
    changed: str = "→"
    noted: str = "·"
    swapped: str = "▲"
    above: str = "↑"
    below: str = "↓"
    less: str = "‹"
    more: str = "›"
    between: str = " · "
    incoming: str = "↓"
    outgoing: str = "↑"
    times: str = "×"
    ellipsis: str = "…"


RICH = Glyphs()

PLAIN = Glyphs(
    braille=False, filled="█", rest="░", in_guest="#", on_host="*", free="o", nobody="-",
    moving="~", stuck="X", passed="+", failed="X", changed=">", noted=".", swapped="^",
    cursor="│", above="^", below="v", less="<", more=">", between=", ",
    incoming="i", outgoing="o", times="x",
)  # fmt: skip
"""The fonts of the Linux console lack braille, most geometric shapes and check marks."""
