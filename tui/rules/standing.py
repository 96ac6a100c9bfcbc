"""The rules of GeForce passthrough that are looked at all the time, on the last readings and
without a closer look at the host."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import Check, Guests, HostView, Unavailable
from tui.rules import domains, passthrough
from tui.rules.fresh import here


def standing(view: HostView, guests: Guests | Unavailable) -> tuple[Check, ...]:
    """Their checks; none where there is no GPU."""
    return tuple(_checks(view, guests)) if view.gpus else ()


def _checks(view: HostView, guests: Guests | Unavailable) -> Iterator[Check]:
    # The one that somebody else can break at any time comes first.
    yield passthrough.one_vm(view.gpus, here(guests))
    gpu = view.guest_gpu
    if gpu is not None:
        yield passthrough.family(gpu)
        yield passthrough.not_shared(gpu)
        yield passthrough.two_gpus(gpu, view)
        for guest in view.guests:
            # A driver that is not known is told of in the panel, where the guest's readings are.
            if guest.driver_version is not None and gpu.guest_uuid == guest.domain.uuid:
                yield domains.driver(guest.domain, guest.driver_version)
