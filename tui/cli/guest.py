"""The commands for the guest: start, stop, force-off, reboot, pause, resume."""

from __future__ import annotations

import argparse

from tui import config
from tui.cli.arguments import AddParser, add_guest_action
from tui.host import Host

COMMANDS = {
    "start": "start the guest, binding its card first if necessary",
    "stop": "ask the guest to shut down, and wait until it has",
    "force-off": "power the guest off at once; unsaved data in it is lost",
    "reboot": "ask the guest to reboot",
    "pause": "pause the guest's vCPUs",
    "resume": "resume a paused guest",
}


def add_commands(add: AddParser) -> None:
    """Add the six commands of ``COMMANDS``."""
    for name, text in COMMANDS.items():
        parser = add(name, text)
        add_guest_action(parser)
        parser.set_defaults(run=run)


def run(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """Plan and carry out the action that the command names."""
    from tui import state  # noqa: PLC0415
    from tui.cli.guest_action import GuestCommand, act  # noqa: PLC0415

    return act(GuestCommand(host, state.choice(settings, host), arguments))
