"""The vCPUs of a guest in lines: load, core, wait, and who else is on the core."""

from __future__ import annotations

from collections.abc import Sequence

from tui.model import (
    WAIT_LOW_MS,
    CpuUser,
    GuestCpu,
    GuestCpus,
    QemuLoad,
    cpu_list,
)
from widgets.bars import bar
from widgets.glyphs import RICH, Glyphs
from widgets.graph import Series, bars_of
from widgets.lines import (
    DASH,
    Line,
    Span,
    Tone,
    fit,
    join,
    joined_to_fit,
    line,
    pad,
    ramp_tone,
    width_of,
)
from widgets.wait_lines import WAIT_TOP_MS, wait_tone

FIXED = 22
"""Width of a vCPU's row without its bar, in cells."""

ENTRY, GAP = 31, 2
"""Minimum width of a vCPU's entry beside others, and the spaces between two."""

GRAPHED = 52
"""Minimum width in cells for a graph in each row."""

WORDED, ASLEEP, PINNED, WORDS = 92, 8, 9, 26
"""Minimum width in cells for how long each vCPU slept, what it is pinned to and who else is on its
core, then the width of each of these."""

FOLDED = 3
"""How many vCPUs are listed if there is no room for all."""

USERS: dict[CpuUser, tuple[str, str, Tone]] = {
    "host": ("host", "host work", "bad"),
    "emulator": ("emulator", "emulator or IO thread", "warn"),
    "sibling": ("sibling", "sibling busy", "warn"),
    "steal": ("virtual host", "this host waits, being a guest", "warn"),
}
"""Who else is on a core: a word, whose first letter follows the core's number, what it means, and
the tone of both."""


def vcpu_lines(
    cpus: GuestCpus, waits: Sequence[Series], width: int, rows: int, glyphs: Glyphs = RICH
) -> list[Line]:
    """The vCPUs in at most ``rows`` lines, including the foot; none if not even the vCPUs that wait
    most fit. ``waits`` are the past waits of each, in the order of ``cpus``."""
    foot = foot_lines(cpus, width, glyphs)
    drawn = row_lines(cpus, waits, width, glyphs)
    columns = max(1, (width + GAP) // (ENTRY + GAP))
    if len(drawn) + len(foot) > rows and columns > 1:
        drawn = _columns(cpus.cpus, width, columns, glyphs)
    if len(drawn) + len(foot) > rows:
        drawn = _folded(cpus.cpus, width, glyphs)
    return [*drawn, *foot] if len(drawn) + len(foot) <= rows else []


def row_lines(
    cpus: GuestCpus, waits: Sequence[Series], width: int, glyphs: Glyphs = RICH
) -> list[Line]:
    """A row for each vCPU; if there is room, with the graph of its wait, what it is pinned to and
    who else is on its core."""
    words = ASLEEP + PINNED + WORDS if width >= WORDED else 0
    entry = min(ENTRY, width) if width >= GRAPHED else width
    graph = max(0, width - words - entry - GAP) if width >= GRAPHED else 0
    title = "wait, ms per second" if graph >= 20 else ""
    heading = line(
        *pad(_heading(entry), entry + (GAP if graph else 0)),
        Span(f"{title:<{graph}}", "label"),
        Span(
            f"{'asleep':>{ASLEEP}}{'  pinned':<{PINNED}}  also on the core" if words else "",
            "label",
        ),
    )
    rows = []
    for index, cpu in enumerate(cpus.cpus):
        drawn = _entry(cpu, entry, glyphs)
        if graph:
            series = waits[index] if index < len(waits) else ()
            drawn = (*pad(drawn, entry + GAP), *_graph(series, graph, glyphs))
        rows.append((*drawn, *_words(cpu)) if words else drawn)
    return [heading, *rows]


def _words(cpu: GuestCpu) -> Line:
    """How long a vCPU slept, what it is pinned to, and who else is on its core."""
    asleep = DASH if cpu.asleep_pct is None else f"{cpu.asleep_pct:.0f} %"
    pinned = DASH if cpu.pinned is None else cpu_list(cpu.pinned)
    return line(
        Span(f"{asleep:>{ASLEEP}}", "dim" if cpu.asleep_pct is None else "text"),
        *pad(line("  ", Span(pinned, "label")), PINNED), Span("  "), *fit(_users(cpu), WORDS - 2),
    )  # fmt: skip


def _heading(width: int) -> Line:
    left, right = "vCPU load", "core  wait "
    return line(Span(f"{left}{right:>{max(0, width - len(left))}}", "label"))


def _entry(cpu: GuestCpu, width: int, glyphs: Glyphs) -> Line:
    """``  5  97 % ■■■■■■■■■■   26h   12!``"""
    load, wait = cpu.load_pct, cpu.wait_ms
    figure = f"{DASH:>5}" if load is None else f"{load:>3.0f} %"
    waited = f"{DASH:>4}" if wait is None else f"{wait:>4.0f}"
    return line(
        Span(f"{cpu.number:>3} ", "label"), Span(figure, "dim" if load is None else "strong"), " ",
        *bar(None if load is None else load / 100, max(0, width - FIXED), "load", glyphs),
        " ", *_core(cpu), " ", Span(waited, wait_tone(wait)),
        Span(glyphs.warned if (wait or 0) >= WAIT_LOW_MS else " ", wait_tone(wait)),
    )  # fmt: skip


def _core(cpu: GuestCpu) -> Line:
    """The core's number, and the letter of who else is on it."""
    if cpu.cpu is None:
        return line(Span(f"{DASH:>4} ", "dim"))
    if not cpu.shared_with:
        tone: Tone = "text" if cpu.shared_with is not None else "dim"
        return line(Span(f"{cpu.cpu:>4} ", tone))
    word, _, tone = USERS[cpu.shared_with[0]]
    return line(Span(f"{cpu.cpu:>4}{word[0].lower()}", tone))


def _users(cpu: GuestCpu) -> Line:
    """Who else is on a vCPU's core; ``nobody`` only if that was measured."""
    if cpu.shared_with is None:
        return line(Span(DASH, "dim"))
    if not cpu.shared_with:
        return line(Span("nobody", "label"))
    parts = []
    for user in cpu.shared_with:
        word, _, tone = USERS[user]
        share = f" {cpu.host_pct:.0f} %" if user == "host" and cpu.host_pct is not None else ""
        parts += [Span(", ", "label"), Span(f"{word}{share}", tone)]
    return tuple(parts[1:])


def _graph(series: Series, width: int, glyphs: Glyphs) -> Line:
    """One row of past waits, in the tone of the longest one shown."""
    [drawn] = bars_of(series, WAIT_TOP_MS, 1, width, glyphs)
    shown = [value for value in series[-2 * width :] if value is not None]
    return line(Span(drawn, ramp_tone("heat", max(shown, default=0.0) / WAIT_TOP_MS)))


def _columns(cpus: Sequence[GuestCpu], width: int, columns: int, glyphs: Glyphs) -> list[Line]:
    """The vCPUs in columns, in order down each column."""
    columns = min(columns, max(1, len(cpus)))
    room = (width - GAP * (columns - 1)) // columns
    height = -(-len(cpus) // columns)
    drawn = [_entry(cpu, room, glyphs) for cpu in cpus]
    parts = [drawn[start : start + height] for start in range(0, len(drawn), height)]
    rows = [
        _beside([part[row] for part in parts if row < len(part)], room) for row in range(height)
    ]
    return [_beside([_heading(room)] * len(parts), room), *rows]


def _beside(parts: Sequence[Line], room: int) -> Line:
    joined: list[Span] = []
    for part in parts[:-1]:
        joined += [*pad(part, room), Span(" " * GAP)]
    return (*joined, *parts[-1])


def _folded(cpus: Sequence[GuestCpu], width: int, glyphs: Glyphs) -> list[Line]:
    """One sign for each vCPU, then the ones that wait most, and how many are not listed."""
    worst = sorted(cpus, key=lambda cpu: (-round(cpu.wait_ms or 0), cpu.number))[:FOLDED]
    written = [_entry(cpu, min(width, ENTRY), glyphs) for cpu in worst]
    more = len(cpus) - len(written)
    note = f"{more} more vCPU{'s' if more > 1 else ''} not listed"
    per_row = max(1, width - 5)
    strips = [
        line(
            Span("vCPU " if not start else "     ", "label"),
            *(_sign(cpu, glyphs) for cpu in cpus[start : start + per_row]),
        )
        for start in range(0, len(cpus), per_row)
    ]
    tail = [line(Span(note, "label"))] if more > 0 else []
    return [*strips, _heading(min(width, ENTRY)), *written, *tail]


def _sign(cpu: GuestCpu, glyphs: Glyphs) -> Span:
    if (cpu.wait_ms or 0.0) >= WAIT_LOW_MS:
        return Span(glyphs.warned, wait_tone(cpu.wait_ms))
    if cpu.load_pct is None:
        return Span(glyphs.rest, "track")
    return Span(glyphs.filled, ramp_tone("load", cpu.load_pct / 100))


# --- below the table ---


def foot_lines(cpus: GuestCpus, width: int, glyphs: Glyphs = RICH) -> list[Line]:
    """QEMU's other threads and the host on the guest's cores; what the letters mean."""
    if cpus.problem is not None:
        found = [line(Span(f"Cores unknown: {cpus.problem}", "label"))]
        return [fit(row, width) for row in (*found, *_unread(cpus))]
    host: Line = ()
    if cpus.host_pct is not None:
        shared = any("host" in (cpu.shared_with or ()) for cpu in cpus.cpus)
        sign = Span(f" {glyphs.warned}", "warn") if shared else Span("")
        figure = Span(f"{cpus.host_pct:.0f} %", "strong")
        host = line(Span("Host on guest cores ", "label"), figure, sign)
    wanted = [_qemu("Emulator", cpus.emulator), _qemu("IO", cpus.io), host]
    if width_of(join(wanted, "   ")) > width:
        wanted = [host, *wanted[:-1]]
    found = [joined_to_fit(wanted, width, "   "), joined_to_fit(_legend(cpus), width, "  ")]
    return [row for row in (*found, *_unread(cpus)) if row]


def _qemu(label: str, load: QemuLoad | None) -> Line:
    if load is None or load.load_pct is None:
        return ()
    place = f" on {cpu_list(load.cpus)}" if load.cpus else ""
    return line(
        Span(f"{label} ", "label"), Span(f"{load.load_pct:.0f} %", "strong"), Span(place, "text")
    )


def _legend(cpus: GuestCpus) -> list[Line]:
    """What the letters in the table mean."""
    seen = {cpu.shared_with[0] for cpu in cpus.cpus if cpu.shared_with}
    return [
        line(Span(f"{word[0].lower()} ", tone), Span(meaning, "label"))
        for user, (word, meaning, tone) in USERS.items()
        if user in seen
    ]


def _unread(cpus: GuestCpus) -> list[Line]:
    return [line(Span(f"{cpus.unread} more vCPUs are not read", "label"))] if cpus.unread else []
