"""Renders only the cells that changed, and only from the widgets that show them.

For each update, Textual's compositor takes all rows between the first and the last change, from
every widget and the containers behind it, and cuts each row where any widget begins or ends. For a
whole screen that is twice the rows that are seen. This module relies on internals of the pinned
Textual release.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from textual._compositor import ChopsUpdate, Compositor, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class RowUpdate(NamedTuple):
    """New content of a row, from column ``x``."""

    y: int
    x: int
    strip: Strip


class RowsUpdate(ChopsUpdate):
    """New content of rows, from the top."""

    def __init__(self, rows: Sequence[RowUpdate]) -> None:
        super().__init__([], [], [])
        self.rows = rows


class _Shown(NamedTuple):
    """A widget, its region on the screen, and the visible part of that region."""

    widget: Widget
    region: Region
    part: Region


class RowCompositor(Compositor):
    """A compositor whose updates cost only as much as has changed and is seen."""

    def render_full_update(self, simplify: bool = False) -> LayoutUpdate:
        if simplify:  # a picture
            return super().render_full_update(simplify)
        screen = self.size.region
        strips: list[list[Strip]] = [[] for _ in screen.line_range]
        for y, _, strip in self._rows_of([screen]):
            strips[y].append(strip)
        self._dirty_regions.clear()
        return LayoutUpdate([*strips], screen)

    def render_partial_update(self) -> ChopsUpdate | None:
        changed = list(self._dirty_regions)
        self._dirty_regions.clear()
        rows = self._rows_of(changed)
        return RowsUpdate(rows) if rows else None

    def _rows_of(self, regions: Iterable[Region]) -> list[RowUpdate]:
        """The rows of regions of the screen, from the top left to the bottom right."""
        shown = [
            _Shown(widget, region, region.intersection(clip))
            for widget, (region, clip) in self.visible_widgets.items()  # from front to back
        ]
        rows = (row for region in regions for row in _rows(region, shown))
        return sorted(rows, key=itemgetter(0, 1))


def _rows(region: Region, shown: Sequence[_Shown]) -> Iterator[RowUpdate]:
    """The rows of a region of the screen, as the widgets show them."""
    for index, (widget, place, visible) in enumerate(shown):
        if not visible.overlaps(region):
            continue
        part = region.intersection(visible)
        for y, strip in enumerate(widget.render_lines(part.translate(-place.offset)), part.y):
            yield RowUpdate(y, part.x, strip)
        if part != region:
            for rest in _around(part, region):
                yield from _rows(rest, shown[index + 1 :])
        return


def _around(part: Region, region: Region) -> Iterator[Region]:
    """The rest of a region around a part of it."""
    x, y, width, height = region
    sides = (
        Region(x, y, width, part.y - y),
        Region(x, part.bottom, width, y + height - part.bottom),
        Region(x, part.y, part.x - x, part.height),
        Region(part.right, part.y, x + width - part.right, part.height),
    )
    return (side for side in sides if side.area > 0)
