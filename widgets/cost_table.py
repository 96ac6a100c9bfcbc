"""What watching costs: calls in the last minute, and the state of each source."""

from __future__ import annotations

from datetime import datetime

from tui.model import Cost, CountedService, SourceState
from widgets.canvas import Panel
from widgets.figures import ago
from widgets.lines import DASH, Line, Span, Tone, line, pad, wrap

SERVICES: dict[CountedService, str] = {"nvml": "NVML", "libvirt": "libvirt", "agent": "Guest agent"}

NAME, EVERY, TOOK, AGE = 12, 10, 10, 8
"""Cells of each column."""

SLOW_S = 1.0
"""Seconds after which a reading in progress is reported; most take milliseconds."""


class CostTable(Panel):
    """Calls in the last minute, then one row per source."""

    def __init__(self) -> None:
        super().__init__(can_focus=True)
        self._shown: tuple[Cost, datetime] | None = None
        self.set_titles("Calls")

    def show(self, cost: Cost, at: datetime) -> None:
        """Draw ``cost`` as of ``at``."""
        self._shown = cost, at
        self._draw()

    def _draw(self) -> None:
        if self._shown is not None and self.room.width > 0:
            self.paint(cost_lines(*self._shown, self.room.width))


def cost_lines(cost: Cost, at: datetime, width: int) -> list[Line]:
    """The lines of the table."""
    lines = [line(Span("Calls in the last minute", "accent"))]
    for service, name in SERVICES.items():
        lines.append(
            (*pad(line(Span(name, "label")), NAME), Span(f"{cost.calls.get(service, 0):>6}"))
        )
    lines += [(), line(Span("Sources", "accent")), _row("", "read", "took", "ago")]
    for source in cost.sources:
        lines.append(_source(source, at))
        if source.problem is not None:
            room = max(width - 2, 8)
            lines += [line("  ", *each) for each in wrap(source.problem, room, "dim")]
    return lines


def _source(source: SourceState, at: datetime) -> Line:
    """A source's row; for a slow one, how long the current reading has been taking."""
    if source.reading_s is not None and source.reading_s >= SLOW_S:
        return (
            *pad(line(Span(source.name, "label")), NAME),
            *pad(line(Span(source.when, "text")), EVERY),
            Span(f"{f'reading for {ago(source.reading_s)}':>{TOOK + AGE}}", "warn"),
        )
    took = DASH if source.took_s is None else f"{source.took_s * 1000:.1f} ms"
    age = DASH if source.read_at is None else ago((at - source.read_at).total_seconds())
    return _row(source.name, source.when, took, age, heading=False)


def _row(name: str, every: str, took: str, age: str, *, heading: bool = True) -> Line:
    tone: Tone = "dim" if heading else "text"
    return (
        *pad(line(Span(name, "label")), NAME),
        *pad(line(Span(every, tone)), EVERY),
        Span(f"{took:>{TOOK}}{age:>{AGE}}", tone),
    )


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import AT, COST

    preview(CostTable(), lambda widget: widget.show(COST, AT))
