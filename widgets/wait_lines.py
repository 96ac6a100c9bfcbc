"""The longest wait of a guest's vCPUs in a line: now, and in the last minute."""

from __future__ import annotations

from tui.model import CLOCK, WAIT_HIGH_MS, WAIT_LOW_MS, GuestCpus, Wait
from widgets.bars import bar_line
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, Tone, line, pad, width_of

WAIT_TOP_MS = 40.0
"""The top of every scale of waits, in milliseconds per second: twice what makes an event."""

WITH_WORST, WORST = 68, 34
"""Minimum width in cells to show the worst wait beside the current one, and the width of that: with
two digits for the vCPU and up to 1000 ms."""


def wait_line(cpus: GuestCpus, worst: Wait | None, width: int, glyphs: Glyphs = RICH) -> Line:
    """The vCPU that waits most now: ``Wait      12 ms ■■■■······ vCPU 5 !``.

    Where there is room, with the worst wait of the last minute.
    """
    head, tail = (15, 9) if width >= 56 else (14, 8) if width >= 40 else (13, 8)
    now = cpus.worst
    told = pad(worst_line(worst), WORST) if width >= WITH_WORST else ()
    room = width - (width_of(told) + 2 if told else 0)
    ms = round(now.wait_ms or 0) if now is not None else None
    waits = now is not None and (now.wait_ms or 0) >= WAIT_LOW_MS
    # Which vCPU has a short wait is chance, and changes with every reading.
    limit = f"vCPU {now.number} {glyphs.warned}" if now is not None and waits else ""
    drawn = bar_line(
        "Wait", None if ms is None else f"{ms} ms", None if ms is None else ms / WAIT_TOP_MS,
        limit, room, ramp="heat", glyphs=glyphs, head=head, tail=max(tail, len(limit)),
    )  # fmt: skip
    return (*pad(drawn, room), Span("  "), *told) if told else drawn


def worst_line(worst: Wait | None, width: int = WORST) -> Line:
    """``vCPU 3 waited 41 ms at 21:14:07``; empty if no wait of the last minute was long enough."""
    if worst is None or worst.ms < WAIT_LOW_MS:
        return ()
    waited = " waited" if width >= WORST else ""
    return line(
        Span(f"vCPU {worst.vcpu}{waited} ", "label"),
        Span(f"{worst.ms:.0f} ms", wait_tone(worst.ms)),
        Span(f" at {CLOCK.time_of_day(worst.at)}", "label"),
    )  # fmt: skip


def wait_tone(ms: float | None) -> Tone:
    """The tone of a wait."""
    if ms is None:
        return "dim"
    return "bad" if ms > WAIT_HIGH_MS else "warn" if ms >= WAIT_LOW_MS else "text"
