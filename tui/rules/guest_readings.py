"""The readings of a card in a guest, which only the guest can take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tui.model import (
    AMD_GRAPHICS,
    INTEL,
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
"""The states in which a guest can answer."""

_MAKERS = {AMD_GRAPHICS: "an AMD", INTEL: "an Intel"}


def reading(
    function: PciFunction,
    domain: Domain,
    gpus: Sequence[PciFunction],
    agent: AgentReading | Unavailable,
) -> tuple[CardReading | None, str | None]:
    """What ``domain`` reports of its card ``function``, one of the host's ``gpus``, or why it
    reports nothing."""
    why_not = _why_not_asked(function, domain)
    if why_not is None and isinstance(agent, Unavailable):
        why_not = agent.reason
    report = None if isinstance(agent, Unavailable) else agent.of(domain.uuid)
    if why_not is not None or report is None:
        return None, why_not or "the guest agent has not been queried yet"
    if report.problem is not None:
        return None, report.problem
    mine = [gpu for gpu in gpus if gpu.address in domain.functions and _same_model(gpu, function)]
    found = [card for card in report.cards if _matches(card, function)]
    if not found:
        why = report.remarks[0] if report.remarks else "check that its driver has it"
        return None, f"the guest does not list this card: {why}"
    if len(mine) > 1 or len(found) > 1:
        return None, "the guest has two identical cards, which cannot be told apart"
    card = found[0]
    return CardReading(
        function.address, "guest-agent", card.metrics, card.name,
        reported_at=report.taken_at, remarks=(*card.remarks, *report.remarks),
    ), None  # fmt: skip


def driver_version(domain: Domain, agent: AgentReading | Unavailable) -> str | None:
    """The version of the driver in the guest, as reported by its agent."""
    report = None if isinstance(agent, Unavailable) else agent.of(domain.uuid)
    return report.driver_version if report else None


def demand(
    view: HostView,
    *,
    quiet: bool = False,
    shown: bool = True,
    before: Demand | None = None,
) -> Demand:
    """What the sources should read. ``shown``: card readings are on the screen; no guest is asked
    otherwise. ``before`` is the previous demand."""
    return Demand(
        reserved=_reserved(view, before.reserved if before else None),
        guests=tuple(sorted(set(_queryable(view)))) if shown else (),
        threads_of=_running(view),
        shown=shown,
        quiet=quiet,
    )


def _running(view: HostView) -> str | None:
    """The UUID of the allowed guest while it runs."""
    guest = view.guest
    return guest.domain.uuid if guest is not None and guest.domain.active else None


def _reserved(view: HostView, before: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The guest's card and every card that a domain names. While libvirt does not answer, the
    previous ones stay reserved. ``None``, which means any card, if it never answered and no card
    is known to be the guest's."""
    waits = view.problem("guests") == NOT_READ_YET.reason
    if view.problem("pci") is not None or view == HostView() or waits:
        return before
    gpus = {gpu.address for gpu in view.gpus}
    reserved = {gpu.address for gpu in view.gpus if gpu.role == "guest"}
    reserved |= {a for guest in view.guests for a in guest.domain.functions if a in gpus}
    if view.problem("guests") is not None:
        reserved |= set(before or ())
        if not reserved and before is None:
            return None
    return tuple(sorted(reserved))


def _queryable(view: HostView) -> Iterator[str]:
    for gpu in view.gpus:
        for guest in view.guests:
            domain = guest.domain
            has_it = gpu.guest_uuid == domain.uuid and gpu.address in domain.functions
            if has_it and _why_not_asked(gpu.function, domain) is None:
                yield domain.uuid


def _why_not_asked(function: PciFunction, domain: Domain) -> str | None:
    if function.vendor != NVIDIA:
        maker = _MAKERS.get(function.vendor, "this kind of")
        return f"a guest agent cannot report on {maker} card"
    if domain.state not in QUERYABLE_STATES:
        state = {"in shutdown": "shutting down", "pmsuspended": "suspended"}.get(domain.state)
        return f"no readings while the guest is {state or domain.state}"
    if domain.agent is None:
        return (
            "the guest has no agent channel: add a <channel> with the target "
            "org.qemu.guest_agent.0 to its definition"
        )
    if not domain.agent:
        return "no agent is connected: install and start qemu-guest-agent in the guest"
    return None


def _same_model(one: PciFunction, other: PciFunction) -> bool:
    return (one.vendor, one.device) == (other.vendor, other.device)


def _matches(card: GuestCard, function: PciFunction) -> bool:
    """Whether the ids match. The guest reads them from the card itself."""
    if (card.vendor, card.device) != (function.vendor, function.device):
        return False
    return None in (card.subsystem, function.subsystem) or card.subsystem == function.subsystem
