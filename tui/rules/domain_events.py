"""Domains that were defined, started, stopped, renamed, or changed their state."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import Domain, DomainState, EventKind, HostView
from tui.rules.change import Change

_STARTED: tuple[str, EventKind] = ("started", "done")
_DEFINED: tuple[str, EventKind] = ("defined", "note")


def changes(before: HostView, after: HostView) -> Iterator[Change]:
    """The changes between two views that both rest on a reading of libvirt."""
    old = {guest.domain.uuid: guest.domain for guest in before.guests}
    new = {guest.domain.uuid: guest.domain for guest in after.guests}
    for uuid, domain in old.items():
        if uuid not in new:
            text = "undefined" if domain.persistent else "stopped"
            yield Change(domain.name, text, "note", uuid)
    for uuid, domain in new.items():
        was = old.get(uuid)
        if was is None:
            started = domain.active or not domain.persistent
            text, kind = _STARTED if started else _DEFINED
            yield Change(domain.name, text, kind, uuid)
        elif was is not domain:
            yield from (Change(domain.name, *change, uuid) for change in _domain(was, domain))


def _domain(was: Domain, now: Domain) -> Iterator[tuple[str, EventKind]]:
    if was.raw_name != now.raw_name:
        yield f"renamed from “{was.name}”", "note"
    if was.state != now.state:
        yield from _transition(was, now)
    if now.active and was.active and bool(was.agent) != bool(now.agent):
        yield (
            ("guest agent connected", "done") if now.agent else ("guest agent disconnected", "warn")
        )
    if now.problem is not None and now.problem != was.problem:
        yield now.problem, "warn"


def _transition(was: Domain, now: Domain) -> Iterator[tuple[str, EventKind]]:
    ends: dict[DomainState, tuple[str, EventKind]] = {
        "shut off": ("stopped", "note"),
        "crashed": ("crashed", "failed"),
        "paused": ("paused", "warn"),
        "pmsuspended": ("suspended by the guest", "note"),
        "in shutdown": ("shutting down", "note"),
        "unknown": ("state unknown", "warn"),
    }
    if now.active and was.off:
        yield _STARTED
    if now.state in ends:
        yield ends[now.state]
    elif was.state in ("paused", "pmsuspended"):
        yield "resumed", "done"
