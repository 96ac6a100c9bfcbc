"""Carries a request out: the part of a swap that runs as root, in a session of its own.

``tui.swap.launch`` starts it. It takes the lock, checks everything anew under it, and goes
on when whoever asked is gone.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from tui.host import Host, HostError
from tui.host.journal.file import Entry, Journal, JournalError
from tui.model import Direction, Plan
from tui.model.errors import Refused, Unfinished
from tui.model.requests import Consent, SwapRequest
from tui.rules import holder_checks
from tui.rules.roles import Choice
from tui.swap.consent import refuse
from tui.swap.launch import RunnerReply, refusal, unfinished
from tui.swap.machine import Machine, RealMachine
from tui.swap.plan import DEVICES, with_host_drivers
from tui.swap.planning import NoSuchCard, plan_once
from tui.swap.preflight import for_recovery
from tui.swap.runner import Runner

UNSEEN = f"{holder_checks.ID}:unknown"

WRITE_S = 5.0
"""Seconds that the last write of a runner that is gone gets to return."""


class CallerGone(Exception):
    """Whoever asked for the swap is gone before it began."""


def run(
    host: Host,
    request: SwapRequest,
    begun: Callable[[Entry], None],
    journal: Journal | None = None,
    machine: Machine | None = None,
) -> Entry:
    """Do what ``request`` asks for; the journal's entry in the end. Calls ``begun`` when the
    first step is near. Raises ``Refused``, ``JournalError``, ``HostError``."""
    here(host)
    carry_out = _recover if request.recovers else _swap
    return carry_out(host, request, begun, journal or Journal(), machine or RealMachine())


def _swap(
    host: Host,
    request: SwapRequest,
    begun: Callable[[Entry], None],
    journal: Journal,
    machine: Machine,
) -> Entry:
    address, consent = request.address or "", request.consent
    direction: Direction = "bind" if request.action == "bind" else "unbind"
    with journal.locked() as lock:
        last = journal.read()
        if last is not None and not last.ended:
            raise Unfinished(unfinished(last))
        if last is not None and last.id == request.identity:
            raise Refused("this request was carried out before")
        try:
            plan = plan_once(host, Choice(address), direction, address)
        except NoSuchCard as error:
            raise Refused(str(error)) from error
        refuse(plan, consent)
        host.close()
        runner = Runner(machine, journal, lock, despite_doubts=_takes_the_risk(plan, consent))
        home = last.home if last is not None else ()
        entry = runner.prepare(plan, home, identity=request.identity)
        return _unless_alone(
            runner, entry, begun, lambda: runner.run(entry, _homeward(plan, entry.host_drivers))
        )


def _recover(
    host: Host,
    request: SwapRequest,
    begun: Callable[[Entry], None],
    journal: Journal,
    machine: Machine,
) -> Entry:
    """Finish or undo the swap that was interrupted, if it still is the one that was meant."""
    finish, consent = request.action == "finish", request.consent
    with journal.locked(WRITE_S) as lock:
        last = journal.read()
        if last is None or last.ended or request.swap != last.id:
            raise Refused("there is nothing to recover")
        try:
            plan = plan_once(host, Choice(last.address), last.direction, last.address)
        except NoSuchCard as error:
            if finish or machine.exists(f"{DEVICES}/{last.address}"):
                raise Refused(str(error)) from error
            # The card is off the bus: what is left of it is given back all the same.
            plan = Plan(last.direction, last.address, (), ())
        host.close()
        plan = for_recovery(plan, finish=finish)
        refuse(plan, consent)
        runner = Runner(machine, journal, lock, despite_doubts=_takes_the_risk(plan, consent))
        entry = runner.resume(last, plan, undoing=not finish)
        if not finish:
            return _undone(runner, entry, begun)
        begun(entry)
        return runner.run(entry, _homeward(plan, last.host_drivers))


def _undone(runner: Runner, entry: Entry, begun: Callable[[Entry], None]) -> Entry:
    """Where the journal has no room, who asked is told in the end: there is nothing that they
    could follow."""
    unheard = runner.unheard
    if not unheard:
        begun(entry)
    entry = runner.undo(entry, "undone by recover")
    if unheard:
        begun(entry)
    return entry


def _takes_the_risk(plan: Plan, consent: Consent) -> bool:
    """Whether it was known, and accepted, that not all holders can be seen."""
    unseen = any(doubt.id == holder_checks.ID for doubt in plan.doubts)
    return consent.everything or (unseen and UNSEEN in consent.accepted)


def _unless_alone(
    runner: Runner, entry: Entry, begun: Callable[[Entry], None], go_on: Callable[[], Entry]
) -> Entry:
    """Whoever asked may have given up while the readings were taken: they were told that
    nothing has begun, and so it is."""
    try:
        begun(entry)
    except CallerGone as error:
        return runner.cancel(entry, str(error))
    return go_on()


def here(host: Host) -> None:
    """Raise ``Refused`` but on the machine itself and for root: nothing else is moved."""
    if host.banner is not None or host.readonly:
        raise Refused("this host is read-only: cards cannot be moved")
    if not host.inspector.readiness([]).root:
        raise Refused("only root may move a card: run it again with sudo, doas or run0")


def _homeward(plan: Plan, home: Mapping[str, str | None]) -> Plan:
    """An unbind has to give each function the driver that the bind before took from it."""
    if plan.direction == "bind":
        return plan
    return replace(plan, steps=with_host_drivers(plan.steps, home))


def ignore_hangup() -> None:
    """What a terminal sends that goes away is not for the runner, nor for its writers."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def serve(carry_out: Callable[[Callable[[Entry], None]], Entry]) -> int:
    """Be the runner: tell the one who asked, in a line of JSON, what began or why nothing
    did. What happens after that is in the journal."""
    ignore_hangup()

    def begun(entry: Entry) -> None:
        try:
            _tell({"id": entry.id})
        except OSError as error:
            raise CallerGone("whoever asked for it had given up before it began") from error

    try:
        carry_out(begun)
    except (Refused, JournalError, HostError) as error:
        with suppress(OSError):
            _tell(refusal(error))
        return 1
    except CallerGone:  # a recovery that was not begun is still to be made
        return 1
    except Exception as error:  # nobody reads our stderr
        with suppress(OSError, ValueError):  # closed since it was told that it began
            _tell(refusal(Refused(f"vfiotop failed here ({error!r}); please report it")))
        return 1
    return 0


def _tell(what: RunnerReply) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()
    sys.stdout.close()
