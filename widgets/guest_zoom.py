"""The full-screen guest: its graphs over a chosen time, and everything that is known about it."""

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
from widgets.guest_memory import pages_line
from widgets.guest_off import off_lines
from widgets.lines import DASH, Line, Span, faded, fit, wrap
from widgets.vcpu_lines import foot_lines, row_lines
from widgets.wait_lines import WAIT_TOP_MS, WITH_WORST, wait_line, worst_line

ALL = 99
"""Enough rows for everything that keeps a guest from starting."""

GRAPH_ROWS = 5
"""Minimum rows of each graph, including its heading. They share an axis."""


def zoomed_lines(
    state: GuestState, domain: Domain, space: Size, times: Times, glyphs: Glyphs = RICH
) -> GraphLines:
    """The lines of the full-screen guest. A small screen scrolls, since not all of them fit."""
    width, height = space
    driver = state.allowed.driver_version if state.allowed is not None else None
    details = guest_detail_lines(
        domain, width, devices=state.devices, functions=state.functions, driver=driver,
        glyphs=glyphs,
    )  # fmt: skip
    others = domain_lines(state.others, width, glyphs)
    pages = () if is_off(domain) else pages_line(domain, width, glyphs)
    running = [*_vcpus(state, width, glyphs), *([pages] if pages else [])]
    parts = (running, details, others)
    below = [fit(row, width) for part in parts if part for row in ((), *part)]
    seen = faded if state.stale else tuple[Span, ...]
    below = list(map(seen, below))
    cursor = cursor_lines(times, state.at, width, glyphs)
    problem = wrap(times.problem, width, "label") if times.problem else []
    if is_off(domain):
        head = off_lines(state.without_others(), domain, Size(width, ALL), glyphs)
        if not _has_run(state):
            return GraphLines([*head, *below])
        head = [*cursor, *head, *problem, ()]
        waited = any(value is not None for value in state.wait)
    else:
        told = [*cursor, *alert_lines(state, domain, width), *reason_lines(state, width), *problem]
        bars = bar_rows(domain, width, height, glyphs)
        readings = [*bars, *_waits(state, width, glyphs), rates_line(domain, width, glyphs)]
        head, waited = [*told, *map(seen, readings)], state.cpus is not None
    sheets = [_cpu_sheet(state, domain), *([_wait_sheet(state)] if waited else [])]
    rows = max(1 + GRAPH_ROWS * len(sheets), height - len(head) - len(below))
    graph = grid_lines(sheets, Size(width, rows), times, state.marks, glyphs, columns=1)
    lines = [*head, *map(seen, graph[:1]), *graph[1:], *below]
    return GraphLines(lines, range(len(head), len(head) + len(graph)))


def _has_run(state: GuestState) -> bool:
    """Whether the graphs of a guest that is off show anything, or would over a longer span."""
    return bool(state.last_ran) or any(value is not None for value in (*state.series, *state.wait))


def _cpu_sheet(state: GuestState, domain: Domain) -> Sheet:
    graph = Graph("cpu", state.series, 100.0, "100 %", "load")
    load = DASH if domain.cpu_pct is None else _percent(domain.cpu_pct)
    return Sheet(graph, "CPU", load, _percent, extremes=state.extremes)


def _wait_sheet(state: GuestState) -> Sheet:
    graph = Graph("wait", state.wait, WAIT_TOP_MS, f"{WAIT_TOP_MS:.0f} ms", "heat")
    worst = state.cpus.worst if state.cpus else None
    wait = DASH if worst is None or worst.wait_ms is None else _ms(worst.wait_ms)
    return Sheet(graph, "Longest wait of a vCPU", wait, _ms, extremes=state.wait_extremes)


def _waits(state: GuestState, width: int, glyphs: Glyphs) -> list[Line]:
    """The longest wait now, and the worst of the last minute."""
    if state.cpus is None:
        return []
    worst = worst_line(state.worst_wait, width) if width < WITH_WORST else ()
    return [wait_line(state.cpus, state.worst_wait, width, glyphs), *([worst] if worst else [])]


def _vcpus(state: GuestState, width: int, glyphs: Glyphs) -> list[Line]:
    """A row for each vCPU."""
    if state.cpus is None:
        return []
    rows = row_lines(state.cpus, state.vcpu_waits, width, glyphs)
    return [*rows, *foot_lines(state.cpus, width, glyphs)]


def _ms(value: float) -> str:
    return f"{value:.0f} ms"


def _percent(value: float) -> str:
    return f"{value:.0f} %"
