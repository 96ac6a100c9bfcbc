"""Which keys that change the host make sense now, and why the others do not."""

from __future__ import annotations

from tui.model import Direction, Gpu, HostView
from tui.rules.viability import on_vfio


def why_not(direction: Direction, view: HostView) -> str | None:
    """Why the guest GPU cannot be moved in ``direction``, as far as the last readings
    tell; the plan looks closer. ``None`` where it may be asked for, and while a swap is
    under way or waits to be recovered: then that is what the key shows."""
    if view.swap is not None and not view.swap.ended:
        return None
    gpu = view.guest_gpu
    return _no_card(view) if gpu is None else _why_stay(direction, gpu)


def _why_stay(direction: Direction, gpu: Gpu) -> str | None:
    if gpu.owner == "stuck":
        return gpu.no_reading or "the card is stuck"
    if gpu.owner.startswith("guest:"):
        return f"“{gpu.owner.removeprefix('guest:')}” runs with the card: shut it down first"
    there = [on_vfio(f.driver) for f in (gpu.function, *gpu.companions)]
    if direction == "bind" and all(there):
        return "the card is on vfio-pci already"
    if direction == "unbind" and not any(there) and gpu.function.driver is not None:
        return "the card is with the host already"
    return None


def _no_card(view: HostView) -> str:
    if not view.gpus:
        return view.problem("pci") or "this host has no GPU"
    return "which card is the guest's is not known: set guest_gpu in the configuration"
