"""``vfiotop plan``: what a swap would do. ``bind --dry-run`` prints the same."""

from __future__ import annotations

import argparse

from tui import config
from tui.cli.arguments import (
    AddParser,
    CommandParser,
    add_address,
    add_json,
    common_options,
)
from tui.cli.exits import DONE, FAILED, UsageError
from tui.host import Host
from tui.model import Direction, Plan
from tui.process.output import say, say_json


def add_commands(add: AddParser) -> None:
    """Add ``plan``."""
    parser = add("plan", "print what a swap would do and whether it is allowed; changes nothing")
    add_json(parser)
    directions = parser.add_subparsers(
        dest="direction", metavar="bind|unbind", parser_class=CommandParser
    )
    for direction, text in (
        ("bind", "what moving a GPU to vfio-pci would do"),
        ("unbind", "what returning it to the host would do"),
    ):
        way = directions.add_parser(direction, parents=[common_options("plan")], help=text)
        add_address(way)
        add_json(way, again=True)
    parser.set_defaults(run=run)


def run(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """Print the plan; the exit code is ``FAILED`` if the swap would be refused."""
    if arguments.direction is None:
        raise UsageError("plan needs a direction: `vfiotop plan bind` or `vfiotop plan unbind`")
    address = parse_address(arguments)
    plan = make(host, settings, arguments.direction, address)
    return show(plan, as_json=arguments.json)


def parse_address(arguments: argparse.Namespace) -> str | None:
    """The PCI address in ``ADDR``, ``None`` if it is left out. Raises ``UsageError``."""
    try:
        return None if arguments.address is None else config.address(arguments.address)
    except ValueError as error:
        raise UsageError(str(error)) from error


def make(host: Host, settings: config.Config, direction: Direction, address: str | None) -> Plan:
    """Plan a swap of the GPU at ``address``, or of the guest GPU. Raises ``HostError``."""
    from tui import state  # noqa: PLC0415
    from tui.swap.planning import plan_once  # noqa: PLC0415

    return plan_once(host, state.choice(settings, host), direction, address)


def show(plan: Plan, *, as_json: bool = False) -> int:
    """Print a plan; the exit code is ``FAILED`` if it is refused."""
    from tui.report import plan as report  # noqa: PLC0415

    if as_json:
        say_json(report.as_json(plan))
    else:
        say(report.as_text(plan))
    return FAILED if plan.refusals else DONE
