"""All IOMMU groups, one line for each function, full-screen."""

from __future__ import annotations

from tui.model import Gpu, Group, GroupMark, HostView, PciFunction
from widgets.figures import short
from widgets.glyphs import RICH, Glyphs
from widgets.group_lines import BAD_MARKS, ROLES, Row, sign_of
from widgets.lines import DASH, Line, Span, Tone, line, pad, spread, width_of

NOTED = 70
"""Minimum width in cells for a note on how each function relates to the card."""

DRIVER, NOTE = 24, 11
"""Maximum width of a driver's name, and the width of such a note."""

BRIDGES = "06"
"""PCI base class of bridges. They are drawn dim, since there are many."""

TONES: dict[GroupMark, Tone] = {
    "gpu": "strong", "moves": "text", "blocks": "bad", "ok": "text", "unknown": "warn",
}  # fmt: skip


def table_rows(view: HostView, width: int, text: str = "", glyphs: Glyphs = RICH) -> list[Row]:
    """The groups' lines, each with its function's address. The number of a group is on the line of
    its first function.

    ``text`` filters functions by their line, regardless of case; groups without a match are
    hidden.
    """
    wanted = text.casefold().strip()
    names = [DASH if group.id is None else str(group.id) for group in view.groups]
    number = max([2, *map(len, names)])
    addresses = max([7, *(len(short(address)) for address in view.functions)])
    driver = min(DRIVER, max([9, *(len(f.driver or "") for f in view.functions.values())]))
    rows: list[Row] = []
    for group, name in zip(view.groups, names, strict=True):
        members = [
            (function, mark)
            for function, mark in zip(group.functions, group.marks, strict=True)
            if not wanted or wanted in _searchable(group, function)
        ]
        for index, (function, mark) in enumerate(members):
            gpu = view.gpu(function.address)
            tone = _tone(function, mark, gpu)
            left = line(
                Span(f"{name if index == 0 else '':>{number}} ", "label"),
                _sign(mark, gpu, glyphs), f" {short(function.address):<{addresses}}  ",
                Span(function.name, tone),
            )  # fmt: skip
            right = _right(group, function, mark, gpu, driver if width >= NOTED else 0)
            rows.append(Row(function.address, spread(left, right, width)))
    return rows


def matching_groups(view: HostView, text: str) -> int:
    """How many groups have a function that ``text`` matches."""
    wanted = text.casefold().strip()
    return sum(
        any(wanted in _searchable(group, function) for function in group.functions)
        for group in view.groups
    )


def _tone(function: PciFunction, mark: GroupMark, gpu: Gpu | None) -> Tone:
    if gpu is not None and mark == "gpu":
        return ROLES[gpu.role][1]
    return "label" if mark == "ok" and function.class_code.startswith(BRIDGES) else TONES[mark]


def _sign(mark: GroupMark, gpu: Gpu | None, glyphs: Glyphs) -> Span:
    if mark == "blocks":
        return Span(glyphs.failed, "bad")
    if mark == "unknown":
        return Span(glyphs.unknown, "warn")
    return sign_of(gpu, glyphs)


def _right(
    group: Group, function: PciFunction, mark: GroupMark, gpu: Gpu | None, driver: int
) -> Line:
    """Why a function blocks the group; else how it relates to the card, and its driver in
    ``driver`` cells. With 0 cells there is only the driver."""
    shown = line(Span(function.driver or "no driver", "text" if function.driver else "label"))
    if not driver:
        return shown
    if mark in BAD_MARKS:
        reason = line(Span(group.reason(function.address) or mark))
        return pad(reason, max(NOTE + 2 + driver, width_of(reason)))
    note = "moves along" if mark == "moves" else ROLES[gpu.role][0] if gpu is not None else ""
    return (Span(f"{note:<{NOTE}}  ", "label"), *pad(shown, driver))


def _searchable(group: Group, function: PciFunction) -> str:
    return " ".join((
        f"group {group.id}", function.address, function.name, function.vendor_name or "",
        function.driver or "no driver", f"{function.vendor}:{function.device}",
    )).casefold()  # fmt: skip
