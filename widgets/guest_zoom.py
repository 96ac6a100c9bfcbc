"""The guest on the whole screen: its graphs over a chosen time, and all that is known of it."""

from __future__ import annotations

from textual.geometry import Size

from tui.model import Domain
from widgets.cursor_line import cursor_lines
from widgets.glyphs import RICH, Glyphs
from widgets.graph import Graph
from widgets.graph_grid import GraphLines, Sheet, Times, grid_lines
from widgets.guest import GuestState, is_off
from widgets.guest_bars import bar_rows, rates_line
from widgets.guest_details import guest_detail_lines
from widgets.guest_lines import alert_lines, domain_lines, reason_lines
from widgets.guest_off import off_lines
from widgets.lines import DASH, Span, faded, fit

ALL = 99
"""Rows enough for all that keeps a guest from starting."""

GRAPH_ROWS = 6
"""The fewest rows of the graph, its heading and axis included."""


def zoomed_lines(
    state: GuestState, domain: Domain, space: Size, times: Times, glyphs: Glyphs = RICH
) -> GraphLines:
    """The lines of the guest on the whole screen: more than fit on a small one, which scrolls."""
    width, height = space
    driver = state.allowed.driver_version if state.allowed is not None else None
    details = guest_detail_lines(
        domain, width, devices=state.devices, functions=state.functions, driver=driver,
        glyphs=glyphs,
    )  # fmt: skip
    others = domain_lines(state.others, width, glyphs)
    below = [fit(row, width) for row in ((), *details, *([(), *others] if others else []))]
    seen = faded if state.stale else tuple[Span, ...]
    below = list(map(seen, below))
    if is_off(domain):
        alone = state.without_others()
        return GraphLines([*off_lines(alone, domain, Size(width, ALL), glyphs), *below])
    bars = bar_rows(domain, width, height, glyphs)
    told = [*cursor_lines(times, state.at, width, glyphs), *alert_lines(state, domain, width)]
    told += reason_lines(state, width)
    head = [*told, *map(seen, (*bars, rates_line(domain, width, glyphs)))]
    rows = max(GRAPH_ROWS, height - len(head) - len(below))
    sheets = [_cpu_sheet(state, domain)]
    graph = grid_lines(sheets, Size(width, rows), times, state.marks, glyphs, columns=1)
    lines = [*head, *map(seen, graph[:1]), *graph[1:], *below]
    return GraphLines(lines, range(len(head), len(head) + len(graph)))


def _cpu_sheet(state: GuestState, domain: Domain) -> Sheet:
    graph = Graph("cpu", state.series, 100.0, "100 %", "load")
    load = DASH if domain.cpu_pct is None else _percent(domain.cpu_pct)
    return Sheet(graph, "CPU", load, _percent)


def _percent(value: float) -> str:
    return f"{value:.0f} %"
