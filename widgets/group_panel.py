"""The IOMMU groups: the interesting ones in the panel, all of them when full-screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click
from textual.message import Message

from tui.model import HostView, Notable
from widgets.footer import Hint, hint_line
from widgets.glyphs import RICH, Glyphs
from widgets.group_lines import Row, group_rows, sign_of
from widgets.lines import Line, Span, join, line, width_of, wrap
from widgets.panel import Edges, Panel

NUMBER = "4"

FULL_EDGE = 40
"""Minimum width in cells for a frame that spells everything out."""

KEYS = (Hint("g", "all", "app.groups"), Hint("/", "filter", "app.filter"))

ZOOMED_KEYS = (KEYS[1], Hint("enter", "device", "screen.open"), Hint("0", "back", "screen.zoom"))


class GroupPanel(Panel):
    """The IOMMU groups; the cursor moves over the functions."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "move(-10)", "Page up", show=False),
        Binding("pagedown", "move(10)", "Page down", show=False),
        Binding("home", "move(-10000)", "First", show=False),
        Binding("end", "move(10000)", "Last", show=False),
    ]

    class Chosen(Message):
        """The function under the cursor was clicked."""

        def __init__(self, address: str) -> None:
            super().__init__()
            self.address = address

    def __init__(self, *, id: str | None = None, glyphs: Glyphs = RICH) -> None:
        super().__init__("groups", id=id, glyphs=glyphs)
        self._view = HostView()
        self._notable: tuple[Notable, ...] = ()
        self._shown: tuple[object, ...] = ()
        self._zoomed = False
        self._flash = False
        self._filter = ""
        self._keys: tuple[Hint, ...] = KEYS
        self._rows: list[str | None] = []
        self._table_of: tuple[tuple[object, ...], int] = ((), 0)
        self._table_rows: list[Row] = []
        self._selected: str | None = None

    @property
    def selected(self) -> str | None:
        """The address under the cursor."""
        return self._selected

    def show(
        self,
        view: HostView,
        notable: tuple[Notable, ...] = (),
        *,
        zoomed: bool = False,
        text: str = "",
        flash: bool = False,
        keys: tuple[Hint, ...] | None = None,
    ) -> None:
        """Draw the ``notable`` groups of ``view``; if ``zoomed``, all functions whose line
        contains ``text``. ``flash``: the guest GPU's owner has just changed. ``keys`` are those of
        the frame."""
        keys = (ZOOMED_KEYS if zoomed else KEYS) if keys is None else keys
        shown = (*_seen(view), notable, zoomed, text, flash, keys)
        if shown != self._shown:
            self._shown = shown
            self._view, self._notable = view, notable
            self._zoomed, self._filter, self._keys = zoomed, text, keys
            self._flash = flash
            self._draw()

    def on_focus(self) -> None:
        self._draw()

    def on_blur(self) -> None:
        self._draw()

    def action_move(self, steps: int) -> None:
        addresses = [row for row in self._rows if row is not None]
        if not addresses:
            return
        at = addresses.index(self._selected) if self._selected in addresses else -1
        at = 0 if at < 0 else max(0, min(at + steps, len(addresses) - 1))
        self._selected = addresses[at]
        self._draw()
        y = self._rows.index(self._selected) + self.ruled
        if at == 0:
            y = 0
        if y < self.scroll_offset.y:
            self.scroll_to(y=y, animate=False)
        elif y >= self.scroll_offset.y + self.room.height:
            self.scroll_to(y=y - self.room.height + 1, animate=False)

    def on_click(self, event: Click) -> None:
        offset = event.get_content_offset(self)
        index = -1 if offset is None else offset.y + self.scroll_offset.y - self.ruled
        if 0 <= index < len(self._rows) and self._rows[index] is not None:
            again = self._selected == self._rows[index]
            self._selected = self._rows[index]
            self._draw()
            if again and self._selected is not None:
                self.post_message(self.Chosen(self._selected))

    def _table(self, width: int) -> list[Row]:
        """The full-screen rows, which do not change when the cursor moves."""
        from widgets.group_table import table_rows  # noqa: PLC0415 - not for the first frame

        of = (self._shown, width)
        if of != self._table_of:
            self._table_of = of
            self._table_rows = table_rows(self._view, width, self._filter, self.glyphs)
        return self._table_rows

    def _matching(self) -> int | None:
        """How many groups the filter leaves; ``None`` without one."""
        if not self._filter:
            return None
        from widgets.group_table import matching_groups  # noqa: PLC0415 - not for the first frame

        return matching_groups(self._view, self._filter)

    def _draw(self) -> None:
        width = self.space.width
        if width <= 0:
            return
        view, hidden, found = self._view, 0, None
        if self._zoomed:
            rows = self._table(width)
            found = self._matching()
        else:
            rows, count, told = group_rows(
                view, self._notable, self.space, self.glyphs, flash=self._flash
            )
            hidden = 0 if told else count
        self.set_edges(
            group_edges(view, width, self.glyphs, keys=self._keys, hidden=hidden, found=found)
        )
        if not rows:
            self._rows = []
            self.paint_panel(empty_lines(view, width, self._filter if self._zoomed else ""))
            return
        self._rows = [row.address for row in rows]
        cursor = self._rows.index(self._selected) if self._selected in self._rows else None
        self.paint_panel([row.line for row in rows], cursor if self.has_focus else None)


def _seen(view: HostView) -> tuple[object, ...]:
    """What the panel shows of ``view``: without readings, which change all the time."""
    gpus = tuple((gpu.address, gpu.role, gpu.owner, gpu.viability) for gpu in view.gpus)
    return (view.groups, view.iommu_enabled, view.problem("pci"), gpus, view.swap)


def empty_lines(view: HostView, width: int, text: str = "") -> list[Line]:
    """Why there are no rows."""
    problem = view.problem("pci")
    if problem is not None:
        return wrap(problem, width, "warn")
    if text and view.groups:
        groups = sum(group.id is not None for group in view.groups)
        what = f"{groups} groups" if groups else f"{len(view.functions)} devices"
        return wrap(f"Nothing matches “{text}” in {what}. esc clears it.", width, "label")
    return wrap("Nothing that a guest could use." if view.groups else "No PCI devices.", width,
                "label")  # fmt: skip


def group_edges(
    view: HostView,
    width: int,
    glyphs: Glyphs = RICH,
    *,
    keys: Sequence[Hint] = KEYS,
    hidden: int = 0,
    found: int | None = None,
) -> Edges:
    """Title, state, keys and note of a panel with ``width`` cells for its lines. ``hidden``
    groups have no row and no line says so; ``found`` match a filter."""
    count = sum(group.id is not None for group in view.groups)
    shown = f" · {f'{found} of {count}' if found else count}" if count else ""
    titles = [
        line(Span(NUMBER, "groups"), Span(f" {name}", "strong"), shown)
        for name in (("IOMMU groups", "Groups") if count else ("PCI devices",))
    ]
    states = [viability_line(view, glyphs, full=full) for full in (True, False)]
    pairs = [(titles[0], states[0]), (titles[-1], states[0]), (titles[-1], states[1])]
    fits = [pair for pair in pairs if width >= FULL_EDGE and _width(*pair) <= width - 2]
    title, state = fits[0] if fits else pairs[-1]
    drawn = join([hint_line(hint) for hint in keys])
    note = line(Span(f"{hidden} more", "label")) if hidden else ()
    if _width(drawn, note) > width - 2:
        drawn = hint_line(keys[0]) if keys else ()
    return Edges(title, state, drawn, note)


def _width(left: Line, right: Line) -> int:
    """The width of both texts of an edge, including the frame between them."""
    return width_of(left) + (4 if right else 0) + width_of(right)


def viability_line(view: HostView, glyphs: Glyphs = RICH, *, full: bool = True) -> Line:
    """``✓ guest GPU viable``: whether the guest GPU's group can go to a guest."""
    gpu = view.guest_gpu
    if view.iommu_enabled is False:
        return line(Span(f"{glyphs.failed} IOMMU off", "bad"))
    if gpu is None:
        return ()
    sign, viable = sign_of(gpu, glyphs), gpu.viability.for_guest
    blockers = len(gpu.viability.staying)
    known = {True: "viable", False: "not viable", None: "viability unknown"}
    words = f"blocked by {blockers}" if blockers and viable is False else known[viable]
    if gpu.owner.kind in ("moving", "stuck"):
        words = gpu.owner.kind
    tone = "text" if sign.tone == "good" else sign.tone
    return line(sign, Span(f" {'guest GPU ' if full else ''}{words}", tone))


def groups_word(view: HostView, glyphs: Glyphs = RICH) -> Line:
    """``4 groups ✓``: the panel in three words, for a screen without room for it."""
    gpu = view.guest_gpu
    if gpu is None:
        return ()
    return line(Span(NUMBER, "groups"), Span(" groups ", "label"), sign_of(gpu, glyphs))


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import NOTABLE, VIEW

    preview(GroupPanel(), lambda widget: widget.show(VIEW, NOTABLE))
