"""Renders only the rows that changed, of the widgets that show them.

For each update Textual's compositor takes all rows of every widget between the first and the last
change, and those of the containers behind them. This module relies on internals of the pinned
Textual release.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip

Render = tuple[Region, Region, list[Strip]]
"""A widget's region, the part of the screen in which it is rendered, and its rows there."""


class RowCompositor(Compositor):
    """A compositor whose partial updates cost what has changed."""

    def __init__(self) -> None:
        super().__init__()
        self._changed: Collection[Region] = ()

    def render_partial_update(self) -> ChopsUpdate | None:
        self._changed = frozenset(self._dirty_regions)
        try:
            return super().render_partial_update()
        finally:
            self._changed = ()

    def _get_renders(self, crop: Region | None = None) -> Iterator[Render]:
        if not self._changed:
            yield from super()._get_renders(crop)
            return
        hidden = set(self._changed)
        for widget, (region, clip) in self.visible_widgets.items():  # from front to back
            shown = region.intersection(clip)
            touched = [each.intersection(shown) for each in hidden if each.overlaps(shown)]
            if not touched:
                continue
            _, y, _, height = Region.from_union(touched)
            part = Region(shown.x, y, shown.width, height)
            yield region, part, widget.render_lines(part.translate(-region.offset))
            hidden = {each for each in hidden if not shown.contains_region(each)}
