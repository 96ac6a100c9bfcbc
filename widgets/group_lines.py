"""The interesting IOMMU groups, one line each, and what blocks the guest GPU's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual.geometry import Size

from tui.model import Gpu, Group, HostView, Notable, PciFunction, Role, driver_side
from widgets.device_names import device_name, kind_of, part_name
from widgets.figures import model_name, short
from widgets.glyphs import RICH, Glyphs
from widgets.lines import DASH, Line, Span, Tone, fit, line, pad, spread, width_of

FULL = 60
"""Minimum width in cells for full names, and for companions with their addresses."""

TAIL_ROWS = 5
"""Minimum rows for a last one that counts the groups not shown."""

DRIVER, SHORT_DRIVER = 16, 8
"""Maximum width of a driver's name, and the width that it keeps when device names need room."""

NAME, SHORT_NAME = 9, 18
"""Width of a device's name below which a column is dropped, and from which the driver's name is
not cut for it."""

COMPANION = 13
"""Maximum width of a companion, such as ``01:00.1 audio``."""

ROLES: dict[Role, tuple[str, Tone]] = {
    "guest": ("guest GPU", "guest-gpu"), "host": ("host GPU", "host-gpu"), "other": ("GPU", "text"),
}  # fmt: skip
"""What a GPU is for, and its tone."""


BAD_MARKS = ("blocks", "unknown")


class Row(NamedTuple):
    """A line, and the address of the function that it is about."""

    address: str | None
    line: Line


class Shown(NamedTuple):
    """The rows that fit, and how many groups are left out. ``told``: a row says so."""

    rows: list[Row]
    hidden: int
    told: bool


class _Cells(NamedTuple):
    """The cells of one group's line."""

    address: str
    number: str
    sign: Span
    name: Span
    place: str
    driver: Span


def group_rows(
    view: HostView,
    notable: Sequence[Notable],
    space: Size,
    glyphs: Glyphs = RICH,
    *,
    flash: bool = False,
) -> Shown:
    """The interesting groups that fit into ``space``; blockers of the guest GPU's below it.
    ``flash``: the guest GPU's owner has just changed."""
    width, height = space
    groups = {group.id for group in view.groups if group.id is not None}
    total = len(groups) or len(notable)
    blockers = [_blockers(each, width, glyphs) for each in notable]
    count, left = 0, height
    for rows in blockers:
        counted = height >= TAIL_ROWS and count + 1 < total
        if left < 1 + counted:
            break
        left -= 1 + len(rows)
        count += 1
    cells = [_cells(each, view, glyphs, full=width >= FULL) for each in notable[:count]]
    if flash:
        cells = [
            cell._replace(name=cell.name._replace(tone="flash"))
            if cell.name.tone == ROLES["guest"][1]
            else cell
            for cell in cells
        ]
    drawn = [
        [Row(cell.address, row), *rows]
        for cell, row, rows in zip(cells, _aligned(cells, width), blockers[:count], strict=True)
    ]
    hidden = total - count
    told = hidden > 0 and height >= TAIL_ROWS
    kept = [row for rows in drawn for row in rows][: height - told]
    tail = [Row(None, _tail(hidden, notable[count:], width))] if told else []
    return Shown([*kept, *tail], hidden, told)


def _tail(hidden: int, rest: Sequence[Notable], width: int) -> Line:
    """What is not shown: ``24 more: bridges and chipset functions``."""
    kinds = list(dict.fromkeys(part_name(each.function).split()[0] for each in rest))
    named = ", ".join([*kinds, "bridges"])
    for text in (f"{named} and chipset functions", f"{named}, chipset"):
        if len(f"{hidden} more: {text}") <= width:
            return line(Span(f"{hidden} more: {text}", "label"))
    return line(Span(f"{hidden} more", "label"))


# --- one group ---


def _cells(each: Notable, view: HostView, glyphs: Glyphs, *, full: bool) -> _Cells:
    group, function = each.group, each.function
    gpu = view.gpu(function.address)
    role, tone = ROLES[gpu.role] if gpu is not None else ("", "text")
    name = device_name(function) if gpu is None or gpu.role == "other" else role
    if full:
        name = f"{role:<11}{model_name(function.name)}" if gpu is not None else function.name
    shared = _kind_of_others(function, each.others) if gpu is None else ""
    others = each.others if gpu is None else gpu.companions
    if shared and not full:
        name += f" + {shared}"
    return _Cells(
        function.address,
        DASH if group.id is None else str(group.id),
        sign_of(gpu, glyphs),
        Span(name, tone),
        _place(function, others, shared, full=full),
        _driver(function, gpu, view),
    )


def _kind_of_others(function: PciFunction, others: Sequence[PciFunction]) -> str:
    """The most telling kind among the devices that share the group: ``bridge``."""
    mine = kind_of(function)
    kinds = [kind for other in others if (kind := part_name(other)) not in (mine, "dummy")]
    return next((kind for kind in kinds if kind != "bridge"), kinds[0] if kinds else "")


def _place(function: PciFunction, others: Sequence[PciFunction], shared: str, *, full: bool) -> str:
    """The address, and what moves with the function or shares its group."""
    address = short(function.address)
    if not others:
        return address
    if not full:
        return f"{address} +{len(others)}"
    first = f"{short(others[0].address)} {part_name(others[0])}"
    told = first if len(others) == 1 and not shared else f"+{len(others)} {shared}".rstrip()
    return f"{address}  {told}" if len(told) <= COMPANION else f"{address}  +{len(others)}"


def sign_of(gpu: Gpu | None, glyphs: Glyphs) -> Span:
    """Whether the group of a GPU can go to a guest. The host's own card need not."""
    if gpu is None:
        return Span(" ")
    if gpu.role == "guest" and gpu.owner.kind in ("moving", "stuck"):
        stuck = gpu.owner.kind == "stuck"
        return Span(glyphs.stuck, "bad") if stuck else Span(glyphs.moving, "warn")
    viable = gpu.viability.for_guest
    if viable:
        return Span(glyphs.passed, "good")
    if gpu.role != "guest":
        return Span(" ")
    return Span(glyphs.unknown, "warn") if viable is None else Span(glyphs.failed, "bad")


def _driver(function: PciFunction, gpu: Gpu | None, view: HostView) -> Span:
    """The driver; while a swap moves the card, how many of its functions are there already."""
    swap = view.swap if view.swap is not None and view.swap.under_way else None
    if gpu is not None and gpu.role == "guest" and gpu.owner.kind == "moving" and swap is not None:
        side = "vfio" if swap.direction == "bind" else "host"
        there = sum(driver_side(each.driver) == side for each in gpu.functions)
        return Span(f"{there} of {len(gpu.functions)}", "warn")
    if "driver" in function.unreadable:
        return Span("unreadable", "warn")
    return Span(function.driver or DASH, "label")


# --- columns ---


def _aligned(cells: Sequence[_Cells], width: int) -> list[Line]:
    """The lines: number, sign, name, address, driver, each in its column. The driver's column is
    dropped if names would be unreadable beside it."""
    if not cells:
        return []
    number = max(2, *(len(cell.number) for cell in cells))
    place = max(cell_len(cell.place) for cell in cells)
    driver = min(DRIVER, max(cell_len(cell.driver.text) for cell in cells))
    gap = 2 if width >= 40 else 1
    name = width - number - 3 - place - 1 - driver - gap
    longest = max(cell_len(cell.name.text.split(" + ")[0]) for cell in cells)
    missing = min(longest, SHORT_NAME) - name
    if missing > 0 and driver > SHORT_DRIVER:
        given = min(missing, driver - SHORT_DRIVER)
        driver, name = driver - given, name + given
    if name < NAME:
        driver, name = 0, name + driver + gap
    if name < NAME:
        place, name = 0, width - number - 3
    full = width >= FULL
    rows = []
    for cell in cells:
        head = line(Span(f"{cell.number:>{number}} ", "label"), cell.sign, " ")
        where = f"{cell.place:<{place}}" if full else f"{cell.place:>{place}}"
        row = (*head, *pad(line(_short_enough(cell.name, name)), name))
        if place:
            row = (*row, Span(f" {where}"))
        if driver:
            shown = fit(line(cell.driver), driver)
            row = (*row, Span(" " * (gap + driver - width_of(shown))), *shown)
        rows.append(row)
    return rows


def _short_enough(name: Span, width: int) -> Span:
    """The name, without what shares its group if both do not fit."""
    return name if cell_len(name.text) <= width else name._replace(text=name.text.split(" + ")[0])


# --- blockers ---


def _blockers(each: Notable, width: int, glyphs: Glyphs) -> list[Row]:
    """The functions that keep the guest GPU's group with the host, with their reasons."""
    group = each.group
    found: list[Row] = []
    for function, mark in zip(group.functions, group.marks, strict=True):
        if group.role != "guest" or mark not in BAD_MARKS or function is each.function:
            continue
        sign = Span(glyphs.failed if mark == "blocks" else glyphs.unknown, "bad")
        name = line(
            "   ",
            sign,
            f"   {short(function.address)} ",
            Span(_blocker_name(function, group), "bad"),
        )
        reasons = (group.reason(function.address) or "", function.driver or DASH)
        fits = [text for text in reasons if text and width_of(name) + 1 + len(text) <= width]
        reason = line(Span(fits[0] if fits else "", "label"))
        found.append(
            Row(function.address, spread(name, reason, width) if fits else fit(name, width))
        )
    return found


def _blocker_name(function: PciFunction, group: Group) -> str:
    """``audio of 03:00.0`` for a part of another card, else its name."""
    card = next((f for f in group.functions if f.is_gpu and f.slot == function.slot), None)
    if card is None or card is function:
        return device_name(function)
    return f"{part_name(function)} of {short(card.address)}"
