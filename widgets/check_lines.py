"""Checks as lines: counted, folded to their names, or in full."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from tui.model import Check, Verdict
from widgets.check_names import check_name
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, Tone, joined_to_fit, line, pad, wrap

NAME = 22
"""Width of a check's name, in cells, where all checks are listed."""

NARROW = 60
"""Width, in cells, below which a check's reason goes under its name."""


class Verdicts(NamedTuple):
    """How a verdict is drawn: the name of its sign, its tone, and the word after a count."""

    glyph: str
    tone: Tone
    word: str


VERDICTS: dict[Verdict, Verdicts] = {
    "fail": Verdicts("failed", "bad", "failed"),
    "unknown": Verdicts("unknown", "warn", "unknown"),
    "warn": Verdicts("warned", "warn", "warned"),
    "pass": Verdicts("passed", "good", "passed"),
}
"""Worst first."""

_ORDER = list(VERDICTS)


def worst_first(checks: Iterable[Check]) -> list[Check]:
    """The checks sorted by verdict; checks with the same verdict keep their order."""
    return sorted(checks, key=lambda check: _ORDER.index(check.verdict))


def sign(verdict: Verdict, glyphs: Glyphs = RICH) -> Span:
    """The sign of a verdict, in its tone."""
    drawn = VERDICTS[verdict]
    return Span(getattr(glyphs, drawn.glyph), drawn.tone)


def count_line(checks: Sequence[Check], width: int, glyphs: Glyphs = RICH) -> Line:
    """``✓ 14 passed   ! 0   ✗ 0   ? 0``; unless all passed, those that did not come first, and
    there are no zeros."""
    counts = {verdict: sum(c.verdict == verdict for c in checks) for verdict in VERDICTS}
    if counts["pass"] == len(checks):
        parts = [_count("pass", len(checks), glyphs)]
        parts += [
            line(Span(f"{sign(verdict, glyphs).text} 0", "dim"))
            for verdict in ("warn", "fail", "unknown")
        ]
    else:
        parts = [_count(verdict, count, glyphs) for verdict, count in counts.items() if count]
    gap = "   " if width >= NARROW else "  "
    return joined_to_fit(parts, width, gap)


def _count(verdict: Verdict, count: int, glyphs: Glyphs) -> Line:
    mark = sign(verdict, glyphs)
    tone: Tone = "text" if verdict == "pass" else mark.tone
    return line(mark, Span(f" {count} {VERDICTS[verdict].word}", tone))


def folded_lines(
    checks: Iterable[Check], width: int, rows: int, glyphs: Glyphs = RICH
) -> list[Line]:
    """The names of the checks that passed, as many as fit into ``rows``, none of them cut."""
    passed = dict.fromkeys(check.id for check in checks if check.verdict == "pass")
    gap = f" {glyphs.noted}"
    lines: list[str] = []
    for name in map(check_name, passed):
        if lines and cell_len(f"{lines[-1]}{gap} {name}{gap}") <= width:
            lines[-1] += f"{gap} {name}"
        elif len(lines) < rows and cell_len(f"{name}{gap}") <= width:
            lines.append(name)
    return [line(Span(row, "dim")) for row in (*(f"{r}{gap}" for r in lines[:-1]), *lines[-1:])]


def listed_lines(checks: Iterable[Check], width: int, glyphs: Glyphs = RICH) -> list[Line]:
    """Every check: its sign, name, and reason, and what to do if it did not pass."""
    rows: list[Line] = []
    narrow = width < NARROW
    indent = 2 if narrow else 2 + NAME
    for check in worst_first(checks):
        name = line(sign(check.verdict, glyphs), " ", Span(check_name(check.id), "text"))
        reasons = wrap(check.why, width - indent, "dim") + _fix(check, width - indent, glyphs)
        if narrow:
            rows.append(name)
        elif reasons:
            rows.append((*pad(name, indent), *reasons.pop(0)))
        rows += [line(" " * indent, *reason) for reason in reasons]
    return rows


def check_lines(check: Check, width: int, glyphs: Glyphs = RICH) -> list[Line]:
    """A check in full: its sign and reason, and below it what to do."""
    first, *rest = wrap(check.why, width - 2) or [()]
    rows = [line(sign(check.verdict, glyphs), " ", *first)]
    rows += [line("  ", *row) for row in rest]
    return rows + [line("  ", *row) for row in _fix(check, width - 2, glyphs)]


def _fix(check: Check, width: int, glyphs: Glyphs) -> list[Line]:
    if not check.fix or check.verdict == "pass":
        return []
    return arrow_lines(check.fix, width, glyphs)


def arrow_lines(text: str, width: int, glyphs: Glyphs = RICH) -> list[Line]:
    """``→ what to do``; further rows begin below its first word."""
    first, *rest = wrap(text, width - 2, "strong") or [()]
    return [line(f"{glyphs.changed} ", *first), *(line("  ", *row) for row in rest)]
