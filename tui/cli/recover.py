"""Finishes or undoes an interrupted swap, whether this user's or another's."""

from __future__ import annotations

import argparse

from msgspec.structs import replace

from tui.cli.bind import require_mover, swap
from tui.cli.confirm import why_not_confirmed
from tui.cli.exits import DONE, FAILED, STUCK, fail
from tui.cli.follow import follow
from tui.host import Host
from tui.host.journal.entry import Entry, JournalError
from tui.host.journal.file import Journal
from tui.model import Check, Direction, SourceName, SwapState
from tui.model.errors import Refused
from tui.model.requests import Consent, SwapAction, SwapRequest
from tui.once import read_once
from tui.process.output import say
from tui.report.journal import origins
from tui.report.plan import as_text
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.swap.consent import consent_to
from tui.swap.launch import describe_unfinished
from tui.swap.planning import NoSuchCard, plan_once
from tui.swap.preflight import for_recovery

NOT_NEEDED: tuple[SourceName, ...] = ("nvml", "threads", "agent")
"""Sources that do not help to find a half-bound card."""


def recover(host: Host, choice: Choice, arguments: argparse.Namespace) -> int:
    """Recover the swap in the journal, or else a half-bound card. Returns the exit code."""
    try:
        left = Journal().read()
    except JournalError as error:
        return fail(str(error), STUCK)
    if left is None or left.ended:
        return _half_bound(host, choice, arguments)
    if not arguments.finish and not arguments.undo:
        return fail(describe_unfinished(left), STUCK)
    try:
        require_mover(host)
    except Refused as error:
        return fail(str(error), STUCK)
    return _journaled(host, choice, left, arguments)


def _journaled(host: Host, choice: Choice, left: Entry, arguments: argparse.Namespace) -> int:
    """Finish or undo the swap in our journal."""
    consent = Consent(everything=arguments.despite_doubts)
    way: SwapAction = "finish" if arguments.finish else "undo"
    if not arguments.yes:
        doubts: tuple[Check, ...] = ()
        if arguments.finish:
            try:
                plan = plan_once(host, choice, left.direction, left.address)
            except NoSuchCard as error:
                return fail(f"{error}; `vfiotop recover --undo` returns what is left", STUCK)
            plan = for_recovery(plan, finish=True)
            about, doubts = as_text(plan), plan.doubts
            consent = replace(consent_to(plan, doubts=True), everything=consent.everything)
        else:
            about = origins(left)
        action = f"{way.capitalize()} the {left.direction} of {left.address}"
        declined = why_not_confirmed(about, action, doubts)
        if declined is not None:
            return fail(declined, STUCK)
    request = SwapRequest(way, swap=left.id, consent=consent)
    wanted: SwapState = "done" if arguments.finish else "undone"
    return follow(host, request, arguments, wanted=wanted, refused=STUCK)


def _half_bound(host: Host, choice: Choice, arguments: argparse.Namespace) -> int:
    """Finish or undo a guest GPU that is half bound without a journal: a bind finishes it, an
    unbind undoes it, as if the user had requested that."""
    view = assess(read_once(host, choice, skip=NOT_NEEDED), choice)
    gpu, problem = view.guest_gpu, view.problem("pci")
    if problem is not None:
        return fail(f"cannot tell whether a card is half bound: {problem}", FAILED)
    if gpu is None or not gpu.half_bound:
        say("There is nothing to recover.")
        return DONE
    if not arguments.finish and not arguments.undo:
        return fail(
            f"{gpu.address} is half bound: `vfiotop recover --finish` or `vfiotop recover --undo`",
            STUCK,
        )
    direction: Direction = "bind" if arguments.finish else "unbind"
    reopened = host.opened_again()
    return swap(host, plan_once(reopened, choice, direction, gpu.address), arguments)
