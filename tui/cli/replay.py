"""``vfiotop replay``: opens the screen on the history in a capture."""

from __future__ import annotations

import argparse

from msgspec.structs import replace

from tui import config
from tui.cli.arguments import AddParser
from tui.cli.screen import open_screen


def add_commands(add: AddParser) -> None:
    """Add ``replay``."""
    parser = add("replay", "open the screen on the history in a capture, at its end")
    parser.add_argument(
        "file", metavar="FILE", help="what `vfiotop capture` wrote, or the folder of a history"
    )
    parser.set_defaults(show=show)


def show(settings: config.Config, arguments: argparse.Namespace) -> int:
    """Show the recording until the user quits."""
    from tui.host.replayed import replayed  # noqa: PLC0415 - no other command needs it

    found = replayed(arguments.file)
    if arguments.config is None:  # the user's own file names the card and guest of this machine
        settings = replace(settings, guest_gpu=found.card, guest=found.guest)
    try:
        return open_screen(found.host, settings)
    finally:
        found.host.close()
