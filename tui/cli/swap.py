"""The commands that move a card: plan, bind, unbind, recover."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from tui import config, state
from tui.cli.main import DONE, FAILED, STUCK, UsageError, fail
from tui.host import Host, HostError, HostKind, Unsettled
from tui.host.journal.file import Entry, Journal, JournalError
from tui.model import Check, Direction, Plan, SourceName, SwapState
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent, SwapAction, SwapRequest
from tui.once import read_once
from tui.process.crash import may_have_begun
from tui.process.output import ask, say, say_json, say_line
from tui.report import plan as words
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.swap import launch
from tui.swap.consent import HANGS, refuse, shown
from tui.swap.machine import RealMachine
from tui.swap.planning import NoSuchCard, plan_once
from tui.swap.preflight import for_recovery

ANSWER_LIMIT = 4096
"""Bytes of an answer to a question; a terminal gives no longer line (termios(3))."""


def run(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """Run the command that ``arguments`` name. The exit code."""
    choice = state.choice(settings, host)
    if arguments.command == "recover":
        must_be_here(host)
        return _recover(host, choice, arguments)
    try:
        address = None if arguments.address is None else config.address(arguments.address)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if arguments.command != "plan" and not arguments.dry_run:
        must_be_here(host)
    direction = arguments.direction if arguments.command == "plan" else arguments.command
    try:
        plan = plan_once(host, choice, direction, address)
    except NoSuchCard as error:
        return fail(str(error), FAILED)
    if arguments.command == "plan" or arguments.dry_run:
        return _show(plan, as_json=arguments.command == "plan" and arguments.json)
    return _swap(host, plan, arguments)


def _show(plan: Plan, *, as_json: bool) -> int:
    if as_json:
        say_json(words.as_json(plan))
    else:
        say(words.as_text(plan))
    return FAILED if plan.refusals else DONE


def carry_out(host: Host, plan: Plan, arguments: argparse.Namespace) -> int:
    """A swap whose plan was shown, where anything was. The exit code."""
    everything = arguments.despite_doubts
    consent = Consent(everything=everything)
    if not arguments.yes:
        consent = replace(shown(plan, doubts=True), everything=everything)
    request = SwapRequest(plan.direction, plan.address, consent=consent)
    return _followed(host, request, arguments)


def give_back(host: Host, address: str, arguments: argparse.Namespace) -> int:
    """The unbind of a card, with its plan and its question. The exit code."""
    return _swap(host, plan_once(host, Choice(address), "unbind", address), arguments)


def _swap(host: Host, plan: Plan, arguments: argparse.Namespace) -> int:
    consent = Consent(everything=arguments.despite_doubts)
    try:
        _may_begin(host)
        left = Journal().read()
        if left is not None and not left.ended:
            return fail(launch.unfinished(left), STUCK)
        # What an ordinary user cannot see the runner looks at again, as root.
        refuse(plan, replace(consent, everything=consent.everything or host.mover.needs_terminal))
    except (Refused, JournalError) as error:
        return fail(_told(error), FAILED)
    if not arguments.yes:
        say(words.as_text(plan))
        if not confirmed(f"{plan.direction.capitalize()} {plan.address}", plan.doubts):
            return fail("nothing was touched", FAILED)
    return carry_out(host, plan, arguments)


def _told(error: Exception) -> str:
    """A refusal in a sentence, with what a person on the command line may do about it."""
    if not isinstance(error, Doubtful):
        return str(error)
    return f"{error}: {HANGS}; look yourself, or go on with --despite-doubts"


NOT_HERE: dict[HostKind, str] = {
    "captured": "nothing is done to a captured host: run this on the host itself",
    "simulated": "a simulated host ends with this command: `vfiotop --demo` shows a swap on it",
}


def must_be_here(host: Host) -> None:
    """Raise ``HostError`` for a host of which this machine's journal tells nothing."""
    if host.kind in NOT_HERE:
        raise HostError(NOT_HERE[host.kind])


def _may_begin(host: Host) -> None:
    if host.mover.unavailable_reason is not None:
        raise Refused(host.mover.unavailable_reason)


def _recover(host: Host, choice: Choice, arguments: argparse.Namespace) -> int:
    try:
        left = Journal().read()
    except JournalError as error:
        return fail(str(error), STUCK)
    if left is None or left.ended:
        return _recover_foreign(host, choice, arguments)
    if not arguments.finish and not arguments.undo:
        return fail(launch.unfinished(left), STUCK)
    try:
        _may_begin(host)
    except Refused as error:
        return fail(str(error), STUCK)
    return _recover_ours(host, choice, left, arguments)


def _recover_ours(host: Host, choice: Choice, left: Entry, arguments: argparse.Namespace) -> int:
    consent = Consent(everything=arguments.despite_doubts)
    way: SwapAction = "finish" if arguments.finish else "undo"
    if not arguments.yes:
        doubts: tuple[Check, ...] = ()
        if arguments.finish:
            try:
                plan = plan_once(host, choice, left.direction, left.address)
            except NoSuchCard as error:
                return fail(f"{error}; `vfiotop recover --undo` gives back what is left", STUCK)
            plan = for_recovery(plan, finish=True)
            say(words.as_text(plan))
            doubts = plan.doubts
            consent = replace(shown(plan, doubts=True), everything=consent.everything)
        else:
            say(words.origins(left))
        if not confirmed(f"{way.capitalize()} the {left.direction} of {left.address}", doubts):
            return fail("nothing was touched", STUCK)
    request = SwapRequest(way, swap=left.id, consent=consent)
    wanted: SwapState = "done" if arguments.finish else "undone"
    return _followed(host, request, arguments, wanted=wanted, refused=STUCK)


def _recover_foreign(host: Host, choice: Choice, arguments: argparse.Namespace) -> int:
    """The guest GPU that somebody else left half way is bound to finish it, and unbound to
    undo, as if that was asked for."""
    needless: tuple[SourceName, ...] = ("nvml", "agent")
    view = assess(read_once(host, choice, skip=needless), choice)
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
    fresh = host.reopen() if host.reopen is not None else host
    return _swap(host, plan_once(fresh, choice, direction, gpu.address), arguments)


def confirmed(what: str, doubts: Sequence[Check], risk: str = f": {HANGS}") -> bool:
    """Ask a person on the terminal, and name what is not known."""
    for doubt in doubts:
        say(f"\nRisk: {doubt.why}{risk}.")
    return yes(f"\n{what} now? [y/N] ")


def yes(question: str) -> bool:
    """Whether a person on the terminal says so; a script is asked nothing."""
    if not sys.stdin.isatty() or not ask(question):
        return False
    try:
        return sys.stdin.buffer.readline(ANSWER_LIMIT).strip().lower() == b"y"
    except OSError:  # a terminal that is gone
        return False


def _begun(host: Host, request: SwapRequest, arguments: argparse.Namespace) -> str:
    """Have it begun. What a runner knows beyond what was shown is asked for once more."""
    while True:
        try:
            return host.mover.begin(request)
        except Doubtful as error:
            if arguments.yes or set(error.checks) <= request.consent.accepted:
                raise
            say(f"\nRisk: {error}: {HANGS}.")
            if not yes("Go on all the same? [y/N] "):
                raise
            request = request.accepting(error.checks)


def _followed(
    host: Host,
    request: SwapRequest,
    arguments: argparse.Namespace,
    *,
    wanted: SwapState = "done",
    refused: int = FAILED,
) -> int:
    """Start a runner and print what it does. Interrupting this leaves it running."""
    last = None
    try:
        with may_have_begun(Refused, HostError, JournalError):
            for last in launch.follow(_begun(host, request, arguments)):
                say_line(_progress(last))
    except Refused as error:
        return fail(_told(error), refused)
    except (JournalError, Unsettled) as error:
        return fail(str(error), STUCK)
    except KeyboardInterrupt:
        if last is None:
            return fail("not waited for: `vfiotop` shows it, if it has begun", STUCK)
        return fail("the swap goes on without you; `vfiotop` shows it", STUCK)
    if last is not None and not last.ended and _is_as_it_was(last):
        # An undo that had no room for its journal.
        return DONE if wanted == "undone" else fail("undone: see the journal's file system", FAILED)
    return _ending(last, wanted)


def _is_as_it_was(entry: Entry) -> bool:
    """Whether the swap is over, its journal is gone, and each function is on the driver that
    it had before."""
    try:
        if Journal().read() is not None:
            return False
    except JournalError:
        return False
    machine = RealMachine()
    return all(machine.driver(origin.address) == origin.driver for origin in entry.origins)


def _progress(entry: Entry) -> str:
    place = f"{entry.step + 1:>2}/{len(entry.steps)}"
    what = entry.steps[entry.step] if entry.step < len(entry.steps) else ""
    note = f"  {entry.message}" if entry.message else ""
    return f"{entry.state:<9} {place}  {what}{note}"


def _ending(entry: Entry | None, wanted: SwapState) -> int:
    if entry is None:
        return fail("the journal is gone; look at the cards with `vfiotop status`", STUCK)
    if entry.state == wanted:
        return DONE
    if entry.state == "undone":
        return fail(f"undone: {entry.message}", FAILED)
    if entry.state == "stuck":
        return fail(f"stuck: {entry.message}; it goes on by itself when that ends", STUCK)
    if entry.state == "failed":
        return fail(entry.message or "failed", STUCK)
    return fail(launch.unfinished(entry), STUCK)
