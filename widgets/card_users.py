"""Who uses a card: as a row, as names for the frame, or as a table."""

from __future__ import annotations

from rich.cells import cell_len

from tui.model import NOT_SEEN, GpuProcess
from widgets.card import Card
from widgets.lines import DASH, Line, Span, line, pad, width_of

USED = "Used  "


def users(card: Card) -> list[GpuProcess]:
    """The processes on the card, the largest first."""
    processes = card.reading.processes if card.reading else None
    seen = [process for process in processes or () if process.what != NOT_SEEN]
    return sorted(seen, key=lambda p: (-(p.memory_mib or 0), -(p.util_pct or 0)))


def used_line(card: Card, width: int) -> Line:
    """``Used  firefox 484 M  obs 404 M``; the last name may be cut."""
    parts: list[Span] = [Span(USED, "label")]
    for index, process in enumerate(users(card)):
        gap = "  " if index else ""
        room = width - width_of(parts) - len(gap)
        figure = _memory(process.memory_mib)
        whole = line(f"{gap}{process.name}", Span(f" {figure}" if figure else "", "label"))
        if width_of(whole) <= room + len(gap):
            parts += whole
            continue
        if cell_len(process.name) + 1 <= room:
            parts += [Span(f"{gap}{process.name}…")]
        break
    return tuple(parts)


def names_to_fit(card: Card, width: int) -> Line:
    """The names of the processes that fit, for the frame."""
    shown: list[str] = []
    for process in users(card):
        if cell_len(" ".join([*shown, process.name])) > width:
            break
        shown.append(process.name)
    return line(Span(" ".join(shown), "label")) if shown else ()


def used_table(card: Card, rows: int, width: int) -> list[Line]:
    """The processes as a table of at most ``rows`` lines, with its heading."""
    found = users(card)
    name = min(max(12, width - 40), 24)
    head = f"{'Used by':<{name}}{'PID':>7}{'VRAM':>8}{'load':>7}  what"
    lines = [line(Span(head, "label"))]
    room = rows - 1
    shown = found if len(found) <= room else found[: max(0, room - 1)]
    for process in shown:
        pid = DASH if process.pid is None else str(process.pid)
        load = DASH if process.util_pct is None else f"{process.util_pct:.0f} %"
        memory = _memory(process.memory_mib) or DASH
        lines.append(
            line(
                *pad(line(process.name), name - 1),
                " ",
                Span(f"{pid:>7}", "label"),
                Span(f"{memory:>8}{load:>7}", "strong"),
                Span(f"  {process.what}", "label"),
            )
        )
    if len(shown) < len(found):
        lines.append(line(Span(f"{len(found) - len(shown)} more", "label")))
    return lines[:rows]


def _memory(mib: float | None) -> str:
    if mib is None:
        return ""
    return f"{mib:.0f} M" if mib < 999.5 else f"{mib / 1024:.1f} G"
