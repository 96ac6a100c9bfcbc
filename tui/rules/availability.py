"""Which actions make sense now, and why the others do not."""

from __future__ import annotations

from tui.model import Direction, Gpu, GuestAction, HostView
from tui.rules import card_checks, guest_checks
from tui.rules.viability import already_there


def why_not(direction: Direction, view: HostView) -> str | None:
    """Why the guest GPU cannot be moved in ``direction``, as far as the last readings tell; the
    plan checks more. ``None`` if it may be moved, and also if the key shows a swap: one under way
    is shown by the key for ``bind``, one that waits for recovery by both."""
    if view.swap is not None and not view.swap.ended:
        return _under_way(view) if direction == "unbind" else None
    gpu = view.guest_gpu
    return _no_card(view) if gpu is None else _why_stay(direction, gpu)


def _why_stay(direction: Direction, gpu: Gpu) -> str | None:
    if gpu.owner.kind == "stuck":
        return gpu.no_reading or "the card is stuck"
    if gpu.owner.guest is not None:
        return f"“{gpu.owner.guest}” is running with the card: shut it down first"
    where = already_there(gpu, direction)
    return f"the card is {where} already" if where else None


def _under_way(view: HostView) -> str | None:
    """Why a key has to wait for the swap that is under way, if one is."""
    swap = view.swap
    return f"the {swap.direction} is still under way" if swap and swap.under_way else None


def _no_card(view: HostView) -> str | None:
    """Why there is no guest GPU; ``None`` if the user can choose one."""
    if not view.gpus:
        return view.problem("pci") or "this host has no GPU"
    return None if card_checks.free_for_guest(view) else card_checks.NO_CARD_LEFT


def why_not_guest(action: GuestAction, view: HostView) -> str | None:
    """Why an action on the guest makes no sense now. ``None`` also if the guest is not known:
    then the user chooses it."""
    problem = view.problem("guests")
    if problem is not None:
        return problem
    waits = _under_way(view) if action == "start" else None
    if waits is not None:
        return waits
    if view.guest is not None:
        return guest_checks.why_not(view.guest.domain, action)
    return None if view.guests else "no domain is defined in libvirt"


def stop_action(view: HostView) -> GuestAction:
    """The action of the stop key: a guest that cannot react is forced off."""
    unresponsive = ("paused", "pmsuspended", "crashed")
    return "force-off" if view.guest and view.guest.domain.state in unresponsive else "stop"


def pause_action(view: HostView) -> GuestAction:
    """The action of the pause key: a paused guest is resumed."""
    paused = view.guest is not None and view.guest.domain.state == "paused"
    return "resume" if paused else "pause"
