"""Domains that were defined, started, stopped, renamed, or changed their state."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import INACTIVE_STATES, Domain, DomainState, HostView
from tui.rules.change import Change, Tone

_STARTED: tuple[str, Tone] = ("started", "good")
_DEFINED: tuple[str, Tone] = ("defined", "info")


def changes(before: HostView, after: HostView) -> Iterator[Change]:
    """The changes between two views that both rest on a reading of libvirt."""
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
            yield from (Change(domain.name, *change, uuid) for change in _domain(was, domain))


def _domain(was: Domain, now: Domain) -> Iterator[tuple[str, Tone]]:
    if was.raw_name != now.raw_name:
        yield f"renamed from “{was.name}”", "info"
    if was.state != now.state:
        yield from _transition(was, now)
    if now.active and was.active and bool(was.agent) != bool(now.agent):
        yield (
            ("guest agent connected", "good") if now.agent else ("guest agent disconnected", "warn")
        )
    if now.problem is not None and now.problem != was.problem:
        yield now.problem, "warn"


def _transition(was: Domain, now: Domain) -> Iterator[tuple[str, Tone]]:
    ends: dict[DomainState, tuple[str, Tone]] = {
        "shut off": ("stopped", "info"),
        "crashed": ("crashed", "bad"),
        "paused": ("paused", "warn"),
        "pmsuspended": ("suspended by the guest", "info"),
        "in shutdown": ("shutting down", "info"),
        "unknown": ("state unknown", "warn"),
    }
    if now.active and was.state in INACTIVE_STATES:
        yield _STARTED
    if now.state in ends:
        yield ends[now.state]
    elif was.state in ("paused", "pmsuspended"):
        yield "resumed", "good"
