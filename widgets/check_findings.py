"""What did not pass, as the findings that the list of checks shows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from tui.model import NOT_CAPTURED, Check, Verdict, told_together
from widgets.check_names import check_name
from widgets.figures import short

Groups = Sequence[tuple[str, Sequence[Check]]]
"""A heading and its checks."""

WORST_FIRST: tuple[Verdict, ...] = ("fail", "unknown", "warn")


class Finding(NamedTuple):
    """A check that did not pass, or several of a group that share one entry. ``id`` is unique.
    ``group`` is the heading of checks that are or can be listed one by one, else empty."""

    id: str
    name: str
    check: Check
    group: str = ""


def findings(
    groups: Groups, unfolded: Collection[str] = (), *, captured: bool = False
) -> list[Finding]:
    """The checks that did not pass, the worst first. ``told_together`` says which share one entry,
    except in the ``unfolded`` groups. ``captured``: the checks are of a captured host."""
    rows: list[Finding] = []
    for title, checks in groups:
        for same in told_together(checks, captured=captured):
            alike = len({check.why for check in same}) == 1
            if title in unfolded and not alike:
                rows += [_single(title, check)._replace(group=title) for check in same]
            elif len(same) == 1:
                rows.append(_single(title, same[0]))
            else:
                rows.append(_several(title, same, alike=alike))
    return sorted(rows, key=lambda row: WORST_FIRST.index(row.check.verdict))


def _single(title: str, check: Check) -> Finding:
    address = title.partition(" ")[0]
    name = check_name(check.id)
    named = f"{short(address)} {name}" if ":" in address else name
    return Finding(f"{title}/{check.id}", named, check)


def _several(title: str, same: Sequence[Check], *, alike: bool) -> Finding:
    first = same[0]
    if alike:
        why = f"{first.why}, so {len(same)} checks could not be made"
    else:
        names = ", ".join(check_name(check.id) for check in same)
        why = f"{len(same)} not known, as {NOT_CAPTURED}: {names}"
    one = Check(
        f"{first.id} and {len(same) - 1} more", first.subject, first.verdict, why, first.fix
    )
    return Finding(f"{title}/{first.id}", title, one, "" if alike else title)
