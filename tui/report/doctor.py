"""The checks of ``vfiotop doctor``, as JSON for programs and as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import asdict

from tui.report.checks import check_lines
from tui.rules.doctor import CheckGroup, summary
from tui.rules.first_steps import Step, ahead

SCHEMA = 1
"""Version of the JSON. Keys may be added; none is renamed or dropped."""


def as_json(
    groups: tuple[CheckGroup, ...], steps: Sequence[Step], taken_at: datetime
) -> dict[str, Any]:
    """The checks as JSON values, each with the title of its group; and the steps to a guest that
    has its card."""
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


def as_text(groups: tuple[CheckGroup, ...], steps: Sequence[Step]) -> str:
    """What is to be done next, if anything is left; one block per group, each check followed by its
    fix; and a summary."""
    blocks = [
        "\n".join((group.title, *(line for check in group.checks for line in check_lines(check))))
        for group in groups
    ]
    first = "\n".join(_ahead(steps))
    return "\n\n".join([*([first] if first else []), *blocks, summary(groups)])


def _ahead(steps: Sequence[Step]) -> Iterator[str]:
    """What is to be done next, how, and what comes then."""
    found = ahead(steps)
    if found is None:
        return
    step, after = found
    yield f"Next: {step.why}"
    if step.fix:
        yield f"      → {step.fix}"
    yield f"Then: {', '.join(after)}"
