"""Plans an action on the guest, asks the user, carries it out and waits until it has ended."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from msgspec import Struct
from msgspec.structs import replace

from tui.cli import bind
from tui.cli.confirm import why_not_confirmed
from tui.cli.exits import DONE, FAILED, STUCK, fail, report
from tui.cli.guest_stop import wait_until_off
from tui.cli.host import require_this_machine
from tui.guest.execute import execute
from tui.guest.next_commands import next_commands
from tui.guest.plan import doubts_to_confirm
from tui.guest.planning import guest_plan_once
from tui.host import Host, Unsettled
from tui.model import GuestAction, GuestPlan, HostView, UsbPlan
from tui.model.errors import Doubtful, Refused, VfiotopError
from tui.model.requests import Consent
from tui.process.crash import may_have_begun
from tui.process.output import note, say
from tui.report.plan import as_text, head
from tui.rules.roles import Choice
from tui.swap.consent import consent_key, consent_to, require_consent

LOOK_S = 0.2
"""Seconds between two looks for a signal that came just before a wait."""

_DONE: dict[GuestAction, str] = {
    "start": "running", "force-off": "shut off", "reboot": "rebooting", "pause": "paused",
    "resume": "running",
}  # fmt: skip


class GuestCommand(Struct, frozen=True):
    """What the user requested, and on which host."""

    host: Host
    choice: Choice
    arguments: argparse.Namespace

    def reopen(self) -> Host:
        """The same host, opened again: the readings of the first have already been taken."""
        return self.host.opened_again()


def act(asked: GuestCommand) -> int:
    """Plan the action and carry it out if the user agrees. Returns the exit code."""
    host, arguments = asked.host, asked.arguments
    if host.kind == "captured" and not arguments.dry_run:
        require_this_machine(host)
    plan, view = guest_plan_once(host, asked.choice, arguments.command, arguments.domain)
    if arguments.dry_run:
        say(as_text(plan))
        return FAILED if plan.refusals else DONE
    left = {
        consent_key(doubt) for doubt in doubts_to_confirm(plan, elevated=host.mover.needs_terminal)
    }
    by_others = frozenset(consent_key(doubt) for doubt in plan.doubts) - left
    consent = Consent(None, by_others, everything=arguments.despite_doubts)
    try:
        if host.control.unavailable_reason is not None:
            raise Refused(host.control.unavailable_reason)
        if plan.swap is not None:
            require_this_machine(host)
        require_consent(plan, replace(consent, everything=consent.everything or not arguments.yes))
        if not arguments.yes:
            declined = why_not_confirmed(as_text(plan), head(plan), plan.doubts, "")
            if declined is not None:
                return fail(declined, FAILED)
            consent = replace(consent_to(plan, doubts=True), everything=consent.everything)
        return _carry_out(asked, plan, view, consent)
    except Doubtful as error:
        return fail(f"{error}: check for yourself, or continue with --despite-doubts", FAILED)
    except Unsettled as error:
        return fail(f"{error}. {next_commands(plan, error.state, arguments.connect)}", STUCK)
    except VfiotopError as error:
        return report(error)


def _carry_out(asked: GuestCommand, plan: GuestPlan, view: HostView, consent: Consent) -> int:
    if plan.swap is not None:
        code = bind.carry_out(asked.host, plan.swap, asked.arguments)
        if code != DONE:
            return code
    if plan.action == "stop":
        say(f"{plan.name}: asking it to shut down")
    try:
        with may_have_begun(VfiotopError):
            run_to_end(plan, lambda: execute(asked.reopen(), asked.choice, plan, consent))
    except (KeyboardInterrupt, VfiotopError) as error:
        if plan.swap is not None and not isinstance(error, Unsettled):
            address = plan.swap.address
            note(f"{address} is on vfio-pci now: `vfiotop unbind {address}` gives it back.")
        raise
    if plan.action == "stop":
        return wait_until_off(asked.reopen, plan, view, asked.arguments)
    say(f"{plan.name}: {_DONE[plan.action]}")
    return DONE


def run_to_end(plan: GuestPlan | UsbPlan, action: Callable[[], None]) -> None:
    """Run an action that must not be left half done: the first Ctrl-C, or the loss of the terminal,
    does not end it. A second Ctrl-C stops waiting for it. Raises what the action raises,
    ``Unsettled`` if the wait was stopped, and ``KeyboardInterrupt`` if it had not begun."""
    ended, errors = threading.Event(), list[Exception]()
    begun = threading.Lock()  # taken by whoever is first: the action, or a signal

    def run() -> None:
        if not begun.acquire(blocking=False):
            return
        try:
            action()
        except Exception as error:  # raised again by the waiting thread
            errors.append(error)
        finally:
            ended.set()

    def wait() -> None:
        # A signal right before the thread sleeps does not wake it, so it sleeps only briefly.
        while not ended.wait(LOOK_S):
            pass

    with _signals_interrupt():
        try:
            # A signal may arrive between the thread's start and the return from it.
            threading.Thread(target=run, name="guest-action", daemon=True).start()
            wait()
        except KeyboardInterrupt:
            try:
                prevented = begun.acquire(blocking=False)
                if not prevented:
                    if not ended.is_set():
                        with suppress(OSError):
                            fail(f"{plan.name}: waiting for libvirt; press Ctrl-C again to stop "
                                 "waiting", STUCK)  # fmt: skip
                    wait()
            except KeyboardInterrupt:
                raise Unsettled(
                    f"{plan.name}: interrupted while libvirt was working on it; cannot tell yet "
                    f"whether the {plan.action} took effect"
                ) from None
            if prevented:
                raise
    if errors:
        raise errors[0]


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP like Ctrl-C, unless they are ignored, as under nohup(1)."""
    caught = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, signal.default_int_handler) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
