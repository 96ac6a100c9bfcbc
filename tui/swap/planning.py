"""Takes readings and makes the plan of a swap."""

from __future__ import annotations

from tui.host import Host, HostError
from tui.model import Direction, Gpu, HostView, Plan
from tui.once import TIMEOUT_S, Scope, read_for_checks
from tui.rules import hostdev_checks
from tui.rules.roles import Choice
from tui.swap.preflight import make_plan


class NoSuchCard(HostError):
    """The card is unknown; the sentence says what to name instead."""


def plan_once(
    host: Host,
    choice: Choice,
    direction: Direction,
    address: str | None,
    patience: float = TIMEOUT_S,
) -> Plan:
    """Return the plan of a swap of the GPU at ``address``, or of the guest GPU.

    Raises ``HostError``, and its subclass ``NoSuchCard``.
    """

    def meant_card(view: HostView) -> Gpu:
        gpu = view.gpu(address) if address else view.guest_gpu
        if gpu is None:
            raise NoSuchCard(_no_such_card(view, address))
        return gpu

    def scope(view: HostView) -> Scope:
        gpu = meant_card(view)
        return [gpu], hostdev_checks.domains_to_bind_for(gpu, view) if direction == "bind" else ()

    seen = read_for_checks(host, choice, patience, scope)
    return make_plan(meant_card(seen.view), direction, seen)


def _no_such_card(view: HostView, address: str | None) -> str:
    known = ", ".join(gpu.address for gpu in view.gpus)
    if not known:
        return view.problem("pci") or "this host has no GPU"
    if address is not None:
        return f"{address} is not a GPU; the GPUs are {known}"
    return f"no card is chosen for the guest: name one of {known}"
