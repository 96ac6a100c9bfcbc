"""Checks as lines."""

from __future__ import annotations

import pytest

from tui.model import Check, Verdict
from widgets.check_lines import (
    check_lines,
    count_line,
    folded_lines,
    listed_lines,
    worst_first,
)
from widgets.check_names import NAMES, check_name
from widgets.glyphs import PLAIN
from widgets.lines import Line, width_of


def text(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in line) for line in lines]


def check(verdict: Verdict, id: str = "host.two-gpus", fix: str | None = None) -> Check:
    return Check(id, None, verdict, "0000:0a:00.0 stays with the host", fix)


PASSED = tuple(check("pass", id) for id in ("host.two-gpus", "iommu.viable", "privilege"))
MIXED = (*PASSED, check("warn"), check("fail"), check("unknown"), check("fail"))


@pytest.mark.parametrize(
    ("checks", "words"),
    [
        (PASSED, "✓ 3 passed   ! 0   ✗ 0   ? 0"),
        (MIXED, "✗ 2 failed   ? 1 unknown   ! 1 warned   ✓ 3 passed"),
        (PASSED[:1], "✓ 1 passed   ! 0   ✗ 0   ? 0"),
    ],
)
def test_counts(checks: tuple[Check, ...], words: str) -> None:
    assert text([count_line(checks, 66)]) == [words]


def test_a_narrow_count_drops_whole_parts() -> None:
    for width in range(5, 60):
        (drawn,) = text([count_line(MIXED, width)])
        assert len(drawn) <= width
        assert all(part.split()[1].isdigit() for part in drawn.split("  ") if part)


def test_the_console_has_signs_of_its_own() -> None:
    assert text([count_line(PASSED, 66, PLAIN)]) == ["+ 3 passed   ! 0   X 0   ? 0"]


def test_passed_checks_fold_to_whole_names_in_order() -> None:
    names = [check_name(each.id) for each in PASSED]
    assert text(folded_lines(MIXED, 66, 2)) == [" · ".join(names)]
    assert text(folded_lines(PASSED, len(f"{names[0]} ·"), 2)) == [f"{names[0]} ·", names[2]]
    assert folded_lines(PASSED, 66, 0) == []
    for width in range(3, 60):
        for rows in range(4):
            lines = text(folded_lines(PASSED, width, rows))
            assert len(lines) <= rows
            assert all(len(each) <= width for each in lines)
            shown = [name for each in lines for name in each.removesuffix(" ·").split(" · ")]
            assert set(shown) <= set(names)


def test_worst_first() -> None:
    order = [each.verdict for each in worst_first(MIXED)]
    assert order == ["fail", "fail", "unknown", "warn", "pass", "pass", "pass"]


def test_a_check_in_full_has_its_fix_once_below_it() -> None:
    assert text(check_lines(check("fail", fix="try another slot"), 40)) == [
        "✗ 0000:0a:00.0 stays with the host",
        "  → try another slot",
    ]
    assert text(check_lines(check("pass", fix="try another slot"), 40)) == [
        "✓ 0000:0a:00.0 stays with the host"
    ]


def test_the_list_has_every_check() -> None:
    wide, narrow = text(listed_lines(MIXED, 76)), text(listed_lines(MIXED, 38))
    assert wide[0] == f"✗ {NAMES['host.two-gpus']:<22}0000:0a:00.0 stays with the host"
    assert narrow[:2] == [f"✗ {NAMES['host.two-gpus']}", "  0000:0a:00.0 stays with the host"]
    assert sum(line.lstrip()[:1] in "✓✗?!" for line in wide) == len(MIXED)


@pytest.mark.parametrize("width", range(34, 130, 7))
def test_nothing_is_wider_than_its_space(width: int) -> None:
    odd = (Check("guest.hostdevs-complete", "x", "fail", "why " * 40, "f" * 90), *MIXED)
    for lines in (listed_lines(odd, width), *(check_lines(each, width) for each in odd)):
        assert max(map(width_of, lines)) <= width


def test_a_check_without_a_name_has_its_id() -> None:
    assert check_name("new.check") == "new.check"
