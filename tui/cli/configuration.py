"""``vfiotop config``: the current configuration."""

from __future__ import annotations

import argparse
import codecs

from tui import config
from tui.cli.arguments import AddParser, add_json
from tui.cli.exits import DONE
from tui.process import output


def add_commands(add: AddParser) -> None:
    """Add ``config``."""
    parser = add("config", "print every key of the configuration: its value, default and meaning")
    add_json(parser)
    parser.set_defaults(show=show)


def show(settings: config.Config, arguments: argparse.Namespace) -> int:
    """Print the configuration with the command-line options applied. Opens no host."""
    # Imported here: no other command needs this module.
    from tui.report.config import as_json, as_toml  # noqa: PLC0415

    if arguments.json:
        output.say_json(as_json(settings))
    else:
        ascii_only = codecs.lookup(output.STDOUT.encoding).name != "utf-8"
        output.say(as_toml(settings, ascii_only=ascii_only))
    return DONE
