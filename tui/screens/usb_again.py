"""Reattaches a lent USB device after a replug, without asking a second time."""

from __future__ import annotations

from tui.background import BackgroundAction, background
from tui.guest.usb import LendingLost, is_final
from tui.guest.usb import attach_again as attach
from tui.host import HostError
from tui.model.errors import Refused
from tui.rules.usb_attempts import failure
from tui.rules.usb_lendings import Replugged
from tui.session import Session


async def attach_again(session: Session, again: Replugged) -> None:
    """Reattach a replugged device; if that fails, an event says why."""
    reopen, choice = session.host.reopen, session.live.choice
    lending, device = again.lending, again.device
    if reopen is None or session.host.control.unavailable_reason is not None:
        return
    action = BackgroundAction(f"lend {device.name}")
    async with session.lendings.turn:
        session.lendings.expect_change(lending.uuid)
        try:
            await background(lambda: attach(reopen(), choice, again), action)
        except (Refused, HostError) as error:
            if isinstance(error, LendingLost):
                session.lendings.keep(lending)
            wait_s = session.lendings.failed(again, final=is_final(error, again))
            told = failure(str(error), wait_s)
            if told is not None:
                session.lendings.note(device, *told)
    session.poke("usb", "guests")
