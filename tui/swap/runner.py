"""Runs a swap: step after step, each journaled before and verified after it, and undone
from the journal when one fails.

A write that does not return is STUCK: nothing more is done to its function, the writer is
left to the kernel, and the swap goes on by itself when the kernel is done. Undo replays
what was recorded before the first step; it is never worked out anew.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from tui.host import HostError
from tui.host.journal.entry import Entry, JournalError, Origin, updated
from tui.host.journal.file import Journal
from tui.host.journal.format import is_driver
from tui.host.proc.process import this_process
from tui.model import (
    CLOCK,
    Direction,
    Holder,
    Holders,
    NvidiaModule,
    Plan,
    Step,
    SwapState,
    Unavailable,
    side,
    with_host,
)
from tui.model.clock import since_boot
from tui.rules import driver_gates, holder_checks
from tui.swap.machine import Machine, RunningStep
from tui.swap.plan import CLEAR, DEVICES, DRIVERS, OVERRIDE_S, PROBE_S, power, unbind_path

SCANS, BETWEEN_SCANS_S = 2, 0.5
LOOK_S = 0.2
"""Seconds between two looks at what no event tells."""

SETTLE_S = 5.0
"""Seconds that our own readers get to leave."""

UNDO_UNBIND_S = 60.0

HOMES_LIMIT = 48
"""Functions whose homes are kept; a host has fewer."""


class StepFailed(Exception):
    """A step did not do what it should have: what happened, in a sentence."""


class Runner:
    """Runs swaps on a machine. ``lock`` is the descriptor of the journal's lock, which is
    held. ``now``, ``since_boot``, ``clock`` and ``pause`` are for tests."""

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
        self._lock = lock
        self._despite_doubts = despite_doubts
        self._now = now
        self._since_boot = since_boot
        self._clock = clock
        self._pause = pause
        self._undoing = False
        self._lost: JournalError | None = None
        self._short: list[str] = []
        """What was not restored, though the swap is done."""
        self.unheard = False
        """Whether something could not be journaled: then nobody can follow this run."""

    # --- a swap -----------------------------------------------------------------

    def prepare(
        self, plan: Plan, home: tuple[Origin, ...] = (), *, identity: str | None = None
    ) -> Entry:
        """Journal what the functions are now, and what is going to be done. ``home`` is what
        is known of functions on the host; a bind adds to it. ``identity`` is the entry's id.
        Raises ``HostError`` where a function does not tell, ``JournalError``."""
        order = self._order(plan)
        at, at_s = self._now().isoformat(), self._since_boot()
        origins = tuple(self._origin(address) for address in order)
        if plan.direction == "bind":
            home = _homes(home, origins, plan.address)
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
            began_s=at_s,
            step_began_s=at_s,
        )
        self._journal.write(entry)
        return entry

    def cancel(self, entry: Entry, why: str) -> Entry:
        """End a swap that was prepared and not begun."""
        return self._end(entry, "undone", why)

    def resume(self, entry: Entry, plan: Plan, *, undoing: bool = False) -> Entry:
        """Journal that this runner goes on with what another one left, for ``run``; or for
        ``undo``, which needs no journal that can be written."""
        self._undoing = undoing
        known = {origin.address for origin in entry.origins}
        more = tuple(self._origin(a) for a in self._order(plan) if a not in known)
        return self._note(
            entry, state="running", step=0, message=None, writer=None, runner=this_process(),
            origins=entry.origins + more, steps=tuple(step.text for step in plan.steps),
        )  # fmt: skip

    @staticmethod
    def _order(plan: Plan) -> tuple[str, ...]:
        """The functions in the order in which they move."""
        return tuple(dict.fromkeys(step.address for step in plan.steps if step.address))

    def run(self, entry: Entry, plan: Plan) -> Entry:
        """Do what was prepared: the entry in the end, ``done``, ``undone`` or ``failed``.
        Returns only then, also where a write is stuck for hours."""
        try:
            self._settle(plan.unbinds)
        except Exception as error:  # nothing was touched: there is nothing to undo
            self._undoing = True
            return self._end(entry, "undone" if not _resumed(entry) else "failed", str(error))
        for index, step in enumerate(plan.steps):
            try:
                entry = self._note(entry, state="running", step=index, message=None, writer=None)
                entry = self._do(entry, step, plan.direction)
            except (StepFailed, JournalError, OSError) as error:
                return self.undo(entry, f"{step.text}: {error}")
            except Exception as error:  # a defect of ours must not leave a card half way
                return self.undo(entry, f"vfiotop failed here ({error!r}); please report it")
        stray = [a for a in plan.moves if not self._is_there(a, plan.direction)]
        if stray:
            return self.undo(entry, f"{stray[0]} is not where it should be in the end")
        self._undoing = True  # it is done, whether or not that can be written
        return self._end(entry, "done", "; ".join(self._short) or None)

    def undo(self, entry: Entry, why: str) -> Entry:
        """Give every function back what it had, the last one that was moved first."""
        self._undoing = True
        entry = self._note(entry, state="undoing", message=why, writer=None)
        faults = []
        for origin in reversed(entry.origins):
            try:
                entry = self._restore(entry, origin)
                if origin.power is not None:
                    entry = self._power(entry, power(origin.address, origin.power))
            except Exception as error:  # the other functions are given back all the same
                faults.append(f"{origin.address}: {error}")
        if faults:
            return self._end(entry, "failed", f"{why}; and could not be undone: {faults[0]}")
        return self._end(entry, "undone", why)

    # --- one step -----------------------------------------------------------------

    def _do(self, entry: Entry, step: Step, direction: Direction) -> Entry:
        if step.kind == "node":
            self._await(lambda: self._machine.exists(step.path or ""), step.limit_s,
                        f"{step.path} did not appear")  # fmt: skip
            return entry
        if step.kind == "nvml":
            self._seen(step)
            return entry
        if step.kind == "drivers" and self._loaded(entry):
            return entry
        if step.kind == "power":
            return self._power(entry, step)
        address = step.address
        if address is not None and self._machine.removing(address):
            raise StepFailed(f"the driver of {address} has not let go of it yet")
        if step.kind == "unbind" and address is not None:
            self._unheld([address])
        entry, result = self._finished(entry, self._machine.start(step, self._lock), step)
        if step.kind == "unbind" and address is not None:
            # What is seen counts: a writer that was killed leaves the kernel to finish. The
            # link goes first, so that where it is still there nothing was begun.
            if self._machine.driver(address) is not None:
                raise StepFailed(_why(result))
            self._await(lambda: self._left(address), step.limit_s, _why(result))
        elif step.kind == "probe" and address is not None:
            self._verify(address, step, direction, result)
        elif result and step.kind != "drivers":  # whether they sufficed the probes will tell
            raise StepFailed(_why(result))
        return entry

    def _power(self, entry: Entry, step: Step) -> Entry:
        """The card has been moved and works: a failure here is told and undoes nothing."""
        address = step.address or ""
        if self._machine.power(address) in (step.value, None):  # None: it is off the bus
            return entry
        entry = self._write(entry, step)
        if self._machine.power(address) != step.value:
            self._short.append(f"{address} may not be suspended as before: {step.text} failed")
        return entry

    def _loaded(self, entry: Entry) -> bool:
        """Whether the drivers that the functions had on the host are known, and there."""
        home = entry.host_drivers
        if not all(origin.address in home for origin in entry.origins):
            return False
        drivers = {home[origin.address] for origin in entry.origins} - {None}
        return all(self._machine.exists(f"{DRIVERS}/{driver}") for driver in drivers)

    def _seen(self, step: Step) -> None:
        """The driver may bind a card that it cannot start. Where NVML cannot be asked, the
        link has to do."""
        address = step.address or ""
        if self._machine.driver(address) == "nvidia":
            why = self._machine.unseen(address, step.limit_s)
            if why is not None:
                raise StepFailed(f"nvidia has the card, but {why}")

    def _finished(self, entry: Entry, deed: RunningStep, step: Step) -> tuple[Entry, int]:
        """Wait for the deed: for as long as it takes, but stuck after its time. Nothing is
        raised before it has ended: an undo beside it would write to what it still moves."""
        entry = self._remark(entry, writer=deed.process)
        result = deed.result(step.limit_s)
        if result is None:
            entry = self._remark(entry, state="stuck", message="the kernel does not return")
            entry = self._remark(entry, message=self._what_holds(step))
            while (result := deed.result(LOOK_S)) is None:
                pass
            entry = self._remark(entry, state=self._state, message=None)
        entry = self._remark(entry, writer=None)
        lost, self._lost = self._lost, None
        if lost is not None and not self._undoing:
            raise lost
        return entry, result

    @property
    def _state(self) -> SwapState:
        return "undoing" if self._undoing else "running"

    def _what_holds(self, step: Step) -> str:
        found = self._machine.holders([step.address]) if step.address else Holders(())
        if isinstance(found, Holders) and found.holders:
            first = found.holders[0]
            who = f"the kernel waits for {first.name} ({first.pid}, {first.what})"
            if driver_gates.never_recovers(self._module_of(step)):
                return f"{who}, and this driver does not hear when that ends: only a reboot helps"
            return (
                holder_checks.stays([first])
                if first.ours
                else f"{who}: {holder_checks.how_to_stop(first)}"
            )
        return "the kernel does not return; its log may tell what it waits for"

    def _module_of(self, step: Step) -> NvidiaModule | None:
        """The nvidia module, where it is the one that the step waits for."""
        return self._machine.module() if step.path and "/nvidia/" in step.path else None

    def _left(self, address: str) -> bool:
        return self._machine.driver(address) is None and not self._machine.removing(address)

    def _verify(self, address: str, step: Step, direction: Direction, result: int) -> None:
        """drivers_probe succeeds also when it bound nothing: the link is what counts."""
        found, wanted = self._machine.driver(address), step.driver
        if found is None and step.may_be_free:
            return
        if wanted is not None and found != wanted:
            raise StepFailed(f"{address} is on {found or 'no driver'} and not {wanted}"
                             + (f" ({_why(result)})" if result else ""))  # fmt: skip
        if direction == "unbind" and not with_host(found):
            raise StepFailed(f"no driver of the host took {address}; it is on {found or 'none'}")

    # --- holders --------------------------------------------------------------------

    def _settle(self, addresses: Sequence[str]) -> None:
        """Nothing holds the functions, looked at twice. The journal tells our own readers to
        leave: they get time for that, and are holders like all others after it."""
        deadline = self._clock() + SETTLE_S
        for _ in range(SCANS):
            found = self._machine.holders(addresses)
            while _readers(found) and self._clock() < deadline:
                self._pause(LOOK_S)
                found = self._machine.holders(addresses)
            self._free(found)
            self._pause(BETWEEN_SCANS_S)

    def _unheld(self, addresses: Sequence[str]) -> None:
        self._free(self._machine.holders(addresses))

    def _free(self, found: Holders | Unavailable) -> None:
        """Raise where something holds a function, or where that is not known and nobody has
        said that this will do."""
        if isinstance(found, Unavailable):
            if not self._despite_doubts:
                raise StepFailed(found.reason)
            return
        own = tuple(holder for holder in found.holders if not holder.shared and not holder.ours)
        if own:
            raise StepFailed(f"in use by {holder_checks.names(own)}")
        readers = _readers(found)
        if readers:
            raise StepFailed(holder_checks.stays(readers))
        if found.holders and driver_gates.never_recovers(self._machine.module()):
            raise StepFailed(f"may be in use by {holder_checks.names(found.holders)}")
        doubt = holder_checks.doubt(found)
        if doubt is not None and not self._despite_doubts:
            raise StepFailed(": ".join(part for part in doubt if part))

    def _is_there(self, address: str, direction: Direction) -> bool:
        whose = side(self._machine.driver(address))
        return whose == "vfio" if direction == "bind" else whose in ("host", None)

    # --- undo -----------------------------------------------------------------------

    def _restore(self, entry: Entry, origin: Origin) -> Entry:
        address = origin.address
        if not self._machine.exists(f"{DEVICES}/{address}"):
            return entry  # it is off the bus: there is nothing to give back
        if self._machine.removing(address):
            raise StepFailed("its driver does not let go of it")
        now = self._machine.driver(address)
        # The kernel binds to no driver but that of the override, where there is one; it may have
        # been another than the function was on (drivers/pci/pci-driver.c, pci_match_device).
        moves = origin.driver not in (None, now)
        bars = moves and origin.override not in (None, origin.driver)
        meanwhile = origin.driver if bars else origin.override
        entry = self._write(entry, _override(address, meanwhile))
        if now == origin.driver:
            return entry
        if now is not None:
            if now == "nvidia" and driver_gates.holds_by_itself(self._machine.module()):
                raise StepFailed("nvidia_drm modeset would not let go of it")
            self._settle([address])
            entry = self._write(
                entry, Step("unbind", address, UNDO_UNBIND_S, address, unbind_path(now))
            )
        if origin.driver is not None:
            entry = self._write(
                entry, Step("probe", address, PROBE_S, address,
                            f"/sys/bus/pci/drivers/{origin.driver}/bind"),
            )  # fmt: skip
        if meanwhile != origin.override:
            entry = self._write(entry, _override(address, origin.override))
        if self._machine.driver(address) != origin.driver:
            found = self._machine.driver(address)
            raise StepFailed(f"on {found or 'no driver'} and not {origin.driver or 'none'}")
        return entry

    def _write(self, entry: Entry, step: Step) -> Entry:
        """A write whose result is seen afterwards."""
        entry, _ = self._finished(entry, self._machine.start(step, self._lock), step)
        return entry

    # --- the journal ----------------------------------------------------------------

    def _origin(self, address: str) -> Origin:
        if self._machine.removing(address):
            raise HostError(f"{address}: its driver has not let go of it yet")
        machine = self._machine
        override = machine.override(address)
        if override is not None and not is_driver(override):
            raise HostError(
                f"the driver_override of {address} names no driver, so it could not be given "
                f"back: clear it first, with `echo > {DEVICES}/{address}/driver_override`"
            )
        return Origin(address, machine.driver(address), override, machine.power(address))

    def _note(self, entry: Entry, **changes: object) -> Entry:
        """Journal a change before what follows from it. An undo goes on where the journal
        cannot be written: it makes things better, whoever hears of it. What it leaves is
        whole, so that the old entry may make room for the last one."""
        changed = updated(entry, self._now(), self._since_boot(), **changes)
        try:
            self._journal.write(changed)
        except JournalError:
            if not self._undoing:
                raise
            self.unheard = True
            if changed.ended:
                with suppress(JournalError):
                    self._journal.clear()
                    self._journal.write(changed)
        return changed

    def _remark(self, entry: Entry, **changes: object) -> Entry:
        """Journal what is going on; that it could not be done is told later."""
        try:
            return self._note(entry, **changes)
        except JournalError as error:
            self._lost = error
            return updated(entry, self._now(), self._since_boot(), **changes)

    def _end(self, entry: Entry, state: SwapState, message: str | None) -> Entry:
        return self._note(entry, state=state, message=message, writer=None)

    def _await(self, wanted: Callable[[], bool], seconds: float, why: str) -> None:
        deadline = self._clock() + seconds
        while not wanted():
            if self._clock() > deadline:
                raise StepFailed(why)
            self._pause(LOOK_S)


def _override(address: str, driver: str | None) -> Step:
    path = f"{DEVICES}/{address}/driver_override"
    return Step("override", driver or CLEAR, OVERRIDE_S, address, path)


def _readers(found: Holders | Unavailable) -> tuple[Holder, ...]:
    """The processes of ours that read one of the functions."""
    if isinstance(found, Unavailable):
        return ()
    return tuple(holder for holder in found.holders if holder.ours)


def _homes(known: tuple[Origin, ...], now: tuple[Origin, ...], gpu: str) -> tuple[Origin, ...]:
    """What functions were on the host. One without a driver may have been left so half way:
    that is no news of it, and no home for the card itself; nor is VFIO or a stub one."""
    homes = {origin.address: origin for origin in known}
    for origin in now:
        nowhere = origin.driver is None and origin.address not in homes and origin.address != gpu
        if nowhere or with_host(origin.driver):
            homes[origin.address] = origin
    return tuple(homes.values())[-HOMES_LIMIT:]


def _resumed(entry: Entry) -> bool:
    """Whether steps were done before this run: then it is not as it was."""
    return entry.state != "prepared"


def _why(result: int) -> str:
    if result < 0:
        return f"the writer was ended by signal {-result}"
    return os.strerror(result) if result else "it did not take effect"
