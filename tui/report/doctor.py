"""The checks of ``vfiotop doctor``, as JSON for programs and as text for people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import asdict

from tui.report.checks import check_lines
from tui.rules.doctor import CheckGroup, summary

SCHEMA = 1
"""Version of the JSON. Keys may be added; none is renamed or dropped."""


def as_json(groups: tuple[CheckGroup, ...], taken_at: datetime) -> dict[str, Any]:
    """The checks as JSON values, each with the title of its group."""
    return {
        "schema": SCHEMA,
        "taken_at": taken_at.isoformat(),
        "checks": [
            {"group": group.title, **asdict(check)} for group in groups for check in group.checks
        ],
    }


def as_text(groups: tuple[CheckGroup, ...]) -> str:
    """One block per group, each check followed by its fix, and a summary."""
    blocks = [
        "\n".join((group.title, *(line for check in group.checks for line in check_lines(check))))
        for group in groups
    ]
    return "\n\n".join([*blocks, summary(groups)])
