"""A swap or an action on a guest: its plan, then its progress and its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tui.model import VERDICT_ORDER, GuestPlan, Holder, Plan, Swap
from widgets.canvas import Panel
from widgets.check_lines import check_lines, heading
from widgets.graph import RICH, Glyphs
from widgets.lines import DASH, Line, Span, Tone, line, wrap

NUMBER = 4
"""Cells of a step's number and mark."""


@dataclass(frozen=True)
class SwapPanelState:
    """What the panel shows: ``message``, a sentence or question, above a ``plan``, or above a
    ``swap`` as of ``at``."""

    title: str
    message: str
    tone: Tone = "text"
    plan: Plan | GuestPlan | None = None
    swap: Swap | None = None
    at: datetime | None = None


class SwapPanel(Panel):
    """A plan or a swap; scrolls."""

    DEFAULT_CSS = """
    SwapPanel { scrollbar-gutter: stable; }
    """

    def __init__(self, glyphs: Glyphs = RICH) -> None:
        super().__init__(id="swap", can_focus=True)
        self._glyphs = glyphs
        self._shown: SwapPanelState | None = None

    def show(self, shown: SwapPanelState) -> None:
        """Draw ``shown``."""
        self._shown = shown
        self._draw()

    def _draw(self) -> None:
        if self._shown is not None and self.room.width > 0:
            self.set_titles(self._shown.title)
            self.paint(swap_lines(self._shown, self.room.width, self._glyphs))


def swap_lines(shown: SwapPanelState, width: int, glyphs: Glyphs = RICH) -> list[Line]:
    """The message, then the swap's steps or the plan: the holders, the checks that need
    attention, the steps, the checks that passed."""
    lines = wrap(shown.message, width, shown.tone)
    if shown.swap is not None:
        return [*lines, (), *_progress(shown.swap, shown.at, width, glyphs)]
    if shown.plan is None:
        return lines
    return [*lines, *_plan(shown.plan, width)]


# --- a plan ---------------------------------------------------------------------


def _plan(plan: Plan | GuestPlan, width: int) -> Iterator[Line]:
    others = [holder for holder in plan.holders if not holder.ours]
    if others:
        yield from heading("In use by")
        for holder in others:
            yield from _holder(holder, width)
    checks = sorted(plan.checks, key=lambda check: VERDICT_ORDER.index(check.verdict))
    open_checks = [check for check in checks if check.verdict != "pass"]
    if open_checks:
        yield from heading("Needs attention")
        for check in open_checks:
            yield from check_lines(check, width)
    yield from heading("Steps")
    for number, text in enumerate(plan.texts, start=1):
        yield from _step(f"{number:>2}", text, width, "text")
    readers = {holder.pid: holder for holder in plan.holders if holder.ours}
    if readers:
        yield from heading("Exits on its own")
        for holder in readers.values():
            yield from wrap(f"{holder.name} ({holder.pid or DASH}, {holder.user or DASH}), "
                            "vfiotop's NVML reader", width, "text")  # fmt: skip
    yield from heading("Passed")
    for check in checks:
        if check.verdict == "pass":
            yield from check_lines(check, width)


def _holder(holder: Holder, width: int) -> Iterator[Line]:
    who = f"{holder.name} ({holder.pid or DASH}, {holder.user or DASH}) holds {holder.what}"
    yield from wrap(who, width, "bad")
    for label, value in (("unit", holder.unit), ("command", holder.command)):
        if value:
            first, *rest = wrap(value, max(width - 12, 8), "dim") or [()]
            yield line(Span(f"  {label:<10}", "label"), *first)
            yield from (line(" " * 12, *row) for row in rest)
    if holder.stop:
        first, *rest = wrap(holder.stop, max(width - 4, 8), "strong")
        yield line("  → ", *first)
        yield from (line(" " * 4, *row) for row in rest)


def _step(mark: str, text: str, width: int, tone: Tone) -> Iterator[Line]:
    first, *rest = wrap(text, max(width - NUMBER, 8), tone) or [()]
    yield line(Span(f"{mark:<{NUMBER}}", "label" if tone == "text" else tone), *first)
    yield from (line(" " * NUMBER, *row) for row in rest)


# --- a swap ---------------------------------------------------------------------


def _progress(swap: Swap, at: datetime | None, width: int, glyphs: Glyphs) -> Iterator[Line]:
    """The steps done, the current one with its time, and those to come.

    During an undo no step is current: its writes are not those of the steps.
    """
    for number, text in enumerate(swap.steps):
        if swap.state == "done" or number < swap.step:
            yield from _step(f" {glyphs.done}", text, width, "good")
        elif number > swap.step or swap.state in ("undoing", "undone"):
            yield from _step(" ·", text, width, "dim")
        else:
            waits = swap.stuck or swap.interrupted
            seconds = int((at - swap.step_began_at).total_seconds()) if at else 0
            time = f" ({seconds} s)" if swap.under_way and seconds > 0 else ""
            tone: Tone = "bad" if waits else "strong"
            yield from _step(f" {glyphs.running}", text + time, width, tone)


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import AT, SWAP

    state = SwapPanelState("Bind", "Moving the card to vfio-pci.", swap=SWAP, at=AT)
    preview(SwapPanel(), lambda widget: widget.show(state))
