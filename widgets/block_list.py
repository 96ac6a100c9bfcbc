"""A panel with blocks of lines, and a cursor that moves from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual.binding import Binding, BindingType
from textual.events import Click

from widgets.lines import Line
from widgets.panel import Panel


class Block(NamedTuple):
    """Lines that belong together; the cursor stops at those with an ``id``."""

    lines: Sequence[Line]
    id: str = ""


class BlockList(Panel):
    """Draws blocks; subclasses call ``paint_blocks`` in ``_draw``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("home", "first", "First", show=False),
        Binding("end", "last", "Last", show=False),
    ]

    _blocks: Sequence[Block] = ()
    selected: str = ""
    """The id of the block under the cursor; empty if there is none."""

    def paint_blocks(self, blocks: Sequence[Block]) -> None:
        """Draw the blocks. The cursor stays on its block, or goes to the first one."""
        self._blocks = blocks
        if self.selected not in (ids := self._ids):
            self.selected = ids[0] if ids else ""
        cursor = self._rows(self.selected)[0] if self.selected else None
        self.paint_panel([row for block in blocks for row in block.lines], cursor)

    @property
    def _ids(self) -> list[str]:
        return [block.id for block in self._blocks if block.id]

    def _rows(self, id: str) -> tuple[int, int]:
        """The first line of a block, and the one after its last."""
        start = 0
        for block in self._blocks:
            if block.id == id:
                return start, start + len(block.lines)
            start += len(block.lines)
        raise KeyError(id)

    def select(self, id: str) -> None:
        """Move the cursor to a block, and scroll until all of it is shown."""
        self.selected = id
        self._draw()
        top, end = self._rows(id)
        if id == self._ids[0]:
            top = 0  # with what is above it
        if top < self.scroll_offset.y:
            self.scroll_to(y=top, animate=False)
        elif end > self.scroll_offset.y + self.space.height:
            self.scroll_to(y=min(top, end - self.space.height), animate=False)

    def action_move(self, steps: int) -> None:
        """Move the cursor; at the first and the last block, scroll."""
        ids = self._ids
        at = ids.index(self.selected) + steps if self.selected else -1
        if 0 <= at < len(ids):
            self.select(ids[at])
        else:
            self.scroll_relative(y=steps, animate=False)

    def action_first(self) -> None:
        if self._ids:
            self.select(self._ids[0])
        self.scroll_home(animate=False)

    def action_last(self) -> None:
        if self._ids:
            self.select(self._ids[-1])
        self.scroll_end(animate=False)

    def on_click(self, event: Click) -> None:
        """Select the block that was clicked."""
        offset = event.get_content_offset(self)
        if offset is None or (self.ruled and offset.y == 0):
            return
        row = offset.y + self.scroll_offset.y - int(self.ruled)
        for block in self._blocks:
            if row < len(block.lines):
                if block.id:
                    self.select(block.id)
                return
            row -= len(block.lines)
