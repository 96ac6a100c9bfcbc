"""A swap as a command: the part that runs it, in a session of its own.

The runner is this same program, started by ``tui.swap.launch``: it takes the lock, checks
everything anew under it, and goes on when whoever asked is gone.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace

from tui.host import Host, HostError
from tui.model import Direction, Plan
from tui.once import NoSuchCard, plan_once
from tui.rules.roles import Choice
from tui.swap.journal import Entry, Journal, JournalError
from tui.swap.launch import Doubtful, Refused, Told, Unfinished, refusal, unfinished
from tui.swap.machine import RealMachine
from tui.swap.plan import homeward
from tui.swap.preflight import NEEDED
from tui.swap.runner import Runner

WRITE_S = 5.0
"""Seconds that the last write of a runner that is gone gets to return."""


UNDO_NEEDS = {"swap.movable", "guest.inactive", "privilege"}
"""The checks of an undo; who holds a function is looked at right before it is moved."""

# --- the runner -----------------------------------------------------------------


def run_swap(
    host: Host,
    choice: Choice,
    direction: Direction,
    address: str | None,
    *,
    despite_doubts: bool,
    begun: Callable[[Entry], None],
    journal: Journal | None = None,
) -> Entry:
    """Swap a GPU on this machine; the journal's entry in the end. Calls ``begun`` when the
    first step is near. Raises ``Refused``, ``JournalError``, ``HostError``."""
    here(host)
    journal = journal or Journal()
    with journal.locked() as lock:
        last = journal.read()
        if last is not None and not last.ended:
            raise Unfinished(unfinished(last))
        try:
            plan = plan_once(host, choice, direction, address)
        except NoSuchCard as error:
            raise Refused(str(error)) from error
        refuse(plan, despite_doubts=despite_doubts)
        host.close()
        home = last.home if last is not None and last.address == plan.address else ()
        runner = Runner(RealMachine(), journal, lock, despite_doubts=despite_doubts)
        entry = runner.prepare(plan, home)
        begun(entry)
        return runner.run(entry, _homeward(plan, entry.host_drivers))


def run_recover(
    host: Host,
    choice: Choice,
    *,
    finish: bool,
    despite_doubts: bool,
    begun: Callable[[Entry], None],
    journal: Journal | None = None,
) -> Entry:
    """Finish or undo the swap that was interrupted; the journal's entry in the end. Raises
    as ``run_swap``."""
    here(host)
    journal = journal or Journal()
    with journal.locked(WRITE_S) as lock:
        last = journal.read()
        if last is None or last.ended:
            raise Refused("there is nothing to recover")
        try:
            plan = plan_once(host, choice, last.direction, last.address)
        except NoSuchCard as error:
            raise Refused(str(error)) from error
        host.close()
        _refuse_recovery(plan, finish=finish, despite_doubts=despite_doubts)
        runner = Runner(RealMachine(), journal, lock, despite_doubts=despite_doubts)
        entry = runner.resume(last, plan)
        begun(entry)
        if not finish:
            return runner.undo(entry, "undone by recover")
        return runner.run(entry, _homeward(plan, last.host_drivers))


def _refuse_recovery(plan: Plan, *, finish: bool, despite_doubts: bool) -> None:
    """To finish needs all that a swap needs, but that there is something left to do; to undo
    needs that nobody has come to use the card meanwhile."""
    needed = UNDO_NEEDS if not finish else {check.id for check in plan.checks} - {NEEDED}
    kept = tuple(check for check in plan.checks if check.id in needed)
    refuse(replace(plan, checks=kept), despite_doubts=despite_doubts)


def here(host: Host) -> None:
    """Raise ``Refused`` but on the machine itself and for root: nothing else is moved."""
    if host.banner is not None or host.readonly:
        raise Refused("this host is only looked at: no card is moved")
    if not host.inspector.readiness([]).root:
        raise Refused("only root may move a card: run it again with sudo, doas or run0")


def refuse(plan: Plan, *, despite_doubts: bool) -> None:
    """Raise ``Refused`` where the plan may not be carried out."""
    if plan.refusals:
        worst = plan.refusals[0]
        raise Refused(f"{worst.why}{f': {worst.mend}' if worst.mend else ''} ({worst.id})")
    if plan.doubts and not despite_doubts:
        doubt = plan.doubts[0]
        raise Doubtful(
            f"not known whether it is safe: {doubt.why} ({doubt.id}); "
            f"{doubt.mend or 'look yourself'}, or go on with --despite-doubts: a card that is "
            "in use may hang until a reboot"
        )


def _homeward(plan: Plan, home: Mapping[str, str | None]) -> Plan:
    """An unbind has to give each function the driver that the bind before took from it."""
    if plan.direction == "bind":
        return plan
    return replace(plan, steps=homeward(plan.steps, home))


def deafen() -> None:
    """What a terminal sends that goes away is not for the runner, nor for its writers."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def serve(run: Callable[[Callable[[Entry], None]], Entry]) -> int:
    """Be the runner: tell the one who asked, in a line of JSON, what began or why nothing
    did. What happens after that is in the journal."""
    deafen()

    def begun(entry: Entry) -> None:
        _tell({"id": entry.id})

    try:
        run(begun)
    except (Refused, JournalError, HostError) as error:
        _tell(refusal(error))
        return 1
    return 0


def _tell(what: Told) -> None:
    try:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.close()
    except OSError:  # whoever asked is gone
        pass
