"""The facts of a plan as lines: what moves, what stays, who uses it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from tui.model import Check, Holder
from widgets.check_lines import NARROW, arrow_lines
from widgets.figures import short
from widgets.glyphs import Glyphs
from widgets.lines import DASH, Line, Span, Tone, line, pad, wrap
from widgets.plan_page import Mover, PlanPage, Stayer, mark_span

LABEL, SHORT_LABEL = 9, 5
"""Width of the labels in cells, and on a narrow screen."""

SHORT = {"Moves": "Move", "Stays": "Stay", "In use": "Used"}

PLACE, NAME = 7, 8
"""Minimum width of an address, and of the name of a device."""

HOLDERS = "holders"
"""The check that is drawn together with the processes it found."""


def label_width(width: int) -> int:
    """Width of the labels in lines of ``width`` cells."""
    return SHORT_LABEL if width < NARROW else LABEL


def labelled(label: str, rows: Sequence[Line], width: int) -> list[Line]:
    """The rows in the column of values, with the label before the first."""
    cells = label_width(width)
    label = SHORT.get(label, label) if width < NARROW else label
    first, others = line(Span(f"{label:<{cells}}", "label")), line(" " * cells)
    return [(*(others if number else first), *row) for number, row in enumerate(rows)]


def mover_lines(page: PlanPage, width: int, glyphs: Glyphs) -> list[Line]:
    """A row for each function that moves: ``nvidia → vfio-pci``, and a sign for its progress. On a
    narrow screen the sign replaces the arrow."""
    before = widest(row.before for row in page.movers)
    after = widest(row.after for row in page.movers)
    narrow = width < NARROW
    gap = " " if narrow else "  "
    # Room for the sign is reserved from the start, so that nothing moves when it appears.
    more = before + after + (4 if narrow else 9)

    def move(row: Mover) -> Line:
        if row.before == row.after:
            return line(f"{row.before:<{before}}{gap}", Span("stays there", "label"))
        mark = mark_span(row.mark, glyphs) if row.mark else Span("")
        arrow = mark if narrow and row.mark else Span(glyphs.changed, "label")
        after_it = () if narrow else (Span(gap), mark)
        return line(f"{row.before:<{before}}{gap}", arrow, " ",
                    Span(f"{row.after:<{after}}", "strong"), *after_it)  # fmt: skip

    cells = [(row.address, row.name, move(row)) for row in page.movers]
    return labelled("Moves", _table(page, cells, width, more), width)


def stayer_lines(page: PlanPage, width: int) -> list[Line]:
    """A row for each card that stays, with what the host uses it for."""
    cells = [(row.address, row.name, line(row.why)) for row in page.stayers]
    more = widest(row.why for row in page.stayers)
    return labelled("Stays", _table(page, cells, width, more), width)


def _table(
    page: PlanPage, cells: Sequence[tuple[str, str, Line]], width: int, more: int
) -> list[Line]:
    """Rows of address, name and a third part of at most ``more`` cells."""
    room = width - label_width(width) - more
    names = widest([*(row.name for row in page.movers), *(row.name for row in page.stayers)])
    return device_rows(cells, width, min(names, room - PLACE - 4))


def device_rows(
    cells: Sequence[tuple[str, str, Line]], width: int, names: int, before: str = ""
) -> list[Line]:
    """Rows of address, name and a third part. Names have ``names`` cells; if that is too few, and
    on a narrow screen, they are left out."""
    gap = " " if width < NARROW else "  "
    places = max(PLACE, widest(short(address) for address, _, _ in cells))
    named = names >= NAME and width >= NARROW
    return [
        line(
            f"{before}{short(address):<{places}}{gap}",
            *((*pad(line(name), names), Span(gap)) if named else ()),
            *rest,
        )
        for address, name, rest in cells
    ]


def user_lines(page: PlanPage, width: int, glyphs: Glyphs) -> list[Line]:
    """Who keeps the functions from moving, each with how to stop it."""
    check = next((each for each in page.checks if each.id == HOLDERS), None)
    room = width - label_width(width)
    tone: Tone = "warn" if check is not None and check.verdict != "fail" else "bad"
    rows: list[Line] = []
    for holder, what in _merged(each for each in page.holders if not each.ours):
        rows += wrap(f"by {_who(holder)}, which holds {', '.join(what)}", room, tone)
        rows += _more(holder, room)
        rows += arrow_lines(holder.stop, room, glyphs) if holder.stop else []
    readers = _merged(each for each in page.holders if each.ours)
    for reader, _ in readers:
        words = f"by {_who(reader)}, vfiotop's NVML reader: it exits on its own"
        rows += wrap(words, room, "dim")
    if not rows and check is not None:
        rows += _nobody(check, room, glyphs)
    return labelled("In use", rows, width)


def _nobody(check: Check, room: int, glyphs: Glyphs) -> list[Line]:
    if check.verdict == "pass":
        return wrap(check.why.removeprefix("in use "), room)
    return [line(mark_span("unknown", glyphs, " cannot tell"))]


def _more(holder: Holder, room: int) -> list[Line]:
    rows: list[Line] = []
    for name, value in (("unit", holder.unit), ("command", holder.command)):
        if value:
            first, *rest = wrap(value, room - 9, "dim") or [()]
            rows.append(line(Span(f"{name:<9}", "label"), *first))
            rows += [line(" " * 9, *row) for row in rest]
    return rows


def _merged(holders: Iterable[Holder]) -> list[tuple[Holder, list[str]]]:
    """Each process once, with everything that it holds."""
    found: dict[tuple[int | None, str], tuple[Holder, list[str]]] = {}
    for holder in holders:
        found.setdefault((holder.pid, holder.name), (holder, []))[1].append(holder.what)
    return list(found.values())


def _who(holder: Holder) -> str:
    known = [str(each) for each in (holder.pid, holder.user) if each is not None]
    return f"{holder.name} ({', '.join(known) or DASH})"


def blocker_lines(blockers: Sequence[Stayer], width: int) -> list[Line]:
    """A row for each function that blocks the card's group, with its reason."""
    indent = 2 if width < NARROW else LABEL
    room = width - indent - widest(each.why for each in blockers)
    names = min(widest(each.name for each in blockers), room - PLACE - 4)
    cells = [(each.address, each.name, line(Span(each.why, "label"))) for each in blockers]
    return device_rows(cells, width, names, " " * indent)


def widest(texts: Iterable[str]) -> int:
    """The width of the widest text in cells."""
    return max(map(cell_len, texts), default=0)
