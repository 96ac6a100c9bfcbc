"""The checks of ``vfiotop doctor``, as JSON for programs and as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import asdict, replace

from tui.model import NOT_CAPTURED, Check, told_together
from tui.report.checks import check_lines
from tui.rules.doctor import CheckGroup, summary
from tui.rules.first_steps import Step, ahead

SCHEMA = 1
"""Version of the JSON. Keys may be added; none is renamed or dropped."""


def as_json(
    groups: tuple[CheckGroup, ...], steps: Sequence[Step], taken_at: datetime
) -> dict[str, Any]:
    """The checks as JSON values, each with the title of its group, and the steps towards a guest
    with its card."""
    return {
        "schema": SCHEMA,
        "taken_at": taken_at.isoformat(),
        "checks": [
            {"group": group.title, **asdict(check)} for group in groups for check in group.checks
        ],
        "steps": [
            {"id": step.id, "state": step.state, "why": step.why, "fix": step.fix} for step in steps
        ],
    }


def as_text(
    groups: tuple[CheckGroup, ...],
    steps: Sequence[Step],
    *,
    captured: bool = False,
    verbose: bool = False,
) -> str:
    """The next step, if any is left; one block per group, each check followed by its fix; and a
    summary. Unless ``verbose``, the checks of a group that need not be listed one by one share a
    line. ``captured``: the host is a captured one."""
    told = [_told(group, captured=captured, verbose=verbose) for group in groups]
    blocks = [
        "\n".join((group.title, *(row for same in each for row in _lines(same))))
        for group, each in zip(groups, told, strict=True)
    ]
    folds = any(len(same) > 1 for each in told for same in each)
    hint = ["--verbose lists each check with its reason."] if folds else []
    first = "\n".join(_ahead(steps))
    return "\n\n".join([*([first] if first else []), *blocks, "\n".join((summary(groups), *hint))])


def _told(group: CheckGroup, *, captured: bool, verbose: bool) -> list[tuple[Check, ...]]:
    """The checks in order; those that share a line are in the place of the first of them."""
    together = [] if verbose else told_together(group.checks, captured=captured)
    first = {id(same[0]): same for same in together}
    later = {id(check) for same in together for check in same[1:]}
    return [first.get(id(check), (check,)) for check in group.checks if id(check) not in later]


def _lines(same: Sequence[Check]) -> Iterator[str]:
    first = same[0]
    if len(same) == 1:
        return check_lines(first)
    alike = len({check.why for check in same}) == 1
    why = first.why if alike else f"not known, as {NOT_CAPTURED}"
    names = ", ".join(check.id for check in same)
    return check_lines(replace(first, id=f"{len(same)} checks", why=f"{why}: {names}"))


def _ahead(steps: Sequence[Step]) -> Iterator[str]:
    """The next step, how to do it, and what comes after it."""
    found = ahead(steps)
    if found is None:
        return
    step, after = found
    yield f"Next: {step.why}"
    if step.fix:
        yield f"      → {step.fix}"
    yield f"Then: {', '.join(after)}"
