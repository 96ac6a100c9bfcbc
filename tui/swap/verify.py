"""Checks around the steps of a swap: what holds a card before a write, what a write has done.

Nothing here changes the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from tui.host.journal.entry import Entry
from tui.model import Direction, Holder, Holders, Step, Unavailable, driver_side, is_host_driver
from tui.rules import driver_gates, holder_checks
from tui.swap.machine import Machine
from tui.swap.plan import DRIVERS

SCANS, BETWEEN_SCANS_S = 2, 0.5
POLL_S = 0.2
"""Seconds between two checks of what no event reports."""

SETTLE_S = 5.0
"""Seconds that our own readers get to release a card."""


class StepFailed(Exception):
    """A step did not do what it should have: what happened, in a sentence."""


class Verifier:
    """Reads the machine before and after the steps. Methods raise ``StepFailed``.

    ``despite_doubts``: the user accepted that some holders cannot be seen. ``clock`` gives
    monotonic seconds, ``pause`` sleeps.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        despite_doubts: bool,
        clock: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._machine = machine
        self._despite_doubts = despite_doubts
        self._clock = clock
        self._pause = pause

    # --- holders --------------------------------------------------------------------

    def wait_until_free(self, addresses: Sequence[str]) -> None:
        """Require two scans that find no holder of the functions.

        Our own readers exit when they see the journal. They get ``SETTLE_S`` for that; after it
        they count as holders like any other.
        """
        deadline = self._clock() + SETTLE_S
        for _ in range(SCANS):
            found = self._machine.holders(addresses)
            while _readers(found) and self._clock() < deadline:
                self._pause(POLL_S)
                found = self._machine.holders(addresses)
            self._require_free(found)
            self._pause(BETWEEN_SCANS_S)

    def require_free(self, addresses: Sequence[str]) -> None:
        """Require one scan that finds no holder of the functions."""
        self._require_free(self._machine.holders(addresses))

    def _require_free(self, found: Holders | Unavailable) -> None:
        if isinstance(found, Unavailable):
            if not self._despite_doubts:
                raise StepFailed(found.reason)
            return
        own = tuple(holder for holder in found.holders if not holder.shared and not holder.ours)
        if own:
            raise StepFailed(f"in use by {holder_checks.describe_holders(own)}")
        readers = _readers(found)
        if readers:
            raise StepFailed(holder_checks.readers_still_there(readers))
        if found.holders and driver_gates.never_recovers(self._machine.module()):
            raise StepFailed(f"may be in use by {holder_checks.describe_holders(found.holders)}")
        doubt = holder_checks.why_incomplete(found)
        if doubt is not None and not self._despite_doubts:
            raise StepFailed(": ".join(part for part in doubt if part))

    # --- what a step has done ---------------------------------------------------------

    def wait_for_node(self, step: Step) -> None:
        """Wait for the group's node in /dev/vfio."""
        self._wait_for(lambda: self._machine.exists(step.path or ""), step.limit_s,
                       f"{step.path} did not appear")  # fmt: skip

    def require_nvml(self, step: Step) -> None:
        """Require that NVML sees the card: nvidia also binds a card that it cannot start.

        If NVML cannot be asked, the driver link is the only evidence.
        """
        address = step.address or ""
        if self._machine.driver(address) == "nvidia":
            why = self._machine.nvml_failure(address, step.limit_s)
            if why is not None:
                raise StepFailed(f"nvidia has the card, but {why}")

    def wait_until_unbound(self, address: str, step: Step, result: int) -> None:
        """Wait until a driver has released a function, whatever the writer's ``result`` was.

        A writer that was killed leaves the kernel to finish. The kernel removes the link first:
        while it is there, nothing has begun.
        """
        if self._machine.driver(address) is not None:
            raise StepFailed(error_text(result))
        self._wait_for(lambda: self._unbound(address), step.limit_s, error_text(result))

    def require_probed(self, address: str, step: Step, direction: Direction, result: int) -> None:
        """Check the driver link: drivers_probe succeeds even if it binds nothing."""
        found, wanted = self._machine.driver(address), step.driver
        if found is None and step.may_be_free:
            return
        if wanted is not None and found != wanted:
            raise StepFailed(f"{address} is on {found or 'no driver'} and not {wanted}"
                             + (f" ({error_text(result)})" if result else ""))  # fmt: skip
        if direction == "unbind" and not is_host_driver(found):
            raise StepFailed(f"no host driver took {address}; it is on {found or 'none'}")

    def host_drivers_loaded(self, entry: Entry) -> bool:
        """Whether the functions' host drivers are all known, and loaded."""
        home = entry.host_drivers
        if not all(origin.address in home for origin in entry.origins):
            return False
        drivers = {home[origin.address] for origin in entry.origins} - {None}
        return all(self._machine.exists(f"{DRIVERS}/{driver}") for driver in drivers)

    def has_moved(self, address: str, direction: Direction) -> bool:
        """Whether a function is where the swap takes it."""
        whose = driver_side(self._machine.driver(address))
        return whose == "vfio" if direction == "bind" else whose in ("host", None)

    def _unbound(self, address: str) -> bool:
        return self._machine.driver(address) is None and not self._machine.removing(address)

    def _wait_for(self, condition: Callable[[], bool], seconds: float, why: str) -> None:
        deadline = self._clock() + seconds
        while not condition():
            if self._clock() > deadline:
                raise StepFailed(why)
            self._pause(POLL_S)


def error_text(result: int) -> str:
    """The result of a step's process in words: an errno, or a negative signal number."""
    if result < 0:
        return f"the writer was ended by signal {-result}"
    return os.strerror(result) if result else "it did not take effect"


def _readers(found: Holders | Unavailable) -> tuple[Holder, ...]:
    """Our own processes that read one of the functions."""
    if isinstance(found, Unavailable):
        return ()
    return tuple(holder for holder in found.holders if holder.ours)
