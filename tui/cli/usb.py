"""``vfiotop usb``: lists the USB devices, lends one to a running guest, takes it back."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from tui import config
from tui.cli.arguments import AddParser, CommandParser, add_guest_action, add_json, common_options
from tui.cli.exits import DONE, FAILED, STUCK, UsageError, fail, report
from tui.host import Host, Unsettled
from tui.model import UsbPlan, UsbRule
from tui.model.errors import Doubtful, Refused, VfiotopError
from tui.process.output import say, say_json

if TYPE_CHECKING:
    from tui.model.requests import Consent
    from tui.rules.roles import Choice

_DEVICE = re.compile(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(.{1,200}))?")
_PORT = re.compile(r"[1-9][0-9]{0,8}-[0-9]{1,3}(?:\.[0-9]{1,3}){0,8}")


def add_commands(add: AddParser) -> None:
    """Add ``usb`` with its three commands."""
    parser = add("usb", "list the USB devices, lend one to the running guest, or take it back")
    ways = parser.add_subparsers(
        dest="action", metavar="list|lend|return", parser_class=CommandParser
    )
    common = common_options("usb")
    add_json(ways.add_parser("list", parents=[common], help="who has each device, and its uses"))
    for action, text in (("lend", "attach a device"), ("return", "detach a device")):
        way = ways.add_parser(action, parents=[common], help=text)
        way.add_argument(
            "device", metavar="DEVICE", help="vendor:product[:serial], or a port such as 1-3"
        )
        add_guest_action(way)
    parser.set_defaults(run=run)


def run(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """List the devices, or plan and carry out the action."""
    from tui import state  # noqa: PLC0415

    if arguments.action is None:
        raise UsageError("usb needs a command: `vfiotop usb list`, `lend` or `return`")
    choice = state.choice(settings, host)
    if arguments.action == "list":
        return _list(host, choice, as_json=arguments.json)
    return _act(host, choice, arguments)


def parse_device(text: str) -> UsbRule:
    """Parse ``vendor:product[:serial]`` or a port. Raises ``UsageError``."""
    found = _DEVICE.fullmatch(text)
    if found is not None:
        return UsbRule(found[1].lower(), found[2].lower(), found[3])
    if _PORT.fullmatch(text):
        return UsbRule(port=text)
    raise UsageError(
        "DEVICE: expected vendor:product such as 046d:c52b, with :serial if there are several, "
        "or a port such as 1-3"
    )


def _list(host: Host, choice: Choice, *, as_json: bool) -> int:
    from tui.guest import usb  # noqa: PLC0415
    from tui.report import usb as text  # noqa: PLC0415

    view = usb.read(host, choice).view
    devices = (*(view.usb or ()), *view.usb_away)
    if as_json:
        say_json({"schema": 1, "usb": text.as_json(devices)})
    else:
        say(text.as_text(devices))
    return DONE


def _act(host: Host, choice: Choice, arguments: argparse.Namespace) -> int:
    from tui.cli.confirm import why_not_confirmed  # noqa: PLC0415
    from tui.cli.host import require_this_machine  # noqa: PLC0415
    from tui.guest import usb  # noqa: PLC0415
    from tui.model.requests import Consent  # noqa: PLC0415
    from tui.report.plan import as_text, head  # noqa: PLC0415
    from tui.swap.consent import consent_to, require_consent  # noqa: PLC0415

    rule = parse_device(arguments.device)
    if host.kind == "captured" and not arguments.dry_run:
        require_this_machine(host)
    plan = usb.usb_plan_once(host, choice, arguments.action, rule, arguments.domain)
    if arguments.dry_run:
        say(as_text(plan))
        return FAILED if plan.refusals else DONE
    consent = Consent(None, everything=arguments.despite_doubts)
    try:
        if host.control.unavailable_reason is not None:
            raise Refused(host.control.unavailable_reason)
        require_consent(plan, consent if arguments.yes else Consent(everything=True))
        if not arguments.yes:
            declined = why_not_confirmed(as_text(plan), head(plan), plan.doubts, "")
            if declined is not None:
                return fail(declined, FAILED)
            consent = consent_to(plan, doubts=True)
        _carry_out(host, choice, plan, consent)
    except Doubtful as error:
        return fail(f"{error}: check for yourself, or continue with --despite-doubts", FAILED)
    except Unsettled as error:
        return fail(f"{error}. `vfiotop usb list` shows it when libvirt responds again", STUCK)
    except VfiotopError as error:
        return report(error)
    return DONE


def _carry_out(host: Host, choice: Choice, plan: UsbPlan, consent: Consent) -> None:
    from tui.cli.guest_action import run_to_end  # noqa: PLC0415
    from tui.guest.usb import execute  # noqa: PLC0415
    from tui.process.crash import may_have_begun  # noqa: PLC0415

    again = host.opened_again()
    with may_have_begun(VfiotopError):
        run_to_end(plan, lambda: execute(again, choice, plan, consent))
    done = f"lent to {plan.name}" if plan.action == "lend" else f"returned by {plan.name}"
    say(f"{plan.device.name}: {done}")
