"""The seconds of a swap, which only the lab can measure, for the table of the bench.

``tests/lab/test_swap.py`` writes them next to the other results of its topology.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, ValidationError, json

LAB = Path(__file__).parents[2] / ".lab/two-slots"
NAME = "swaps.json"

MISSING = (
    "A swap is measured in the lab, not here: run `make lab` first, or "
    '`make lab ARGS="--topology two-slots -k there_and_back"`.'
)
TAKEN = "The swap is that of the last `make lab` with two-slots, whose slowness is divided out."


class Swapped(Struct, frozen=True):
    """A swap, the same writes without vfiotop, and how many times slower than the machine around it
    the lab was."""

    direction: str
    swap_s: float
    writes_s: float
    slowness: float

    @property
    def beyond_s(self) -> float:
        """Seconds that vfiotop adds, on a machine as fast as the one around the lab."""
        return (self.swap_s - self.writes_s) / self.slowness


def write(found: Sequence[Swapped], folder: Path) -> None:
    """Write them to ``folder``. Raises ``OSError``."""
    (folder / NAME).write_bytes(json.format(json.encode(found), indent=1) + b"\n")


def read(folder: Path = LAB) -> list[Swapped] | None:
    """Those of the last run of the lab; ``None`` if there was none. Raises ``OSError`` and
    msgspec's ``MsgspecError``."""
    file = folder / NAME
    if not file.exists():
        return None
    found = json.decode(file.read_bytes(), type=list[Swapped])
    if not found:
        raise ValidationError(f"{file} has no swap")
    return found


def longest_s(found: Sequence[Swapped]) -> float:
    """The most seconds that vfiotop added to one of them."""
    return max(each.beyond_s for each in found)
