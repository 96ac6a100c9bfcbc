"""The figures of the last released version, to tell what a change made worse.

They are ratios to another program in the same bench where the goal is one, so they hold on any
machine; the rest are values. ``baseline.json`` is written by ``make bench ARGS="--save-baseline"``.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct, field, json

FILE = Path(__file__).with_name("baseline.json")


class Kept(Struct, frozen=True):
    """A value and its unit, such as ``x nvitop`` for a ratio."""

    value: float
    unit: str


class Baseline(Struct, frozen=True):
    """The figures of ``version``, by key. One that was not measured is left out."""

    version: str
    figures: dict[str, Kept] = field(default_factory=dict)

    def value(self, key: str, unit: str) -> float | None:
        """A figure's value; ``None`` also if it is in another unit, which cannot be compared."""
        kept = self.figures.get(key)
        return kept.value if kept is not None and kept.unit == unit else None


def read(path: Path = FILE) -> Baseline:
    """Read the file. Raises ``OSError`` and msgspec's ``MsgspecError``."""
    return json.decode(path.read_bytes(), type=Baseline)


def write(baseline: Baseline, path: Path = FILE) -> None:
    """Replace the file. Raises ``OSError``."""
    path.write_bytes(json.format(json.encode(baseline), indent=1) + b"\n")
