"""One reading of everything, for commands that print and go."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from tui.guest.plan import planned as guest_plan
from tui.host import Host, HostError
from tui.host.untrusted import alike, visible
from tui.model import (
    DeviceUses,
    Direction,
    Domain,
    Gpu,
    GuestAction,
    GuestPlan,
    Holders,
    HostView,
    Plan,
    Sample,
    Snapshot,
    SourceName,
    Unavailable,
    Vitals,
    by_uuid,
    meant,
)
from tui.rules import holder_checks, hostdev_checks, vfio_users
from tui.rules.check_input import Fresh
from tui.rules.guest_checks import with_cards
from tui.rules.guest_readings import attention
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.sampler import samplers
from tui.swap.plan import moves
from tui.swap.preflight import planned

PATIENCE = 5.0
"""Seconds after which a source that has not answered is left out."""


_HOLDS_CARDS: tuple[SourceName, ...] = ("nvml",)

_MINDFUL: tuple[SourceName, ...] = ("nvml", "agent")
"""The sources that have to know which card is the guest's, and which guests run."""


class NoSuchCard(HostError):
    """The card of a swap is not known: what to name in its place, in a sentence."""


class NoSuchGuest(HostError):
    """The guest is not known: what to name in its place, in a sentence."""


def plan_once(
    host: Host,
    choice: Choice,
    direction: Direction,
    address: str | None,
    patience: float = PATIENCE,
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

    seen = _look(host, choice, patience, scope)
    return planned(meant_card(seen.view), direction, seen)


def guest_plan_once(
    host: Host,
    choice: Choice,
    action: GuestAction,
    typed: str | None = None,
    patience: float = PATIENCE,
    *,
    uuid: str | None = None,
) -> tuple[GuestPlan, HostView]:
    """The plan of an action on the domain that the name or UUID ``typed`` means, on the one
    with that ``uuid``, or on the allowed guest, and the view that it was made of. Raises
    ``NoSuchGuest`` and ``HostError``."""

    def what_it_takes(view: HostView) -> Scope:
        domain = _meant_domain(view, choice, typed, uuid)
        return (with_cards(domain, view.gpus), [domain]) if action == "start" else ((), ())

    seen = _look(host, choice, patience, what_it_takes)
    domain = _meant_domain(seen.view, choice, typed, uuid)
    return guest_plan(action, domain, seen), seen.view


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


def examine_once(
    host: Host, choice: Choice, patience: float = PATIENCE, *, with_readings: bool = False
) -> Fresh:
    """What the doctor looks at, all of it read now; ``with_readings``: those of the cards too,
    for who prints them. Raises ``HostError``."""

    def everything(view: HostView) -> Scope:
        return view.gpus, hostdev_checks.of_interest(view)

    needless = () if with_readings else _HOLDS_CARDS
    return _look(host, choice, patience, everything, without=(), needless=needless)


def _with_users(host: Host, snapshot: Snapshot) -> Snapshot:
    """The snapshot with the processes that have a card of which libvirt does not tell."""
    addresses, vitals = vfio_users.to_look_at(snapshot), snapshot.vitals
    found = _holders(host, list(addresses)) if addresses else None
    if isinstance(found, Holders) and isinstance(vitals, Vitals):
        return replace(snapshot, vitals=vfio_users.with_users(vitals, found, addresses))
    return snapshot


def view_once(host: Host, choice: Choice, patience: float = PATIENCE) -> HostView:
    """The view of one reading of everything, without a closer look for verdicts."""
    return assess(_with_users(host, read_once(host, choice, patience)), choice)


Scope = tuple[Sequence[Gpu], Sequence[Domain]]
"""The cards whose holders are looked for, and the domains whose devices are looked at."""


def _look(
    host: Host,
    choice: Choice,
    patience: float,
    scope: Callable[[HostView], Scope],
    *,
    without: Sequence[SourceName] = ("agent",),
    needless: Sequence[SourceName] = _HOLDS_CARDS,
) -> Fresh:
    """What all verdicts rest on, whoever tells them. For root no card is held: NVML, which is
    ``needless`` then, is asked only who uses a card where that cannot be seen otherwise. For a
    plan no program is started in a guest."""
    root = host.inspector.readiness([]).root
    left_out = (*without, *(needless if root else ()))
    snapshot = _with_users(host, read_once(host, choice, patience, left_out))
    view = assess(snapshot, choice)
    gpus, domains = scope(view)
    readiness = host.inspector.readiness([gpu.address for gpu in view.gpus])
    asked = [function.address for gpu in gpus for function in moves(gpu)]
    asked += [address for domain in domains for address in hostdev_checks.held_at(domain, view)]
    holders = _holders(host, list(dict.fromkeys(asked)))
    if isinstance(holders, Holders) and not holders.complete and not root:
        for gpu in gpus:
            holders = holder_checks.with_processes(holders, gpu)
    looked_at = [
        address for domain in domains for address in hostdev_checks.looked_at(domain, view)
    ]
    uses = host.uses(list(dict.fromkeys(looked_at))) if looked_at else DeviceUses()
    return Fresh(view, snapshot.guests, holders, readiness, uses)


def _holders(host: Host, addresses: list[str]) -> Holders | Unavailable:
    try:
        return host.inspector.holders(addresses)
    except HostError as error:
        return Unavailable(str(error))


def _no_such_card(view: HostView, address: str | None) -> str:
    known = ", ".join(gpu.address for gpu in view.gpus)
    if not known:
        return view.problem("pci") or "this host has no GPU"
    if address is not None:
        return f"{address} is no GPU; the GPUs are {known}"
    return f"which card is the guest's is not known: name one of {known}"


def read_once(
    host: Host,
    choice: Choice | None = None,
    patience: float = PATIENCE,
    without: Collection[SourceName] = (),
) -> Snapshot:
    """Read every source once, but for those ``without`` which it goes, all at the same time;
    those that mind what the others tell after them. One that does not answer within
    ``patience`` seconds of its turn is ``Unavailable`` and says so."""
    names = [name for name, _ in host.sources() if name not in without]
    snapshot = _read(host, Snapshot(), [n for n in names if n not in _MINDFUL], patience)
    last = [name for name in names if name in _MINDFUL]
    if last:
        host.attend(attention(assess(snapshot, choice)))
        snapshot = _read(host, snapshot, last, patience)
    return snapshot


def _read(host: Host, snapshot: Snapshot, names: Sequence[SourceName], patience: float) -> Snapshot:
    """The snapshot with a reading of each of these sources."""
    samples: queue.SimpleQueue[Sample] = queue.SimpleQueue()
    every = samplers(host, samples.put, interval=None)
    readers = {s.name: s for s in every if s.name in names}
    for reader in readers.values():
        reader.start()
    taken: dict[SourceName, Sample] = {}
    deadline = time.monotonic() + patience
    while len(taken) < len(readers):
        try:
            sample = samples.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        taken.setdefault(sample.source, sample)
    for name, reader in readers.items():
        reader.stop()
        silent = Sample(name, Unavailable(f"no answer within {patience:.0f} s"), host.now())
        snapshot = snapshot.updated(taken.get(name, silent))
    return snapshot
