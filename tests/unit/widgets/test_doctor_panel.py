"""The checks as lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tui.model import Check, Verdict
from widgets.check_findings import WORST_FIRST, findings
from widgets.check_names import NAMES, check_name
from widgets.doctor_panel import counts, doctor_blocks, doctor_title
from widgets.glyphs import PLAIN, RICH, Glyphs
from widgets.lines import width_of

RULES = Path(__file__).parents[3] / "tui"

CARD = "0000:01:00.0"

GROUPS = [
    ("Host", [
        Check("host.linux", None, "pass", "Linux 6.12.48"),
        Check("iommu.enabled", None, "pass", "on (amd), 32 groups"),
        Check("libvirt.reachable", None, "warn", "it is read-only"),
    ]),
    ("Guest GPU", [
        Check("gpu.answers", CARD, "pass", "no sign that it has fallen off the bus"),
        Check("iommu.viable", CARD, "fail", "0000:03:00.0 is another GPU on nvidia, and 3 more",
              "try another slot, or turn on ACS in the firmware if it has that setting"),
    ]),
    ("Guest", [
        Check("r465.one-vm", None, "pass", "no guest is running with a GeForce card"),
        Check("r465.guest-driver", "win11", "unknown", "the guest is not running, so its driver "
              "is not known", "check in the guest that it is 465 or newer"),
    ]),
    ("0000:0a:00.0 GA106 [GeForce RTX 3060]", [
        Check("gpu.answers", "0000:0a:00.0", "fail", "it has fallen off the bus"),
    ]),
]  # fmt: skip


def text(
    groups: object, width: int, glyphs: Glyphs = RICH, unfolded: tuple[str, ...] = (),
    *, captured: bool = False,
) -> list[str]:  # fmt: skip
    found = findings(groups, unfolded, captured=captured)  # type: ignore[arg-type]
    blocks = doctor_blocks(groups, found, width, glyphs)  # type: ignore[arg-type]
    return ["".join(s.text for s in row).rstrip() for block in blocks for row in block.lines]


def test_what_fails_comes_first_then_doubts_then_warnings_then_what_passed() -> None:
    rows = text(GROUPS, 76)
    group, answers = NAMES["iommu.viable"], NAMES["gpu.answers"]
    assert rows[:5] == [
        f"✗ {group:<22}0000:03:00.0 is another GPU on nvidia, and 3 more",
        "                        → try another slot, or turn on ACS in the firmware",
        "                          if it has that setting",
        "",
        f"✗ {f'0a:00.0 {answers}':<22}it has fallen off the bus",
    ]
    assert rows[6:] == [
        f"? {NAMES['r465.guest-driver']:<22}the guest is not running, so its driver is not known",
        "                        → check in the guest that it is 465 or newer",
        "",
        f"! {NAMES['libvirt.reachable']:<22}it is read-only",
        "",
        f"✓ Host                  {NAMES['host.linux']} · {NAMES['iommu.enabled']}",
        f"✓ Guest GPU             {answers}",
        f"✓ Guest                 {NAMES['r465.one-vm']}",
    ]


def test_on_a_phone_reasons_are_under_the_names() -> None:
    assert text(GROUPS, 41)[:4] == [
        f"✗ {NAMES['iommu.viable']}",
        "  0000:03:00.0 is another GPU on nvidia,",
        "  and 3 more",
        "  → try another slot, or turn on ACS in",
    ]
    assert text(GROUPS, 41)[-2:] == ["✓ Guest", f"  {NAMES['r465.one-vm']}"]


def test_a_host_without_a_gpu_says_so_once() -> None:
    ids = ("gpu.answers", "host.two-gpus", "iommu.viable", "r465.family")
    none = [("Guest GPU", [Check(id, None, "unknown", "this host has no GPU") for id in ids])]
    assert text(none, 76) == [
        "? Guest GPU             this host has no GPU, so 4 checks could not be made", "",
    ]  # fmt: skip
    (found,) = findings(none)
    assert found.check.id == "gpu.answers and 3 more"


UNREAD = [("Host", [
    Check("privilege", None, "unknown", "a capture has no user"),
    Check("host.linux", None, "unknown", "the release cannot be read", "read it"),
    Check("kernel.log", None, "unknown", "a capture does not contain the kernel's log"),
])]  # fmt: skip


def test_unknown_checks_that_nobody_can_fix_share_a_line() -> None:
    assert text(UNREAD, 76, captured=True) == [
        "? Host                  2 not known, as a capture does not contain what they",
        "                        need: root, kernel log",
        "",
        "? Linux                 the release cannot be read",
        "                        → read it",
        "",
    ]
    one_by_one = [
        "? root                  a capture has no user",
        "? kernel log            a capture does not contain the kernel's log",
        "? Linux                 the release cannot be read",
        "                        → read it",
    ]
    opened = text(UNREAD, 76, unfolded=("Host",), captured=True)
    assert [row for row in opened if row] == one_by_one
    assert [row for row in text(UNREAD, 76) if row] == [
        one_by_one[0], *one_by_one[2:], one_by_one[1]
    ]  # fmt: skip
    assert [found.group for found in findings(UNREAD, captured=True)] == ["Host", ""]


def test_when_all_pass_one_line_says_so() -> None:
    fine = [(title, [c for c in checks if c.verdict == "pass"]) for title, checks in GROUPS[:3]]
    assert text(fine, 76)[0] == "Every check passed."
    assert [block.id for block in doctor_blocks(fine, [], 76) if block.id] == []


def test_the_state_counts_the_verdicts() -> None:
    checks = [check for _, group in GROUPS for check in group]

    def shown(width: int) -> str:
        return "".join(span.text for span in counts(checks[3:5], width=width))

    assert "".join(span.text for span in counts(checks)) == "✗ 2 fail  ? 1  ! 1  ✓ 4"
    assert shown(76) == "✗ 1 fail  ? 0  ! 0  ✓ 1"
    assert shown(43) == "✗ 1 fail  ✓ 1"
    assert shown(34) == "✗ 1  ✓ 1"
    assert counts([]) == ()


def test_the_title_tells_all_checks_from_those_of_the_line_at_the_top() -> None:
    def title(*of: int) -> str:
        return "".join(span.text for span in doctor_title(*of))

    assert title(36, 6, 76) == "Checks · 36, of which 6 are live"
    assert title(36, 1, 76) == "Checks · 36, of which 1 is live"
    assert title(36, 0, 76) == "Checks · 36"
    assert title(36, 6, 43) == title(0, 6, 76) == "Checks"


def test_the_cursor_stops_at_each_finding() -> None:
    ids = [block.id for block in doctor_blocks(GROUPS, findings(GROUPS), 76) if block.id]
    assert ids == [finding.id for finding in findings(GROUPS)]
    assert len(set(ids)) == 4


@pytest.mark.parametrize("width", range(24, 240, 9))
def test_no_line_is_too_long_and_no_name_is_broken(width: int) -> None:
    names = [check_name(check.id) for _, group in GROUPS for check in group]
    rows = text(GROUPS, width)
    assert all(len(row) <= width for row in rows)
    for block in doctor_blocks(GROUPS, findings(GROUPS), width):
        assert all(width_of(row) <= width for row in block.lines)
    assert [name for name in names if not any(name in row for row in rows)] == []


def test_the_linux_console_has_its_own_signs() -> None:
    assert all(row.isascii() for row in text(GROUPS, 76, PLAIN))
    verdicts: list[Verdict] = [*WORST_FIRST, "pass"]
    assert {text([("Host", [Check("x", None, v, "y")])], 76, PLAIN)[0][0] for v in verdicts} == {
        "X", "?", "!", "E",
    }  # fmt: skip


def test_every_check_of_the_doctor_has_a_name() -> None:
    """The ids of the checks that the rules make."""
    made = set()
    for path in RULES.rglob("*.py"):
        source = path.read_text()
        made |= set(re.findall(r'(?:Check\(\s*|check(?:, \w+)? = |ID = |ONE_VM = )"([a-z0-9.-]+)"',
                               source))  # fmt: skip
    assert len(made) > 15
    assert made <= set(NAMES)
