"""How long the steps of a swap took, and how long such a swap usually takes.

The journal says only when the current step began. Reading every entry gives the rest.
"""

from __future__ import annotations

from tui.model import Direction, Swap

QUICK_S = 0.05
"""Steps that together took less than this took 0.0 s each, even if they were not seen one by
one."""


class SwapTimes:
    """The times of the last swap's steps, and of the swaps that were seen to finish."""

    def __init__(self) -> None:
        self._swap: Swap | None = None
        self._began: dict[int, float] = {}
        """When each step began, in seconds after the swap began. The entry after the last step is
        the end of the swap."""
        self._taken_up = False
        self._usual: dict[tuple[Direction, str], float] = {}

    def see(self, swap: Swap) -> None:
        """Record an entry of the journal."""
        known, self._swap = self._swap, swap
        at = (swap.step_began_at - swap.began_at).total_seconds()
        if known is None or known.id != swap.id:
            self._began, self._taken_up = {}, False
        elif known.interrupted and not swap.interrupted:
            self._began, self._taken_up = {}, True
            if swap.step == known.step:  # it began before the interruption
                return
        self._began.setdefault(swap.step, at)
        if swap.state != "done":
            return
        if at > self._began[swap.step]:
            self._began[len(swap.steps)] = at
        if not self._taken_up:
            self._usual[swap.direction, swap.address] = at

    def took(self, swap: Swap) -> tuple[float | None, ...]:
        """Seconds that each step of ``swap`` took; ``None`` for those that are not done, or were
        not seen."""
        if self._swap is None or self._swap.id != swap.id:
            return (None,) * len(swap.steps)
        return tuple(self._took(number) for number in range(len(swap.steps)))

    def _took(self, number: int) -> float | None:
        before = [step for step in self._began if step <= number]
        after = [step for step in self._began if step > number]
        if not before or not after:
            return None
        first, last = max(before), min(after)
        seconds = self._began[last] - self._began[first]
        return seconds if last - first == 1 or seconds < QUICK_S else None

    def usual_s(self, direction: Direction, address: str) -> float | None:
        """Seconds that the last such swap took; ``None`` if none was seen."""
        return self._usual.get((direction, address))
