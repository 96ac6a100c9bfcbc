"""``vfiotop bind``, ``unbind`` and ``recover``: the commands that move a card."""

from __future__ import annotations

import argparse

from tui import config
from tui.cli import plan
from tui.cli.arguments import AddParser, add_address, add_consent
from tui.cli.host import require_this_machine
from tui.host import Host


def add_commands(add: AddParser) -> None:
    """Add ``bind``, ``unbind`` and ``recover``."""
    for name, text in (
        ("bind", "bind the guest GPU and its companions to vfio-pci"),
        ("unbind", "return the guest GPU to the host"),
    ):
        parser = add(name, text)
        add_address(parser)
        parser.add_argument("--dry-run", action="store_true", help="print the plan only")
        add_consent(parser)
        parser.set_defaults(run=run)
    recover = add("recover", "finish or undo an interrupted swap")
    ways = recover.add_mutually_exclusive_group()
    ways.add_argument("--finish", action="store_true", help="complete the swap")
    ways.add_argument("--undo", action="store_true", help="restore the previous drivers")
    add_consent(recover)
    recover.set_defaults(run=run_recover)


def run(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """Bind or unbind a card, or print the plan for it."""
    address = plan.parse_address(arguments)
    if not arguments.dry_run:
        require_this_machine(host)
    made = plan.make(host, settings, arguments.command, address)
    if arguments.dry_run:
        return plan.show(made)
    from tui.cli import bind  # noqa: PLC0415

    return bind.swap(host, made, arguments)


def run_recover(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """Finish or undo an interrupted swap."""
    require_this_machine(host)
    from tui import state  # noqa: PLC0415
    from tui.cli import recover  # noqa: PLC0415

    return recover.recover(host, state.choice(settings, host), arguments)
