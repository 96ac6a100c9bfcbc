"""Whether a card can go to a guest, and what blocks it, in a few lines of a panel."""

from __future__ import annotations

from tui.model import Gpu, listed
from widgets.figures import short
from widgets.lines import Line, Span, Tone, line, wrap

LABEL = 6
"""Cells of a label in a GPU's panel."""


def viability_lines(gpu: Gpu, width: int, rows: int) -> list[Line]:
    """Whether the guest GPU is viable; nothing for other GPUs.

    Blockers are named with their reasons if that fits in ``rows``, else by address, else
    counted.
    """
    if gpu.role != "guest":
        return []
    if gpu.half_bound:
        return [line(Span("half bound: b finishes it, u undoes it", "warn"))]
    group = gpu.function.iommu_group
    label = Span(f"{'IOMMU':<{LABEL}}", "label")
    where = "no group" if group is None else f"group {group}"
    viability = gpu.viability
    if viability.for_guest:
        moves = len(viability.moves)
        moving = "1 function moves" if moves == 1 else f"{moves} functions move"
        moved = listed([short(address) for address in viability.moved_at_start])
        text = f"{where}, viable: {moving}; the guest's start moves {moved}"
        if moved and len(lines := _labelled(label, text, width, "good")) <= max(rows, 1):
            return lines
        return [line(label, f"{where}, ", Span(f"viable: {moving}", "good"))]
    tone: Tone = "warn" if viability.viable is None else "bad"
    word = "unknown" if viability.viable is None else "not viable"
    reasons = listed([f"{short(b.address)} is {b.reason}" for b in viability.staying])
    lines = _labelled(label, f"{where}, {word}: {reasons or viability.reason or ''}", width, tone)
    if reasons and len(lines) > rows:
        addresses = listed([short(b.address) for b in viability.staying])
        lines = _labelled(label, f"{where}, blocked by {addresses}", width, tone)
    if reasons and len(lines) > max(rows, 1):
        count = len(viability.staying)
        blocked = f"blocked by {count} device{'s' if count > 1 else ''}"
        lines = [line(label, f"{where}, ", Span(blocked, tone))]
    return lines


def _labelled(label: Span, text: str, width: int, tone: Tone) -> list[Line]:
    """A label and its text, which wraps in its own column."""
    lines = wrap(text, max(width - LABEL, 8), tone)
    return [line(label if index == 0 else " " * LABEL, *row) for index, row in enumerate(lines)]
