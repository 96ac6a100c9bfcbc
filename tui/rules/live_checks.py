"""The rules for GeForce passthrough that are checked all the time, on the last readings."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import Check, Guests, HostView, Unavailable
from tui.rules import guest_checks, host_checks, r465
from tui.rules.check_input import local_guests


def live_checks(view: HostView, guests: Guests | Unavailable) -> tuple[Check, ...]:
    """The checks of these rules; none without a GPU."""
    return tuple(_checks(view, guests)) if view.gpus else ()


def with_group(view: HostView) -> tuple[Check, ...]:
    """The checks of ``view``, and whether the guest GPU's group can go to its guest."""
    gpu = view.guest_gpu
    if gpu is None or not view.checks:
        return view.checks
    return (*view.checks, host_checks.viable(gpu, gpu.viability.moved_at_start))


def _checks(view: HostView, guests: Guests | Unavailable) -> Iterator[Check]:
    # The rule that others can break at any time comes first.
    yield r465.one_vm(view.gpus, local_guests(guests))
    gpu = view.guest_gpu
    if gpu is not None:
        yield r465.family(gpu)
        yield r465.not_shared(gpu, view)
        yield r465.two_gpus(gpu, view)
        for guest in view.guests:
            # An unknown driver is no failure here: the guest's panel says why it is unknown.
            if guest.driver_version is not None and gpu.guest_uuid == guest.domain.uuid:
                yield guest_checks.driver(guest.domain, guest.driver_version)
