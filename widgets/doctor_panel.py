"""Every check of the host: failures first, and in a few lines those that passed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual.message import Message

from tui.model import Check, Verdict
from widgets.block_list import Block, BlockList
from widgets.check_findings import WORST_FIRST, Finding, Groups, findings
from widgets.check_names import check_name
from widgets.figures import short
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, Tone, join, line, wrap
from widgets.panel import Edges

NAME = 22
"""Width of the name of a finding or a group, in cells."""

NARROW = 60
"""Width, in cells, below which a reason begins under its name."""

TINY = 40
"""Width, in cells, below which the frame has only signs."""


class Ahead(NamedTuple):
    """What to do next, why and how, and the names of the steps after it."""

    why: str
    fix: str | None
    then: tuple[str, ...]


class DoctorPanel(BlockList):
    """The checks; the cursor moves through those that did not pass."""

    class Moved(Message):
        """The cursor is on another finding."""

    def __init__(self, *, glyphs: Glyphs = RICH) -> None:
        super().__init__("key", id="doctor", glyphs=glyphs)
        self._groups: Groups = ()
        self._ahead: Ahead | None = None
        self._busy, self._problem = False, ""
        self._live, self._captured = 0, False
        self._unfolded: frozenset[str] = frozenset()

    def show(
        self,
        groups: Groups,
        ahead: Ahead | None = None,
        *,
        live: int = 0,
        captured: bool = False,
        busy: bool = False,
        problem: str = "",
    ) -> None:
        """Draw the checks, below what is ``ahead`` if anything is left to set up. ``live`` is the
        number of checks that run all the time, the only ones that the header counts. ``captured``:
        they are of a captured host. ``busy``: they are running again. ``problem``: why they could
        not run."""
        shown = (groups, ahead, live, captured, busy, problem)
        before = (self._groups, self._ahead, self._live, self._captured, self._busy, self._problem)
        if shown != before:
            self._groups, self._ahead, self._live, self._captured, self._busy, self._problem = shown
            self._draw()

    def select(self, id: str) -> None:
        super().select(id)
        self.post_message(self.Moved())

    @property
    def findings(self) -> list[Finding]:
        """What did not pass, as currently listed."""
        if self._problem:
            return []
        return findings(self._groups, self._unfolded, captured=self._captured)

    @property
    def finding(self) -> Finding | None:
        """The finding under the cursor."""
        return next((each for each in self.findings if each.id == self.selected), None)

    @property
    def is_unfolded(self) -> bool:
        """Whether the cursor is on a check that is listed one by one, and can be folded."""
        return self.finding is not None and self.finding.group in self._unfolded

    def fold(self) -> None:
        """List the checks of the finding under the cursor one by one, or fold them again."""
        group = self.finding.group if self.finding is not None else ""
        if group:
            self._unfolded ^= {group}
            mine = next(each.id for each in self.findings if each.group == group)
            self._draw()
            self.select(mine)

    def _draw(self) -> None:
        if self.space.width <= 0:
            return
        checks = [check for _, checks in self._groups for check in checks]
        state = counts(checks, self.glyphs, self.space.width)
        if self._busy:
            state = line(Span(f"{self.glyphs.moving} checking the host", "warn"))
        self.paint_blocks(self._contents())
        note = line(Span(self.finding.check.id, "label")) if self.finding else ()
        title = doctor_title(len(checks), self._live, self.space.width)
        self.set_edges(Edges(title, state, note=note))

    def _contents(self) -> list[Block]:
        width = self.space.width
        if self._problem:
            return [Block(wrap(self._problem, width, "bad"))]
        if self._groups:
            ahead = ahead_lines(self._ahead, width, self.glyphs) if self._ahead else []
            blocks = doctor_blocks(self._groups, self.findings, width, self.glyphs)
            return [*([Block([*ahead, ()])] if ahead else []), *blocks]
        return [Block(wrap("Checking the host and its guests …", width, "dim"))]


def doctor_title(count: int, live: int, width: int) -> Line:
    """``Checks · 36, of which 6 are live``."""
    few = f", of which {live} {'is' if live == 1 else 'are'} live" if live else ""
    told = f" · {count}{few}" if count and width >= NARROW else ""
    return line(Span("Checks", "strong"), Span(told, "label"))


def ahead_lines(ahead: Ahead, width: int, glyphs: Glyphs = RICH) -> list[Line]:
    """``Next: …``, how, and what comes after that."""
    rows = wrap(f"Next: {ahead.why}", width, "strong")
    if ahead.fix:
        first, *rest = wrap(ahead.fix, max(width - 4, 8))
        rows.append(line("  ", Span(f"{glyphs.changed} ", "key"), *first))
        rows += [line("    ", *row) for row in rest]
    return [*rows, *wrap(f"Then: {', '.join(ahead.then)}", width, "label")]


def counts(checks: Sequence[Check], glyphs: Glyphs = RICH, width: int = 76) -> Line:
    """``✗ 2 fail  ? 1  ! 0  ✓ 17``: the number of checks by verdict. A narrow panel drops the
    zeros, a very narrow one the word as well."""
    if not checks:
        return ()
    parts: list[Line] = []
    for verdict in (*WORST_FIRST, "pass"):
        count = sum(check.verdict == verdict for check in checks)
        if not count and width < NARROW:
            continue
        sign, tone = mark(verdict, glyphs)
        word = " fail" if verdict == "fail" and count and width >= TINY else ""
        parts.append(line(Span(f"{sign} {count}{word}", tone if count else "dim")))
    return join(parts)


def mark(verdict: Verdict, glyphs: Glyphs = RICH) -> tuple[str, Tone]:
    """A verdict's sign and tone."""
    signs: dict[Verdict, tuple[str, Tone]] = {
        "fail": (glyphs.failed, "bad"), "unknown": (glyphs.unknown, "warn"),
        "warn": (glyphs.warned, "warn"), "pass": (glyphs.passed, "good"),
    }  # fmt: skip
    return signs[verdict]


def doctor_blocks(
    groups: Groups, found: Sequence[Finding], width: int, glyphs: Glyphs = RICH
) -> Iterator[Block]:
    """A block for each finding in ``found``, then the names of what passed."""
    for finding in found:
        yield Block([*_finding_lines(finding, width, glyphs), ()], finding.id)
    if not found:
        yield Block([line(Span("Every check passed.", "good")), ()])
    passed = [
        row for title, checks in groups for row in _passed_lines(title, checks, width, glyphs)
    ]
    if passed:
        yield Block(passed)


def _finding_lines(finding: Finding, width: int, glyphs: Glyphs) -> Iterator[Line]:
    sign, tone = mark(finding.check.verdict, glyphs)
    head = line(Span(f"{sign} ", tone), Span(f"{finding.name:<{NAME - 1}} ", "strong"))
    under = width < NARROW or cell_len(finding.name) >= NAME
    indent = 2 if under else NAME + 2
    rows = wrap(finding.check.why, max(width - indent, 8))
    if under:
        yield head
    else:
        yield (*head, *rows.pop(0))
    yield from (line(" " * indent, *row) for row in rows)
    if finding.check.fix:
        arrow = f"{glyphs.changed} "
        for row in wrap(finding.check.fix, max(width - indent - 2, 8)):
            yield line(" " * indent, Span(arrow, "key"), *row)
            arrow = "  "


def _passed_lines(
    title: str, checks: Sequence[Check], width: int, glyphs: Glyphs
) -> Iterator[Line]:
    names = [check_name(check.id) for check in checks if check.verdict == "pass"]
    if not names:
        return
    sign, tone = mark("pass", glyphs)
    head = line(Span(f"{sign} ", tone), Span(f"{_passed_of(title):<{NAME}}", "label"))
    indent = 2 if width < NARROW else NAME + 2
    rows = _folded(names, max(width - indent, 8), glyphs.between)
    if width < NARROW:
        yield head
    else:
        yield (*head, *rows.pop(0))
    yield from (line(" " * indent, *row) for row in rows)


def _passed_of(title: str) -> str:
    address = title.partition(" ")[0]
    return short(address) if ":" in address else title


def _folded(names: Sequence[str], width: int, between: str) -> list[Line]:
    """The names in rows of at most ``width`` cells; no name is split."""
    mark = between.rstrip()
    rows = [names[0]]
    for name in names[1:]:
        joined = f"{rows[-1]}{between}{name}"
        if cell_len(joined) <= width - cell_len(mark):
            rows[-1] = joined
        else:
            rows[-1] += mark
            rows.append(name)
    return [line(Span(row)) for row in rows]


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import CHECKS

    preview(DoctorPanel(), lambda widget: widget.show([("Samples", CHECKS)]))
