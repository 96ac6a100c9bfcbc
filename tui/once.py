"""One reading of everything, for checks, plans, and commands that print and exit."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Collection, Sequence

from msgspec.structs import replace

from tui.host import Host, HostError
from tui.model import (
    SOURCE_NAMES,
    DeviceUses,
    Domain,
    Gpu,
    Guests,
    Holders,
    HostView,
    Sample,
    Snapshot,
    SourceName,
    Unavailable,
    Vitals,
)
from tui.rules import attached_checks, guest_setup_checks, holder_checks, hostdev_checks, vfio_users
from tui.rules.check_input import CheckInput
from tui.rules.guest_readings import demand
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.sampler import samplers

TIMEOUT_S = 10.0
"""Seconds without an answer from any source, after which the remaining ones are unavailable."""

RATES_S = 1.0
"""Seconds between two readings for rates. The kernel counts CPU time in ticks of 10 ms."""

_CARD_HOLDERS: tuple[SourceName, ...] = ("nvml",)
"""The sources that hold the cards they read."""

_NEEDS_DEMAND: tuple[SourceName, ...] = ("nvml", "threads", "agent")
"""The sources that need to know which card is the guest's, and which guests run."""


def examine_once(
    host: Host,
    choice: Choice,
    timeout_s: float = TIMEOUT_S,
    *,
    with_readings: bool = False,
    pause: Callable[[float], None] | None = None,
) -> CheckInput:
    """Read everything that the doctor checks; with ``with_readings`` the cards' own readings
    as well, for a caller that prints them, and with ``pause`` the guest's rates, as ``view_once``.
    Raises ``HostError``."""

    def everything(view: HostView) -> Scope:
        return view.gpus, hostdev_checks.domains_to_check(view)

    skip_as_root = () if with_readings else _CARD_HOLDERS
    return read_for_checks(
        host, choice, timeout_s, everything, skip=(), skip_as_root=skip_as_root, pause=pause
    )


def _with_users(host: Host, snapshot: Snapshot) -> Snapshot:
    """Add the processes that use a card and that libvirt does not know."""
    addresses, vitals = vfio_users.cards_to_inspect(snapshot), snapshot.vitals
    found = _holders(host, list(addresses)) if addresses else None
    if isinstance(found, Holders) and isinstance(vitals, Vitals):
        return replace(snapshot, vitals=vfio_users.with_users(vitals, found, addresses))
    return snapshot


def view_once(
    host: Host,
    choice: Choice,
    timeout_s: float = TIMEOUT_S,
    pause: Callable[[float], None] = time.sleep,
) -> HostView:
    """The view of one reading of everything, without the further inspection that checks need.

    While the guest runs, it and its threads are read again after a ``pause``: their loads and waits
    need two readings.
    """
    snapshot = _with_rates(host, read_once(host, choice, timeout_s), choice, timeout_s, pause)
    return assess(_with_users(host, snapshot), choice)


def _with_rates(
    host: Host,
    snapshot: Snapshot,
    choice: Choice,
    timeout_s: float,
    pause: Callable[[float], None],
) -> Snapshot:
    """Read the guest and its threads again after a pause, if it runs."""
    guest = assess(snapshot, choice).guest
    captured = isinstance(snapshot.guests, Guests) and snapshot.guests.captured
    domain = guest.domain if guest is not None and not captured else None
    if domain is not None and domain.active and domain.cpu_pct is None:
        pause(RATES_S)
        for name in ("guests", "threads"):
            snapshot = _read(host, snapshot, [name], timeout_s)
    return snapshot


Scope = tuple[Sequence[Gpu], Sequence[Domain]]
"""The cards whose holders are needed, and the domains whose host devices are."""


def read_for_checks(
    host: Host,
    choice: Choice,
    timeout_s: float,
    scope: Callable[[HostView], Scope],
    *,
    skip: Sequence[SourceName] = ("threads", "agent", "usb"),
    skip_as_root: Sequence[SourceName] = _CARD_HOLDERS,
    pause: Callable[[float], None] | None = None,
) -> CheckInput:
    """Read what checks need, for every caller that makes checks. Raises ``HostError``.

    ``scope`` says what to inspect closely, given the view of the first readings. By default no
    guest's agent is asked, since that starts a program in the guest; no USB device is read, since
    no check needs one; and as root NVML is not read: root sees the users of a card without it, and
    so holds no card.
    """
    root = host.inspector.readiness([]).root
    skipped = (*skip, *(skip_as_root if root else ()))
    snapshot = read_once(host, choice, timeout_s, skipped)
    if pause is not None:
        snapshot = _with_rates(host, snapshot, choice, timeout_s, pause)
    snapshot = _with_users(host, snapshot)
    view = assess(snapshot, choice)
    gpus, domains = scope(view)
    readiness = host.inspector.readiness([gpu.address for gpu in view.gpus])
    asked = [function.address for gpu in gpus for function in gpu.functions]
    asked += [
        address
        for domain in domains
        for address in hostdev_checks.functions_with_open_files(domain, view)
    ]
    holders = _holders(host, list(dict.fromkeys(asked)))
    if isinstance(holders, Holders) and not holders.complete and not root:
        for gpu in gpus:
            holders = holder_checks.with_processes(holders, gpu)
    looked_at = [
        address
        for domain in domains
        for address in hostdev_checks.functions_to_inspect(domain, view)
    ]
    looked_at += [a for gpu in gpus for a in attached_checks.functions_to_inspect(gpu, view)]
    uses = host.uses(list(dict.fromkeys(looked_at))) if looked_at else DeviceUses()
    paths = [path for domain in domains for path in guest_setup_checks.files_to_inspect(domain)]
    files = host.files(paths) if paths else {}
    return CheckInput(
        view, snapshot.guests, holders, readiness, uses, snapshot.read_at, snapshot.memory, files
    )


def _holders(host: Host, addresses: list[str]) -> Holders | Unavailable:
    try:
        return host.inspector.holders(addresses)
    except HostError as error:
        return Unavailable(str(error))


def read_once(
    host: Host,
    choice: Choice | None = None,
    timeout_s: float = TIMEOUT_S,
    skip: Collection[SourceName] = (),
) -> Snapshot:
    """Read every source once, except those in ``skip``, all at the same time; sources that
    depend on the others' readings come after them. When none has answered for ``timeout_s``
    seconds, those that are left are ``Unavailable``; one that answers late prolongs the wait."""
    names = [name for name, _ in host.sources() if name not in skip]
    snapshot = _read(host, Snapshot(), [n for n in names if n not in _NEEDS_DEMAND], timeout_s)
    dependent = [name for name in names if name in _NEEDS_DEMAND]
    if dependent:
        host.set_demand(demand(assess(snapshot, choice)))
        snapshot = _read(host, snapshot, dependent, timeout_s)
    return snapshot


def _read(
    host: Host, snapshot: Snapshot, names: Sequence[SourceName], timeout_s: float
) -> Snapshot:
    """Add a reading of each of these sources."""
    samples: queue.SimpleQueue[Sample] = queue.SimpleQueue()
    every = samplers(host, samples.put, interval=None)
    readers = {s.name: s for s in every if s.name in names}
    for reader in readers.values():
        reader.start()
    taken: dict[SourceName, Sample] = {}
    deadline = time.monotonic() + timeout_s
    while len(taken) < len(readers):
        try:
            sample = samples.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if sample.source not in taken:  # a host that answers is slow, and does not hang
            taken[sample.source] = sample
            deadline = time.monotonic() + timeout_s
    for name, reader in readers.items():
        reader.stop()
        why = f"cannot read {SOURCE_NAMES[name]}: no answer within {timeout_s:.0f} s"
        silent = Sample(name, Unavailable(why), host.now())
        snapshot = snapshot.updated(taken.get(name, silent), finished=name in taken)
    return snapshot
