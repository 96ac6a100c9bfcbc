"""The bench's report, and its readings of what processes use."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from msgspec import MsgspecError
from msgspec.structs import replace

from tests.bench import baseline, layouts, swaps, usage
from tests.bench.baseline import Baseline, Kept
from tests.bench.measure import pressed, shows
from tests.bench.places import CONFIG, PLAIN, WATCH
from tests.bench.report import (
    BARE,
    FIGURES,
    GROUPS,
    NVITOP,
    NVTOP,
    OURS,
    USUAL,
    Report,
    Runs,
    percentile,
    row,
)
from tests.bench.swaps import Swapped
from tests.bench.terminal import Piece
from tests.bench.usage import Memory, Stat, parse_busy, parse_rollup, parse_stat, tree
from tui import config

FIGURE = {figure.key: figure for figure in FIGURES}

NOTHING = Baseline("0.1.0")
RELEASED = Baseline(
    "0.1.0",
    {
        "cpu": Kept(1.2, "x nvitop"),
        "graded": Kept(0.5, "x nvtop"),
        "still": Kept(0, "B/s"),
        "pss": Kept(60, "MiB"),
    },
)

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
    found = row(FIGURE["plain"], {OURS: [900, 600, 700], NVITOP: [800, 780, 100]}, NOTHING)
    assert found.medians == {OURS: 700, NVITOP: 780}
    assert (found.lowest, found.highest) == (600, 900)
    assert found.ratio == pytest.approx(700 / 780)
    assert found.reached is True


def test_a_limit_may_be_a_multiple_of_another_figure() -> None:
    large = FIGURE["large"]
    assert row(large, {OURS: [4.0], USUAL: [2.0]}, NOTHING).reached is True
    assert row(large, {OURS: [4.1], USUAL: [2.0]}, NOTHING).reached is False


def test_a_limit_of_nothing_is_kept_by_nothing_only() -> None:
    assert row(FIGURE["still"], {OURS: [0.0, 0.0, 0.0]}, NOTHING).reached is True
    assert row(FIGURE["still"], {OURS: [0.0, 0.1, 0.1]}, NOTHING).reached is False


def test_without_the_program_to_be_compared_with_nothing_is_judged() -> None:
    found = row(FIGURE["cpu"], {OURS: [1.0], NVITOP: []}, NOTHING)
    assert (found.ratio, found.reached, found.worse) == (None, None, None)


def test_the_goals_are_those_of_the_design() -> None:
    assert {key: figure.goal for key, figure in FIGURE.items() if figure.goal} == {
        "start": "at most 1.5 x bare Textual",
        "frame": "at most 50 ms",
        "cpu": "at most nvitop",
        "plain": "at most nvitop",
        "graded": "at most nvtop",
        "still": "at most 0 B/s",
        "pss": "at most 80 MiB",
        "child": "at most 16 MiB",
        "watch": "at most 40 MiB",
        "large": "at most 2 x two GPUs",
        "swap": "at most 2 s",
    }


def lines(report: Report) -> dict[str, list[str]]:
    """The words of each figure's line, without its title."""
    found = {}
    for line in report.text().splitlines()[1 : 1 + len(FIGURES)]:
        title, unit = next((f.title, f.unit) for f in FIGURES if line.startswith(f"{f.title}, "))
        key = next(f.key for f in FIGURES if f.title == title)
        found[key] = line.removeprefix(f"{title}, {unit}").split()
    return found


def test_the_table_and_its_values() -> None:
    runs = {"cpu": {OURS: [1.5, 1.0, 2.0], NVITOP: [1.0, 1.0, 1.0]}, "pss": {OURS: [64.04]}}
    report = Report(runs, RELEASED, ["nvtop is not measured: it is not installed."], "load 0.10")
    head, *_, verdict, note, surroundings = report.text().splitlines()
    assert head.split() == [
        "vfiotop", "from-to", "nvitop", "nvtop", "against", "ratio", "goal", "0.1.0"
    ]  # fmt: skip
    assert lines(report)["cpu"] == [
        "1.50", "1.00-2.00", "1.00", "1.50", "at", "most", "nvitop", "MISSED", "1.20", "WORSE"
    ]  # fmt: skip
    assert lines(report)["pss"] == [
        "64.0", "64.0-64.0", "at", "most", "80", "MiB", "reached", "60.0", "not", "worse"
    ]  # fmt: skip
    assert verdict == "Worse than 0.1.0: CPU of all processes. 2 of 11 figures can be compared."
    assert (note, surroundings) == (report.notes[0], "load 0.10")
    figures = {each["figure"]: each for each in report.json()["figures"]}
    cpu = figures["cpu"]
    assert (cpu["ratio"], cpu["reached"], cpu["before"], cpu["worse"]) == (1.5, False, 1.2, True)
    assert cpu["runs"] == {OURS: [1.5, 1.0, 2.0], NVITOP: [1.0, 1.0, 1.0]}
    assert (figures["swap"]["reached"], figures["swap"]["runs"]) == (None, {})


def test_what_was_not_measured_is_a_dash_and_no_pass() -> None:
    """nvtop is not installed, and ``--only`` left out the rest."""
    found = lines(Report({"graded": {OURS: [500], NVITOP: [400]}}, RELEASED))
    assert found["graded"] == [
        "500", "500-500", "400", "–", "–", "at", "most", "nvtop", "–", "0.50", "–"
    ]  # fmt: skip
    assert found["start"] == [
        "–", "–", "–", "at", "most", "1.5", "x", "bare", "Textual", "–", "–", "–"
    ]  # fmt: skip
    assert found["pss"] == ["–", "at", "most", "80", "MiB", "–", "60.0", "–"]
    assert found["values"] == ["–"]
    goals = [key for key, figure in FIGURE.items() if figure.limit is not None]
    assert all("reached" not in found[key] and "not" not in found[key] for key in goals)


def test_the_lab_measures_the_swap(tmp_path: Path) -> None:
    assert [figure.key for figure in FIGURES if figure.group is None] == ["swap"]
    assert GROUPS == ("start", "keys", "steady", "still", "watch", "large")
    assert lines(Report({}, NOTHING))["swap"] == ["–", "at", "most", "2", "s", "–", "–", "–"]
    assert swaps.read(tmp_path) is None
    taken = [Swapped("bind", 14.0, 8.0, 4.0), Swapped("unbind", 9.0, 1.0, 5.0)]
    swaps.write(taken, tmp_path)
    assert swaps.read(tmp_path) == taken
    assert swaps.longest_s(taken) == 1.6
    found = lines(Report({"swap": {OURS: [1.6]}}, NOTHING))["swap"]
    assert found == ["1.6", "1.6-1.6", "at", "most", "2", "s", "reached", "–", "–"]


@pytest.mark.parametrize("text", ["[]", "{}", "[{}]", '[{"direction": "bind"}]', "not JSON"])
def test_a_file_of_the_lab_that_is_not_one_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / swaps.NAME).write_text(text)
    with pytest.raises(MsgspecError):
        swaps.read(tmp_path)


@pytest.mark.parametrize(
    ("key", "runs", "worse"),
    [
        ("cpu", {OURS: [1.4], NVITOP: [1.0]}, False),
        ("cpu", {OURS: [1.5], NVITOP: [1.0]}, True),
        ("cpu", {OURS: [15.0], NVITOP: [12.0]}, False),
        ("graded", {OURS: [570], NVTOP: [1000]}, False),
        ("graded", {OURS: [580], NVTOP: [1000]}, True),
        ("pss", {OURS: [65.9]}, False),
        ("pss", {OURS: [66.1]}, True),
        ("still", {OURS: [0.0]}, False),
        ("still", {OURS: [0.1]}, True),
        ("start", {OURS: [900.0], BARE: [100.0]}, None),
    ],
)
def test_worse_is_above_the_last_release_and_its_noise(
    key: str, runs: dict[str, list[float]], worse: bool | None
) -> None:
    assert row(FIGURE[key], runs, RELEASED).worse is worse


def test_a_figure_that_was_kept_in_another_unit_is_not_compared() -> None:
    released = Baseline("0.1.0", {"graded": Kept(0.5, "x nvitop"), "pss": Kept(1, "KiB")})
    assert row(FIGURE["graded"], {OURS: [900], NVTOP: [1000]}, released).worse is None
    assert row(FIGURE["pss"], {OURS: [70]}, released).worse is None


def test_a_baseline_keeps_what_has_a_goal_and_was_measured(tmp_path: Path) -> None:
    runs: Runs = {
        "cpu": {OURS: [2.4], NVITOP: [0.9]},
        "graded": {OURS: [500]},
        "still": {OURS: [0.0]},
        "rss": {OURS: [80.0]},
    }
    file = tmp_path / "baseline.json"
    baseline.write(Report(runs, NOTHING).baseline("0.3.0"), file)
    kept = {"cpu": Kept(2.67, "x nvitop"), "still": Kept(0.0, "B/s")}
    assert baseline.read(file) == Baseline("0.3.0", kept)


def test_all_of_the_baseline_in_the_tree_can_be_compared() -> None:
    """A figure whose goal or unit changed needs a baseline that was measured again."""
    released = baseline.read()
    assert released.figures
    for key, kept in released.figures.items():
        assert FIGURE[key].limit is not None, key
        assert kept.unit == FIGURE[key].kept_in, key


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([3, 1, 2], 0.5) == 2
    with pytest.raises(ValueError, match="of nothing"):
        percentile([], 0.99)


def test_a_process_may_have_any_name() -> None:
    assert parse_stat(STAT) == Stat(pid=4242, parent=17, ended=7 + 3)


def test_memory_of_a_process() -> None:
    assert parse_rollup(ROLLUP) == Memory(pss=287, rss=1724)


def test_busy_is_all_but_idle_and_waiting() -> None:
    text = "cpu  100 20 30 9000 400 5 6 7 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    assert parse_busy(text) == 100 + 20 + 30 + 5 + 6 + 7


def test_a_process_and_its_descendants() -> None:
    stats = [Stat(pid, parent, 0) for pid, parent in ((5, 4), (2, 1), (4, 2), (3, 1), (1, 0))]
    assert {stat.pid for stat in tree(2, stats)} == {2, 4, 5}
    assert tree(99, stats) == []


def test_what_this_process_uses() -> None:
    before = time.process_time()
    assert before <= time.clock_gettime(usage.process_clock(os.getpid())) <= time.process_time()
    assert usage.cpu_seconds(os.getpid()) >= before
    before, until = usage.main_thread_ms(os.getpid()), time.thread_time() + 0.05
    while time.thread_time() < until:
        pass
    # The kernel adds it up at each tick of its scheduler.
    assert usage.main_thread_ms(os.getpid()) - before == pytest.approx(50, abs=25)
    assert usage.is_mapped("/libc.so.") and not usage.is_mapped("/no such library")
    held = usage.memory(os.getpid())
    assert held.rss >= held.pss > 0
    interpreter = Path("/proc/self/cmdline").read_text().split("\0")[0]
    assert usage.memory(os.getpid(), interpreter).pss > 0
    assert usage.memory(os.getpid(), "no word of it") == Memory(0, 0)


def test_the_configurations_of_a_host(tmp_path: Path) -> None:
    layouts.lay_out_all(layouts.usual(), tmp_path)
    usual, plain, watch = (config.load(tmp_path / name) for name in (CONFIG, PLAIN, WATCH))
    assert (usual.theme, usual.history) == (None, False)
    assert plain == replace(usual, file=plain.file, theme="terminal-dark")
    assert watch == replace(usual, file=watch.file, history=True)


def test_an_answer_is_what_changes_a_cell() -> None:
    assert not shows(b"\x1b]22;default\x07\x1b[?2026h\x1b[?2026l\x1b[6n")
    assert shows(b"\x1b[?2026h\x1b[3;7H8\x1b[?2026l")


def test_the_first_frame_of_an_answer_ends_with_a_pause() -> None:
    pieces = [Piece(10.02, b"ab"), Piece(10.03, b"c"), Piece(10.05, b"de"), Piece(10.06, b"f")]
    found = pressed("tab", 10.0, pieces)
    times = (found.first_ms, found.frame_ms, found.last_ms)
    assert times == pytest.approx((20, 30, 60))
    assert found.written == 6
