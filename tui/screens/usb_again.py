"""Attaches a lent USB device again after a replug, without asking a second time.

The plan is made and checked like any other. What it would have to ask, and was not asked when the
device was lent, keeps it with the host.
"""

from __future__ import annotations

from tui.background import BackgroundAction, background
from tui.guest.usb import execute, usb_plan_once
from tui.host import HostError
from tui.model import UsbRule
from tui.model.errors import Refused
from tui.model.requests import Consent
from tui.rules.usb_lendings import Replugged, place
from tui.session import Session


async def attach_again(session: Session, again: Replugged) -> None:
    """Attach a replugged device; if that fails, an event says why."""
    reopen, choice = session.host.reopen, session.live.choice
    lending, device = again.lending, again.device
    if reopen is None or session.host.control.unavailable_reason is not None:
        return
    rule = UsbRule(device.vendor, device.product, device.serial, device.port)

    def attach() -> None:
        plan = usb_plan_once(reopen(), choice, "lend", rule, uuid=lending.uuid)
        if plan.raw_name != lending.raw_name:
            raise Refused("the guest has another name now")
        execute(reopen(), choice, plan, Consent(None, lending.accepted))

    session.lendings.expect_change(lending.uuid)
    try:
        await background(attach, BackgroundAction(f"lend {device.name}"))
    except (Refused, HostError) as error:
        session.lendings.note_failure(device, f"not attached again: {error}")
    else:
        session.lendings.attached_again(lending, place(device))
    session.poke("usb", "guests")
