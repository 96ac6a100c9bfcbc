"""A running guest, as the lines of its panel.

Rows keep their place: load, memory, wait, rates, host devices, graph, vCPUs, other domains. What
does not fit is left out, never cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual.geometry import Size

from tui.model import Domain, GuestDevice, Verdict
from widgets.blocks import Ranked, fitted
from widgets.device_names import device_name, part_name
from widgets.figures import short
from widgets.glyphs import RICH, Glyphs
from widgets.graph import Graph, axis_line, graph_lines, short_graph_lines
from widgets.guest import GuestState, state_span
from widgets.guest_bars import WIDE, bar_rows, gib, rates_line
from widgets.guest_memory import pages_line
from widgets.lines import (
    Line,
    Span,
    Tone,
    faded,
    fit,
    join,
    joined_to_fit,
    line,
    pad,
    width_of,
    wrap,
)
from widgets.vcpu_lines import vcpu_lines
from widgets.wait_lines import WITH_WORST, wait_line, worst_line

GRAPH_LABEL = 6

AXIS_ROWS = 4
"""Minimum rows, including the axis, for a graph with an axis."""

GRAPH_LEAST = 5
"""Rows that the graph keeps; the others go to the vCPUs."""

DEVICE_TONES: dict[Verdict, Tone] = {
    "fail": "bad", "unknown": "warn", "warn": "warn", "pass": "text",
}  # fmt: skip
"""Worst first: the line may be too short for all of them."""

SILENT_AGENT = "The agent does not answer: load and memory are the host's view."


def running_lines(
    state: GuestState, domain: Domain, space: Size, glyphs: Glyphs = RICH
) -> list[Line]:
    """The lines of a guest that currently has its devices."""
    width, height = space
    alerts = alert_lines(state, domain, width, height)
    cpus = state.cpus
    waits = [wait_line(cpus, state.worst_wait, width, glyphs)] if cpus else []
    worst = [worst_line(state.worst_wait, width)] if cpus and width < WITH_WORST else []
    left = height - len(alerts)
    bars = bar_rows(domain, width, left - len(waits) if left <= 2 else left, glyphs)
    silent = wrap(SILENT_AGENT, width, "label") if domain.agent is False else []
    forbids = any(device.verdict == "fail" for device in state.devices)
    others = [others_line(state.others, width, glyphs)] if state.others else []
    pages = pages_line(domain, width, glyphs)
    *above, graph, memory, below = fitted(
        [
            Ranked(1, alerts),
            Ranked(1, reason_lines(state, width)),
            Ranked(0, bars),
            Ranked(1, waits),
            Ranked(5, [row for row in worst if row]),
            Ranked(3, [rates_line(domain, width, glyphs)]),
            Ranked(2 if forbids else 6, [devices_line(state, domain, width)]),
            Ranked(7, silent),
            Ranked(4, [(), ()]),
            Ranked(6, [pages] if pages else []),
            Ranked(5, others),
        ],
        height,
    )
    told, why, *rest = above
    below = [*memory, *below]
    readings = [row for rows in rest for row in rows]
    if state.stale:
        readings, below = [faded(row) for row in readings], [faded(row) for row in below]
    head = [*told, *why, *readings]
    rows = height - len(head) - len(below) if graph else 0
    table: list[Line] = []
    if cpus and rows > GRAPH_LEAST:
        table = vcpu_lines(cpus, state.vcpu_waits, width, rows - GRAPH_LEAST, glyphs)
        rows -= len(table)
    if state.stale:
        table = [faded(row) for row in table]
    return [*head, *cpu_graph(state, rows, width, glyphs), *table, *below]


def alert_lines(
    state: GuestState, domain: Domain | None, width: int, height: int | None = None
) -> list[Line]:
    """Why the panel is out of date or incomplete, for a panel of ``height`` rows. A single row is
    left to the values; the panel's rule says that they are old."""
    lines: list[Line] = []
    if state.problem is not None:
        lines += wrap(problem_text(state), width, "warn")
        if state.stale and state.silent and height is not None and len(lines) > height // 3:
            brief = f"No answer for {state.silent}; shown as of then."
            lines = wrap(brief, width, "warn") if height > 1 else []
    if domain is not None and domain.problem is not None:
        lines += wrap(domain.problem, width, "warn")
    return lines


def reason_lines(state: GuestState, width: int) -> list[Line]:
    """Why libvirt cannot be read; goes below the line that says for how long."""
    if state.problem is None or not state.silent or state.hung:
        return []
    return wrap(f"libvirt: {state.problem}", width, "warn")


def problem_text(state: GuestState) -> str:
    """How long libvirt has not answered, or why it cannot be read."""
    if state.silent:
        stale = " What is shown is from then." if state.stale else ""
        return f"libvirt has not answered for {state.silent}.{stale}"
    return f"libvirt: {state.problem}"


# --- devices ---


def devices_line(state: GuestState, domain: Domain, width: int) -> Line:
    """The PCI functions that are passed to a domain; those with a problem come first."""
    label = Span(f"{'PCI':<7}" if width >= WIDE else "PCI  ", "label")
    room = width - width_of([label])
    bad = [
        line(Span(f"{short(each.address)} {each.short}", DEVICE_TONES[each.verdict]))
        for each in judged(state.devices)
    ]
    rest = [
        a for a in domain.addresses if a not in {each.address for each in judged(state.devices)}
    ]
    named = [line(f"{short(a)} ", Span(name_in(state, a), "label")) for a in rest]
    items = [*bad, *named]
    if width_of(join(items)) > room:
        items = [*bad, *(line(short(a)) for a in rest)]
    if not items:
        return line(label, Span("none", "label"))
    return line(label, *(_with_rest(items, len(items), room, "  ", "+{}") or fit(items[0], room)))


def _with_rest(items: Iterable[Line], count: int, width: int, gap: str, rest: str) -> Line:
    """The items that fit into ``width``, and how many of the ``count`` do not."""
    first: list[Line] = []
    room = width + len(gap)
    for item in items:
        room -= width_of(item) + len(gap)
        if room < 0:
            break
        first.append(item)
    for kept in range(len(first), 0, -1):
        more = count - kept
        tail = [line(Span(rest.format(more), "label"))] if more else []
        shown = join([*first[:kept], *tail], gap)
        if width_of(shown) <= width:
            return shown
    return ()


def judged(devices: Sequence[GuestDevice]) -> list[GuestDevice]:
    """The devices with a verdict other than pass, the worst first."""
    order = list(DEVICE_TONES)
    return sorted((d for d in devices if d.short), key=lambda d: order.index(d.verdict))


def name_in(state: GuestState, address: str) -> str:
    """The short name of a function passed to the guest; for a companion of its card, its kind."""
    function = state.functions.get(address)
    if function is None:
        return ""
    if state.gpu is not None and function in state.gpu.companions:
        return part_name(function)
    return device_name(function)


# --- the graph and the others ---


def cpu_graph(state: GuestState, rows: int, width: int, glyphs: Glyphs) -> list[Line]:
    """The guest's load in ``rows`` rows."""
    graph = Graph("cpu", state.series, 100.0, "100 %", "load")
    if rows < AXIS_ROWS:
        return short_graph_lines(graph, rows, width, glyphs, label=GRAPH_LABEL)
    axis = axis_line(width, state.marks, glyphs, label=GRAPH_LABEL)
    return [*graph_lines(graph, rows - 1, width, glyphs, label=GRAPH_LABEL), axis]


def others_line(domains: Sequence[Domain], width: int, glyphs: Glyphs) -> Line:
    """The other domains in one row, with a count of those that do not fit."""
    others = (_other(domain, glyphs) for domain in domains)
    shown = _with_rest(others, len(domains), width, "   ", "{} more")
    return shown or fit(line(Span(f"{len(domains)} other domains", "label")), width)


def _other(domain: Domain, glyphs: Glyphs) -> Line:
    state = state_span(domain, glyphs)
    sign = Span(state.text.split()[0], state.tone)
    load = f" {domain.cpu_pct:.0f} %" if domain.active and domain.cpu_pct is not None else ""
    return line(sign, f" {domain.name}", Span(load, "label"))


def domain_lines(domains: Sequence[Domain], width: int, glyphs: Glyphs) -> list[Line]:
    """The other domains, one line each: name, state, vCPUs and memory."""
    column = max((cell_len(domain.name) for domain in domains), default=0) + 2
    rows = []
    for domain in domains:
        sign, _, word = state_span(domain, glyphs).text.partition(" ")
        tone = state_span(domain, glyphs).tone
        memory = f"{gib(domain.memory_mib)} GiB" if domain.memory_mib is not None else ""
        vcpus = f"{domain.vcpus} vCPU" if domain.vcpus is not None else ""
        name = pad(line(Span(sign, tone), f" {domain.name}"), min(column + 2, max(0, width - 13)))
        size = f"{vcpus:<9}{memory}".rstrip()
        told = line(Span(word, tone))
        if size and width_of(name) + 13 + len(size) <= width:
            told = line(Span(f"{word:<13}", tone), Span(size, "label"))
        rows.append(joined_to_fit([name, told], width, ""))
    return rows
