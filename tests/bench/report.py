"""Medians, ratios and a table from the values of several runs, next to those of the last release.
Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.bench.baseline import Baseline, Kept

OURS, BARE, NVITOP, NVTOP, USUAL = "vfiotop", "bare Textual", "nvitop", "nvtop", "two GPUs"

OTHERS = (NVITOP, NVTOP)
"""The programs with a column of their own."""

PERCENT = "% of a core"

UNKNOWN = "–"
"""What stands for a value that was not measured."""

Runs = Mapping[str, Mapping[str, Sequence[float]]]
"""The values by figure and program, one per run."""


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    The goal is at most ``limit`` times the value of ``against``, or without that, ``limit`` in
    the figure's own ``unit``. With ``limit`` None, the figure is for information. One without a
    ``group`` is measured in the lab.

    ``noise`` is the share by which a figure may exceed that of the last release without being
    worse. It is wide for milliseconds, which depend on the machine.
    """

    key: str
    group: str | None
    title: str
    unit: str
    limit: float | None = None
    against: str | None = None
    digits: int = 0
    noise: float = 0.0

    @property
    def goal(self) -> str:
        """The goal in words."""
        if self.limit is None:
            return ""
        if self.against is None:
            return f"at most {self.limit:g} {self.unit}"
        times = "" if self.limit == 1 else f"{self.limit:g} x "
        return f"at most {times}{self.against}"

    @property
    def kept_in(self) -> str:
        """The unit of the figure in a baseline."""
        return self.unit if self.against is None else f"x {self.against}"

    def shown(self, value: float | None) -> str:
        """A value of the figure, or a dash if it is not known."""
        return UNKNOWN if value is None else f"{value:.{self.digits}f}"

    def compared(self, value: float | None) -> str:
        """A value as in a baseline, or a dash if it is not known."""
        return self.shown(value) if value is None or not self.against else f"{value:.2f}"


FIGURES = (
    Figure("start", "start", "start to the first reading", "ms", 1.5, BARE, noise=0.15),
    Figure("frame", "keys", "key to the first whole frame, 99th percentile", "ms", 50, noise=0.5),
    Figure("cpu", "steady", "CPU of all processes", PERCENT, 1, NVITOP, digits=2, noise=0.2),
    Figure("plain", "steady", "to the terminal, plain colours", "B/s", 1, NVITOP, noise=0.15),
    Figure("graded", "steady", "to the terminal, graded colours", "B/s", 1, NVTOP, noise=0.15),
    Figure("still", "still", "to the terminal, nothing changes", "B/s", 0),
    Figure("pss", "steady", "memory of all processes", "MiB", 80, digits=1, noise=0.1),
    Figure("child", "steady", "memory of NVML's process", "MiB", 16, digits=1, noise=0.1),
    Figure("watch", "watch", "memory of a watch, beside libvirtd", "MiB", 40, digits=1, noise=0.1),
    Figure("large", "large", "CPU on the large host", PERCENT, 2, USUAL, digits=2, noise=0.25),
    Figure("swap", None, "a swap, beyond the bare kernel's writes", "s", 2, digits=1),
    Figure("values", "start", "start to NVML's values", "ms"),
    Figure("key", "keys", "key to the first byte, 99th percentile", "ms"),
    Figure("answer", "keys", "key to the last frame, 99th percentile", "ms"),
    Figure("rss", "steady", "memory, shared pages in full (RSS)", "MiB", digits=1),
    Figure("alone", "watch", "memory of a watch, without a libvirtd", "MiB", digits=1),
)
"""Figures with a goal, then those for information. Memory is PSS, which counts shared pages in
part, except where the title says otherwise. A libvirtd runs beside each watch with a guest, and
shares libvirt and its fifty libraries with it. The lab has measured the swap."""

GROUPS = tuple(dict.fromkeys(figure.group for figure in FIGURES if figure.group is not None))
"""Figures measured together, in one run of a program."""


@dataclass(frozen=True)
class Row:
    """A figure with the medians of its programs, and ``before``, that of the last release.
    ``reached`` and ``worse`` are ``None`` without a goal, or if a value that they need is
    missing."""

    figure: Figure
    medians: Mapping[str, float]
    lowest: float | None
    highest: float | None
    ratio: float | None
    reached: bool | None
    before: float | None

    @property
    def kept(self) -> float | None:
        """The value for a baseline."""
        return self.medians.get(OURS) if self.figure.against is None else self.ratio

    @property
    def worse(self) -> bool | None:
        """Whether it is above that of the last release by more than the noise."""
        if self.before is None or self.kept is None:
            return None
        return self.kept > self.before * (1 + self.figure.noise)


@dataclass
class Report:
    """The result of one bench; ``notes`` are sentences below the table, ``before`` is the last
    release."""

    runs: Runs
    before: Baseline
    notes: list[str] = field(default_factory=list)
    surroundings: str = ""

    @property
    def rows(self) -> list[Row]:
        return [row(each, self.runs.get(each.key, {}), self.before) for each in FIGURES]

    def baseline(self, version: str) -> Baseline:
        """The figures to keep of ``version``: those that have a goal and were measured."""
        found = ((each.figure, each.kept) for each in self.rows if each.figure.limit is not None)
        return Baseline(version, {
            figure.key: Kept(round(value, 2), figure.kept_in)
            for figure, value in found if value is not None
        })  # fmt: skip

    def text(self) -> str:
        """The table as text."""
        version = self.before.version
        head = ("", "vfiotop", "from-to", *OTHERS, "against", "ratio", "goal", "", version, "")
        lines = [head, *(_cells(each) for each in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        # Words are aligned left, numbers right.
        words = (0, 7, 8, 10)
        table = [
            "  ".join(
                cell.ljust(width) if place in words else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([*table, "", self._verdict(), *self.notes, self.surroundings])

    def _verdict(self) -> str:
        version, rows = self.before.version, self.rows
        worse = [each.figure.title for each in rows if each.worse]
        compared = sum(each.worse is not None for each in rows)
        goals = sum(each.figure.limit is not None for each in rows)
        said = f"Worse than {version}: {'; '.join(worse) or 'nothing'}"
        return f"{said}. {compared} of {goals} figures can be compared."

    def json(self) -> dict[str, Any]:
        """The report as JSON, schema 1, with the values of each run."""
        return {
            "schema": 1,
            "before": self.before.version,
            "surroundings": self.surroundings,
            "notes": self.notes,
            "figures": [
                {
                    "figure": each.figure.key,
                    "title": each.figure.title,
                    "unit": each.figure.unit,
                    "goal": each.figure.goal or None,
                    "medians": dict(each.medians),
                    "ratio": each.ratio,
                    "reached": each.reached,
                    "before": each.before,
                    "noise": each.figure.noise,
                    "worse": each.worse,
                    "runs": {
                        name: list(runs)
                        for name, runs in self.runs.get(each.figure.key, {}).items()
                    },
                }
                for each in self.rows
            ],
        }


def row(figure: Figure, runs: Mapping[str, Sequence[float]], released: Baseline) -> Row:
    """The medians of a figure's runs, and whether vfiotop reaches the goal, next to
    ``released``."""
    medians = {name: median(values) for name, values in runs.items() if values}
    ours = medians.get(OURS)
    mine = runs.get(OURS) or ()
    base = 1.0 if figure.against is None else medians.get(figure.against)
    ratio = ours / base if ours is not None and base and figure.against else None
    reached = None
    if ours is not None and base is not None and figure.limit is not None:
        reached = ours <= figure.limit * base
    before = released.value(figure.key, figure.kept_in)
    return Row(figure, medians, min(mine, default=None), max(mine, default=None), ratio, reached,
               before)  # fmt: skip


def _cells(each: Row) -> tuple[str, ...]:
    figure, medians = each.figure, each.medians
    others = [
        figure.shown(medians.get(name)) if name in medians or name == figure.against else ""
        for name in OTHERS
    ]
    against = figure.against if figure.against not in OTHERS else None
    goal = figure.limit is not None
    return (
        f"{figure.title}, {figure.unit}",
        figure.shown(medians.get(OURS)),
        "" if each.lowest is None else f"{figure.shown(each.lowest)}-{figure.shown(each.highest)}",
        *others,
        figure.shown(medians.get(against)) if against else "",
        "" if figure.against is None else figure.compared(each.ratio),
        figure.goal,
        {None: UNKNOWN, True: "reached", False: "MISSED"}[each.reached] if goal else "",
        figure.compared(each.before) if goal else "",
        {None: UNKNOWN, True: "WORSE", False: "not worse"}[each.worse] if goal else "",
    )


def percentile(values: Iterable[float], share: float) -> float:
    """The percentile ``share`` (0 to 1) of ``values``, by nearest rank."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("there is no percentile of nothing")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
