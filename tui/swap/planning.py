"""Makes the plan of a swap on readings taken for it."""

from __future__ import annotations

from tui.host import Host, HostError
from tui.model import Direction, Gpu, HostView, Plan
from tui.once import TIMEOUT_S, Scope, read_for_checks
from tui.rules import hostdev_checks
from tui.rules.roles import Choice
from tui.swap.preflight import planned


class NoSuchCard(HostError):
    """The card of a swap is not known: what to name in its place, in a sentence."""


def plan_once(
    host: Host,
    choice: Choice,
    direction: Direction,
    address: str | None,
    patience: float = TIMEOUT_S,
) -> Plan:
    """The plan of a swap of the GPU at ``address``, or of the guest GPU, on readings taken
    for it. Raises ``HostError``, and ``NoSuchCard`` of its kind."""

    def meant_card(view: HostView) -> Gpu:
        gpu = view.gpu(address) if address else view.guest_gpu
        if gpu is None:
            raise NoSuchCard(_no_such_card(view, address))
        return gpu

    def scope(view: HostView) -> Scope:
        gpu = meant_card(view)
        return [gpu], hostdev_checks.beside(gpu, view) if direction == "bind" else ()

    seen = read_for_checks(host, choice, patience, scope)
    return planned(meant_card(seen.view), direction, seen)


def _no_such_card(view: HostView, address: str | None) -> str:
    known = ", ".join(gpu.address for gpu in view.gpus)
    if not known:
        return view.problem("pci") or "this host has no GPU"
    if address is not None:
        return f"{address} is no GPU; the GPUs are {known}"
    return f"which card is the guest's is not known: name one of {known}"
