"""``vfiotop status``: one reading of everything, or every reading that differs."""

from __future__ import annotations

import argparse

from msgspec.structs import replace

from tui import config
from tui.cli.arguments import AddParser, add_json
from tui.cli.exits import DONE, UsageError
from tui.host import Host
from tui.model import HostView, Unavailable
from tui.process import output


def add_commands(add: AddParser) -> None:
    """Add ``status``."""
    parser = add("status", "print one reading of everything, as text or JSON")
    add_json(parser)
    parser.add_argument(
        "--follow", action="store_true",
        help="with --json: print a line for each reading that differs, until a signal comes",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """Print one reading of the host, or follow it."""
    if arguments.follow and not arguments.json:
        raise UsageError("--follow prints JSON: add --json, or run `vfiotop` for the screen")
    if arguments.follow:
        from tui.cli.status_follow import follow  # noqa: PLC0415

        follow(host, settings)
    elif arguments.json:
        _print_json(host, settings)
    else:
        _print_text(host, settings)
    return DONE


def _print_json(host: Host, settings: config.Config) -> None:
    from tui.once import examine_once  # noqa: PLC0415
    from tui.report.status_json import as_json  # noqa: PLC0415
    from tui.rules.doctor import all_checks, examine  # noqa: PLC0415
    from tui.state import choice  # noqa: PLC0415

    seen = examine_once(host, choice(settings, host), with_readings=True)
    view = replace(_with_uri(seen.view, host, settings), checks=all_checks(examine(seen)))
    holders = None if isinstance(seen.holders, Unavailable) else seen.holders
    output.say_json(as_json(view, host.now(), None, holders, seen.read_at))


def _print_text(host: Host, settings: config.Config) -> None:
    from tui.once import view_once  # noqa: PLC0415
    from tui.report.status_text import as_text  # noqa: PLC0415
    from tui.state import choice  # noqa: PLC0415

    view = _with_uri(view_once(host, choice(settings, host)), host, settings)
    if host.banner is not None:
        output.say(f"{host.banner}\n")
    output.say(as_text(view))


def _with_uri(view: HostView, host: Host, settings: config.Config) -> HostView:
    """The view with the configured URI if libvirt was not reachable to report its own."""
    if view.libvirt_uri is None and host.banner is None:
        return replace(view, libvirt_uri=settings.connect)
    return view
