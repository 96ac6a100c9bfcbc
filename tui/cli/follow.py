"""Starts a runner, prints its progress, and turns its outcome into an exit code."""

from __future__ import annotations

import argparse

from tui.cli.confirm import refusal, yes
from tui.cli.exits import DONE, FAILED, STUCK, fail
from tui.host import Host, Unsettled
from tui.host.journal.entry import Entry, JournalError
from tui.host.journal.file import Journal
from tui.host.run_folder import FOLDER
from tui.model import SwapState
from tui.model.errors import Doubtful, Refused, VfiotopError
from tui.model.requests import SwapRequest
from tui.process.crash import may_have_begun
from tui.process.output import say_line
from tui.report.journal import progress
from tui.swap import launch
from tui.swap.consent import HANGS
from tui.swap.machine import RealMachine

NO_ROOM = f"undone: the journal could not be written; check the file system of {FOLDER}"


def follow(
    host: Host,
    request: SwapRequest,
    arguments: argparse.Namespace,
    *,
    wanted: SwapState = "done",
    refused: int = FAILED,
) -> int:
    """Start a runner and print its progress until it ends, ``wanted`` being the state of success.
    Returns the exit code, ``refused`` if the runner refuses. Ctrl-C leaves the swap running."""
    last = None
    try:
        with may_have_begun(VfiotopError):
            for last in launch.follow(_begin(host, request, arguments)):
                say_line(progress(last))
    except Refused as error:
        return fail(refusal(error), refused)
    except (JournalError, Unsettled) as error:
        return fail(str(error), STUCK)
    except KeyboardInterrupt:
        if last is None:
            return fail(
                "no longer waiting for the runner; if it has started, `vfiotop` shows its progress",
                STUCK,
            )
        return fail("the swap continues without this command; `vfiotop` shows it", STUCK)
    if last is not None and not last.ended and _is_restored(last):
        # An undo whose journal could not be written.
        return DONE if wanted == "undone" else fail(NO_ROOM, FAILED)
    return _exit_code(last, wanted)


def _begin(host: Host, request: SwapRequest, arguments: argparse.Namespace) -> str:
    """Request the swap and return its id. The runner, as root, may find doubts that the plan did
    not show: the user is asked about each such set."""
    while True:
        try:
            return host.mover.begin(request)
        except Doubtful as error:
            if arguments.yes or set(error.checks) <= request.consent.accepted:
                raise
            if not yes("Continue anyway? [y/N] ", f"\nRisk: {error}: {HANGS}."):
                raise
            request = request.accepting(error.checks)


def _is_restored(entry: Entry) -> bool:
    """Whether the journal is gone and each function is back on its previous driver."""
    try:
        if Journal().read() is not None:
            return False
    except JournalError:
        return False
    machine = RealMachine()
    return all(machine.driver(origin.address) == origin.driver for origin in entry.origins)


def _exit_code(entry: Entry | None, wanted: SwapState) -> int:
    """Report how a swap ended, unless it ended as ``wanted``. ``None``: its journal is gone."""
    if entry is None:
        return fail("the journal is gone; check the cards with `vfiotop status`", STUCK)
    if entry.state == wanted:
        return DONE
    if entry.state == "undone":
        return fail(f"undone: {entry.message}", FAILED)
    if entry.state == "stuck":
        return fail(f"stuck: {entry.message}; the swap continues when that ends", STUCK)
    if entry.state == "failed":
        return fail(entry.message or "failed", STUCK)
    return fail(launch.describe_unfinished(entry), STUCK)
