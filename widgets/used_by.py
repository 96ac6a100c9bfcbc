"""The users of a card as a table, with how to stop each one: beside it, or below it on a narrow
screen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from msgspec import Struct
from rich.cells import cell_len

from tui.model import CardUse, CardUser, CardUsers
from widgets.figures import percent
from widgets.glyphs import RICH, Glyphs
from widgets.lines import DASH, Line, Span, Tone, fit, line, pad, wrap

WIDE, NORMAL = 100, 70
"""Minimum width in cells for a column on how to stop a user, and for one on what it holds."""

GAP = 2
NAME, NAME_WIDE, LOGIN = 15, 24, 12
"""Maximum width, in cells, of a process name and of a user name."""

HOLDS = "Holds"
LOOKING = "checking who uses the card …"
NOBODY = "no process uses the card"

TONES: dict[CardUse, Tone] = {"guest": "guest", "uses": "strong", "may use": "text", "ours": "dim"}

Rows = list[Line]


class Column(Struct, frozen=True):
    """A column's heading and width; numbers are aligned ``right``."""

    title: str
    width: int
    right: bool = False

    def fitted(self, cell: Line) -> Line:
        cell = fit(cell, self.width)
        missing = self.width - sum(cell_len(span.text) for span in cell)
        return (Span(" " * missing), *cell) if self.right and missing else pad(cell, self.width)


def used_by_lines(users: CardUsers, width: int, glyphs: Glyphs = RICH) -> Rows:
    """The heading, the rows of each user, and what is not known."""
    lines = [
        line(Span("Used by", "strong")),
        *(_table(users.rows, width, glyphs) if users.rows else ()),
    ]
    if users.pending:
        lines += wrap(LOOKING, width, "dim")
    elif users.doubt:
        lines += wrap(users.doubt, width, "warn")
    elif not users.rows:
        lines += wrap(NOBODY, width)
    return lines


def _table(rows: Sequence[CardUser], width: int, glyphs: Glyphs) -> Iterator[Line]:
    columns, stop_width = _columns(rows, width)
    stop_at = width - stop_width
    titles = _table_row(columns, [line(Span(column.title, "label")) for column in columns])
    if not stop_width:
        yield titles
    else:
        yield from _side_by_side([titles], [line(Span("To stop it", "label"))], stop_at)
    for user in rows:
        if stop_width:
            stop = list(_how_to_stop(user, stop_width, ""))
            left = _user(user, columns, stop_at - GAP, glyphs)
            yield from _side_by_side(left, stop, stop_at)
        else:
            indent = columns[0].width + GAP
            yield from _user(user, columns, width, glyphs)
            stop = list(_how_to_stop(user, width - indent, f"{glyphs.changed} "))
            yield from (line(" " * indent, *row) for row in stop)


def _columns(rows: Sequence[CardUser], width: int) -> tuple[list[Column], int]:
    """The columns, and the cells to their right for how to stop a user; 0 if there is no room."""
    pid = Column("PID", _longest(map(_pid, rows), 3, 10), right=True)
    figures = [Column("Memory", 8, right=True), Column("Load", 4, right=True)]
    if width < NORMAL:
        return [pid, Column("Name", max(width - _taken([pid, *figures]), 4)), *figures], 0
    name = _longest((user.name for user in rows), 4, NAME_WIDE if width >= WIDE else NAME)
    login = _longest((user.login or DASH for user in rows), 4, LOGIN)
    columns = [pid, Column("Name", name), Column("User", login), *figures]
    rest = width - _taken(columns)
    if width < WIDE:
        return [*columns, Column(HOLDS, rest)], 0
    holds = _longest(map(_holds, rows), len(HOLDS), (rest - GAP) * 2 // 5)
    return [*columns, Column(HOLDS, holds)], rest - holds - GAP


def _taken(columns: Sequence[Column]) -> int:
    """The width of the columns, each with the gap after it."""
    return sum(column.width + GAP for column in columns)


def _user(user: CardUser, columns: Sequence[Column], width: int, glyphs: Glyphs) -> Rows:
    """The row of a user, and below it what has no column: what it holds on a narrow screen, else
    its command."""
    plain: Tone = "dim" if user.use == "ours" else "text"
    room = columns[-1].width
    cells: dict[str, Rows] = {
        "PID": [line(Span(_pid(user), plain))],
        "Name": [line(Span(user.name, TONES[user.use]))],
        "User": [line(Span(user.login or DASH, plain if user.login else "dim"))],
        "Memory": [_memory(user.memory_mib, plain)],
        "Load": [line(Span(percent(user.util_pct), "dim" if user.util_pct is None else plain))],
        HOLDS: wrap(_holds(user), room, plain),
    }
    rows = [
        _table_row(columns, row)
        for row in zip_longest(*(cells[column.title] for column in columns), fillvalue=())
    ]
    indent = columns[0].width + GAP
    if columns[-1].title != HOLDS:
        words = glyphs.between.join(filter(None, (user.login, _holds(user))))
        under = wrap(words, max(width - indent, 8), plain)
    else:
        under = _command(user, width - indent)
    return rows + [line(" " * indent, *row) for row in under]


def _how_to_stop(user: CardUser, width: int, mark: str) -> Iterator[Line]:
    """The note on a user, how to stop it, and its unit if that does not name it."""
    if user.note:
        yield from wrap(user.note, width, "warn" if user.use == "may use" else "dim")
    if user.stop:
        first, *rest = wrap(user.stop, width - cell_len(mark))
        yield line(mark, *first)
        yield from (line(" " * cell_len(mark), *row) for row in rest)
    if user.unit and user.unit not in (user.stop or ""):
        yield from wrap(f"unit {user.unit}", width, "dim")


def _command(user: CardUser, width: int) -> Rows:
    """One line of the command, if it says more than the name."""
    words = user.command or ""
    return [fit(line(Span(words, "dim")), width)] if " " in words else []


def _table_row(columns: Sequence[Column], cells: Sequence[Line]) -> Line:
    gap = Span(" " * GAP)
    spans: list[Span] = []
    for column, cell in zip(columns, cells, strict=True):
        spans += [*column.fitted(cell), gap]
    return tuple(spans[:-1])


def _side_by_side(left: Rows, right: Rows, at: int) -> Iterator[Line]:
    """Two blocks side by side, the second from the cell ``at``."""
    for one, other in zip_longest(left, right, fillvalue=()):
        yield (*pad(one, at), *other)


def _longest(texts: Iterable[str], least: int, most: int) -> int:
    return min(max(least, *map(cell_len, texts)), most)


def _pid(user: CardUser) -> str:
    return DASH if user.pid is None else str(user.pid)


def _holds(user: CardUser) -> str:
    return ", ".join(user.resources) or DASH


def _memory(mib: float | None, tone: Tone) -> Line:
    """``284 MiB`` or ``1.4 GiB``: a single process may use little."""
    if mib is None:
        return line(Span(DASH, "dim"))
    return line(Span(f"{mib:.0f} MiB" if mib < 999.5 else f"{mib / 1024:.1f} GiB", tone))
