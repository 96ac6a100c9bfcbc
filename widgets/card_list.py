"""Cards, one line each: those without a panel, or all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len

from widgets.bars import bar
from widgets.card import Card
from widgets.card_bars import value
from widgets.card_edges import accent_of, owner_words
from widgets.card_names import short_card_name
from widgets.figures import model_name
from widgets.glyphs import RICH, Glyphs
from widgets.lines import DASH, Line, Span, Tone, fit, line, pad, width_of
from widgets.panel import Edges, Panel

NARROW, FULL_FROM = 60, 120
"""Below the first width, in cells, a name is only its number; from the second on, it is in full."""

NAME = 32
"""Maximum width of a name, in cells."""

OWNER = 22
"""The same for an owner."""

BARS = (6, 10, 16, 40)
"""Possible widths of a load bar, in cells."""

LIST_TITLE = "Further GPUs"


class CardList(Panel):
    """One line per card; the last one counts those that do not fit."""

    def __init__(self, *, id: str | None = None, glyphs: Glyphs = RICH) -> None:
        super().__init__("host-gpu", id=id, glyphs=glyphs)
        self.cards: tuple[Card, ...] = ()
        self._title = LIST_TITLE

    def show(self, cards: Sequence[Card], title: str = LIST_TITLE) -> None:
        """Draw ``cards`` below ``title``."""
        if (tuple(cards), title) != (self.cards, self._title):
            self.cards, self._title = tuple(cards), title
            self._draw()

    def _draw(self) -> None:
        width, height = self.space
        if width > 0:
            self.set_edges(list_edges(self.cards, self._title, self.glyphs))
            self.paint_panel(list_lines(self.cards, width, height, self.glyphs))


def list_edges(cards: Sequence[Card], title: str, glyphs: Glyphs = RICH) -> Edges:
    """The title with the number of cards, and how many of them are in guests."""
    in_guests = sum(card.gpu.owner.kind == "guest" for card in cards)
    state = line(Span(f"{glyphs.in_guest} {in_guests} in guests", "guest")) if in_guests else ()
    return Edges(line(Span(title, "strong"), f" · {len(cards)}"), state)


def list_lines(cards: Sequence[Card], width: int, height: int, glyphs: Glyphs = RICH) -> list[Line]:
    """The cards that fit into ``height`` lines, in columns that all of them share."""
    if width <= 0 or height <= 0 or not cards:
        return []
    shown = cards if len(cards) <= height else cards[: height - 1]
    columns = _columns(cards, width, glyphs)
    lines = [_row(card, columns, width, glyphs) for card in shown]
    rest = len(cards) - len(shown)
    indent = " " * (columns.number + 1)
    return [*lines, line(Span(f"{indent}{rest} more", "label"))] if rest else lines


class Columns(NamedTuple):
    """The width of each column, in cells; a column with 0 is left out."""

    number: int
    name: int
    owner: int = 1
    load: int = 5
    address: int = 0
    bar: int = 0
    vram: int = 0
    limit: int = 0
    temp: int = 0
    power: int = 0
    gap: int = 1


def _name(card: Card, width: int) -> str:
    if width >= FULL_FROM:
        return model_name(card.gpu.name)
    return card.name if width >= NARROW else short_card_name(card.gpu.name)


def _columns(cards: Sequence[Card], width: int, glyphs: Glyphs) -> Columns:
    """The columns that fit, the most important ones first."""
    name = min(max(cell_len(_name(card, width)) for card in cards), NAME)
    owner = min(max(width_of(_owner(card, glyphs)) for card in cards), OWNER)
    address = max(len(card.address) for card in cards)
    wide = width >= NARROW
    found = Columns(max(len(str(card.number)) for card in cards), name, gap=2 if wide else 1)
    wanted: list[dict[str, int]] = [
        {"owner": owner}, {"temp": 5}, {"vram": 8 if wide else 6}, {"address": address},
        {"bar": BARS[0]}, {"bar": BARS[1]}, {"power": 6}, {"limit": 12}, {"bar": BARS[2]},
        {"bar": BARS[3]},
    ]  # fmt: skip
    if any(card.twin for card in cards):
        wanted.insert(0, {"address": address})
    for more in wanted:
        wider = found._replace(**more)
        if _cells(wider) <= width:
            found = wider
    return found


def _cells(columns: Columns) -> int:
    load = columns.load + (1 + columns.bar if columns.bar else 0)
    parts = [columns.name, columns.address, columns.owner, load, columns.vram + columns.limit,
             columns.temp, columns.power]  # fmt: skip
    return columns.number + 1 + sum(parts) + columns.gap * (sum(part > 0 for part in parts) - 1)


def _row(card: Card, columns: Columns, width: int, glyphs: Glyphs) -> Line:
    m, limits = card.metrics, card.limits
    load, vram = value("load", m, limits), value("vram", m, limits)
    tone: Tone = "dim" if card.faded or card.late else "strong"
    memory = vram.figure if width >= NARROW else vram.short
    limit = f" of {vram.limit}" if columns.limit and vram.limit else ""
    parts = [
        pad(line(_name(card, width)), columns.name),
        pad(line(Span(card.address, "label")), columns.address),
        pad(_owner(card, glyphs)[: None if columns.owner > 1 else 1], columns.owner),
        _load(load.figure, load.share, columns, tone, glyphs),
        (*_figure(memory, columns.vram, tone), Span(f"{limit:<{columns.limit}}", "label")),
        _figure(value("temp", m, limits).figure, columns.temp, tone),
        _figure(value("power", m, limits).figure, columns.power, tone),
    ]
    row: list[Span] = [Span(f"{card.number:>{columns.number}} ", accent_of(card.gpu))]
    for index, part in enumerate(part for part in parts if width_of(part)):
        row += [Span(" " * columns.gap if index else ""), *part]
    return fit(tuple(row), width)


def _load(
    figure: str | None, share: float | None, columns: Columns, tone: Tone, glyphs: Glyphs
) -> Line:
    shown = _figure(figure, columns.load, tone)
    if not columns.bar:
        return shown
    return (*shown, Span(" "), *bar(share, columns.bar, "load", glyphs))


def _figure(figure: str | None, cells: int, tone: Tone) -> Line:
    """A figure aligned to the right of its column."""
    if not cells:
        return ()
    shown = DASH if figure is None else figure
    return (Span(f"{shown:>{cells}}", "dim" if figure is None else tone),)


def _owner(card: Card, glyphs: Glyphs) -> Line:
    """The owner's sign, and the shortest words for it."""
    sign, tone, words = owner_words(card, glyphs)
    return line(Span(sign, tone), Span(f" {words[-1]}", tone))


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import GUEST_CARD, HOST_CARD

    preview(CardList(), lambda widget: widget.show([GUEST_CARD, HOST_CARD], "GPUs"))
