"""The command line: what was asked for, on which host, and how it ended.

Exit codes: 0 done; 1 refused or failed, with the host consistent; 2 wrong usage; 3 stuck,
or needs the operator.
Errors go to stderr as one line that says what to do.
"""

from __future__ import annotations

import argparse
import gc
import locale
import os
import resource
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from tui import __version__, config
from tui.host import Host, HostError, Unsettled
from tui.model import Inventory, Unavailable
from tui.model.errors import VfiotopError
from tui.process import output
from tui.rules import libvirt_uri

T = TypeVar("T")

DONE, FAILED, USAGE, STUCK = 0, 1, 2, 3

SETTLED_S = 2.0
"""Seconds after which the start of the screen is over."""

COLLECT = (10_000, 20, 5)
"""Python's thresholds for collecting cycles: a reading makes some thousand objects, hardly
any of them in one. A screen that was closed is one of ten thousand, which only a collection of
all generations finds."""

GUEST_COMMANDS = {
    "start": "start the guest; its card is bound first where that is needed",
    "stop": "ask the guest to shut down, and wait for it",
    "force-off": "end the guest at once: what is not saved in it is lost",
    "reboot": "ask the guest to boot again",
    "pause": "stop the guest's processors",
    "resume": "let a paused guest run on",
}


READING_COMMANDS = ("status", "doctor", "plan")

FILES = 64
"""Files that may be open at least: without, GLib ends a process which has a libvirt."""

USAGE_LIMIT = 300
"""Characters of what argparse finds wrong, which quotes the argument."""

ARGUMENT_LIMIT = 4096
"""Characters of an argument; it is a path at most (PATH_MAX)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``vfiotop`` with ``argv`` and return its exit code. Raises what nobody expects."""
    acts = False
    try:
        arguments = _arguments(sys.argv[1:] if argv is None else argv)
        acts = _acts(arguments)
        code = _run(arguments)
    except SystemExit as leaving:  # argparse leaves by itself after --help and on wrong usage
        code = leaving.code if isinstance(leaving.code, int) else USAGE
    except (config.ConfigError, UsageError) as error:
        return fail(str(error), USAGE)
    except Unsettled as error:
        return fail(str(error), STUCK)
    except HostError as error:
        return fail(str(error), FAILED)
    return _told(code, acts=acts)


def _acts(arguments: argparse.Namespace) -> bool:
    """Whether it does something, beyond telling."""
    tells = arguments.command in READING_COMMANDS or arguments.demo == "list"
    return not tells and not getattr(arguments, "dry_run", False)


def _told(code: int, *, acts: bool) -> int:
    """The exit code, where output is missing. What a command did it did all the same; one that
    only reads has failed."""
    missing = output.lost()
    if missing is not None:
        output.complain(missing)
    return FAILED if missing is not None and code == DONE and not acts else code


def _run(arguments: argparse.Namespace) -> int:
    if arguments.demo == "list":
        return _list_scenarios()
    settings = _settings(arguments)
    host = _open(arguments, settings)
    try:
        if arguments.command == "status":
            return _status(host, settings, as_json=arguments.json)
        if arguments.command in ("plan", "bind", "unbind", "recover"):
            from tui.cli import swap as cli_swap  # noqa: PLC0415

            return cli_swap.run(host, settings, arguments)
        if arguments.command in GUEST_COMMANDS:
            from tui.cli import guest as cli_guest  # noqa: PLC0415

            return cli_guest.run(host, settings, arguments)
        if arguments.command == "doctor":
            from tui.cli import doctor as cli_doctor  # noqa: PLC0415

            return cli_doctor.run(host, settings, as_json=arguments.json)
        return _screen(host, settings)
    finally:
        host.close()


class UsageError(VfiotopError):
    """What was asked for makes no sense; the sentence says what does."""


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line, as every other error."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.color = False  # Python 3.14 colours its help, with escape sequences

    def error(self, message: str) -> None:  # type: ignore[override]  # argparse: never returns
        fail(f"{output.short(message, USAGE_LIMIT)}; see `vfiotop --help`", USAGE)
        raise SystemExit(USAGE)

    def _print_message(self, message: str, file: object = None) -> None:
        """What argparse writes by itself: help and version, on stdout."""
        output.say(message.removesuffix("\n"))


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    for argument in argv:
        if len(argument) > ARGUMENT_LIMIT:
            raise UsageError(f"“{output.short(argument)}” is too long for an argument")
    arguments = _parser().parse_args(argv)
    if getattr(arguments, "domain", None) is not None:
        _checked("DOMAIN", config.name, arguments.domain)
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="vfiotop",
        description="top for GPU passthrough: both GPUs, the guest and the IOMMU groups, live. "
        "Without a command it opens the screen.",
    )
    parser.add_argument("--version", action="version", version=f"vfiotop {__version__}")
    common = _Parser(add_help=False)
    for each in (parser, common):
        _add_common(each, top=each is parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    status = commands.add_parser(
        "status", parents=[common], help="one reading of everything, as text or JSON"
    )
    status.add_argument("--json", action="store_true", help="as JSON, schema 1")
    doctor = commands.add_parser(
        "doctor", parents=[common], help="every check with its verdict and fix"
    )
    doctor.add_argument("--json", action="store_true", help="as JSON, schema 1")
    plan = commands.add_parser(
        "plan", parents=[common], help="what a swap would do, and whether it may; touches nothing"
    )
    plan.add_argument("direction", choices=("bind", "unbind"), help="to vfio-pci, or back")
    plan.add_argument("address", nargs="?", metavar="ADDR", help="the GPU (the guest's)")
    plan.add_argument("--json", action="store_true", help="as JSON, schema 1")
    for name, text in (
        ("bind", "hand the guest GPU to vfio-pci, with all its companions"),
        ("unbind", "take the guest GPU back"),
    ):
        swap = commands.add_parser(name, parents=[common], help=text)
        swap.add_argument("address", nargs="?", metavar="ADDR", help="the GPU (the guest's)")
        swap.add_argument("--dry-run", action="store_true", help="as plan: touch nothing")
        swap.add_argument("--yes", action="store_true", help="do not ask")
        swap.add_argument(
            "--despite-doubts", action="store_true", help="also where a check could not be made"
        )
    for name, text in GUEST_COMMANDS.items():
        guest = commands.add_parser(name, parents=[common], help=text)
        guest.add_argument("domain", nargs="?", metavar="DOMAIN", help="the domain (the guest)")
        guest.add_argument("--dry-run", action="store_true", help="show the plan; touch nothing")
        guest.add_argument("--yes", action="store_true", help="do not ask")
        guest.add_argument(
            "--despite-doubts", action="store_true", help="also where a check could not be made"
        )
    recover = commands.add_parser(
        "recover", parents=[common], help="finish or undo a swap that was interrupted"
    )
    ways = recover.add_mutually_exclusive_group()
    ways.add_argument("--finish", action="store_true", help="go on from what is seen")
    ways.add_argument("--undo", action="store_true", help="give every function back what it had")
    recover.add_argument("--yes", action="store_true", help="do not ask")
    recover.add_argument(
        "--despite-doubts", action="store_true", help="also where a check could not be made"
    )
    return parser


def _add_common(parser: argparse.ArgumentParser, *, top: bool) -> None:
    """Options that may stand before or after the command."""

    def default(value: object) -> object:
        return value if top else argparse.SUPPRESS

    parser.add_argument(
        "--demo", nargs="?", const="gaming", metavar="SCENARIO", default=default(None),
        help="a simulated host; “--demo list” names the scenarios",
    )  # fmt: skip
    parser.add_argument(
        "--demo-if-no-gpu", action="store_true", default=default(False), help=argparse.SUPPRESS
    )
    parser.add_argument(
        "--root", type=Path, metavar="DIR", default=default(None),
        help="a captured host: DIR/sys, DIR/proc, DIR/etc and DIR/domains/*.xml",
    )  # fmt: skip
    parser.add_argument(
        "--readonly", action="store_true", default=default(False), help="no action can be taken"
    )
    parser.add_argument(
        "--connect", metavar="URI", default=default(None),
        help=f"libvirt's URI (default {libvirt_uri.SYSTEM})",
    )  # fmt: skip
    parser.add_argument(
        "--config", type=Path, metavar="FILE", default=default(None), help="the configuration"
    )
    parser.add_argument(
        "--interval", metavar="SECONDS", default=default(None),
        help=f"between readings (default {config.DEFAULT_INTERVAL:.0f})",
    )  # fmt: skip


def _settings(arguments: argparse.Namespace) -> config.Config:
    """The configuration with what the command line says on top."""
    settings = config.load(arguments.config)
    if arguments.root is not None and arguments.config is None:
        # Whose card and guest those are is said of this machine, and not of a captured host.
        settings = replace(settings, guest_gpu=None, guest=None)
    if arguments.connect is not None:
        uri = _checked("--connect", config.libvirt_uri, arguments.connect)
        settings = replace(settings, connect=uri)
    elif arguments.config is not None:  # what is told to be done is for the same libvirt
        arguments.connect = settings.connect
    if arguments.interval is not None:
        seconds = _checked("--interval", config.interval, arguments.interval)
        settings = replace(settings, interval=seconds)
    return settings


def _checked(what: str, check: Callable[[str], T], value: str) -> T:
    """An argument through one of the configuration's checks. Raises ``UsageError``."""
    try:
        return check(value)
    except ValueError as error:
        raise UsageError(f"{what}: {error}") from error


def _open(arguments: argparse.Namespace, settings: config.Config) -> Host:
    """The host that was asked for. The backends are imported only for the one in use."""
    if arguments.demo is not None and arguments.root is not None:
        raise UsageError("--demo and --root cannot be used together; choose one")
    if arguments.demo is not None:
        return _demo(arguments.demo, readonly=arguments.readonly)
    if arguments.root is not None:
        from tui.host.captured import captured_host  # noqa: PLC0415

        return captured_host(str(arguments.root))
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < FILES:
        raise HostError(f"too few files may be open: raise the limit (`ulimit -n {FILES}`)")
    from tui.host.real import AgentSettings, real_host  # noqa: PLC0415
    from tui.swap.launch import Launcher  # noqa: PLC0415

    mover = Launcher(settings.elevation)
    wish = settings.guest_readings
    asking = AgentSettings(wish != "off", wish == "on", settings.guest_interval)
    host = real_host(settings.connect, readonly=arguments.readonly, mover=mover, asking=asking)
    if arguments.demo_if_no_gpu and not _has_gpu(host):
        host.close()
        simulated = _demo("gaming", readonly=arguments.readonly)
        return replace(simulated, banner="No GPU here: simulated host")
    return host


def _demo(scenario: str, *, readonly: bool) -> Host:
    from tui.host.demo.host import UnknownScenario, demo_host  # noqa: PLC0415

    try:
        host = demo_host(scenario)
    except UnknownScenario as error:
        raise UsageError(str(error)) from error
    return host.only_shown() if readonly else host


def _list_scenarios() -> int:
    from tui.host.demo.host import SCENARIOS  # noqa: PLC0415

    for name, text in SCENARIOS.items():
        output.say(f"{name:<10} {text}")
    return DONE


def _has_gpu(host: Host) -> bool:
    """Whether a GPU can be seen. A container may have no sysfs, or none with PCI in it."""
    try:
        inventory: Inventory = host.pci.read()
    except HostError:
        return False
    return bool(inventory.gpus)


def _status(host: Host, settings: config.Config, *, as_json: bool) -> int:
    from tui.once import examine_once, view_once  # noqa: PLC0415
    from tui.report.status_json import as_json as to_json  # noqa: PLC0415
    from tui.report.status_json import as_text  # noqa: PLC0415
    from tui.rules.doctor import every, examine  # noqa: PLC0415
    from tui.state import choice  # noqa: PLC0415

    chosen = choice(settings, host)
    seen = examine_once(host, chosen, with_readings=True) if as_json else None
    view = seen.view if seen is not None else view_once(host, chosen)
    if view.libvirt_uri is None and host.banner is None:
        # A libvirt that could not be reached is still the one that was asked for.
        view = replace(view, libvirt_uri=settings.connect)
    if seen is not None:
        holders = None if isinstance(seen.holders, Unavailable) else seen.holders
        told = to_json(replace(view, checks=every(examine(seen))), host.now(), holders=holders)
        output.say_json(told)
    else:
        if host.banner is not None:
            output.say(f"{host.banner}\n")
        output.say(as_text(view))
    return DONE


def _screen(host: Host, settings: config.Config) -> int:
    """Open the screen. Does not return where a signal has ended it."""
    from tui.terminal.tty import NoTerminal, shows_utf8, standard  # noqa: PLC0415

    try:
        tty = standard()
    except NoTerminal as error:
        return fail(
            f"the screen needs a terminal, and {error}; `vfiotop status` prints one reading", USAGE
        )
    encoding = locale.getencoding()
    if not shows_utf8(encoding):
        return fail(
            f"the screen is drawn in UTF-8, and this locale is {encoding}; set LC_ALL=C.UTF-8 "
            "where the terminal shows that, or use `vfiotop status`",
            USAGE,
        )
    from tui.sampler import Readers  # noqa: PLC0415
    from tui.terminal.ending import Ending  # noqa: PLC0415

    with Ending(host.close, tty, settle=lambda: _left(DONE)) as ending:
        # What is made until the screen is there stays: to look through it for cycles again and
        # again is a tenth of the start, and a quarter of what runs later.
        gc.disable()
        settled = threading.Timer(SETTLED_S, _collect_rarely)
        settled.daemon = True
        settled.start()
        readers = Readers(host, settings.interval)
        readers.start()
        for name in ("COLUMNS", "LINES"):  # the terminal says how large it is
            os.environ.pop(name, None)
        from tui.app import VfiotopApp  # noqa: PLC0415 - it takes long, and they read meanwhile
        from tui.session import Session  # noqa: PLC0415

        app = VfiotopApp(Session(host, settings, readers), ending)
        app.run()
    if app.failure is not None:
        raise app.failure
    return _left(DONE if app.return_code in (0, None) else FAILED)


def _left(code: int) -> int:
    """The screen was left; what it has begun with a guest is not left half way."""
    from tui.background import finish  # noqa: PLC0415

    try:
        failed = finish(lambda sentence: fail(sentence, FAILED))
    except KeyboardInterrupt:
        return fail("not waited for: `vfiotop status` tells what came of it", STUCK)
    return STUCK if isinstance(failed, Unsettled) else FAILED if failed else code


def _collect_rarely() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    gc.enable()


def fail(message: str, code: int) -> int:
    """Tell an error in one line; the exit code."""
    output.complain(message)
    return code
