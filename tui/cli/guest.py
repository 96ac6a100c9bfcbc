"""The commands for the guest: start, stop, force-off, reboot, pause, resume."""

from __future__ import annotations

import argparse
import queue
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from tui import config, state
from tui.cli import swap as cli_swap
from tui.cli.main import DONE, FAILED, STUCK, fail
from tui.guest.execute import execute
from tui.guest.next_commands import command, next_commands
from tui.guest.plan import STOP_S, doubts_to_confirm
from tui.guest.planning import guest_plan_once
from tui.host import Host, HostError, Unsettled
from tui.model import Domain, GuestAction, GuestPlan, HostView
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent
from tui.process.crash import may_have_begun
from tui.process.output import say
from tui.report.plan import as_text
from tui.rules.roles import Choice
from tui.swap.consent import consent_key, consent_to, require_consent

LOOK_S = 0.5
"""Seconds between two looks at whether a guest is off."""

SILENT_S = 5.0
"""Seconds without an answer after which it is not known any more."""

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
        return self.host.reopen() if self.host.reopen is not None else self.host


def run(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """Run the command that ``arguments`` name. The exit code."""
    asked = Asked(host, state.choice(settings, host), arguments)
    if host.kind == "captured" and not arguments.dry_run:
        cli_swap.must_be_here(host)
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
            cli_swap.must_be_here(host)
        require_consent(plan, replace(consent, everything=consent.everything or not arguments.yes))
        if not arguments.yes:
            say(as_text(plan))
            if not cli_swap.confirmed(f"{plan.action.capitalize()} {plan.name}", plan.doubts, ""):
                return fail("nothing was touched", FAILED)
            consent = replace(consent_to(plan, doubts=True), everything=consent.everything)
        return _carried_out(asked, plan, view, consent)
    except Doubtful as error:
        return fail(f"{error}: look yourself, or {RISK}", FAILED)
    except Unsettled as error:
        return fail(f"{error}. {next_commands(plan, error.state, arguments.connect)}", STUCK)
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
        _to_its_end(plan, lambda: execute(asked.anew, asked.choice, plan, consent))
    if plan.action == "stop":
        return _stopped(asked, plan, view)
    say(f"{plan.name}: {_DONE[plan.action]}")
    return DONE


_DONE: dict[GuestAction, str] = {
    "start": "it runs", "force-off": "it is off", "reboot": "it was asked to boot again",
    "pause": "it is paused", "resume": "it runs",
}  # fmt: skip


def _to_its_end(plan: GuestPlan, deed: Callable[[], None]) -> None:
    """Carry a deed out, which is not left half way for one Ctrl-C or a terminal that goes away:
    only a second one does not wait for it. Raises what the deed raises, and ``Unsettled`` where
    it was left."""
    ended: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            deed()
        except Exception as error:  # it is raised again where it is awaited
            ended.put(error)
        else:
            ended.put(None)

    with _signals_interrupt():
        threading.Thread(target=run, name="deed", daemon=True).start()
        try:
            error = ended.get()
        except KeyboardInterrupt:
            try:
                with suppress(OSError):
                    fail(f"{plan.name}: waiting for libvirt; Ctrl-C again does not wait", STUCK)
                error = ended.get()
            except KeyboardInterrupt:
                raise Unsettled(
                    f"{plan.name}: left while libvirt was at work on it, so it is not known yet "
                    f"what came of the {plan.action}"
                ) from None
    if error is not None:
        raise error


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Have SIGTERM and SIGHUP do what Ctrl-C does, unless they are ignored, as under nohup."""
    heard = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, signal.default_int_handler) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stopped(asked: Asked, plan: GuestPlan, view: HostView) -> int:
    """Wait until the guest is off. Interrupting this does not stop the stop."""
    look = command("status", plan, asked.arguments.connect)
    try:
        off = _is_off(asked.anew, plan.uuid, STOP_S)
    except KeyboardInterrupt:
        return fail(f"{plan.name} was asked to shut down, and may still do so: {look} tells", STUCK)
    if off is None:
        return fail(
            f"{plan.name} was asked to shut down; libvirt does not answer, so it is not known "
            f"yet whether it is off: {look} tells when it answers again", STUCK,
        )  # fmt: skip
    if not off:
        return fail(
            f"{plan.name} still runs after {STOP_S:.0f} s: wait, ask again, or end it with "
            f"{command('force-off', plan, asked.arguments.connect)}", FAILED,
        )  # fmt: skip
    say(f"{plan.name}: it is off")
    return _give_back(asked, plan, view)


def _give_back(asked: Asked, plan: GuestPlan, view: HostView) -> int:
    """Offer its card to the host again; a script is told how."""
    card = next((a for a in plan.cards if view.guest_gpu and a == view.guest_gpu.address), None)
    if card is None:
        return DONE
    if asked.arguments.yes or not cli_swap.yes(f"Give {card} back to the host? [y/N] "):
        word = shlex.quote(card)
        say(f"Its card is still on vfio-pci: `vfiotop unbind {word}` gives it back.")
        return DONE
    return cli_swap.give_back(asked.anew, card, asked.arguments)


def _is_off(host: Host, uuid: str, patience: float) -> bool | None:
    """Whether the guest is off within ``patience`` seconds; ``None`` where libvirt did not tell
    in the end. It is asked on a thread of its own, as it may not answer at all."""
    off, leaving = threading.Event(), threading.Event()
    told_at = -SILENT_S

    def watch() -> None:
        nonlocal told_at
        while not leaving.is_set():
            active = _active(host, uuid)
            if active is not None:
                told_at = time.monotonic()
            if active is False:
                off.set()
                return
            leaving.wait(LOOK_S)

    threading.Thread(target=watch, name="watch", daemon=True).start()
    try:
        if off.wait(patience):
            return True
    finally:
        leaving.set()
    return None if time.monotonic() - told_at >= SILENT_S else False


def _active(host: Host, uuid: str) -> bool | None:
    """Whether it holds its devices; ``None`` while libvirt does not tell."""
    try:
        domains = host.guests.read().domains
    except HostError:
        return None
    found: Domain | None = next((d for d in domains if d.uuid == uuid), None)
    if found is not None and found.state == "unknown":
        return None
    return found is not None and found.active
