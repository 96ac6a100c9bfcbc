"""The bars and rates of a running guest."""

from __future__ import annotations

from tui.model import Domain
from widgets.bars import bar, bar_line
from widgets.figures import rate, rates
from widgets.glyphs import Glyphs
from widgets.lines import DASH, Line, Span, joined_to_fit, line, pad, width_of

WIDE, FULL = 56, 100
"""Minimum width in cells for labels in full, and for two bars in a row."""

PAIR_HEAD = 12
"""Cells before each of two bars that share a row."""


def bar_rows(domain: Domain, width: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """Load and memory: a row each, or one row if the panel is wide or has only one row."""
    if rows <= 1 and width < FULL:
        return [_pair(domain, width, glyphs)]
    if width < FULL:
        return [_cpu_bar(domain, width, glyphs), _memory_bar(domain, width, glyphs)]
    half = (width - 2) // 2
    left = pad(_cpu_bar(domain, half, glyphs), half)
    return [(*left, Span("  "), *_memory_bar(domain, half, glyphs))]


def _columns(width: int) -> tuple[int, int]:
    """The widths of label and figure, and of the limit."""
    return (15, 9) if width >= WIDE else (14, 8) if width >= 40 else (13, 8)


def _cpu_bar(domain: Domain, width: int, glyphs: Glyphs) -> Line:
    head, tail = _columns(width)
    limit = DASH if domain.vcpus is None else f"{domain.vcpus} vCPU"
    return bar_line(
        "CPU", _percent(domain), _share(domain.cpu_pct, 100), limit, width,
        ramp="load", glyphs=glyphs, head=head, tail=tail,
    )  # fmt: skip


def _memory_bar(domain: Domain, width: int, glyphs: Glyphs) -> Line:
    head, tail = _columns(width)
    used, limit = domain.memory_used_mib, domain.memory_mib
    return bar_line(
        "Memory" if head >= 15 else "Mem", None if used is None else f"{gib(used)} GiB",
        _share(used, limit), DASH if limit is None else f"{gib(limit)} GiB", width,
        ramp="heat", glyphs=glyphs, head=head, tail=tail,
    )  # fmt: skip


def _pair(domain: Domain, width: int, glyphs: Glyphs) -> Line:
    """Load and memory in one row; only load if both do not fit."""
    used, room = domain.memory_used_mib, width - 2 * PAIR_HEAD - 1
    share = _share(domain.cpu_pct, 100)
    if room < 4:
        return (
            *_head("CPU", _percent(domain)),
            *bar(share, max(0, width - PAIR_HEAD), "load", glyphs),
        )
    figure = None if used is None else f"{gib(used)} G"
    return (
        *_head("CPU", _percent(domain)), *bar(share, room - room // 2, "load", glyphs), Span(" "),
        *_head("Mem", figure), *bar(_share(used, domain.memory_mib), room // 2, "heat", glyphs),
    )  # fmt: skip


def _head(label: str, figure: str | None) -> Line:
    """Label and figure of a bar without a limit."""
    shown = Span(f"{DASH:>6}", "dim") if figure is None else Span(f"{figure:>6}", "strong")
    return line(Span(f"{label:<5}", "label"), shown, " ")


def _percent(domain: Domain) -> str | None:
    return None if domain.cpu_pct is None else f"{min(domain.cpu_pct, 999):.0f} %"


def _share(value: float | None, limit: float | None) -> float | None:
    return value / limit if value is not None and limit else None


def gib(mib: float) -> str:
    """MiB in GiB, at most four cells: ``7.1``, ``128``."""
    value = mib / 1024
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def rates_line(domain: Domain, width: int, glyphs: Glyphs) -> Line:
    """Disk and network rates, in columns that stay in place whatever the values."""
    read, write = domain.disk_read_bps, domain.disk_write_bps
    came, went = domain.net_rx_bps, domain.net_tx_bps
    if width >= 67:
        return line(
            Span("Disk   read ", "label"), f"{rate(read):<8}", Span(" write ", "label"),
            f"{rate(write):<8}", Span("    Net in ", "label"), f"{rate(came):<8}",
            Span(" out ", "label"), rate(went),
        )  # fmt: skip
    if width >= WIDE:
        return line(
            Span("Disk   r ", "label"), f"{rate(read):<8}", Span("  w ", "label"),
            f"{rate(write):<8}", Span(f"  Net {glyphs.incoming} ", "label"), f"{rate(came):<8}",
            Span(f" {glyphs.outgoing} ", "label"), rate(went),
        )  # fmt: skip
    disk = _two("Disk r", read, " w", write, 18)
    net = _two(f"Net {glyphs.incoming}", came, f" {glyphs.outgoing}", went, 16)
    return joined_to_fit([disk if width < 36 else pad(disk, 18), net], width)


def _two(one: str, first: float | None, other: str, second: float | None, room: int) -> Line:
    """Two rates in one unit; without its ``/s`` if it does not fit into ``room`` cells."""
    a, b, unit = rates(first, second)
    if first is None and second is None:
        return line(Span(one, "label"), a, Span(other, "label"), b)
    found = line(Span(one, "label"), a, Span(other, "label"), b, Span(f" {unit}/s", "label"))
    return found if width_of(found) <= room else (*found[:-1], Span(f" {unit}", "label"))
