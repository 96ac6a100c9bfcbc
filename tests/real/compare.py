"""Whether two programs agree about a card whose values change. Pure.

nvidia-smi runs between two readings of ours. They explain its value if it lies between them, give
or take a tolerance. A metric differs if at least half of the samples are unexplained: chance
affects single samples, an error of ours affects all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.real.smi import Used, Value, Values
from tests.values import NVML_METRICS
from tui.model import GpuProcess, Metrics

TOLERANCE: Mapping[str, tuple[float, float]] = {
    "util_pct": (3, 0), "mem_util_pct": (3, 0), "enc_pct": (3, 0), "dec_pct": (3, 0),
    "mem_used_mib": (2, 0), "mem_total_mib": (1, 0), "temp_c": (1, 0), "temp_limit_c": (0, 0),
    "fan_pct": (1, 0), "power_w": (2, 0.05), "power_limit_w": (0.1, 0),
    "clock_mhz": (15, 0.02), "mem_clock_mhz": (15, 0.02),
}  # fmt: skip
"""The tolerance for rounding and averaging: an amount, and a share of the value. Other metrics have
none."""

Word = Literal["same", "moves", "differs", "only vfiotop", "only nvidia-smi", "not supported"]
"""``moves``: some samples are unexplained, but fewer than half."""


@dataclass(frozen=True)
class Sample:
    """What we read of a card before and after nvidia-smi ran, what nvidia-smi said, and the seconds
    from the first reading to the last."""

    before: Values
    theirs: Values
    after: Values
    seconds: float = 0.0


@dataclass(frozen=True)
class Compared:
    """A metric of a card; ``ours`` and ``theirs`` are those of the last sample that has both."""

    metric: str
    word: Word
    ours: Value = None
    theirs: Value = None
    unexplained: int = 0
    samples: int = 0


def values_of(metrics: Metrics) -> dict[str, Value]:
    """Our reading in the form of nvidia-smi's."""
    return {name: getattr(metrics, name) for name in NVML_METRICS}


def compare(samples: Sequence[Sample]) -> list[Compared]:
    """Every metric that the screen shows."""
    return [_compare(name, samples) for name in NVML_METRICS]


def _compare(name: str, samples: Sequence[Sample]) -> Compared:
    ours = [s.after.get(name) for s in samples if s.after.get(name) is not None]
    theirs = [s.theirs.get(name) for s in samples if s.theirs.get(name) is not None]
    if not ours or not theirs:
        word: Word = "only vfiotop" if ours else "only nvidia-smi" if theirs else "not supported"
        return Compared(name, word, (ours or [None])[-1], (theirs or [None])[-1])
    both = [
        s for s in samples
        if None not in (s.before.get(name), s.theirs.get(name), s.after.get(name))
    ]  # fmt: skip
    wrong = [s for s in both if not _explained(name, s)]
    word = "same" if not wrong else "differs" if 2 * len(wrong) >= len(both) else "moves"
    shown = (wrong or both or samples)[-1]
    return Compared(
        name, word, shown.after.get(name), shown.theirs.get(name), len(wrong), len(both)
    )


def _explained(name: str, sample: Sample) -> bool:
    before, theirs, after = (
        each.get(name) for each in (sample.before, sample.theirs, sample.after)
    )
    if not (
        isinstance(before, int | float)
        and isinstance(theirs, int | float)
        and isinstance(after, int | float)
    ):
        return theirs in (before, after)
    amount, share = TOLERANCE.get(name, (0, 0))
    slack = amount + share * abs(theirs)
    return min(before, after) - slack <= theirs <= max(before, after) + slack


@dataclass(frozen=True)
class Processes:
    """The processes on a card, by pid. ``missing`` are only nvidia-smi's, ``extra`` only ours;
    those that came or went meanwhile are neither. ``memory``: those whose size differs."""

    both: tuple[int, ...]
    missing: tuple[int, ...]
    extra: tuple[int, ...]
    memory: tuple[int, ...]


def compare_processes(
    before: Sequence[GpuProcess], theirs: Sequence[Used], after: Sequence[GpuProcess]
) -> Processes:
    """Compare nvidia-smi's list with those that we read before and after it."""
    first, last = ({p.pid: p for p in each if p.pid is not None} for each in (before, after))
    listed = {each.pid: each for each in theirs}
    seen, stayed = first.keys() | last.keys(), first.keys() & last.keys()
    sizes = [
        pid for pid in sorted(stayed & listed.keys())
        if not _same_size(first[pid].memory_mib, listed[pid].memory_mib, last[pid].memory_mib)
    ]  # fmt: skip
    return Processes(
        tuple(sorted(seen & listed.keys())), tuple(sorted(listed.keys() - seen)),
        tuple(sorted(stayed - listed.keys())), tuple(sizes),
    )  # fmt: skip


def _same_size(before: float | None, theirs: float | None, after: float | None) -> bool:
    if before is None or theirs is None or after is None:
        return theirs == after
    return min(before, after) - 2 <= theirs <= max(before, after) + 2
