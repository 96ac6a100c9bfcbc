"""The readings of a card that is in a guest: only the guest has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tui.model import (
    NOT_READ_YET,
    NVIDIA,
    AgentReading,
    CardReading,
    Demand,
    Domain,
    GuestCard,
    HostView,
    PciFunction,
    Unavailable,
)

QUERYABLE_STATES = ("running", "blocked")
"""The states in which a guest's programs run."""

_MAKERS = {"1002": "an AMD", "8086": "an Intel"}


def reading(
    function: PciFunction,
    domain: Domain,
    gpus: Sequence[PciFunction],
    agent: AgentReading | Unavailable,
) -> tuple[CardReading | None, str | None]:
    """What ``domain`` says of its card ``function``, one of the host's ``gpus``; or why it
    says nothing."""
    why_not = _why_not_asked(function, domain)
    if why_not is None and isinstance(agent, Unavailable):
        why_not = agent.reason
    says = None if isinstance(agent, Unavailable) else agent.of(domain.uuid)
    if why_not is not None or says is None:
        return None, why_not or "the guest has not been asked yet"
    if says.problem is not None:
        return None, says.problem
    mine = [gpu for gpu in gpus if gpu.address in domain.functions and _alike(gpu, function)]
    found = [card for card in says.cards if _is(card, function)]
    if not found:
        why = says.remarks[0] if says.remarks else "look whether its driver has it"
        return None, f"the guest does not list this card: {why}"
    if len(mine) > 1 or len(found) > 1:
        return None, "two alike cards are in the guest: which is which is not known"
    card = found[0]
    return CardReading(
        function.address, "guest-agent", card.metrics, card.name,
        taken_at=says.taken_at, remarks=(*card.remarks, *says.remarks),
    ), None  # fmt: skip


def driver_version(domain: Domain, agent: AgentReading | Unavailable) -> str | None:
    """The version of the driver in the guest, where it tells."""
    says = None if isinstance(agent, Unavailable) else agent.of(domain.uuid)
    return says.driver_version if says else None


def demand(
    view: HostView,
    *,
    quiet: bool = False,
    shown: bool = True,
    before: Demand | None = None,
) -> Demand:
    """What the sources are to mind. ``shown``: readings of the cards are on the screen; where
    they are not, no guest is asked. ``before`` is what they were told last."""
    return Demand(
        reserved=_kept(view, before.reserved if before else None),
        guests=tuple(sorted(set(_askable(view)))) if shown else (),
        shown=shown,
        quiet=quiet,
    )


def _kept(view: HostView, before: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The guest's card and every other that a domain names. While libvirt does not tell, what
    it told before holds; where it never has, and no card is known to be the guest's, it may be
    any."""
    waits = view.problem("guests") == NOT_READ_YET.reason
    if view.problem("pci") is not None or view == HostView() or waits:
        return before
    gpus = {gpu.address for gpu in view.gpus}
    kept = {gpu.address for gpu in view.gpus if gpu.role == "guest"}
    kept |= {a for guest in view.guests for a in guest.domain.functions if a in gpus}
    if view.problem("guests") is not None:
        kept |= set(before or ())
        if not kept and before is None:
            return None
    return tuple(sorted(kept))


def _askable(view: HostView) -> Iterator[str]:
    for gpu in view.gpus:
        for guest in view.guests:
            domain = guest.domain
            has_it = gpu.guest_uuid == domain.uuid and gpu.address in domain.functions
            if has_it and _why_not_asked(gpu.function, domain) is None:
                yield domain.uuid


def _why_not_asked(function: PciFunction, domain: Domain) -> str | None:
    if function.vendor != NVIDIA:
        maker = _MAKERS.get(function.vendor, "such a")
        return f"nothing in a guest tells of {maker} card through its agent"
    if domain.state not in QUERYABLE_STATES:
        return f"the guest is {domain.state}: it cannot be asked"
    if domain.agent is None:
        return (
            "the guest has no channel for an agent: add a <channel> with the target "
            "org.qemu.guest_agent.0 to its definition"
        )
    if not domain.agent:
        return "no agent is connected: install and start qemu-guest-agent in the guest"
    return None


def _alike(one: PciFunction, other: PciFunction) -> bool:
    return (one.vendor, one.device) == (other.vendor, other.device)


def _is(card: GuestCard, function: PciFunction) -> bool:
    """By the ids, which the guest reads from the card itself."""
    if (card.vendor, card.device) != (function.vendor, function.device):
        return False
    return None in (card.subsystem, function.subsystem) or card.subsystem == function.subsystem
