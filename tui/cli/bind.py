"""Binds and unbinds a card: checks the plan, asks the user, then follows the runner."""

from __future__ import annotations

import argparse

from msgspec.structs import replace

from tui.cli.confirm import refusal, why_not_confirmed
from tui.cli.exits import FAILED, STUCK, fail
from tui.cli.follow import follow
from tui.host import Host
from tui.host.journal.entry import JournalError
from tui.host.journal.file import Journal
from tui.model import Plan
from tui.model.errors import Refused
from tui.model.requests import Consent, SwapRequest
from tui.report.plan import as_text
from tui.rules.roles import Choice
from tui.swap.consent import consent_to, require_consent
from tui.swap.launch import describe_unfinished
from tui.swap.planning import plan_once


def swap(host: Host, plan: Plan, arguments: argparse.Namespace) -> int:
    """Carry out a plan if it is allowed and the user agrees. Returns the exit code."""
    consent = Consent(everything=arguments.despite_doubts)
    try:
        require_mover(host)
        left = Journal().read()
        if left is not None and not left.ended:
            return fail(describe_unfinished(left), STUCK)
        # The runner, as root, checks again what an ordinary user cannot see.
        require_consent(
            plan, replace(consent, everything=consent.everything or host.mover.needs_terminal)
        )
    except (Refused, JournalError) as error:
        return fail(refusal(error), FAILED)
    if not arguments.yes:
        action = f"{plan.direction.capitalize()} {plan.address}"
        declined = why_not_confirmed(as_text(plan), action, plan.doubts)
        if declined is not None:
            return fail(declined, FAILED)
    return carry_out(host, plan, arguments)


def carry_out(host: Host, plan: Plan, arguments: argparse.Namespace) -> int:
    """Carry out a plan that the user has seen, unless ``--yes`` skipped that. Returns the exit
    code."""
    everything = arguments.despite_doubts
    consent = Consent(everything=everything)
    if not arguments.yes:
        consent = replace(consent_to(plan, doubts=True), everything=everything)
    request = SwapRequest(plan.direction, plan.address, consent=consent)
    return follow(host, request, arguments)


def give_back(host: Host, address: str, arguments: argparse.Namespace) -> int:
    """Plan and carry out the unbind of a card. Returns the exit code."""
    return swap(host, plan_once(host, Choice(address), "unbind", address), arguments)


def require_mover(host: Host) -> None:
    """Raise ``Refused`` if no card can be moved on this host."""
    if host.mover.unavailable_reason is not None:
        raise Refused(host.mover.unavailable_reason)
