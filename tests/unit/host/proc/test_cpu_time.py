"""What CPUs and threads did between two samples."""

from __future__ import annotations

import pytest

from tui.host.proc.cpu_time import CpuTicks, cpu_ticks, host_cpus, thread_load
from tui.model import CPU_LIMIT, HostCpu

STAT = b"""\
cpu  300 0 60 900 0 0 0 0 250 0
cpu0 100 1 20 300 5 2 3 40 90 0
cpu17 200 0 40 600 0 0 0 0 160 0
intr 1234 cpu9 1 1 1 1 1 1 1 1
ctxt 5
"""


def test_the_cpus_of_proc_stat() -> None:
    assert cpu_ticks(STAT) == {
        0: CpuTicks(total=471, busy=126, stolen=40),
        17: CpuTicks(total=840, busy=240, stolen=0),
    }


@pytest.mark.parametrize(
    "stat",
    [b"", b"cpu0 1 2 3\n", b"cpu0 1 2 3 4 5 6 7 x\n", b"cpu%d 1 1 1 1 1 1 1 1\n" % CPU_LIMIT],
)
def test_lines_that_cannot_be_read_are_left_out(stat: bytes) -> None:
    assert cpu_ticks(stat) == {}


def test_what_a_cpu_did_between_two_samples() -> None:
    before = {0: CpuTicks(1000, 500, 0), 1: CpuTicks(1000, 0, 0)}
    after = {0: CpuTicks(1100, 530, 10), 1: CpuTicks(1100, 0, 0), 2: CpuTicks(50, 50, 0)}
    assert host_cpus(before, after) == (
        HostCpu(0, 30.0, 10.0), HostCpu(1, 0.0, 0.0), HostCpu(2),
    )  # fmt: skip


@pytest.mark.parametrize(
    "now", [CpuTicks(100, 50, 5), CpuTicks(200, 49, 5), CpuTicks(200, 60, 4)],
    ids=["no time", "less busy", "less stolen"],
)  # fmt: skip
def test_a_counter_that_does_not_grow_gives_no_figure(now: CpuTicks) -> None:
    assert host_cpus({0: CpuTicks(100, 50, 5)}, {0: now}) == (HostCpu(0),)


@pytest.mark.parametrize(
    ("was", "now", "ticks", "load"),
    [(0, 50, 100, 50.0), (7, 7, 100, 0.0), (0, 130, 100, 100.0), (None, 5, 100, None),
     (9, 8, 100, None), (0, 1, 0, None)],
)  # fmt: skip
def test_the_load_of_a_thread(was: int | None, now: int, ticks: float, load: float | None) -> None:
    assert thread_load(was, now, ticks) == load
