"""The commands for the guest: start, stop, force-off, reboot, pause, resume."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from tui import cli_swap, config, state
from tui.cli import DONE, FAILED, fail
from tui.guest.carry import carry_out
from tui.guest.plan import STOP_S, own_doubts
from tui.host import Host, HostError
from tui.lastresort import may_have_begun
from tui.model import Domain, GuestAction, GuestPlan, Guests, HostView
from tui.once import guest_plan_once
from tui.output import say
from tui.rules.roles import Choice
from tui.swap.consent import Consent, Doubtful, Refused, point, refuse, shown
from tui.swap.words import as_text

LOOK_S = 0.5
"""Seconds between two looks at whether a guest is off."""

RISK = "go on all the same with --despite-doubts"


@dataclass(frozen=True)
class Asked:
    """What was asked for, and of which host."""

    host: Host
    choice: Choice
    arguments: argparse.Namespace

    @property
    def anew(self) -> Host:
        """The host for readings beside those taken already."""
        return self.host.again() if self.host.again is not None else self.host


def run(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """Run the command that ``arguments`` name. The exit code."""
    asked = Asked(host, state.choice(settings, host), arguments)
    plan, view = guest_plan_once(host, asked.choice, arguments.command, arguments.domain)
    if arguments.dry_run:
        say(as_text(plan))
        return FAILED if plan.refusals else DONE
    left = {point(doubt) for doubt in own_doubts(plan, asks=host.mover.asks)}
    by_others = frozenset(point(doubt) for doubt in plan.doubts) - left
    consent = Consent(None, by_others, everything=arguments.despite_doubts)
    try:
        if host.control.forbidden is not None:
            raise Refused(host.control.forbidden)
        refuse(plan, replace(consent, everything=consent.everything or not arguments.yes))
        if not arguments.yes:
            say(as_text(plan))
            if not cli_swap.confirmed(f"{plan.action.capitalize()} {plan.name}", plan.doubts, ""):
                return fail("nothing was touched", FAILED)
            consent = replace(shown(plan, doubts=True), everything=consent.everything)
        return _carried_out(asked, plan, view, consent)
    except Doubtful as error:
        return fail(f"{error}: look yourself, or {RISK}", FAILED)
    except (Refused, HostError) as error:
        return fail(str(error), FAILED)


def _carried_out(asked: Asked, plan: GuestPlan, view: HostView, consent: Consent) -> int:
    if plan.swap is not None:
        code = cli_swap.carry_out(asked.host, plan.swap, asked.arguments)
        if code != DONE:
            return code
    if plan.action == "stop":
        say(f"{plan.name} is asked to shut down")
    with may_have_begun(Refused, HostError):
        carry_out(asked.anew, asked.choice, plan, consent)
    if plan.action == "stop":
        return _stopped(asked, plan, view)
    say(f"{plan.name}: {_DONE[plan.action]}")
    return DONE


_DONE: dict[GuestAction, str] = {
    "start": "it runs", "force-off": "it is off", "reboot": "it was asked to boot again",
    "pause": "it is paused", "resume": "it runs",
}  # fmt: skip


def _stopped(asked: Asked, plan: GuestPlan, view: HostView) -> int:
    """Wait until the guest is off. Interrupting this does not stop the stop."""
    try:
        if not _awaited(lambda: not _active(asked.host, plan.uuid), STOP_S):
            return fail(
                f"{plan.name} still runs after {STOP_S:.0f} s: wait, ask again, or end it with "
                f"`vfiotop force-off {plan.name}`", FAILED,
            )  # fmt: skip
    except KeyboardInterrupt:
        return fail(f"{plan.name} was asked to shut down, and may still do so", FAILED)
    say(f"{plan.name}: it is off")
    return _give_back(asked, plan, view)


def _give_back(asked: Asked, plan: GuestPlan, view: HostView) -> int:
    """Offer its card to the host again; a script is told how."""
    card = next((a for a in plan.cards if view.guest_gpu and a == view.guest_gpu.address), None)
    if card is None:
        return DONE
    if asked.arguments.yes or not cli_swap.yes(f"Give {card} back to the host? [y/N] "):
        say(f"Its card is still on vfio-pci: `vfiotop unbind {card}` gives it back.")
        return DONE
    return cli_swap.give_back(asked.anew, card, asked.arguments)


def _awaited(wanted: Callable[[], bool], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while not wanted():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True


def _active(host: Host, uuid: str) -> bool:
    """Whether it holds its devices; while libvirt does not answer that is not known, and the
    answer is yes."""
    try:
        guests: Guests = host.guests.read()
    except HostError:
        return True
    found: Domain | None = next((d for d in guests.domains if d.uuid == uuid), None)
    return found is not None and found.active
