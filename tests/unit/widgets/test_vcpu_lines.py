"""The vCPUs of a guest in lines: their waits, their cores, and who else is there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Size

from tests.unit.widgets.drawn import PANEL_SIZES, check, text, texts
from tests.unit.widgets.guests import AT, OTHERS, WIN11, state
from tests.values import replace
from tui.model import CpuUser, Guest, GuestCpu, GuestCpus, QemuLoad, Wait
from widgets.glyphs import PLAIN, RICH
from widgets.graph_grid import Times
from widgets.guest import GuestState
from widgets.guest_lines import running_lines
from widgets.guest_panel import guest_page
from widgets.lines import Tone, width_of
from widgets.vcpu_lines import foot_lines, row_lines, vcpu_lines
from widgets.wait_lines import wait_line, worst_line

CORES = (8, 24, 9, 25, 10, 26, 11, 27)
WORST = Wait(3, 41.0, AT - timedelta(seconds=20), 25)


def one(number: int = 0, **facts: Any) -> GuestCpu:
    usual: dict[str, Any] = {
        "load_pct": 47.0, "wait_ms": 0.2, "cpu": CORES[number % 8], "shared_with": (),
        "pinned": (CORES[number % 8],), "host_pct": 0.0,
    }  # fmt: skip
    return GuestCpu(number, **(usual | facts))


def eight(**third: Any) -> GuestCpus:
    """8 vCPUs, of which the one with number 3 differs."""
    return GuestCpus(
        tuple(one(n, **(third if n == 3 else {})) for n in range(8)),
        emulator=QemuLoad(4.0, (0, 1, 2, 3)), io=QemuLoad(2.0, (0,)), host_pct=4.8,
    )  # fmt: skip


SHARED = eight(wait_ms=31.0, shared_with=("host",), host_pct=38.0)


def with_cpus(cpus: GuestCpus, **facts: Any) -> GuestState:
    guests = (
        Guest(WIN11, allowed=True, cpus=cpus),
        *(Guest(other, allowed=False) for other in OTHERS),
    )
    waits = tuple((0.2,) * 90 for _ in cpus.cpus)
    return state(guests=guests, vcpu_waits=waits, wait=(0.2,) * 90, **facts)


# --- the wait in one line ---


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (36, "Wait    31 ms ■■■■■■■■■■··· vCPU 3 !"),
        (43, "Wait     31 ms ■■■■■■■■■■■■■■■···· vCPU 3 !"),
        (68, "Wait      31 ms ■■■■■· vCPU 3 !   vCPU 3 waited 41 ms at 21:03:40"),
    ],
)
def test_the_wait_of_now_and_the_worst(width: int, shown: str) -> None:
    assert text(wait_line(SHARED, WORST, width)).rstrip() == shown


def test_the_worst_wait_moves_nothing() -> None:
    assert [text(wait_line(SHARED, worst, 68))[:34] for worst in (WORST, None)] == [
        "Wait      31 ms ■■■■■· vCPU 3 !   "
    ] * 2


@pytest.mark.parametrize(
    ("wait", "shown"),
    [(0.3, "Wait     0 ms ·············"), (2.0, "Wait     2 ms ■············"),
     (5.0, "Wait     5 ms ■■··········· vCPU 3 !"), (999.0, "Wait   999 ms ■■■■■■■■■■■■■ vCPU 3 !"),
     (None, "Wait     0 ms ·············")],
)  # fmt: skip
def test_a_wait_under_the_limit_names_no_vcpu(wait: float | None, shown: str) -> None:
    assert text(wait_line(eight(wait_ms=wait), None, 36)).rstrip() == shown


def test_a_wait_that_is_not_known_is_a_dash() -> None:
    unknown = GuestCpus((one(wait_ms=None),))
    assert text(wait_line(unknown, None, 36)).rstrip() == "Wait        – ·············"


@pytest.mark.parametrize(("ms", "tone"), [(20.0, "warn"), (20.1, "bad"), (5.0, "warn")])
def test_the_tone_of_the_worst_wait(ms: float, tone: Tone) -> None:
    assert worst_line(Wait(1, ms, AT))[1].tone == tone


@pytest.mark.parametrize("worst", [None, Wait(1, 4.9, AT)])
def test_a_short_wait_is_not_kept_in_sight(worst: Wait | None) -> None:
    assert worst_line(worst) == ()


# --- the table ---


def table(cpus: GuestCpus, width: int, rows: int) -> list[str]:
    return texts(vcpu_lines(cpus, [(0.2,) * 90] * len(cpus.cpus), width, rows))


def test_rows_with_graphs() -> None:
    found = table(SHARED, 56, 20)
    assert found[0] == "vCPU load           core  wait   wait, ms per second"
    assert found[3] == "  2  47 % ■■■■·····    9     0   " + "⣀" * 23
    assert found[4] == "  3  47 % ■■■■·····   25h   31!  " + "⣀" * 23
    assert found[9:] == ["Host on guest cores 5 % !   Emulator 4 % on 0-3", "h host work"]


def test_columns_where_rows_do_not_fit() -> None:
    assert table(SHARED, 68, 7) == [
        "vCPU load             core  wait   vCPU load             core  wait",
        "  0  47 % ■■■■■······    8     0     4  47 % ■■■■■······   10     0",
        "  1  47 % ■■■■■······   24     0     5  47 % ■■■■■······   26     0",
        "  2  47 % ■■■■■······    9     0     6  47 % ■■■■■······   11     0",
        "  3  47 % ■■■■■······   25h   31!    7  47 % ■■■■■······   27     0",
        "Emulator 4 % on 0-3   IO 2 % on 0   Host on guest cores 5 % !",
        "h host work",
    ]


def many(count: int) -> GuestCpus:
    waits = {11: 41.0, 30: 6.0, 2: 12.0, 9: 2.0}
    return GuestCpus(tuple(one(n, wait_ms=waits.get(n, 0.1)) for n in range(count)))


def test_more_vcpus_than_rows_are_folded_and_counted() -> None:
    assert table(many(40), 68, 10) == [
        "vCPU ■■!■■■■■■■■!■■■■■■■■■■■■■■■■■■!■■■■■■■■■",
        "vCPU load           core  wait",
        " 11  47 % ■■■■·····   25    41!",
        "  2  47 % ■■■■·····    9    12!",
        " 30  47 % ■■■■·····   11     6!",
        "37 more vCPUs not listed",
    ]


def test_where_not_even_the_worst_fit_there_is_no_table() -> None:
    assert table(many(40), 68, 5) == []


def test_vcpus_that_are_not_read_are_counted() -> None:
    assert table(replace(many(64), unread=8), 56, 12)[-1] == "8 more vCPUs are not read"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_nothing_is_said_to_be_missing_where_all_fit(count: int) -> None:
    for rows in range(4, 9):
        found = table(GuestCpus(tuple(one(n) for n in range(count))), 30, rows)
        listed = sum(row[:3].strip().isdecimal() for row in found)
        hidden = [row for row in found if "not listed" in row]
        told = int(hidden[0].split()[0]) if hidden else 0
        assert not found or listed + told == count


@pytest.mark.parametrize(
    ("users", "shown", "tone", "words"),
    [
        ((), "25 ", "text", "nobody"), (None, "25 ", "dim", "–"),
        (("host",), "25h", "bad", "host 38 %"), (("emulator",), "25e", "warn", "emulator"),
        (("sibling",), "25s", "warn", "sibling"), (("steal",), "25v", "warn", "virtual host"),
        (("host", "sibling"), "25h", "bad", "host 38 %, sibling"),
    ],
)  # fmt: skip
def test_who_else_is_on_a_core_has_a_letter_a_colour_and_a_word(
    users: tuple[CpuUser, ...] | None, shown: str, tone: Tone, words: str
) -> None:
    cpus = GuestCpus((one(3, shared_with=users, host_pct=38.0, wait_ms=0.0),))
    row = row_lines(cpus, [()], 116)[1]
    core = next(span for span in row if span.text.endswith(shown))
    assert (core.text[-3:], core.tone) == (shown, tone)
    assert text(row).rstrip().endswith(f"  25       {words}")


@pytest.mark.parametrize(
    ("pinned", "shown"), [(None, "–"), ((8, 9, 10), "8-10"), (tuple(range(0, 20, 2)), "0,2,4,…")]
)
def test_what_a_vcpu_is_pinned_to(pinned: tuple[int, ...] | None, shown: str) -> None:
    row = row_lines(GuestCpus((one(0, pinned=pinned),)), [()], 116)[1]
    assert text(row).rstrip().endswith(f"53 %  {shown:<7}  nobody")


def test_what_is_not_known_is_a_dash() -> None:
    cpus = GuestCpus((GuestCpu(0),), problem="its QEMU process cannot be seen in /proc")
    assert [row.split() for row in texts(row_lines(cpus, [], 36))[1:]] == [
        ["0", "–", "··············", "–", "–"]
    ]
    assert texts(foot_lines(cpus, 70)) == [
        "Cores unknown: its QEMU process cannot be seen in /proc"
    ]


@pytest.mark.parametrize(
    ("width", "shown"),
    [(68, "Emulator 4 % on 0-3   IO 2 % on 0   Host on guest cores 5 %"),
     (45, "Host on guest cores 5 %   Emulator 4 % on 0-3"), (30, "Host on guest cores 5 %")],
)  # fmt: skip
def test_the_host_comes_first_where_not_all_fits(width: int, shown: str) -> None:
    assert texts(foot_lines(eight(), width)) == [shown]


# --- in the guest's panel ---


def test_the_overview_of_120x40_has_the_wait_and_the_vcpus() -> None:
    found = texts(running_lines(with_cpus(SHARED, worst_wait=WORST), WIN11, Size(68, 19)))
    assert found[2].endswith("vCPU 3 !   vCPU 3 waited 41 ms at 21:03:40")
    assert "  3  47 % ■■■■■······   25h   31!    7  47 % ■■■■■······   27     0" in found
    assert found[-1] == "○ debian-build   ○ fedora-ci"


def test_the_overview_of_80x24_has_the_wait() -> None:
    found = texts(running_lines(with_cpus(SHARED, worst_wait=WORST), WIN11, Size(36, 11)))
    assert found[2:4] == [
        "Wait    31 ms ■■■■■■■■■■··· vCPU 3 !", "vCPU 3 waited 41 ms at 21:03:40",
    ]  # fmt: skip


def test_the_phone_has_load_memory_and_wait_in_two_rows() -> None:
    assert texts(running_lines(with_cpus(SHARED), WIN11, Size(43, 2))) == [
        "CPU    46 % ■■■■····· Mem   7.1 G ■■■■·····",
        "Wait     31 ms ■■■■■■■■■■■■■■■···· vCPU 3 !",
    ]


def test_the_whole_screen_has_a_row_for_each_vcpu() -> None:
    found = guest_page(with_cpus(many(40)), Size(118, 36), times=Times()).lines
    listed = [row for row in texts(found) if row[:3].strip().isdecimal() and "■" in row]
    assert [int(row[:3]) for row in listed] == list(range(40))
    assert any("Longest wait of a vCPU 41 ms" in row for row in texts(found))


def test_a_guest_without_vcpu_times_looks_as_before() -> None:
    found = texts(running_lines(state(), WIN11, Size(68, 19)))
    assert not [row for row in found if "Wait" in row or "vCPU load" in row]


def test_old_values_are_faded() -> None:
    stale = with_cpus(SHARED, problem="gone", silent_s=12.0)
    lines = running_lines(stale, WIN11, Size(68, 22))
    [row] = [row for row in lines if text(row).startswith("  3 ")]
    assert {span.tone for span in row} <= {"dim", "label", "track"}


numbers = st.one_of(st.none(), st.floats(0, 1000))
shares = st.one_of(st.none(), st.floats(0, 100))
"""Of one CPU, in percent: the reading is cut to that."""
some_cpus = st.builds(
    lambda cpus, unread, problem, host: GuestCpus(
        tuple(replace(cpu, number=n) for n, cpu in enumerate(cpus)), unread, problem,
        QemuLoad(host, (0, 5)), QemuLoad(None, ()), host,
    ),
    st.lists(
        st.builds(
            GuestCpu, st.just(0), shares, numbers, st.one_of(st.none(), st.integers(0, 1023)),
            st.one_of(st.none(), st.just(tuple(range(0, 64, 2)))),
            st.one_of(st.none(), st.sets(st.sampled_from(["host", "sibling", "steal"])).map(tuple)),
            shares,
        ),
        min_size=1, max_size=64,
    ),
    st.sampled_from([0, 7]), st.sampled_from([None, "its threads cannot be read (ESRCH)"]),
    numbers,
)  # fmt: skip


@given(some_cpus, st.sampled_from(PANEL_SIZES), st.booleans())
def test_lines_fit_every_panel(cpus: GuestCpus, space: Size, plain: bool) -> None:
    glyphs = PLAIN if plain else RICH
    shown = with_cpus(cpus, worst_wait=WORST)
    check(running_lines(shown, WIN11, space, glyphs), space, plain=plain)
    zoomed = guest_page(shown, space, glyphs, Times()).lines
    assert all(width_of(row) <= space.width for row in zoomed)
