"""What monitoring costs: calls in the last minute, and the state of each source."""

from __future__ import annotations

from datetime import datetime

from tui.model import Cost, CountedService, SourceState
from widgets.figures import ago
from widgets.glyphs import RICH, Glyphs
from widgets.lines import DASH, Line, Span, Tone, line, pad, wrap
from widgets.panel import Edges, Panel

SERVICES: dict[CountedService, str] = {"nvml": "NVML", "libvirt": "libvirt", "agent": "Guest agent"}

NAME, EVERY, TOOK, AGE = 13, 10, 10, 8
"""Cells of each column."""

SLOW_S = 1.0
"""Seconds after which a reading in progress counts as slow; most take milliseconds."""


class CostTable(Panel):
    """Calls in the last minute, then one row per source."""

    def __init__(self, *, glyphs: Glyphs = RICH) -> None:
        super().__init__("key", id="calls", glyphs=glyphs)
        self._shown: tuple[Cost, datetime] | None = None

    def show(self, cost: Cost, at: datetime) -> None:
        """Draw ``cost`` as of ``at``."""
        self._shown = cost, at
        self._draw()

    def _draw(self) -> None:
        if self._shown is None or self.space.width <= 0:
            return
        self.set_edges(Edges(line(Span("Calls", "strong"))))
        self.paint_panel(cost_lines(*self._shown, self.space.width))


def cost_lines(cost: Cost, at: datetime, width: int) -> list[Line]:
    """The lines of the table."""
    lines = [line(Span("Calls in the last minute", "strong"))]
    for service, name in SERVICES.items():
        lines.append(
            (*pad(line(Span(name, "label")), NAME), Span(f"{cost.calls.get(service, 0):>6}"))
        )
    every = EVERY if width >= NAME + EVERY + TOOK + AGE else 0
    lines += [
        (),
        line(Span("Sources", "strong")),
        _row("", "read", "took", "ago", every=every, tone="dim"),
    ]
    for source in cost.sources:
        lines.append(_source(source, at, every))
        if source.problem is not None:
            room = max(width - 2, 8)
            lines += [line("  ", *each) for each in wrap(source.problem, room, "dim")]
    return lines


def _source(source: SourceState, at: datetime, every: int) -> Line:
    """A source's row; for a slow one, how long the current reading has been taking."""
    if source.reading_s is not None and source.reading_s >= SLOW_S:
        slow = f"reading for {ago(source.reading_s)}"
        row = _row(source.name, source.when, "", "", every=every)
        return (*row[:-1], Span(f"{slow:>{TOOK + AGE}}", "warn"))
    took = DASH if source.took_s is None else f"{source.took_s * 1000:.1f} ms"
    age = DASH if source.read_at is None else ago((at - source.read_at).total_seconds())
    return _row(source.name, source.when, took, age, every=every)


def _row(name: str, when: str, took: str, age: str, *, every: int, tone: Tone = "text") -> Line:
    """A row of the table; ``every`` is the width of the column for the interval."""
    return (
        *pad(line(Span(name, "label")), NAME),
        *(pad(line(Span(when, tone)), every) if every else ()),
        Span(f"{took:>{TOOK}}{age:>{AGE}}", tone),
    )


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import AT, COST

    preview(CostTable(), lambda widget: widget.show(COST, AT))
