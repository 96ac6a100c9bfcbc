"""What happened between two views, as events in a few words.

Only what was known before and is known after can have changed: a source's first
reading, or one after it was away, tells of no change but its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from tui.model import (
    INACTIVE_STATES,
    NOT_READ_YET,
    Domain,
    DomainState,
    Event,
    Gpu,
    HostView,
    PciFunction,
    SourceName,
    Swap,
)
from tui.rules.card_checks import SLEEP_FAILED

Tone = Literal["info", "good", "warn", "bad"]


class Change(NamedTuple):
    """What is told. ``key`` is whom it is told of where that is not its subject: a domain's
    UUID, while the subject is the name to show."""

    subject: str
    text: str
    tone: Tone
    key: str | None = None


SOURCE_NAMES: dict[SourceName, str] = {
    "facts": "host", "pci": "PCI", "vitals": "sysfs", "nvml": "NVML", "drm": "DRM",
    "guests": "libvirt", "agent": "guest agent", "swap": "journal",
}  # fmt: skip


def changes(
    before: HostView, after: HostView, at: datetime, asked: Collection[str] = ()
) -> tuple[Event, ...]:
    """The events between two views, all of the moment ``at``: sources, devices, cards,
    domains. A card's companions that did the same are told with it. What the domains with
    the UUIDs ``asked`` do is our doing."""
    if before is after:
        return ()
    found: list[Change] = [*_sources(before, after)]
    if _read("swap", before, after):
        found += _swap(before.swap, after.swap)
    if _read("pci", before, after):
        found += _devices(before, after)
        found += _cards(before, after)
    if _read("guests", before, after):
        found += _domains(before, after)
    found += _rules(before, after)
    ours = _moved(before.swap) | _moved(after.swap) | set(asked) | _had_by(asked, before, after)
    return tuple(
        Event(
            at,
            each.subject,
            each.text,
            each.tone,
            "us" if (each.key or each.subject) in ours else "external",
        )
        for each in found
    )


def _rules(before: HostView, after: HostView) -> Iterator[Change]:
    """A rule that is broken now, and was not before."""
    old = {check.id for check in before.checks if check.verdict == "fail"}
    for check in after.checks if before.checks else ():
        if check.verdict == "fail" and check.id not in old:
            yield Change(check.subject or "host", f"breaks {check.id}: {check.why}", "bad")


def _had_by(asked: Collection[str], *views: HostView) -> set[str]:
    """The cards that these domains have, or had."""
    return {gpu.address for view in views for gpu in view.gpus if gpu.guest_uuid in asked}


def _moved(swap: Swap | None) -> frozenset[str]:
    """The functions that a swap moves now: what happens to them is its doing."""
    return frozenset(swap.moves) if swap is not None and swap.under_way else frozenset()


def _read(source: SourceName, *views: HostView) -> bool:
    """Whether all views rest on a reading of the source. A view of nothing has neither
    a reading nor a problem."""
    return all(view.problem(source) is None and view != HostView() for view in views)


def _sources(before: HostView, after: HostView) -> Iterator[Change]:
    for source, name in SOURCE_NAMES.items():
        was, now = before.problem(source), after.problem(source)
        first = was == NOT_READ_YET.reason or before == HostView()
        if first or was == now or source in before.expected or source in after.expected:
            continue
        if now is None:
            yield Change(name, "answers again", "good")
        elif now != NOT_READ_YET.reason:
            yield Change(name, now, "warn")


# --- the swap -----------------------------------------------------------------


def _swap(was: Swap | None, now: Swap | None) -> Iterator[Change]:
    """How a swap began and how it ended; that it is stuck is told of the card."""
    if now is None:
        return
    same = was is not None and was.id == now.id
    if now.under_way and not (same and was is not None and was.under_way):
        yield Change(now.address, f"{now.direction} {'goes on' if same else 'began'}", "info")
    elif was is None or not same or (was.state, was.under_way) == (now.state, now.under_way):
        return
    elif now.state == "done":
        seconds = (now.step_began_at - now.began_at).total_seconds()
        yield Change(now.address, f"{now.direction} done after {seconds:.0f} s", "good")
    elif now.state == "undone":
        why = now.message or "as it was"
        yield Change(now.address, f"{now.direction} undone: {why}", "warn")
    elif now.interrupted:
        why = f": {now.message}" if now.message else ""
        yield Change(now.address, f"{now.direction} interrupted{why}", "bad")


# --- devices ------------------------------------------------------------------


class FunctionChange(NamedTuple):
    """What a function did: ``outcome`` is equal for functions that did the same."""

    function: PciFunction
    text: str
    outcome: str
    tone: Tone = "info"


def _devices(before: HostView, after: HostView) -> Iterator[Change]:
    old, new = _functions(before), _functions(after)
    stayed = [(old[f.address], f) for f in new.values() if f.address in old]
    moved = [
        FunctionChange(
            now, f"{_driver(was)} → {_driver(now)}", _driver(now), "info" if now.driver else "warn"
        )
        for was, now in stayed
        if _driver(was) != _driver(now)
    ]
    gone = [
        FunctionChange(f, f"gone: {f.name}", "gone", "warn") for a, f in old.items() if a not in new
    ]
    came = [
        FunctionChange(f, f"appeared: {f.name}", "came") for a, f in new.items() if a not in old
    ]
    yield from _folded(gone, before.gpus)
    yield from _folded([*came, *moved], after.gpus)


def _functions(view: HostView) -> dict[str, PciFunction]:
    return {f.address: f for group in view.groups for f in group.functions}


def _driver(function: PciFunction) -> str:
    if "driver" in function.unreadable:
        return "unreadable driver"
    return function.driver or "no driver"


def _folded(deeds: list[FunctionChange], gpus: tuple[Gpu, ...]) -> Iterator[Change]:
    """One change per deed, but companions that did what their GPU did are counted there."""
    if not deeds:
        return
    did = {deed.function.address: deed for deed in deeds}
    head_of = {f.address: gpu.address for gpu in gpus for f in gpu.companions if not f.is_gpu}
    followers: Counter[str] = Counter()
    told: list[FunctionChange] = []
    for deed in deeds:
        head = did.get(head_of.get(deed.function.address, ""))
        if head is not None and head.outcome == deed.outcome:
            followers[head.function.address] += 1
        else:
            told.append(deed)
    for deed in told:
        count = followers[deed.function.address]
        along = f", {count} companion{'s' if count > 1 else ''} too" if count else ""
        yield Change(deed.function.address, deed.text + along, deed.tone)


# --- cards --------------------------------------------------------------------


def _cards(before: HostView, after: HostView) -> Iterator[Change]:
    nvml, guests, vitals = (_read(name, before, after) for name in ("nvml", "guests", "vitals"))
    for now in after.gpus:
        was = before.gpu(now.address)
        if was is None:
            continue
        if vitals:
            yield from _stuck(was, now)
        if guests:
            yield from _owner(was, now)
        stays = not {was.owner.kind, now.owner.kind} & {"moving", "stuck"}
        if nvml and stays and was.function.driver == now.function.driver:
            yield from _reading(was, now)
        yield from _sleep(_status(was), now)


def _sleep(before: str | None, now: Gpu) -> Iterator[Change]:
    """That it fell asleep, woke, or could do neither; not what lies between."""
    status = _status(now)
    if before is None or before == status:
        return
    if status == "suspended":
        yield Change(now.address, "asleep", "info")
    elif status == "active" and before in ("suspended", "resuming", "error"):
        yield Change(now.address, "awake", "info")
    elif status == "error":
        yield Change(now.address, SLEEP_FAILED, "bad")


def _stuck(was: Gpu, now: Gpu) -> Iterator[Change]:
    """Whether a driver's removal hangs, as soon as that is known."""
    if now.owner.kind == "stuck" != was.owner.kind:
        yield Change(now.address, now.no_reading or "stuck", "bad")
    elif was.owner.kind == "stuck" != now.owner.kind:
        yield Change(now.address, "no longer stuck", "good")


def _owner(was: Gpu, now: Gpu) -> Iterator[Change]:
    """Which guest has the card; the rest of the owners follow from the driver."""
    before, after = _user(was), _user(now)
    if before == after:
        return
    if before:
        yield Change(now.address, f"released by {was.owner.guest or was.owner}", "info")
    if after:
        yield Change(now.address, f"in use by {now.owner.guest or now.owner}", "info")


def _user(gpu: Gpu) -> str | int | None:
    """The domain or the process that has a card."""
    return gpu.guest_uuid or (gpu.taken_by.pid if gpu.taken_by is not None else None)


def _reading(was: Gpu, now: Gpu) -> Iterator[Change]:
    """NVML lost a card that it had, or has it again."""
    fault, before = _fault(now), _fault(was)
    if fault is not None and before is None:
        yield Change(now.address, fault, "bad")
    elif fault is None and before is not None and now.reading is not None:
        yield Change(now.address, "NVML reads it again", "good")


def _fault(gpu: Gpu) -> str | None:
    """Why NVML does not read a card that it should: awake, on its driver, and not left alone."""
    awake = _status(gpu) in (None, "active")
    if gpu.function.driver != "nvidia" or not awake or gpu.left_alone:
        return None
    if gpu.reading is None:
        return gpu.no_reading
    return gpu.reading.lost


def _status(gpu: Gpu) -> str | None:
    return gpu.vitals.runtime_status if gpu.vitals else None


# --- domains ------------------------------------------------------------------


def _domains(before: HostView, after: HostView) -> Iterator[Change]:
    old = {guest.domain.uuid: guest.domain for guest in before.guests}
    new = {guest.domain.uuid: guest.domain for guest in after.guests}
    for uuid, domain in old.items():
        if uuid not in new:
            text = "undefined" if domain.persistent else "stopped"
            yield Change(domain.name, text, "info", uuid)
    for uuid, domain in new.items():
        was = old.get(uuid)
        if was is None:
            started = domain.active or not domain.persistent
            text, tone = _STARTED if started else _DEFINED
            yield Change(domain.name, text, tone, uuid)
        elif was is not domain:
            yield from (Change(domain.name, *told, uuid) for told in _domain(was, domain))


_STARTED: tuple[str, Tone] = ("started", "good")
_DEFINED: tuple[str, Tone] = ("defined", "info")


def _domain(was: Domain, now: Domain) -> Iterator[tuple[str, Tone]]:
    if was.raw_name != now.raw_name:
        yield f"was called “{was.name}” before", "info"
    if was.state != now.state:
        yield from _transition(was, now)
    if now.active and was.active and bool(was.agent) != bool(now.agent):
        yield ("guest agent connected", "good") if now.agent else ("guest agent gone", "warn")
    if now.problem is not None and now.problem != was.problem:
        yield now.problem, "warn"


def _transition(was: Domain, now: Domain) -> Iterator[tuple[str, Tone]]:
    ends: dict[DomainState, tuple[str, Tone]] = {
        "shut off": ("stopped", "info"),
        "crashed": ("crashed", "bad"),
        "paused": ("paused", "warn"),
        "pmsuspended": ("suspended by its own system", "info"),
        "in shutdown": ("shutting down", "info"),
        "unknown": ("state unknown", "warn"),
    }
    if now.active and was.state in INACTIVE_STATES:
        yield _STARTED
    if now.state in ends:
        yield ends[now.state]
    elif was.state in ("paused", "pmsuspended"):
        yield "resumed", "good"
