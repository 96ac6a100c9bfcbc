"""Guests on their way out. libvirt reports the end of a domain before its QEMU has released the
card, and that process is no new user. Pure.

The process is known by the name that it shows, which anybody may use: enough for what is told, and
nothing else may rest on it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from tui.model import Gpu, HostView, Owner

Leaving = Mapping[str, str]
"""The names of guests that have ended and may still have a card, by the card's address."""


def leaving(known: Leaving, before: HostView, after: HostView) -> Leaving:
    """Who is on its way out now; ``known`` are those that were before this change."""
    names = {gpu.address: name for gpu in before.gpus if (name := _guest(gpu)) is not None}
    names = {**known, **names}
    return {
        gpu.address: names[gpu.address]
        for gpu in after.gpus
        if gpu.address in names and _may_have_it(gpu)
    }


def without_leaving(view: HostView, gone: Leaving) -> HostView:
    """The view as if those that are on their way out had released their cards. While libvirt does
    not answer, nobody is known to be."""
    if not gone or view.problem("guests") is not None:
        return view
    gpus = tuple(
        replace(gpu, owner=Owner("vfio"), taken_by=None)
        if gpu.owner.kind == "guest"
        and gpu.taken_by is not None
        and gpu.taken_by.guest is not None
        and gpu.taken_by.guest == gone.get(gpu.address)
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
