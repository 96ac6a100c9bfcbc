"""The text of ``vfiotop doctor``."""

from __future__ import annotations

from tests.unit.made import NOON
from tui.model import Check
from tui.report.doctor import as_json, as_text
from tui.rules.doctor import CheckGroup

UNREAD = (
    Check("privilege", None, "unknown", "a capture has no user"),
    Check("host.linux", None, "pass", "Linux 6.12"),
    Check("kernel.log", None, "unknown", "a capture does not contain the kernel's log"),
    Check("guest.devices", "a", "unknown", "cannot tell", "choose one"),
    Check("guest.devices", "b", "unknown", "cannot tell", "choose one"),
    Check("guest.devices", "c", "unknown", "cannot tell this either", "choose one"),
)
GROUPS = (CheckGroup("Host", UNREAD),)


def rows(**how: bool) -> list[str]:
    return [" ".join(row.split()) for row in as_text(GROUPS, (), **how).splitlines()]


def test_what_nobody_can_fix_is_counted_and_named_in_one_line() -> None:
    assert rows(captured=True) == [
        "Host",
        "unknown 2 checks not known, as a capture does not contain what they need: privilege, "
        "kernel.log",
        "pass host.linux Linux 6.12",
        "unknown 2 checks cannot tell: guest.devices, guest.devices",
        "→ choose one",
        "unknown guest.devices cannot tell this either",
        "→ choose one",
        "",
        "Of 6 checks, 5 could not be made.",
        "--verbose lists each check with its reason.",
    ]
    assert "unknown privilege a capture has no user" in rows()


def test_verbose_lists_every_check() -> None:
    told = rows(captured=True, verbose=True)
    assert [sum(check.id in row for row in told) for check in UNREAD[:4]] == [1, 1, 1, 3]
    assert not [row for row in told if "--verbose" in row]


def test_the_json_is_complete() -> None:
    found = as_json(GROUPS, (), NOON)["checks"]
    assert [(each["id"], each["why"]) for each in found] == [(c.id, c.why) for c in UNREAD]
