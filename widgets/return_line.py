"""The line below the header while the watch is about to return a card: which card, why and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from math import ceil
from typing import NamedTuple

from tui.model import PendingReturn
from widgets.canvas import Canvas
from widgets.figures import short
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, fit, line, width_of

KEEP = "app.keep"
"""The action of the key that cancels the return."""


class Offer(NamedTuple):
    """How to cancel the return: with ``key``, or why no key can."""

    key: str = ""
    why_not: str | None = None


class ReturnLine(Canvas):
    """Hidden while no return is announced."""

    DEFAULT_CSS = """
    ReturnLine { height: 1; padding: 0 1; background: $surface; display: none; }
    """

    def __init__(self, *, glyphs: Glyphs = RICH) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._shown: tuple[PendingReturn, int, Offer] | None = None

    def show(self, pending: PendingReturn | None, at: datetime, offer: Offer) -> None:
        """Draw the return as of ``at``, or nothing."""
        left = ceil(pending.left_s(at)) if pending is not None else 0
        shown = (pending, left, offer) if pending is not None else None
        if shown != self._shown:
            self._shown = shown
            self.display = shown is not None
            self._draw()

    def _draw(self) -> None:
        if self._shown is not None and self.room.width > 0:
            self.paint([return_line(*self._shown, self.room.width, self._glyphs)])


def return_line(
    pending: PendingReturn, left: int, offer: Offer, width: int, glyphs: Glyphs = RICH
) -> Line:
    """The longest form that fits, with ``left`` seconds to go. How to cancel is dropped last."""
    for end in (*_ends(offer, glyphs), ()):
        for start in _starts(pending, left):
            if width_of(start) + width_of(end) <= width:
                return (*start, *end)
    return fit(line(Span(in_words(left), "warn")), width)


def _starts(pending: PendingReturn, left: int) -> Iterator[Line]:
    address, when = short(pending.address), in_words(left)
    returns = Span(f"{address} returns to the host {when}", "warn")
    if pending.reason is not None:
        yield line(returns, f"; refused before: {pending.reason}")
    yield line(returns, f": {pending.guest} has ended")
    yield line(returns)
    yield line(Span(f"{address} returns {when}", "warn"))
    yield line(Span(f"returns {when}", "warn"))


def _ends(offer: Offer, glyphs: Glyphs) -> Iterator[Line]:
    if offer.why_not is not None:
        yield line(Span(f"{glyphs.between}{offer.why_not}", "label"))
    elif offer.key:
        for words in (" keeps it here", " keeps"):
            yield line(glyphs.between, Span(offer.key, "key", KEEP), Span(words, "text", KEEP))


def in_words(left: int) -> str:
    """``in 27 s``, ``in 12 min 05 s``, ``now``."""
    if left <= 0:
        return "now"
    minutes, seconds = divmod(left, 60)
    return f"in {minutes} min {seconds:02d} s" if left >= 120 else f"in {left} s"


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import AT, RETURN

    preview(ReturnLine(), lambda widget: widget.show(RETURN, AT, Offer("k")))
