"""Partial updates that write the changed cells only, and colours only when they change.

Textual 8.2 writes a changed region from the left edge of its widget on, and every span
with its full set of colours: over a slow link that is several times what changed. This
module rests on internals of the pinned release, and its tests fail when they change.
"""

from __future__ import annotations

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate, Compositor
from textual.strip import Strip


class TightUpdate(ChopsUpdate):
    """Writes each changed span from its first cell to its last."""

    def render_segments(self, console: Console) -> str:
        """The control sequences: for each span a cursor move, then its cells."""
        pen = Pen(console._color_system or ColorSystem.TRUECOLOR)
        for y, start, end in self.spans:
            chops = zip(self.chop_ends[y], self.chops[y].items(), strict=False)
            for chop_end, (x, strip) in chops:
                first, last = max(start, x), min(end, chop_end)
                if strip is not None and first < last:
                    pen.move(first, y)
                    for segment in strip.crop(first - x, last - x):
                        pen.write(segment.text, segment.style)
        return pen.lift()


class Pen:
    """Collects control sequences; changes the colours only for text of other ones."""

    def __init__(self, colors: ColorSystem) -> None:
        self._colors = colors
        self._written: list[str] = []
        self._codes = ""

    def move(self, x: int, y: int) -> None:
        """To a cell of the screen; the first is 0, 0."""
        self._written.append(f"\x1b[{y + 1};{x + 1}H")

    def write(self, text: str, style: Style | None) -> None:
        codes = "" if style is None else Strip.render_ansi(style, self._colors)
        if codes != self._codes:
            self._written.append(f"\x1b[0;{codes}m" if codes else "\x1b[0m")
            self._codes = codes
        self._written.append(text)

    def lift(self) -> str:
        """All that was written, with the terminal's colours as they were."""
        if self._codes:
            self._written.append("\x1b[0m")
        return "".join(self._written)


class TightCompositor(Compositor):
    """A compositor whose partial updates are tight."""

    def render_partial_update(self) -> ChopsUpdate | None:
        update = super().render_partial_update()
        if update is None:
            return None
        return TightUpdate(update.chops, update.spans, update.chop_ends)
