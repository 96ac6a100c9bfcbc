"""Labels and values, in two columns where there is room: the details of a card, a guest or a
device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from widgets.lines import DASH, Line, Span, line, pad, width_of, wrap

LABEL = 10
"""Cells of a label."""

TWO_COLUMNS = 90
"""Minimum width in cells for two columns."""

Row = tuple[str, Line | str | None]
"""A label and its value; ``None`` and an empty text are shown as a dash."""


def detail_lines(left: Sequence[Row], right: Sequence[Row], width: int) -> list[Line]:
    """The rows of both columns, side by side where there is room, else one after the other."""
    if width < TWO_COLUMNS:
        return list(row_lines([*left, *right], width))
    first = (width + 2) // 2
    columns = zip_longest(row_lines(left, first - 2), row_lines(right, width - first), fillvalue=())
    return [(*pad(one, first), *other) if other else one for one, other in columns]


def row_lines(rows: Iterable[Row], width: int) -> Iterator[Line]:
    """Each row's label, and its value, which wraps in its own column."""
    for label, value in rows:
        shown = line(value) if isinstance(value, str) else value
        if not shown or not width_of(shown):
            shown = line(Span(DASH, "dim"))
        for index, part in enumerate(wrap_line(shown, max(width - LABEL, 8))):
            yield line(Span(f"{'' if index else label:<{LABEL}}", "label"), *part)


def wrap_line(spans: Line, width: int) -> list[Line]:
    """A line wrapped at spaces into lines of at most ``width`` cells; it keeps its tones."""
    rows: list[Line] = []
    for word in _words(spans):
        joined = (*rows[-1], Span(" ", word[0].tone), *word) if rows else word
        if rows and width_of(joined) <= width:
            rows[-1] = joined
        elif width_of(word) <= width:
            rows.append(word)
        else:
            text = "".join(span.text for span in word)
            rows += wrap(text, width, word[0].tone)
    return rows


def _words(spans: Line) -> list[Line]:
    """The words of a line; a word may have several tones."""
    words: list[Line] = [()]
    for span in spans:
        first, *rest = span.text.split(" ")
        words[-1] = (*words[-1], span._replace(text=first))
        words += [(span._replace(text=word),) for word in rest]
    return [word for word in words if width_of(word)]
