"""Guests on their way out. libvirt reports the end of a domain before its QEMU has released the
card, and that process does not count as a new user, unless it is stuck with the card. Pure.

The process is recognized by the name on its command line, which anybody may use. That is enough for
events and flashes; nothing else may rest on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from tui.model import Gpu, HostView, Owner

WAY_OUT = timedelta(seconds=60)
"""The time after the end of a domain from which its process counts as stuck with the card."""


class Left(NamedTuple):
    """A guest that has ended, by its name, and when that was seen."""

    name: str
    at: datetime


Leaving = Mapping[str, Left]
"""The guests that have ended and may still have a card, by the card's address."""


def leaving(known: Leaving, before: HostView, after: HostView, at: datetime) -> Leaving:
    """The guests on their way out after a change ``at`` that time; ``known`` are those before
    it."""
    ended = {gpu.address: Left(name, at) for gpu in before.gpus if (name := _guest(gpu))}
    ended = {**known, **ended}
    return {
        gpu.address: ended[gpu.address]
        for gpu in after.gpus
        if gpu.address in ended and _may_have_it(gpu) and not _is_stuck(ended[gpu.address], at)
    }


def is_any_stuck(known: Leaving, at: datetime) -> bool:
    """Whether one of them is not on its way out any more, although nothing has changed."""
    return any(_is_stuck(each, at) for each in known.values())


def _is_stuck(left: Left, at: datetime) -> bool:
    return at - left.at >= WAY_OUT


def without_leaving(view: HostView, gone: Leaving) -> HostView:
    """The view as if the guests on their way out had released their cards. While libvirt does not
    answer, none is known to be."""
    if not gone or view.problem("guests") is not None:
        return view
    gpus = tuple(
        replace(gpu, owner=Owner("vfio"), taken_by=None)
        if gpu.owner.kind == "guest"
        and gpu.taken_by is not None
        and gpu.address in gone
        and gpu.taken_by.guest == gone[gpu.address].name
        else gpu
        for gpu in view.gpus
    )
    return view if gpus == view.gpus else replace(view, gpus=gpus)


def _guest(gpu: Gpu) -> str | None:
    """The name of the domain that has the card."""
    return gpu.owner.guest if gpu.guest_uuid is not None else None


def _may_have_it(gpu: Gpu) -> bool:
    """Whether a process may have the card, and no domain has it."""
    return gpu.guest_uuid is None and (gpu.taken_by is not None or gpu.may_be_taken)
