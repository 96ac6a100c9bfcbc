"""Makes the plan of an action on a guest on readings taken for it."""

from __future__ import annotations

from collections.abc import Sequence

from tui.guest.plan import planned
from tui.host import Host, HostError
from tui.host.untrusted import alike, visible
from tui.model import Domain, GuestAction, GuestPlan, HostView, by_uuid, meant
from tui.once import TIMEOUT_S, Scope, read_for_checks
from tui.rules.guest_checks import with_cards
from tui.rules.roles import Choice


class NoSuchGuest(HostError):
    """The guest is not known: what to name in its place, in a sentence."""


def guest_plan_once(
    host: Host,
    choice: Choice,
    action: GuestAction,
    typed: str | None = None,
    patience: float = TIMEOUT_S,
    *,
    uuid: str | None = None,
) -> tuple[GuestPlan, HostView]:
    """The plan of an action on the domain that the name or UUID ``typed`` means, on the one
    with that ``uuid``, or on the allowed guest, and the view that it was made of. Raises
    ``NoSuchGuest`` and ``HostError``."""

    def what_it_takes(view: HostView) -> Scope:
        domain = _meant_domain(view, choice, typed, uuid)
        return (with_cards(domain, view.gpus), [domain]) if action == "start" else ((), ())

    seen = read_for_checks(host, choice, patience, what_it_takes)
    domain = _meant_domain(seen.view, choice, typed, uuid)
    return planned(action, domain, seen), seen.view


def _meant_domain(view: HostView, choice: Choice, typed: str | None, uuid: str | None) -> Domain:
    domains = [guest.domain for guest in view.guests]
    if uuid is not None:
        found = by_uuid(uuid, domains)
    elif typed is not None:
        found = meant(typed, domains)
    else:
        found = tuple(guest.domain for guest in view.guests if guest.allowed)
    if len(found) != 1:
        typed = choice.guest if typed is None and uuid is None else typed
        raise NoSuchGuest(view.problem("guests") or _no_such_guest(domains, typed, uuid))
    return found[0]


LISTED = 8
"""Domains that a sentence lists."""


def _no_such_guest(domains: Sequence[Domain], typed: str | None, uuid: str | None) -> str:
    known = ", ".join(domain.name for domain in domains[:LISTED])
    if not known:
        return "no domain is defined in libvirt"
    if uuid is not None:
        return "it is not defined any more"
    if typed is None:
        return f"which guest may have the card is not known: name one of {known}"
    shown, several = visible(typed), meant(typed, domains)
    if several:
        each = ", ".join(f"'{{{domain.uuid}}}' for “{domain.name}”" for domain in several)
        return (
            f"“{shown}” is the UUID of one domain and the name of another: name the one by its "
            f"UUID in braces, {each}"
        )
    similar = [domain for domain in domains if alike(typed, domain.raw_name, domain.name)]
    if similar:
        return (
            f"libvirt knows no domain “{shown}”; it knows {_with_uuids(similar)}, which looks "
            "like it: name it by its UUID"
        )
    return f"libvirt knows no domain “{shown}”; it knows {known}"


def _with_uuids(domains: Sequence[Domain]) -> str:
    return ", ".join(f"“{domain.name}” ({domain.uuid})" for domain in domains[:LISTED])
