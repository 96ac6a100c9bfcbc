"""The commands that move a card: plan, bind, unbind, recover."""

from __future__ import annotations

import argparse
import json
import sys

from tui import config
from tui.cli import DONE, FAILED, STUCK, UsageError, fail
from tui.host import Host
from tui.model import Plan
from tui.once import NoSuchCard, plan_once
from tui.rules.roles import Choice
from tui.swap import command, words
from tui.swap.journal import Entry, Journal, JournalError, State


def run(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """Run the command that ``arguments`` name. The exit code."""
    choice = Choice(settings.guest_gpu, settings.guest)
    if arguments.command == "recover":
        return _recover(host, choice, arguments)
    try:
        address = config.address(arguments.address) if arguments.address else None
    except ValueError as error:
        raise UsageError(str(error)) from error
    direction = arguments.direction if arguments.command == "plan" else arguments.command
    if arguments.command != "plan" and arguments.runner:
        return command.serve(
            lambda begun: command.run_swap(
                host, choice, direction, address,
                despite_doubts=arguments.despite_doubts, begun=begun,
            )
        )  # fmt: skip
    try:
        plan = plan_once(host, choice, direction, address)
    except NoSuchCard as error:
        return fail(str(error), FAILED)
    if arguments.command == "plan" or arguments.dry_run:
        return _show(plan, as_json=arguments.command == "plan" and arguments.json)
    return _swap(host, plan, arguments)


def _show(plan: Plan, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(words.as_json(plan), indent=1, ensure_ascii=False))
    else:
        print(words.as_text(plan))
    sys.stdout.flush()
    return FAILED if plan.refusals else DONE


def _swap(host: Host, plan: Plan, arguments: argparse.Namespace) -> int:
    try:
        command.here(host)
        left = Journal().read()
        if left is not None and not left.ended:
            return fail(command.unfinished(left), STUCK)
        command.refuse(plan, despite_doubts=arguments.despite_doubts)
    except (command.Refused, JournalError) as error:
        return fail(str(error), FAILED)
    if not arguments.yes:
        print(words.as_text(plan))
        if not _confirmed(plan):
            return fail("nothing was touched", FAILED)
    doubts = ["--despite-doubts"] if arguments.despite_doubts else []
    return _followed([plan.direction, plan.address, *doubts, *_common(arguments)])


def _recover(host: Host, choice: Choice, arguments: argparse.Namespace) -> int:
    if arguments.runner:
        return command.serve(
            lambda begun: command.run_recover(
                host,
                choice,
                finish=arguments.finish,
                despite_doubts=arguments.despite_doubts,
                begun=begun,
            )
        )
    try:
        left = Journal().read()
    except JournalError as error:
        return fail(str(error), STUCK)
    if left is None or left.ended:
        print("There is nothing to recover.")
        return DONE
    if not arguments.finish and not arguments.undo:
        return fail(command.unfinished(left), STUCK)
    try:
        command.here(host)
    except command.Refused as error:
        return fail(str(error), STUCK)
    way = "--finish" if arguments.finish else "--undo"
    doubts = ["--despite-doubts"] if arguments.despite_doubts else []
    wanted: State = "done" if arguments.finish else "undone"
    return _followed(["recover", way, *doubts, *_common(arguments)], wanted, refused=STUCK)


def _confirmed(plan: Plan) -> bool:
    for doubt in plan.doubts:
        print(f"\nRisk: {doubt.why}. A card that is in use may hang until a reboot.")
    if not sys.stdin.isatty():
        return False
    try:
        answer = input(f"\n{plan.direction.capitalize()} {plan.address} now? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() == "y"


def _common(arguments: argparse.Namespace) -> list[str]:
    """The options of ours that bear on what the runner sees."""
    options = []
    if arguments.connect is not None:
        options += ["--connect", arguments.connect]
    if arguments.config is not None:
        options += ["--config", str(arguments.config.resolve())]
    return options


def _followed(arguments: list[str], wanted: State = "done", refused: int = FAILED) -> int:
    """Start a runner and print what it does. Interrupting this leaves it running."""
    last = None
    try:
        for last in command.follow(command.launch(arguments)):
            print(_progress(last), flush=True)
    except command.Refused as error:
        return fail(str(error), refused)
    except JournalError as error:
        return fail(str(error), STUCK)
    except KeyboardInterrupt:
        return fail("the swap goes on without you; `vfiotop` shows it", STUCK)
    return _ending(last, wanted)


def _progress(entry: Entry) -> str:
    place = f"{entry.step + 1:>2}/{len(entry.steps)}"
    what = entry.steps[entry.step] if entry.step < len(entry.steps) else ""
    note = f"  {entry.message}" if entry.message else ""
    return f"{entry.state:<9} {place}  {what}{note}"


def _ending(entry: Entry | None, wanted: State) -> int:
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
    return fail(command.unfinished(entry), STUCK)
