"""What the plan screen shows, as values."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal, NamedTuple

from msgspec import Struct

from tui.model import Check, Holder
from widgets.glyphs import Glyphs
from widgets.lines import Span, Tone

Mark = Literal["passed", "warned", "failed", "unknown", "moving", "noted"]
"""The status of something. Each has a sign of the same name in ``Glyphs``."""

TONES: dict[Mark, Tone] = {
    "passed": "good", "warned": "warn", "failed": "bad", "unknown": "warn", "moving": "warn",
    "noted": "dim",
}  # fmt: skip


def mark_span(mark: Mark, glyphs: Glyphs, text: str = "") -> Span:
    """The sign of a mark and ``text``, in the mark's tone."""
    return Span(f"{getattr(glyphs, mark)}{text}", TONES[mark])


class State(NamedTuple):
    """The text at the right of the title: a sign and words, fewer on a narrow screen, then how
    long it has taken. ``late``: that is longer than usual."""

    mark: Mark
    words: str
    short: str = ""
    took: str = ""
    late: bool = False


class Mover(Struct, frozen=True):
    """A function that moves: its drivers before and after, and its progress."""

    address: str
    name: str
    before: str
    after: str
    mark: Mark | None = None


class Stayer(Struct, frozen=True):
    """A function that does not move, and why."""

    address: str
    name: str
    why: str


class PlanStep(Struct, frozen=True):
    """A step. Once the plan is carried out it has a ``mark``, and the ``seconds`` that it took, or
    has taken so far. ``late``: that is longer than usual."""

    text: str
    mark: Mark | None = None
    seconds: float | None = None
    late: bool = False


class PlanPage(Struct, frozen=True):
    """A plan, or what has become of it.

    ``title`` is an emphasised part and the rest. ``note`` says what has been changed so far.
    ``aside`` is worth knowing besides ``message``. ``key`` identifies what the user is asked about;
    ``asks`` is the part of the page that the user must have seen before agreeing. ``group`` is the
    card's IOMMU group, and ``blockers`` are the functions that keep it from being viable.
    ``label`` precedes the steps. ``checks_key`` also lists the checks that passed, or folds them
    again. ``full_paths``: the paths of steps are not shortened.
    """

    title: tuple[str, str]
    state: State
    message: str
    tone: Tone = "text"
    note: str = ""
    aside: str = ""
    key: Hashable = None
    asks: Literal["plan", "message"] | None = None
    movers: tuple[Mover, ...] = ()
    stayers: tuple[Stayer, ...] = ()
    holders: tuple[Holder, ...] = ()
    checks: tuple[Check, ...] = ()
    group: int | None = None
    blockers: tuple[Stayer, ...] = ()
    steps: tuple[PlanStep, ...] = ()
    label: str = "Steps"
    checks_key: str = "d"
    unfolded: bool = False
    full_paths: bool = False

    @property
    def refused(self) -> bool:
        """Whether a check forbids the plan."""
        return any(check.verdict == "fail" for check in self.checks)
