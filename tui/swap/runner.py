"""Runs a swap as a transaction: each step is journaled before it and verified after it.

If a step fails, the functions get back what the journal recorded before the first step. Undo
replays that record; it never computes a target of its own.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import datetime

from tui.host import HostError
from tui.host.journal.entry import Entry, JournalError, Origin
from tui.host.journal.file import Journal
from tui.host.journal.format import is_driver
from tui.host.proc.process import this_process
from tui.model import CLOCK, Plan, is_host_driver
from tui.model.clock import since_boot
from tui.model.requests import Requester
from tui.swap.machine import Machine
from tui.swap.plan import DEVICES
from tui.swap.progress import Progress
from tui.swap.steps import StepExecutor
from tui.swap.verify import StepFailed, Verifier

HOMES_LIMIT = 48
"""Functions whose state on the host is remembered; a host has fewer."""


class Runner:
    """Runs swaps on ``machine``. ``lock`` is the descriptor of the journal's lock, which the
    caller holds. ``now``, ``since_boot``, ``clock`` and ``pause`` are for tests."""

    def __init__(
        self,
        machine: Machine,
        journal: Journal,
        lock: int,
        *,
        despite_doubts: bool = False,
        now: Callable[[], datetime] = CLOCK.now,
        since_boot: Callable[[], float] = since_boot,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._machine = machine
        self._journal = journal
        self._now = now
        self._since_boot = since_boot
        self._progress = Progress(journal, now, since_boot)
        self._verifier = Verifier(machine, despite_doubts=despite_doubts, clock=clock, pause=pause)
        self._steps = StepExecutor(machine, self._progress, self._verifier, lock)

    @property
    def unjournaled(self) -> bool:
        """Whether an entry could not be written: then nobody can follow this run."""
        return self._progress.unjournaled

    def prepare(
        self,
        plan: Plan,
        home: tuple[Origin, ...] = (),
        *,
        identity: str | None = None,
        by: Requester = "user",
    ) -> Entry:
        """Journal the functions' present state and the steps to come.

        ``home`` is the known state of functions on the host; a bind adds to it. ``identity``
        becomes the entry's id. ``by`` is who asked for the swap. Raises ``HostError`` if the state
        of a function cannot be read, and ``JournalError``.
        """
        order = self._order(plan)
        at, at_s = self._now().isoformat(), self._since_boot()
        origins = tuple(self._origin(address) for address in order)
        if plan.direction == "bind":
            home = _updated_home(home, origins, plan.address)
        entry = Entry(
            id=identity or uuid.uuid4().hex,
            boot_id=self._journal.boot_id,
            direction=plan.direction,
            address=plan.address,
            state="prepared",
            origins=origins,
            home=home,
            steps=tuple(step.text for step in plan.steps),
            step=0,
            began_at=at,
            step_began_at=at,
            runner=this_process(),
            writer=None,
            message=None,
            began_s=at_s,
            step_began_s=at_s,
            by=by,
        )
        self._journal.write(entry)
        return entry

    def cancel(self, entry: Entry, why: str) -> Entry:
        """End a swap that was prepared but has not begun."""
        return self._progress.end(entry, "undone", why)

    def resume(
        self, entry: Entry, plan: Plan, *, undoing: bool = False, by: Requester = "user"
    ) -> Entry:
        """Take over a swap that another runner left; ``run`` or ``undo`` comes next.

        With ``undoing``, it continues even if the journal cannot be written.
        """
        self._progress.undoing = undoing
        known = {origin.address for origin in entry.origins}
        more = tuple(self._origin(a) for a in self._order(plan) if a not in known)
        return self._progress.note(
            entry, state="running", step=0, message=None, writer=None, runner=this_process(),
            origins=entry.origins + more, steps=tuple(step.text for step in plan.steps), by=by,
        )  # fmt: skip

    @staticmethod
    def _order(plan: Plan) -> tuple[str, ...]:
        """The functions in the order in which they move."""
        return tuple(dict.fromkeys(step.address for step in plan.steps if step.address))

    def run(self, entry: Entry, plan: Plan) -> Entry:
        """Execute the plan; returns the last entry: ``done``, ``undone`` or ``failed``.

        Does not return before that, even if a write is stuck for hours.
        """
        try:
            self._verifier.wait_until_free(plan.unbinds)
        except Exception as error:  # nothing was touched, so there is nothing to undo
            self._progress.undoing = True
            return self._progress.end(
                entry, "undone" if not _resumed(entry) else "failed", str(error)
            )
        for index, step in enumerate(plan.steps):
            try:
                entry = self._progress.note(
                    entry, state="running", step=index, message=None, writer=None
                )
                entry = self._steps.execute(entry, step, plan.direction)
            except (StepFailed, JournalError, OSError) as error:
                return self.undo(entry, f"{step.text}: {error}")
            except Exception as error:  # a bug of ours must not leave a card halfway
                return self.undo(entry, f"vfiotop failed here ({error!r}); please report it")
        stray = [a for a in plan.moves if not self._verifier.has_moved(a, plan.direction)]
        if stray:
            return self.undo(entry, f"{stray[0]} did not end up where it should")
        self._progress.undoing = True  # it is done, whether or not the journal can say so
        return self._progress.end(entry, "done", "; ".join(self._steps.warnings) or None)

    def undo(self, entry: Entry, why: str) -> Entry:
        """Restore every function to its recorded state, in reverse order."""
        self._progress.undoing = True
        entry = self._progress.note(entry, state="undoing", message=why, writer=None)
        faults = []
        for origin in reversed(entry.origins):
            try:
                entry = self._steps.restore_driver(entry, origin)
                entry = self._steps.restore_power(entry, origin)
            except Exception as error:  # the other functions are still restored
                faults.append(f"{origin.address}: {error}")
        if faults:
            return self._progress.end(
                entry, "failed", f"{why}; and could not be undone: {faults[0]}"
            )
        return self._progress.end(entry, "undone", why)

    def _origin(self, address: str) -> Origin:
        if self._machine.removing(address):
            raise HostError(f"{address}: its driver has not released it yet")
        machine = self._machine
        override = machine.override(address)
        if override is not None and not is_driver(override):
            raise HostError(
                f"the driver_override of {address} is not a driver name, so it could not be "
                f"restored: clear it first, with `echo > {DEVICES}/{address}/driver_override`"
            )
        return Origin(address, machine.driver(address), override, machine.power(address))


def _updated_home(
    known: tuple[Origin, ...], now: tuple[Origin, ...], gpu: str
) -> tuple[Origin, ...]:
    """The state of functions on the host, with what can be learned ``now``.

    A function without a driver may have been left so by an interrupted swap: that does not
    replace what is known, and it is never recorded for the GPU itself. VFIO and stub drivers are
    not host drivers either.
    """
    homes = {origin.address: origin for origin in known}
    for origin in now:
        unused = origin.driver is None and origin.address not in homes and origin.address != gpu
        if unused or is_host_driver(origin.driver):
            homes[origin.address] = origin
    return tuple(homes.values())[-HOMES_LIMIT:]


def _resumed(entry: Entry) -> bool:
    """Whether an earlier run did some of the steps, so that the card is not as it was."""
    return entry.state != "prepared"
