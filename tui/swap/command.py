"""Executes a request: the part of a swap that runs as root, in a session of its own.

``tui.swap.launch`` starts it. It takes the lock, repeats every check under it, and continues after
the caller has gone.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

from msgspec.structs import replace

from tui.host import Host, HostError
from tui.host.journal.entry import Entry, JournalError
from tui.host.journal.file import Journal
from tui.model import Direction, Plan
from tui.model.errors import Refused, Unfinished
from tui.model.requests import Consent, SwapRequest
from tui.rules import holder_checks
from tui.rules.roles import Choice
from tui.swap.consent import require_consent
from tui.swap.launch import RunnerReply, describe_unfinished, refusal_reply
from tui.swap.machine import Machine, RealMachine
from tui.swap.plan import DEVICES, with_host_drivers
from tui.swap.planning import NoSuchCard, plan_once
from tui.swap.preflight import for_recovery
from tui.swap.runner import Runner

UNSEEN_HOLDERS = f"{holder_checks.ID}:unknown"

LAST_WRITE_S = 5.0
"""Seconds that the last write of a dead runner gets to return."""


class CallerGone(Exception):
    """The caller was gone before the swap began."""


def run(
    host: Host,
    request: SwapRequest,
    on_begin: Callable[[Entry], None],
    journal: Journal | None = None,
    machine: Machine | None = None,
) -> Entry:
    """Execute ``request``; returns the last journal entry.

    Calls ``on_begin`` right before the first step. Raises ``Refused``, ``JournalError`` and
    ``HostError``.
    """
    require_root_here(host)
    execute = _recover if request.recovers else _swap
    return execute(host, request, on_begin, journal or Journal(), machine or RealMachine())


def _swap(
    host: Host,
    request: SwapRequest,
    on_begin: Callable[[Entry], None],
    journal: Journal,
    machine: Machine,
) -> Entry:
    address, consent = request.address or "", request.consent
    direction: Direction = "bind" if request.action == "bind" else "unbind"
    with journal.locked() as lock:
        last = journal.read()
        if last is not None and not last.ended:
            raise Unfinished(describe_unfinished(last))
        if last is not None and last.id == request.identity:
            raise Refused("this request has already been executed")
        try:
            plan = plan_once(host, Choice(address), direction, address)
        except NoSuchCard as error:
            raise Refused(str(error)) from error
        require_consent(plan, consent)
        host.close()
        runner = Runner(
            machine, journal, lock, despite_doubts=_accepts_unseen_holders(plan, consent)
        )
        home = last.home if last is not None else ()
        entry = runner.prepare(plan, home, identity=request.identity, by=request.by)
        return _run_if_heard(
            runner,
            entry,
            on_begin,
            lambda: runner.run(entry, _with_known_drivers(plan, entry.host_drivers)),
        )


def _recover(
    host: Host,
    request: SwapRequest,
    on_begin: Callable[[Entry], None],
    journal: Journal,
    machine: Machine,
) -> Entry:
    """Finish or undo the interrupted swap, if it is still the one that the request names."""
    finish, consent = request.action == "finish", request.consent
    with journal.locked(LAST_WRITE_S) as lock:
        last = journal.read()
        if last is None or last.ended or request.swap != last.id:
            raise Refused("there is nothing to recover")
        try:
            plan = plan_once(host, Choice(last.address), last.direction, last.address)
        except NoSuchCard as error:
            if finish or machine.exists(f"{DEVICES}/{last.address}"):
                raise Refused(str(error)) from error
            # The GPU is off the bus: restore its remaining functions.
            plan = Plan(last.direction, last.address, (), ())
        host.close()
        plan = for_recovery(plan, finish=finish)
        require_consent(plan, consent)
        runner = Runner(
            machine, journal, lock, despite_doubts=_accepts_unseen_holders(plan, consent)
        )
        entry = runner.resume(last, plan, undoing=not finish, by=request.by)
        if not finish:
            return _undo(runner, entry, on_begin)
        on_begin(entry)
        return runner.run(entry, _with_known_drivers(plan, last.host_drivers))


def _undo(runner: Runner, entry: Entry, on_begin: Callable[[Entry], None]) -> Entry:
    """Undo the swap. If the journal is full, reply at the end: the caller has nothing to follow."""
    unjournaled = runner.unjournaled
    if not unjournaled:
        on_begin(entry)
    entry = runner.undo(entry, "undone by recover")
    if unjournaled:
        on_begin(entry)
    return entry


def _accepts_unseen_holders(plan: Plan, consent: Consent) -> bool:
    """Whether the user accepted that some holders cannot be seen."""
    unseen = any(doubt.id == holder_checks.ID for doubt in plan.doubts)
    return consent.everything or (unseen and UNSEEN_HOLDERS in consent.accepted)


def _run_if_heard(
    runner: Runner, entry: Entry, on_begin: Callable[[Entry], None], run_swap: Callable[[], Entry]
) -> Entry:
    """Continue only if the caller receives the reply.

    A caller that gave up during the readings was told that nothing has begun, so nothing may
    begin.
    """
    try:
        on_begin(entry)
    except CallerGone as error:
        return runner.cancel(entry, str(error))
    return run_swap()


def require_root_here(host: Host) -> None:
    """Raise ``Refused`` unless this is a real, writable host and we are root."""
    if host.banner is not None or host.readonly:
        raise Refused("this host is read-only: no card is moved")
    if not host.inspector.readiness([]).root:
        raise Refused("only root may move a card: run it again with sudo, doas, run0 or pkexec")


def _with_known_drivers(plan: Plan, home: Mapping[str, str | None]) -> Plan:
    """Make an unbind require the driver that the bind before it took from each function."""
    if plan.direction == "bind":
        return plan
    return replace(plan, steps=with_host_drivers(plan.steps, home))


def ignore_hangup() -> None:
    """Ignore SIGHUP and SIGINT, so that a terminal cannot end the runner or its writers."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def serve(execute: Callable[[Callable[[Entry], None]], Entry]) -> int:
    """Run ``execute`` and reply to the caller in a line of JSON; returns the exit code.

    The reply says what began, or why nothing did. The journal reports everything after that.
    """
    ignore_hangup()

    def on_begin(entry: Entry) -> None:
        try:
            _reply({"id": entry.id})
        except OSError as error:
            raise CallerGone("the caller gave up before it began") from error

    try:
        execute(on_begin)
    except (Refused, JournalError, HostError) as error:
        with suppress(OSError):
            _reply(refusal_reply(error))
        return 1
    except CallerGone:  # a recovery that did not begin is still possible
        return 1
    except Exception as error:  # our stderr goes nowhere
        with suppress(OSError, ValueError):  # closed after the first reply
            _reply(refusal_reply(Refused(f"vfiotop failed here ({error!r}); please report it")))
        return 1
    return 0


def _reply(what: RunnerReply) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()
    sys.stdout.close()
