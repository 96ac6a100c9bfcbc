"""Medians, ratios and a table from the values of several runs. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

OURS, BARE, NVITOP, NVTOP, USUAL = "vfiotop", "bare Textual", "nvitop", "nvtop", "two GPUs"

OTHERS = (NVITOP, NVTOP)
"""The programs with a column of their own."""

Runs = Mapping[str, Mapping[str, Sequence[float]]]
"""The values by figure and program, one per run."""


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    The goal is at most ``limit`` times the value of ``against``, or without that, ``limit`` in
    the figure's own ``unit``. With ``limit`` None, the figure is for information.
    """

    key: str
    group: str
    title: str
    unit: str
    limit: float | None = None
    against: str | None = None
    digits: int = 0

    @property
    def goal(self) -> str:
        """The goal in words."""
        if self.limit is None:
            return ""
        if self.against is None:
            return f"at most {self.limit:g} {self.unit}"
        times = "" if self.limit == 1 else f"{self.limit:g} x "
        return f"at most {times}{self.against}"


FIGURES = (
    Figure("bytes", "steady", "to the terminal, values change", "B/s", 1, NVITOP),
    Figure("still", "still", "to the terminal, nothing changes", "B/s", 0),
    Figure("cpu", "steady", "CPU of all processes", "% of a core", 1, NVITOP, digits=2),
    Figure("start", "start", "start to the first reading", "ms", 1.5, BARE),
    Figure("values", "start", "start to NVML's values", "ms"),
    Figure("pss", "steady", "memory, shared pages in part (PSS)", "MiB", 80, digits=1),
    Figure("rss", "steady", "memory, shared pages in full (RSS)", "MiB", digits=1),
    Figure("key", "keys", "key to the first byte, 99th percentile", "ms"),
    Figure("frame", "keys", "key to the first whole frame, 99th percentile", "ms", 50),
    Figure("answer", "keys", "key to the last frame, 99th percentile", "ms"),
    Figure("large", "large", "CPU on the large host", "% of a core", 2, USUAL, digits=2),
)

GROUPS = tuple(dict.fromkeys(figure.group for figure in FIGURES))
"""Figures measured together, in one run of a program."""

SWAP = (
    "A swap (at most 2 s on top of the bare kernel writes) is measured in the lab: `make lab`, "
    "tests/lab/test_swap.py, prints both and fails above that."
)


@dataclass(frozen=True)
class Row:
    """A figure with the medians of its programs; ``reached`` is ``None`` without a goal, or if
    a value is missing to judge it."""

    figure: Figure
    medians: Mapping[str, float]
    lowest: float | None
    highest: float | None
    ratio: float | None
    reached: bool | None


@dataclass
class Report:
    """The result of one bench; ``notes`` are sentences below the table."""

    runs: Runs
    notes: list[str] = field(default_factory=list)
    surroundings: str = ""

    @property
    def rows(self) -> list[Row]:
        return [row(figure, self.runs[figure.key]) for figure in FIGURES if figure.key in self.runs]

    def text(self) -> str:
        """The table as text."""
        head = ("", "vfiotop", "from-to", *OTHERS, "against", "ratio", "goal", "")
        lines = [head, *(_cells(each) for each in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        # Words are aligned left, numbers right.
        words = (0, 7, 8)
        table = [
            "  ".join(
                cell.ljust(width) if place in words else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([*table, "", *self.notes, SWAP, self.surroundings])

    def json(self) -> dict[str, Any]:
        """The report as JSON, schema 1, with the values of each run."""
        return {
            "schema": 1,
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
                    "runs": {name: list(runs) for name, runs in self.runs[each.figure.key].items()},
                }
                for each in self.rows
            ],
        }


def row(figure: Figure, runs: Mapping[str, Sequence[float]]) -> Row:
    """The medians of a figure's runs, and whether vfiotop reaches the goal."""
    medians = {name: median(values) for name, values in runs.items() if values}
    ours = medians.get(OURS)
    mine = runs.get(OURS) or ()
    base = 1.0 if figure.against is None else medians.get(figure.against)
    ratio = ours / base if ours is not None and base and figure.against else None
    reached = None
    if ours is not None and base is not None and figure.limit is not None:
        reached = ours <= figure.limit * base
    return Row(figure, medians, min(mine, default=None), max(mine, default=None), ratio, reached)


def _cells(each: Row) -> tuple[str, ...]:
    figure = each.figure
    against = figure.against if figure.against not in OTHERS else None
    return (
        f"{figure.title}, {figure.unit}",
        _number(each.medians.get(OURS), figure),
        f"{_number(each.lowest, figure)}-{_number(each.highest, figure)}",
        *(_number(each.medians.get(name), figure) for name in OTHERS),
        _number(each.medians.get(against), figure) if against else "",
        "" if each.ratio is None else f"{each.ratio:.2f}",
        figure.goal,
        {None: "" if figure.limit is None else "not known", True: "reached", False: "MISSED"}[
            each.reached
        ],
    )


def _number(value: float | None, figure: Figure) -> str:
    return "" if value is None else f"{value:.{figure.digits}f}"


def percentile(values: Iterable[float], share: float) -> float:
    """The percentile ``share`` (0 to 1) of ``values``, by nearest rank."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("there is no percentile of nothing")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
