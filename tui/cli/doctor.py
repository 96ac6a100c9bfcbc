"""``vfiotop doctor``: every check with its verdict and fix."""

from __future__ import annotations

import argparse

from tui import config
from tui.cli.arguments import AddParser, add_json
from tui.cli.exits import DONE, FAILED
from tui.host import Host
from tui.process import output


def add_commands(add: AddParser) -> None:
    """Add ``doctor``."""
    parser = add("doctor", "print every check with its verdict and fix")
    add_json(parser)
    parser.add_argument(
        "--verbose", action="store_true", help="list each check that could not be made, and why"
    )
    parser.set_defaults(run=run)


def run(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """Print the checks; the exit code is ``FAILED`` if one fails."""
    from tui.once import examine_once  # noqa: PLC0415
    from tui.report.doctor import as_json, as_text  # noqa: PLC0415
    from tui.rules.doctor import all_checks, examine  # noqa: PLC0415
    from tui.rules.first_steps import first_steps  # noqa: PLC0415
    from tui.state import choice  # noqa: PLC0415

    seen = examine_once(host, choice(settings, host))
    groups = examine(seen)
    steps = first_steps(seen.view, all_checks(groups), seen.readiness)
    if arguments.json:
        output.say_json(as_json(groups, steps, host.now()))
    else:
        captured = seen.readiness.captured
        output.say(as_text(groups, steps, captured=captured, verbose=arguments.verbose))
    return FAILED if any(check.verdict == "fail" for check in all_checks(groups)) else DONE
