"""The panel of a card: who has it, how busy it is, and its last minutes."""

from __future__ import annotations

from tui.model import CardSeries, CardUsers, Gpu
from widgets.card import Card
from widgets.card_edges import accent_of, card_edges
from widgets.card_graphs import available, next_series
from widgets.card_lines import plan, planned_lines
from widgets.glyphs import RICH, Glyphs
from widgets.graph_grid import Grid, Times
from widgets.graph_panel import GraphPanel
from widgets.panel import Accent


class CardPanel(GraphPanel):
    """The panel of one card. A value that looks the same as the last one is not drawn again."""

    def __init__(
        self, accent: Accent = "guest-gpu", *, id: str | None = None, glyphs: Glyphs = RICH
    ) -> None:
        super().__init__(accent, id=id, glyphs=glyphs)
        self.card: Card | None = None
        self._users: CardUsers | None = None

    @property
    def gpu(self) -> Gpu | None:
        return self.card.gpu if self.card is not None else None

    def show(self, card: Card, times: Times | None = None, users: CardUsers | None = None) -> None:
        """Draw ``card``. While the panel is full-screen, ``times`` is the time that its graphs
        cover, and ``users`` is who uses the card, as far as that is known."""
        if (card, times, users) != (self.card, self.times, self._users):
            self.card, self.times, self._users = card, times, users
            self.set_accent(accent_of(card.gpu))
            self._draw()

    @property
    def grid(self) -> Grid:
        from widgets.card_zoom import zoomed_grid  # noqa: PLC0415 - not for the first frame

        return zoomed_grid(self.space.width)

    def next_series(self) -> CardSeries:
        """The series to choose after the one that is drawn now."""
        if self.card is None:
            return "load"
        alone = not plan(self.card, *self.space, self.glyphs).has_axis
        return next_series(self.card.lower, available(self.card), alone=alone)

    def _draw(self) -> None:
        width, height = self.space
        if self.card is None or width <= 0:
            return
        if self.times is not None:
            self._draw_zoomed(self.card, self.times)
            return
        shared = plan(self.card, width, height, self.glyphs)
        edges = card_edges(
            self.card, width, self.glyphs, ruled=self.ruled, lower=shared.has_axis,
            names=not shared.tail, hidden=shared.hidden,
        )  # fmt: skip
        self.set_edges(edges)
        self.paint_panel(planned_lines(self.card, shared, width, self.glyphs))

    def _draw_zoomed(self, card: Card, times: Times) -> None:
        from widgets.card_zoom import zoomed_lines  # noqa: PLC0415 - not for the first frame

        edges = card_edges(card, self.space.width, self.glyphs, ruled=self.ruled, lower=False)
        self.set_edges(edges)
        self.paint_graphs(zoomed_lines(card, self.space, times, self._users, self.glyphs))


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import GUEST_CARD

    preview(CardPanel(), lambda widget: widget.show(GUEST_CARD))
