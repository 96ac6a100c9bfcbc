"""``vfiotop doctor``: every check with its verdict and fix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from tui import config
from tui.cli.main import DONE, FAILED
from tui.host import Host
from tui.once import examine_once
from tui.process import output
from tui.rules.doctor import CheckGroup, all_checks, examine, summary
from tui.state import choice

SCHEMA = 1


def run(host: Host, settings: config.Config, *, as_json: bool) -> int:
    """Print the checks; the exit code is that of a failure where one fails."""
    wards = examine(examine_once(host, choice(settings, host)))
    if as_json:
        output.say_json(to_json(wards, host))
    else:
        output.say(to_text(wards))
    return FAILED if any(check.verdict == "fail" for check in all_checks(wards)) else DONE


def to_json(wards: tuple[CheckGroup, ...], host: Host) -> dict[str, Any]:
    """The checks as JSON values; keys may be added to a schema."""
    return {
        "schema": SCHEMA,
        "taken_at": host.now().isoformat(),
        "checks": [{"group": w.title, **asdict(check)} for w in wards for check in w.checks],
    }


def to_text(wards: tuple[CheckGroup, ...]) -> str:
    """A block a group; beneath a check that does not pass what fixes it."""
    blocks = ["\n".join((ward.title, *_lines(ward))) for ward in wards]
    return "\n\n".join([*blocks, summary(wards)])


def _lines(ward: CheckGroup) -> Iterator[str]:
    for check in ward.checks:
        yield f"  {check.verdict:<7}  {check.id:<23}  {check.why}"
        if check.fix and check.verdict != "pass":
            yield f"  {'':<7}  {'':<23}  → {check.fix}"
