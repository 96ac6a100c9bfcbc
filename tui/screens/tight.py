"""Partial updates that write the changed cells only.

Textual 8.2 writes a changed region from the left edge of its widget on: on a panel's
right half that is several times the cells that changed. This module rests on two
internals of the pinned release, and its tests fail when they change.
"""

from __future__ import annotations

from rich.console import Console
from textual._compositor import ChopsUpdate, Compositor


class TightUpdate(ChopsUpdate):
    """Writes each changed span from its first cell to its last."""

    def render_segments(self, console: Console) -> str:
        """The control sequences: for each span a cursor move, then its cells."""
        written: list[str] = []
        for y, start, end in self.spans:
            for chop_end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                first, last = max(start, x), min(end, chop_end)
                if strip is not None and first < last:
                    written.append(f"\x1b[{y + 1};{first + 1}H")
                    written.append(strip.crop(first - x, last - x).render(console))
        return "".join(written)


class TightCompositor(Compositor):
    """A compositor whose partial updates are tight."""

    def render_partial_update(self) -> ChopsUpdate | None:
        update = super().render_partial_update()
        if update is None:
            return None
        return TightUpdate(update.chops, update.spans, update.chop_ends)
