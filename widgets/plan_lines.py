"""A plan as lines: what it does, what moves, who uses it, the checks, the steps.

While a plan is carried out, everything keeps its place: the step numbers become signs, and the
seconds that each step took appear beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from tui.model import Check
from widgets.check_lines import (
    NARROW,
    arrow_lines,
    check_lines,
    count_line,
    folded_lines,
    listed_lines,
    worst_first,
)
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, Tone, fit, line, spread, width_of, wrap
from widgets.plan_facts import (
    HOLDERS,
    LABEL,
    blocker_lines,
    label_width,
    mover_lines,
    stayer_lines,
    user_lines,
)
from widgets.plan_page import Mark, PlanPage, PlanStep, State, mark_span

TOOK = 8
"""Width of the column for a step's seconds, in cells. A narrow screen has no such column."""

PREFIX = "/sys/bus/pci/"
"""The folder that the paths of steps are relative to."""

VIABLE = "iommu.viable"
"""The check that is drawn together with the devices it found."""


class Drawn(NamedTuple):
    """The lines, and how many of them the user must have seen before agreeing."""

    lines: list[Line]
    needed: int


def plan_lines(page: PlanPage, width: int, height: int, glyphs: Glyphs = RICH) -> Drawn:
    """The page, as spacious as ``height`` allows. If it does not fit at all, what matters most
    comes first, and the user has to scroll to the rest."""
    message = wrap(page.message, width, page.tone)
    tight = _tight(page, message, width, glyphs)
    roomy = _arrangements(page, message, width, glyphs)
    lines = next((found for found in roomy if len(found) <= height), tight)
    needed = {"plan": len(lines), "message": len(message), None: 0}[page.asks]
    return Drawn([fit(each, width) for each in lines], needed)


def title_line(page: PlanPage, width: int) -> Line:
    """The title of the frame; its second part only if both fit into ``width`` cells."""
    first, rest = page.title
    whole = line(Span(first, "strong"), Span(rest))
    return whole if width_of(whole) <= width else whole[:1]


def state_line(state: State, width: int, glyphs: Glyphs = RICH) -> Line:
    """The state at the right of a title in ``width`` cells."""
    words = state.short if state.short and width < NARROW else state.words
    took = line(Span(" · "), Span(state.took, "warn" if state.late else "text"))
    return line(mark_span(state.mark, glyphs, f" {words}"), *(took if state.took else ()))


def _arrangements(
    page: PlanPage, message: list[Line], width: int, glyphs: Glyphs
) -> Iterator[list[Line]]:
    """The page in ever tighter layouts: fewer rows for passed checks, no gaps between blocks."""
    facts = [
        *mover_lines(page, width, glyphs), *stayer_lines(page, width),
        *user_lines(page, width, glyphs),
    ]  # fmt: skip
    steps = step_lines(page, width, glyphs)
    problems = [] if page.unfolded else problem_lines(page, width, glyphs)
    for names, gap in ((4, True), (3, True), (2, True), (2, False), (1, False), (0, False)):
        checks = checks_lines(page, width, names, glyphs)
        yield _joined((message, aside_lines(page, width), facts, checks, problems, steps), gap=gap)


def _tight(page: PlanPage, message: list[Line], width: int, glyphs: Glyphs) -> list[Line]:
    """The page with what forbids the plan, or might, before everything else. Passed checks are only
    counted."""
    blocks = (
        message,
        [] if page.unfolded else problem_lines(page, width, glyphs),
        user_lines(page, width, glyphs) if page.holders else [],
        mover_lines(page, width, glyphs),
        checks_lines(page, width, 0, glyphs),
        step_lines(page, width, glyphs),
        aside_lines(page, width),
    )
    return _joined(blocks, gap=False)


def aside_lines(page: PlanPage, width: int) -> list[Line]:
    """What is worth knowing besides the message, with less emphasis."""
    return wrap(page.aside, width, "label")


def _joined(blocks: Sequence[Sequence[Line]], *, gap: bool) -> list[Line]:
    rows: list[Line] = []
    for block in blocks:
        if block and rows and gap:
            rows.append(())
        rows += block
    return rows


# --- the checks -------------------------------------------------------------------------------


def checks_lines(page: PlanPage, width: int, names: int, glyphs: Glyphs) -> list[Line]:
    """How many checks passed, and their names in at most ``names`` rows; or all checks in full."""
    if not page.checks:
        return []
    label = 0 if width < NARROW else LABEL
    room = width - label
    counts = count_line(page.checks, room, glyphs)
    words = " hides them" if page.unfolded else " shows them"
    hint = line(Span(page.checks_key, "key", "screen.checks"), Span(words, "text", "screen.checks"))
    if width_of(counts) + 2 + width_of(hint) <= room:
        counts = spread(counts, hint, room)
    head = line(Span(f"{'Checks' if label else '':<{label}}", "label"), *counts)
    if page.unfolded:
        return [head, *listed_lines(page.checks, width, glyphs)]
    folded = [] if page.refused else folded_lines(page.checks, room, names, glyphs)
    return [head, *(line(" " * label, *row) for row in folded)]


def problem_lines(page: PlanPage, width: int, glyphs: Glyphs) -> list[Line]:
    """The checks that did not pass, in full, with what to do. Processes that hold the card are
    listed with its users instead."""
    held = any(not (holder.ours or holder.shared) for holder in page.holders)
    rows: list[Line] = []
    for check in worst_first(page.checks):
        if check.verdict == "pass" or (check.id == HOLDERS and check.verdict == "fail" and held):
            continue
        if check.id == VIABLE and page.blockers:
            rows += _not_viable(check, page, width, glyphs)
        else:
            rows += check_lines(check, width, glyphs)
    return rows


def _not_viable(check: Check, page: PlanPage, width: int, glyphs: Glyphs) -> list[Line]:
    count = len(page.blockers)
    them = "a device that stays" if count == 1 else f"{count} devices that stay"
    why = f"The card shares IOMMU group {page.group} with {them} with the host:"
    fix = arrow_lines(check.fix, width - 2, glyphs) if check.fix else []
    return [
        *check_lines(replace(check, why=why, fix=None), width, glyphs),
        *blocker_lines(page.blockers, width),
        *(line("  ", *row) for row in fix),
    ]


# --- the steps --------------------------------------------------------------------------------


def has_paths(page: PlanPage) -> bool:
    """Whether any step shown has a path that can be shortened."""
    return not page.refused and any(PREFIX in step.text for step in page.steps)


def step_lines(page: PlanPage, width: int, glyphs: Glyphs) -> list[Line]:
    """The steps; none if the plan is refused, since they will not be carried out."""
    if not page.steps or page.refused:
        return []
    shortened = has_paths(page) and not page.full_paths
    head = line(
        Span(f"{page.label:<{max(label_width(width), len(page.label) + 1)}}", "label"),
        Span(f"in {PREFIX.rstrip('/')}" if shortened else "", "dim"),
    )
    if any(step.seconds is not None for step in page.steps):
        head = spread(head, line(Span("took", "label")), width)
    rows = [head]
    for number, step in enumerate(page.steps, start=1):
        text = step.text.replace(PREFIX, "") if shortened else step.text
        rows += _step(number, replace(step, text=text), width, glyphs)
    return rows


_STEP_TONES: dict[Mark | None, Tone] = {"moving": "strong", "failed": "bad", "noted": "dim"}


def _step(number: int, step: PlanStep, width: int, glyphs: Glyphs) -> list[Line]:
    narrow = width < NARROW
    indent = len(str(number)) + 1 if narrow else LABEL
    tone = _STEP_TONES.get(step.mark, "text")
    texts = wrap(step.text, width - indent - (0 if narrow else TOOK), tone) or [()]
    sign = mark_span(step.mark, glyphs) if step.mark else Span(str(number), "label")
    before = "" if narrow else " " * (2 - len(sign.text))
    after = " " * (indent - len(before) - len(sign.text))
    rows = [
        line(before, sign, after, *texts[0]),
        *(line(" " * indent, *row) for row in texts[1:]),
    ]
    if step.seconds is not None:
        took_tone: Tone = "strong" if step.mark == "moving" else "dim"
        took = line(Span(seconds(step.seconds), "warn" if step.late else took_tone))
        at = -1 if narrow else 0
        if width_of(rows[at]) + 1 + width_of(took) <= width:
            rows[at] = spread(rows[at], took, width)
    return rows


def seconds(value: float) -> str:
    """``1.6 s``; whole seconds from 100 on."""
    return f"{value:.1f} s" if value < 99.95 else f"{value:.0f} s"
