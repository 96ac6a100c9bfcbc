"""Bars: a label, a figure, the bar, and the limit that it is drawn against, in fixed columns."""

from __future__ import annotations

from functools import lru_cache

from widgets.glyphs import RICH, Glyphs
from widgets.lines import DASH, Line, Ramp, Span, line, ramp_tone


def bar_line(
    label: str,
    figure: str | None,
    share: float | None,
    limit: str,
    width: int,
    *,
    ramp: Ramp,
    glyphs: Glyphs = RICH,
    head: int = 14,
    tail: int = 8,
) -> Line:
    """``Load      84 % ■■■■■···· 2655 MHz``.

    ``share`` is the filled part, from 0 to 1; ``None`` draws an empty bar, and a ``figure`` of
    ``None`` a dash. ``head`` cells hold label and figure, ``tail`` the limit.
    """
    room = max(0, width - head - tail - 2)
    shown = figure if figure is not None else DASH
    gap = " " * max(1, head - len(label) - len(shown))
    return line(
        Span(f"{label}{gap}", "label"), Span(shown, "strong" if figure is not None else "dim"), " ",
        *bar(share, room, ramp, glyphs), Span(f" {limit:<{tail}}" if tail else "", "label"),
    )  # fmt: skip


def bar(share: float | None, width: int, ramp: Ramp, glyphs: Glyphs = RICH) -> Line:
    """A bar of ``width`` cells, each in the ramp's tone at that point. A measured value above zero
    fills at least one cell."""
    filled = 0
    if share is not None and share > 0:
        filled = min(max(1, round(share * width)), width)
    return _filled_bar(filled, width, ramp, glyphs)


@lru_cache(maxsize=1024)
def _filled_bar(filled: int, width: int, ramp: Ramp, glyphs: Glyphs) -> Line:
    spans: list[Span] = []
    for cell in range(filled):
        tone = ramp_tone(ramp, (cell + 0.5) / width)
        if spans and spans[-1].tone == tone:
            spans[-1] = Span(spans[-1].text + glyphs.filled, tone)
        else:
            spans.append(Span(glyphs.filled, tone))
    return (*spans, Span(glyphs.rest * (width - filled), "track"))
