"""Who uses a card, as a table: beside each user how to end its use, or beneath it where the
width does not allow for that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len

from tui.model import CardUse, CardUser, CardUsers
from widgets.figures import percent
from widgets.lines import DASH, Line, Span, Tone, fit, line, pad, wrap

WIDE, NORMAL = 100, 70
"""Cells from which on the way to end a use is beside it; what somebody has is beside it."""

GAP = 2
NAME, NAME_WIDE, LOGIN = 15, 24, 12
"""Cells that a name and a user's name get at most."""

LOOKING = "looking who uses the card …"
NOBODY = "no process uses the card"

TONES: dict[CardUse, Tone] = {"guest": "accent", "uses": "strong", "may use": "text", "ours": "dim"}

Rows = list[Line]


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading and width; numbers stand at its right."""

    title: str
    width: int
    right: bool = False

    def fitted(self, cell: Line) -> Line:
        cell = fit(cell, self.width)
        missing = self.width - sum(cell_len(span.text) for span in cell)
        return (Span(" " * missing), *cell) if self.right and missing else pad(cell, self.width)


def used_by_lines(users: CardUsers, width: int) -> Rows:
    """The heading, a row for each user, and what is not known."""
    lines = [line(Span("Used by", "accent")), *(_table(users.rows, width) if users.rows else ())]
    if users.pending:
        lines += wrap(LOOKING, width, "dim")
    elif users.doubt:
        lines += wrap(users.doubt, width, "warn")
    elif not users.rows:
        lines += wrap(NOBODY, width)
    return lines


def _table(rows: Sequence[CardUser], width: int) -> Iterator[Line]:
    columns, end = _columns(rows, width)
    titles = _beside(columns, [line(Span(column.title, "label")) for column in columns])
    yield from _two([titles], [line(Span("To end it", "label"))], width - end) if end else [titles]
    for user in rows:
        left = _user(user, columns, width - end - GAP if end else width)
        if end:
            yield from _two(left, list(_end(user, end, "")), width - end)
        else:
            indent = columns[0].width + GAP
            yield from left
            yield from (line(" " * indent, *row) for row in _end(user, width - indent, "→ "))


def _columns(rows: Sequence[CardUser], width: int) -> tuple[list[Column], int]:
    """The columns, and how many cells at the right of a wide screen are left for the end."""
    pid = Column("PID", _longest(map(_pid, rows), 3, 10), right=True)
    figures = [Column("Memory", 8, right=True), Column("Load", 4, right=True)]
    if width < NORMAL:
        return [pid, Column("Name", max(width - _taken([pid, *figures]), 4)), *figures], 0
    name = _longest((user.name for user in rows), 4, NAME_WIDE if width >= WIDE else NAME)
    login = _longest((user.login or DASH for user in rows), 4, LOGIN)
    columns = [pid, Column("Name", name), Column("User", login), *figures]
    rest = width - _taken(columns)
    if width < WIDE:
        return [*columns, Column("Has", rest)], 0
    has = _longest(map(_has, rows), 4, (rest - GAP) * 2 // 5)
    return [*columns, Column("Has", has)], rest - has - GAP


def _taken(columns: Sequence[Column]) -> int:
    """Cells of the columns, each with the gap behind it."""
    return sum(column.width + GAP for column in columns)


def _user(user: CardUser, columns: Sequence[Column], width: int) -> Rows:
    """The row of a user, and beneath it what has no column: on a narrow screen what it has,
    on others its command."""
    plain: Tone = "dim" if user.use == "ours" else "text"
    room = columns[-1].width
    cells: dict[str, Rows] = {
        "PID": [line(Span(_pid(user), plain))],
        "Name": [line(Span(user.name, TONES[user.use]))],
        "User": [line(Span(user.login or DASH, plain if user.login else "dim"))],
        "Memory": [_memory(user.memory_mib, plain)],
        "Load": [line(Span(percent(user.util_pct), "dim" if user.util_pct is None else plain))],
        "Has": wrap(_has(user), room, plain),
    }
    rows = [
        _beside(columns, row)
        for row in zip_longest(*(cells[column.title] for column in columns), fillvalue=())
    ]
    indent = columns[0].width + GAP
    if columns[-1].title != "Has":
        words = f"{user.login} · {_has(user)}" if user.login else _has(user)
        beneath = wrap(words, max(width - indent, 8), plain)
    else:
        beneath = _command(user, width - indent)
    return rows + [line(" " * indent, *row) for row in beneath]


def _end(user: CardUser, width: int, mark: str) -> Iterator[Line]:
    """What is said of a user, how its use is ended, and its unit where that does not name it."""
    if user.note:
        yield from wrap(user.note, width, "warn" if user.use == "may use" else "dim")
    if user.stop:
        first, *rest = wrap(user.stop, width - cell_len(mark))
        yield line(mark, *first)
        yield from (line(" " * cell_len(mark), *row) for row in rest)
    if user.unit and user.unit not in (user.stop or ""):
        yield from wrap(f"unit {user.unit}", width, "dim")


def _command(user: CardUser, width: int) -> Rows:
    """The command, where it tells more than the name: one line of it."""
    words = user.command or ""
    return [fit(line(Span(words, "dim")), width)] if " " in words else []


def _beside(columns: Sequence[Column], cells: Sequence[Line]) -> Line:
    gap = Span(" " * GAP)
    spans: list[Span] = []
    for column, cell in zip(columns, cells, strict=True):
        spans += [*column.fitted(cell), gap]
    return tuple(spans[:-1])


def _two(left: Rows, right: Rows, at: int) -> Iterator[Line]:
    """Two blocks, the second from the cell ``at`` on."""
    for one, other in zip_longest(left, right, fillvalue=()):
        yield (*pad(one, at), *other)


def _longest(texts: Iterable[str], least: int, most: int) -> int:
    return min(max(least, *map(cell_len, texts)), most)


def _pid(user: CardUser) -> str:
    return DASH if user.pid is None else str(user.pid)


def _has(user: CardUser) -> str:
    return ", ".join(user.resources) or DASH


def _memory(mib: float | None, tone: Tone) -> Line:
    """``284 MiB``, ``1.4 GiB``: what one process has may be little."""
    if mib is None:
        return line(Span(DASH, "dim"))
    return line(Span(f"{mib:.0f} MiB" if mib < 999.5 else f"{mib / 1024:.1f} GiB", tone))
