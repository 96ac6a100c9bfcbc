"""The parser, and the arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tui import __version__, config
from tui.cli.common import refused
from tui.cli.exits import USAGE, UsageError, fail
from tui.host import Host
from tui.process import output
from tui.rules import libvirt_uri

T = TypeVar("T")

Run = Callable[[Host, config.Config, argparse.Namespace], int]
"""Runs a command on a host and returns its exit code."""

Show = Callable[[config.Config, argparse.Namespace], int]
"""Runs a command that needs no host, and returns its exit code."""

AddParser = Callable[[str, str], argparse.ArgumentParser]
"""Adds a command with its name and help text; its parser knows the common options."""

USAGE_LIMIT = 300
"""Maximum characters of an argparse message, which may quote the argument in full."""

ARGUMENT_LIMIT = 4096
"""Maximum characters of an argument; the longest useful one is a path (PATH_MAX)."""


class Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line, like every other error."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.color = False  # Python 3.14 colours its help with escape sequences

    def error(self, message: str) -> None:  # type: ignore[override]  # argparse: never returns
        fail(f"{output.short(message, USAGE_LIMIT)}; see `{self.prog} --help`", USAGE)
        raise SystemExit(USAGE)

    def _print_message(self, message: str, file: object = None) -> None:
        """Print help and version, the only text that argparse writes to stdout."""
        output.say(message.removesuffix("\n"))


class CommandParser(Parser):
    """Parses one command, and points to its own help for what it does not know."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse what follows the command; nothing may be left over."""
        known, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognised arguments: {' '.join(rest)}")
        return known, rest


def make_parser(add_commands: Sequence[Callable[[AddParser], None]]) -> argparse.ArgumentParser:
    """Build the whole parser: common options, then the commands of each family."""
    parser = Parser(
        prog="vfiotop",
        description="top for GPU passthrough: both GPUs, the guest and the IOMMU groups, live. "
        "Without a command, vfiotop opens the screen.",
    )
    parser.add_argument(
        "--version", action="version", version=f"vfiotop {__version__}", help="print the version"
    )
    _add_common(parser, top=True)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=CommandParser)
    for add in add_commands:
        add(lambda name, text: commands.add_parser(name, parents=[common_options(name)], help=text))
    parser.set_defaults(commands=tuple(commands.choices))
    return parser


def without_command(argv: Sequence[str]) -> argparse.Namespace | None:
    """Parse only common options; ``None`` if there is more, or a simulated host, whose name may be
    a command. The parsers of all commands take 4 ms to build, and the screen needs none."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    _add_common(parser, top=True)
    try:
        arguments, rest = parser.parse_known_args(argv)
    except argparse.ArgumentError:  # the parser of the command says what is wrong
        return None
    if rest or arguments.demo is not None:
        return None
    arguments.command = None
    return arguments


def common_options(command: str) -> CommandParser:
    """The common options, as a parent of a command's parser. The command's help leaves out those
    that have no effect on it."""
    parser = CommandParser(add_help=False)
    _add_common(parser, top=False)
    for action in parser._actions:
        if action.dest in refused(command):
            action.help = argparse.SUPPRESS
    return parser


def _add_common(parser: argparse.ArgumentParser, *, top: bool) -> None:
    """Add the options that may stand before or after the command."""

    def default(value: object) -> object:
        return value if top else argparse.SUPPRESS

    parser.add_argument(
        "--demo", nargs="?", const="gaming", metavar="SCENARIO", default=default(None),
        help="use a simulated host; “--demo list” lists the scenarios",
    )  # fmt: skip
    parser.add_argument(
        "--demo-if-no-gpu", action="store_true", default=default(False),
        help="use a simulated host if this machine has no GPU",
    )  # fmt: skip
    parser.add_argument(
        "--root", type=Path, metavar="DIR", default=default(None),
        help="use a captured host: a directory with sys, proc, etc, boot and domains/*.xml, "
        "or what `vfiotop capture` wrote",
    )  # fmt: skip
    parser.add_argument(
        "--readonly", action="store_true", default=default(False), help="refuse every action"
    )
    parser.add_argument(
        "--connect", metavar="URI", default=default(None),
        help=f"connection to libvirt (default {libvirt_uri.SYSTEM})",
    )  # fmt: skip
    parser.add_argument(
        "--config", type=Path, metavar="FILE", default=default(None), help="configuration file"
    )
    parser.add_argument(
        "--interval", metavar="SECONDS", default=default(None),
        help=f"time between readings (default {config.DEFAULT_INTERVAL:.0f})",
    )  # fmt: skip


def add_address(parser: argparse.ArgumentParser) -> None:
    """Add the optional address of a GPU."""
    parser.add_argument("address", nargs="?", metavar="ADDR", help="GPU (default: the guest GPU)")


def add_json(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """Add ``--json``; ``again`` if the parent command takes it as well."""
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS if again else False,
        help="print JSON, schema 1",
    )  # fmt: skip


def add_guest_action(parser: argparse.ArgumentParser) -> None:
    """Add the guest of an action, and the options that agree to its plan."""
    parser.add_argument(
        "domain", nargs="?", metavar="DOMAIN",
        help="libvirt domain, by name or UUID (default: the guest)",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print the plan only")
    add_consent(parser)


def add_consent(parser: argparse.ArgumentParser) -> None:
    """Add the options that answer the question a command asks before it acts."""
    parser.add_argument("--yes", action="store_true", help="skip the confirmation")
    parser.add_argument(
        "--despite-doubts", action="store_true",
        help="continue even if a check could not be made, or the host uses the USB device",
    )  # fmt: skip


def checked(what: str, check: Callable[[str], T], value: str) -> T:
    """Validate an argument with one of the configuration's checks. Raises ``UsageError``."""
    try:
        return check(value)
    except ValueError as error:
        raise UsageError(f"{what}: {error}") from error
