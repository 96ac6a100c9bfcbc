"""``vfiotop``: parses the command line, opens the host, runs the command.

Each family of commands (``tui.cli.families``) is a module of this package that adds its own parsers
and runs its commands. It imports what it needs only when it runs, so that ``vfiotop`` can start
reading without loading what only another command needs.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence

from tui import config
from tui.cli import screen
from tui.cli.arguments import ARGUMENT_LIMIT, Run, Show, checked, make_parser, without_command
from tui.cli.common import complaint
from tui.cli.exits import DONE, FAILED, USAGE, UsageError, report
from tui.cli.host import list_scenarios, load_settings, open_host
from tui.model.errors import VfiotopError
from tui.process import output

READING_COMMANDS = ("status", "doctor", "plan", "metrics", "config")


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``vfiotop`` with ``argv`` and return its exit code. Unexpected errors pass through."""
    acts = False
    try:
        arguments = _parse(sys.argv[1:] if argv is None else argv)
        acts = _acts(arguments)
        code = _run(arguments)
    except SystemExit as leaving:  # argparse exits after --help and on wrong usage
        code = leaving.code if isinstance(leaving.code, int) else USAGE
    except VfiotopError as error:
        return report(error)
    return _with_output(code, acts=acts)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    for argument in argv:
        if len(argument) > ARGUMENT_LIMIT:
            raise UsageError(f"“{output.short(argument)}” is too long for an argument")
    arguments = without_command(argv) or _with_command(argv)
    for name, value in (("run", screen.run), ("show", None)):
        vars(arguments).setdefault(name, value)
    contradiction = complaint(arguments)
    if contradiction is not None:
        raise UsageError(contradiction)
    if getattr(arguments, "domain", None) is not None:
        checked("DOMAIN", config.name, arguments.domain)
    return arguments


def _with_command(argv: Sequence[str]) -> argparse.Namespace:
    from tui.cli.families import FAMILIES  # noqa: PLC0415 - the screen needs none of them

    return make_parser(FAMILIES).parse_args(argv)


def _acts(arguments: argparse.Namespace) -> bool:
    """Whether the command does more than print."""
    prints = arguments.command in READING_COMMANDS or arguments.demo == "list"
    return not prints and not getattr(arguments, "dry_run", False)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.demo == "list":
        return list_scenarios()
    settings = load_settings(arguments)
    if arguments.show is not None:
        show: Show = arguments.show
        return show(settings, arguments)
    run: Run = arguments.run
    host = open_host(arguments, settings)
    gc.freeze()  # what was imported is never collected
    gc.enable()
    try:
        return run(host, settings, arguments)
    finally:
        host.close()


def _with_output(code: int, *, acts: bool) -> int:
    """Report lost output and return the exit code. Lost output is a failure of a command that only
    prints; one that acts has still acted."""
    missing = output.lost()
    if missing is not None:
        output.report_error(missing)
    return FAILED if missing is not None and code == DONE and not acts else code
