"""Waits until a guest that was asked to shut down is off, then offers its card to the host."""

from __future__ import annotations

import argparse
import shlex
import threading
import time
from collections.abc import Callable

from tui.cli import bind
from tui.cli.confirm import yes
from tui.cli.exits import DONE, FAILED, STUCK, fail
from tui.guest.next_commands import command
from tui.guest.plan import STOP_S
from tui.host import Host, HostError
from tui.model import Domain, GuestPlan, HostView
from tui.process.output import say

POLL_S = 0.5
"""Seconds between two queries of the guest's state."""

SILENT_S = 5.0
"""Seconds without an answer after which the guest's state counts as unknown."""


def wait_until_off(
    reopen: Callable[[], Host], plan: GuestPlan, view: HostView, arguments: argparse.Namespace
) -> int:
    """Wait until the guest is off. Returns the exit code. Ctrl-C ends the wait, not the
    shutdown."""
    look = command("status", plan, arguments.connect)
    try:
        off = _is_off(reopen(), plan.uuid, STOP_S)
    except KeyboardInterrupt:
        return fail(f"{plan.name} was asked to shut down and may still do so: check {look}", STUCK)
    if off is None:
        return fail(
            f"{plan.name} was asked to shut down, but libvirt does not answer: check {look} "
            "when it does", STUCK,
        )  # fmt: skip
    if not off:
        return fail(
            f"{plan.name} is still running after {STOP_S:.0f} s: wait, ask again, or end it with "
            f"{command('force-off', plan, arguments.connect)}", FAILED,
        )  # fmt: skip
    say(f"{plan.name}: shut off")
    return _offer_card(reopen, plan, view, arguments)


def _offer_card(
    reopen: Callable[[], Host], plan: GuestPlan, view: HostView, arguments: argparse.Namespace
) -> int:
    """Offer to give the guest's card back to the host; print the command if nobody is asked."""
    card = next((a for a in plan.cards if view.guest_gpu and a == view.guest_gpu.address), None)
    if card is None:
        return DONE
    if arguments.yes or not yes(f"Give {card} back to the host? [y/N] "):
        word = shlex.quote(card)
        say(f"Its card is still on vfio-pci: `vfiotop unbind {word}` gives it back.")
        return DONE
    return bind.give_back(reopen(), card, arguments)


def _is_off(host: Host, uuid: str, patience: float) -> bool | None:
    """Whether the guest is off within ``patience`` seconds; ``None`` if libvirt does not answer at
    the end. A thread queries the state, since libvirt may never answer."""
    off, leaving = threading.Event(), threading.Event()
    answered_at = -SILENT_S

    def watch() -> None:
        nonlocal answered_at
        while not leaving.is_set():
            active = _is_active(host, uuid)
            if active is not None:
                answered_at = time.monotonic()
            if active is False:
                off.set()
                return
            leaving.wait(POLL_S)

    threading.Thread(target=watch, name="watch", daemon=True).start()
    try:
        if off.wait(patience):
            return True
    finally:
        leaving.set()
    return None if time.monotonic() - answered_at >= SILENT_S else False


def _is_active(host: Host, uuid: str) -> bool | None:
    """Whether the domain holds its devices; ``None`` if libvirt does not answer."""
    try:
        domains = host.guests.read().domains
    except HostError:
        return None
    found: Domain | None = next((d for d in domains if d.uuid == uuid), None)
    if found is not None and found.state == "unknown":
        return None
    return found is not None and found.active
