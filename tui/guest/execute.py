"""Executes the plan of an action on a guest that the user has confirmed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tui.guest.planning import guest_plan_once
from tui.host import Forbids, Host, HostError, Unsettled
from tui.model import Gpu, GuestPlan, Guests, Unavailable
from tui.model.errors import Refused
from tui.model.requests import Consent
from tui.rules import r465
from tui.rules.check_input import local_guests
from tui.rules.roles import Choice
from tui.swap.consent import consent_key, require_consent


def execute(host: Host, choice: Choice, plan: GuestPlan, consent: Consent) -> None:
    """Execute ``plan`` after making it again on fresh readings.

    The swap before it must have ended. Blocks as long as libvirt does. Raises ``Refused``,
    ``Unsettled`` and ``HostError``.
    """
    if host.control.unavailable_reason is not None:
        raise Refused(host.control.unavailable_reason)
    now, view = guest_plan_once(host, choice, plan.action, uuid=plan.uuid)
    if now.raw_name != plan.raw_name:
        raise Refused(
            f"the domain with the UUID of “{plan.name}” is now called “{now.name}”: review the "
            "plan again"
        )
    if now.swap is not None:
        raise Refused("the card is not on vfio-pci: review the plan again")
    require_consent(now, consent)
    try:
        if plan.action == "start":
            rule = start_rule(now, view.gpus, consent.accepted)
            host.control.start(plan.uuid, rule, plan.raw_name)
        else:
            host.control.act(plan.action, plan.uuid, plan.raw_name)
    except Unsettled:
        raise
    except HostError as error:
        raise Refused(str(error)) from error


def start_rule(plan: GuestPlan, gpus: Sequence[Gpu], accepted: Collection[str]) -> Forbids:
    """Return the rules that somebody else can break between the check and the start.

    They are: one running guest with a GeForce card, and no other guest with this guest's card.
    """
    cards = [gpu for gpu in gpus if gpu.address in plan.cards]

    def rule(guests: Guests) -> str | None:
        seen: Guests | Unavailable = local_guests(guests)
        for gpu in cards:
            check = r465.one_vm_for(gpu, gpus, seen, coming=plan.uuid)
            if check.verdict == "fail" or (
                check.verdict == "unknown" and consent_key(check) not in accepted
            ):
                return f"{check.why}{f': {check.fix}' if check.fix else ''} ({check.id})"
        return next(
            (
                f"“{domain.name}” has the card of “{plan.name}” (guest.inactive)"
                for domain in guests.domains
                if domain.active
                and domain.uuid != plan.uuid
                and set(domain.addresses) & {a for gpu in cards for a in gpu.viability.moves}
            ),
            None,
        )

    return rule
