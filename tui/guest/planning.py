"""Takes readings and makes the plan of an action on a guest."""

from __future__ import annotations

from collections.abc import Sequence

from tui.guest.plan import make_plan
from tui.host import Host, HostError
from tui.host.untrusted import alike, visible
from tui.model import Domain, GuestAction, GuestPlan, HostView, domains_named, domains_with_uuid
from tui.once import TIMEOUT_S, Scope, read_for_checks
from tui.rules.guest_checks import cards_of
from tui.rules.roles import Choice


class NoSuchGuest(HostError):
    """The guest is unknown or ambiguous; the sentence says what to name instead."""


def guest_plan_once(
    host: Host,
    choice: Choice,
    action: GuestAction,
    typed: str | None = None,
    patience: float = TIMEOUT_S,
    *,
    uuid: str | None = None,
) -> tuple[GuestPlan, HostView]:
    """Return the plan of an action on a domain, and the view that it is based on.

    The domain is the one with ``uuid``, else the one that the name or UUID ``typed`` means, else
    the allowed guest. Raises ``NoSuchGuest`` and ``HostError``.
    """

    def scope(view: HostView) -> Scope:
        domain = find_domain(view, choice, typed, uuid)
        return (cards_of(domain, view.gpus), [domain]) if action == "start" else ((), ())

    seen = read_for_checks(host, choice, patience, scope)
    domain = find_domain(seen.view, choice, typed, uuid)
    return make_plan(action, domain, seen), seen.view


def find_domain(view: HostView, choice: Choice, typed: str | None, uuid: str | None) -> Domain:
    """Return the domain with ``uuid``, else the one that ``typed`` means, else the allowed guest.
    Raises ``NoSuchGuest``."""
    domains = [guest.domain for guest in view.guests]
    if uuid is not None:
        found = domains_with_uuid(uuid, domains)
    elif typed is not None:
        found = domains_named(typed, domains)
    else:
        found = tuple(guest.domain for guest in view.guests if guest.allowed)
    if len(found) != 1:
        typed = choice.guest if typed is None and uuid is None else typed
        raise NoSuchGuest(view.problem("guests") or _no_such_guest(domains, typed, uuid))
    return found[0]


LISTED_LIMIT = 8
"""Domains that a sentence lists, at most."""


def _no_such_guest(domains: Sequence[Domain], typed: str | None, uuid: str | None) -> str:
    known = ", ".join(domain.name for domain in domains[:LISTED_LIMIT])
    if not known:
        return "no domain is defined in libvirt"
    if uuid is not None:
        return "the guest is no longer defined in libvirt"
    if typed is None:
        return f"no guest is chosen for the card: name one of {known}"
    shown, several = visible(typed), domains_named(typed, domains)
    if several:
        each = ", ".join(f"'{{{domain.uuid}}}' for “{domain.name}”" for domain in several)
        return (
            f"“{shown}” is the UUID of one domain and the name of another: choose one by its "
            f"UUID in braces, {each}"
        )
    similar = [domain for domain in domains if alike(typed, domain.raw_name, domain.name)]
    if similar:
        return (
            f"libvirt has no domain “{shown}”; it has {_with_uuids(similar)}, which looks "
            "the same: use its UUID"
        )
    return f"libvirt has no domain “{shown}”; it has {known}"


def _with_uuids(domains: Sequence[Domain]) -> str:
    return ", ".join(f"“{domain.name}” ({domain.uuid})" for domain in domains[:LISTED_LIMIT])
