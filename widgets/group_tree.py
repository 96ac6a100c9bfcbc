"""The IOMMU groups as a tree: every device, its driver, and what blocks passthrough."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click
from textual.message import Message

from tui.model import Group, PciFunction
from widgets.canvas import Panel
from widgets.figures import short
from widgets.lines import Line, Span, Tone, line, spread, wrap

MARKS: dict[str, tuple[str, Tone]] = {
    "gpu": ("", "strong"),
    "moves": ("moves along", "accent"),
    "blocks": ("blocks", "bad"),
    "ok": ("", "text"),
    "unknown": ("unknown", "warn"),
}

GROUP_ROLES = {"guest": "guest GPU", "host": "host GPU", "other": "GPU"}


class GroupTree(Panel):
    """All groups, the guest GPU's first; the cursor moves over the devices."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "move(-10)", "Page up", show=False),
        Binding("pagedown", "move(10)", "Page down", show=False),
        Binding("home", "move(-10000)", "First", show=False),
        Binding("end", "move(10000)", "Last", show=False),
    ]

    class Chosen(Message):
        """A device was clicked."""

        def __init__(self, address: str) -> None:
            super().__init__()
            self.address = address

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, can_focus=True)
        self._groups: tuple[Group, ...] = ()
        self._problem: str | None = None
        self._filter = ""
        self._rows: list[str | None] = []
        self._selected: str | None = None

    @property
    def selected(self) -> str | None:
        """The address under the cursor."""
        return self._selected

    def show(self, groups: tuple[Group, ...], problem: str | None = None, text: str = "") -> None:
        """Draw the groups with a device whose line contains ``text``, or ``problem``."""
        if (groups, problem, text) != (self._groups, self._problem, self._filter):
            self._groups, self._problem, self._filter = groups, problem, text
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
        # At the first device, scroll to the top so that its group's heading is visible.
        y = 0 if at == 0 else self._rows.index(self._selected)
        if y < self.scroll_offset.y:
            self.scroll_to(y=y, animate=False)
        elif y >= self.scroll_offset.y + self.room.height:
            self.scroll_to(y=y - self.room.height + 1, animate=False)

    def on_click(self, event: Click) -> None:
        offset = event.get_content_offset(self)
        index = -1 if offset is None else offset.y + self.scroll_offset.y
        if 0 <= index < len(self._rows) and self._rows[index] is not None:
            again = self._selected == self._rows[index]
            self._selected = self._rows[index]
            self._draw()
            if again and self._selected is not None:
                self.post_message(self.Chosen(self._selected))

    def _draw(self) -> None:
        if self.room.width <= 0:
            return
        if self._problem is not None:
            self._rows = []
            self.paint(wrap(self._problem, self.room.width, "warn"))
            return
        rows = tree_rows(self._groups, self.room.width, self._filter)
        if not rows:
            nothing = f"Nothing matches “{self._filter}”." if self._filter else "No PCI devices."
            self._rows = []
            self.paint(wrap(nothing, self.room.width, "dim"))
            return
        self._rows = [address for address, _ in rows]
        cursor = self._rows.index(self._selected) if self._selected in self._rows else None
        self.paint([text for _, text in rows], cursor if self.has_focus else None)


def tree_rows(
    groups: tuple[Group, ...], width: int, text: str = ""
) -> list[tuple[str | None, Line]]:
    """The tree's lines, each device's with its address.

    ``text`` filters devices by their line, regardless of case; groups without a match are
    hidden.
    """
    wanted = text.casefold().strip()
    rows: list[tuple[str | None, Line]] = []
    for group in groups:
        members = [
            (function, mark)
            for function, mark in zip(group.functions, group.marks, strict=True)
            if not wanted or wanted in _searchable(group, function)
        ]
        if members:
            rows.append((None, heading(group)))
            last = len(members) - 1
            rows += [
                (f.address, _device_line(group, f, mark, i == last, width))
                for i, (f, mark) in enumerate(members)
            ]
    return rows


def heading(group: Group) -> Line:
    """The group's own line: its number, the role of its GPU, and whether it is viable."""
    name = "No IOMMU group" if group.id is None else f"Group {group.id}"
    spans = [Span(f"{name} ", "strong" if group.role else "label")]
    if group.role:
        spans.append(Span(f"· {GROUP_ROLES[group.role]} ", "accent"))
        blockers = group.marks.count("blocks")
        if "unknown" in group.marks:
            spans.append(Span("· viability unknown", "warn"))
        elif blockers:
            spans.append(Span(f"· blocked by {blockers}", "bad"))
        elif group.id is not None:
            spans.append(Span("· viable", "good"))
    return tuple(spans)


def _device_line(group: Group, function: PciFunction, mark: str, last: bool, width: int) -> Line:
    word, tone = MARKS[mark]
    reason = group.reason(function.address)
    left = line(
        Span("└ " if last else "├ ", "dim"),
        Span(f"{short(function.address)}  ", "label"),
        Span(function.name, tone),
    )
    driver = Span(function.driver or "no driver", "text" if function.driver else "dim")
    right = line(driver)
    if mark in ("blocks", "unknown"):
        right = line(Span(reason or word, tone))
    elif word and width >= 60:
        right = line(Span(f"{word}  ", "dim"), driver)
    return spread(left, right, width)


def _searchable(group: Group, function: PciFunction) -> str:
    return " ".join((
        f"group {group.id}", function.address, function.name, function.vendor_name or "",
        function.driver or "no driver", f"{function.vendor}:{function.device}",
    )).casefold()  # fmt: skip


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import GROUPS

    preview(GroupTree(), lambda widget: widget.show(GROUPS))
