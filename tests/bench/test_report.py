"""The bench's report, and its readings of what processes use."""

from __future__ import annotations

import os
import time

import pytest

from tests.bench import usage
from tests.bench.measure import pressed, shows
from tests.bench.report import FIGURES, NVITOP, OURS, USUAL, Report, percentile, row
from tests.bench.terminal import Piece
from tests.bench.usage import Memory, Stat, parse_busy, parse_rollup, parse_stat, tree

FIGURE = {figure.key: figure for figure in FIGURES}

STAT = (
    "4242 (vfio) top) R) S 17 4242 4242 34816 4242 4194304 6521 12 0 0 "
    "130 25 7 3 20 0 9 0 123456 98304 2048 18446744073709551615 1 1 0 0 0 0 0 0"
)
ROLLUP = """\
5643998c0000-7fff4ea2e000 ---p 00000000 00:00 0                          [rollup]
Rss:                1724 kB
Pss:                 287 kB
Pss_Dirty:           112 kB
SwapPss:               0 kB
"""


def test_a_figure_is_judged_by_its_medians() -> None:
    found = row(FIGURE["bytes"], {OURS: [900, 600, 700], NVITOP: [800, 780, 100]})
    assert found.medians == {OURS: 700, NVITOP: 780}
    assert (found.lowest, found.highest) == (600, 900)
    assert found.ratio == pytest.approx(700 / 780)
    assert found.reached is True


def test_a_limit_may_be_a_multiple_of_another_figure() -> None:
    large = FIGURE["large"]
    assert row(large, {OURS: [4.0], USUAL: [2.0]}).reached is True
    assert row(large, {OURS: [4.1], USUAL: [2.0]}).reached is False


def test_a_limit_of_nothing_is_kept_by_nothing_only() -> None:
    assert row(FIGURE["still"], {OURS: [0.0, 0.0, 0.0]}).reached is True
    assert row(FIGURE["still"], {OURS: [0.0, 0.1, 0.1]}).reached is False


def test_without_the_program_to_be_compared_with_nothing_is_judged() -> None:
    found = row(FIGURE["cpu"], {OURS: [1.0], NVITOP: []})
    assert (found.ratio, found.reached) == (None, None)
    assert "not known" in Report({"cpu": {OURS: [1.0]}}).text()


def test_the_goals_are_those_of_the_design() -> None:
    assert {key: figure.goal for key, figure in FIGURE.items() if figure.goal} == {
        "bytes": "at most nvitop",
        "still": "at most 0 B/s",
        "cpu": "at most nvitop",
        "start": "at most 1.5 x bare Textual",
        "pss": "at most 80 MiB",
        "frame": "at most 50 ms",
        "large": "at most 2 x two GPUs",
    }


def test_the_table_and_its_values() -> None:
    runs = {"cpu": {OURS: [1.5, 1.0, 2.0], NVITOP: [1.0, 1.0, 1.0]}, "pss": {OURS: [64.04]}}
    report = Report(runs, ["nvtop is not measured: it is not installed."], "load 0.10")
    head, cpu, pss, _, note, swap, surroundings = report.text().splitlines()
    assert head.split() == ["vfiotop", "from-to", "nvitop", "nvtop", "against", "ratio", "goal"]
    assert cpu.split(maxsplit=8)[-1].split() == [
        "1.50", "1.00-2.00", "1.00", "1.50", "at", "most", "nvitop", "MISSED"
    ]  # fmt: skip
    assert pss.split()[-6:] == ["64.0-64.0", "at", "most", "80", "MiB", "reached"]
    assert (note, surroundings) == (report.notes[0], "load 0.10")
    assert "tests/lab/test_swap.py" in swap
    found = report.json()["figures"][0]
    assert (found["figure"], found["ratio"], found["reached"]) == ("cpu", 1.5, False)
    assert found["runs"] == {OURS: [1.5, 1.0, 2.0], NVITOP: [1.0, 1.0, 1.0]}


def test_figures_that_were_not_measured_have_no_line() -> None:
    assert [each.figure.key for each in Report({"still": {OURS: [0]}}).rows] == ["still"]


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([3, 1, 2], 0.5) == 2
    with pytest.raises(ValueError, match="of nothing"):
        percentile([], 0.99)


def test_a_process_may_have_any_name() -> None:
    assert parse_stat(STAT) == Stat(pid=4242, parent=17, ticks=130 + 25 + 7 + 3)


def test_memory_of_a_process() -> None:
    assert parse_rollup(ROLLUP) == Memory(pss=287, rss=1724)


def test_busy_is_all_but_idle_and_waiting() -> None:
    text = "cpu  100 20 30 9000 400 5 6 7 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    assert parse_busy(text) == 100 + 20 + 30 + 5 + 6 + 7


def test_a_process_and_its_descendants() -> None:
    stats = [Stat(5, 4, 1), Stat(2, 1, 1), Stat(4, 2, 1), Stat(3, 1, 1), Stat(1, 0, 1)]
    assert {stat.pid for stat in tree(2, stats)} == {2, 4, 5}
    assert tree(99, stats) == []


def test_what_this_process_uses() -> None:
    assert usage.cpu_seconds(os.getpid()) > 0
    before, until = usage.main_thread_ms(os.getpid()), time.thread_time() + 0.05
    while time.thread_time() < until:
        pass
    # The kernel adds it up at each tick of its scheduler.
    assert usage.main_thread_ms(os.getpid()) - before == pytest.approx(50, abs=25)
    held = usage.memory(os.getpid())
    assert held.rss >= held.pss > 0


def test_an_answer_is_what_changes_a_cell() -> None:
    assert not shows(b"\x1b]22;default\x07\x1b[?2026h\x1b[?2026l\x1b[6n")
    assert shows(b"\x1b[?2026h\x1b[3;7H8\x1b[?2026l")


def test_the_first_frame_of_an_answer_ends_with_a_pause() -> None:
    pieces = [Piece(10.02, b"ab"), Piece(10.03, b"c"), Piece(10.05, b"de"), Piece(10.06, b"f")]
    found = pressed("tab", 10.0, pieces)
    times = (found.first_ms, found.frame_ms, found.last_ms)
    assert times == pytest.approx((20, 30, 60))
    assert found.written == 6
