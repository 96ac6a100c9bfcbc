"""Whether a card can be given to a guest, and what keeps it from that, in a panel's few lines."""

from __future__ import annotations

from tui.model import Gpu, listed
from widgets.figures import short
from widgets.lines import Line, Span, Tone, line, wrap

LABEL = 6
"""Cells of a label in a GPU's panel."""


def viability_lines(gpu: Gpu, width: int, rows: int) -> list[Line]:
    """Whether the guest GPU can be given to a guest. What blocks it is named with its reason
    where that fits in ``rows``, else by address, else counted."""
    if gpu.role != "guest":
        return []
    if gpu.half_bound:
        return [line(Span("half bound: b finishes it, u takes it back", "warn"))]
    group = gpu.function.iommu_group
    label = Span(f"{'IOMMU':<{LABEL}}", "label")
    where = "no group" if group is None else f"group {group}"
    viability = gpu.viability
    if viability.viable:
        moves = len(viability.moves)
        functions = "function" if moves == 1 else "functions"
        return [line(label, f"{where}, ", Span(f"viable: {moves} {functions} move", "good"))]
    tone: Tone = "warn" if viability.viable is None else "bad"
    word = "unknown" if viability.viable is None else "not viable"
    reasons = listed([f"{short(b.address)} is {b.reason}" for b in viability.blockers])
    told = _under(label, f"{where}, {word}: {reasons or viability.reason or ''}", width, tone)
    if reasons and len(told) > rows:
        addresses = listed([short(b.address) for b in viability.blockers])
        told = _under(label, f"{where}, blocked by {addresses}", width, tone)
    if reasons and len(told) > max(rows, 1):
        count = len(viability.blockers)
        blocked = f"blocked by {count} device{'s' if count > 1 else ''}"
        told = [line(label, f"{where}, ", Span(blocked, tone))]
    return told


def _under(label: Span, text: str, width: int, tone: Tone) -> list[Line]:
    """A label and its text, which wraps beneath itself."""
    lines = wrap(text, max(width - LABEL, 8), tone)
    return [line(label if index == 0 else " " * LABEL, *row) for index, row in enumerate(lines)]
