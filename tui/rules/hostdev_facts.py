"""What is known of the devices of a domain, for ``tui.rules.hostdev_checks`` to judge."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from tui.model import (
    STUB_DRIVERS,
    DeviceUse,
    DeviceUses,
    Domain,
    Gpu,
    Guests,
    Holders,
    HostView,
    PciFunction,
    is_host_driver,
    is_vfio_driver,
    listed,
)
from tui.rules.guest_checks import cards_of
from tui.rules.stale_hostdevs import StaleDevice, stale_devices

USB, STORAGE, MULTIMEDIA = "0c03", "01", "04"
"""PCI classes, by their first digits."""

_IN_THE_WAY = re.compile(r"/dev/(snd/|vfio/|nvme[0-9]+n|sd|vd)")
"""Nodes whose users lose data, or keep the driver from leaving (domain facts: snd_hda_intel)."""


def on_host_driver(function: PciFunction) -> bool:
    """Whether a driver has it that it is to be taken from: one that the host uses it with, or one
    that lends it to a program."""
    return function.driver not in (None, *STUB_DRIVERS) and not is_vfio_driver(function.driver)


@dataclass(frozen=True)
class DeviceFacts:
    """A domain beside the host that it is on. ``guests`` and ``holders`` are ``None`` where they
    could not be read; ``readonly``: nothing can be changed from here."""

    domain: Domain
    view: HostView
    guests: Guests | None = None
    uses: DeviceUses = field(default_factory=DeviceUses)
    holders: Holders | None = None
    readonly: bool = False

    @cached_property
    def functions(self) -> dict[str, PciFunction]:
        return {f.address: f for group in self.view.groups for f in group.functions}

    @cached_property
    def bound_by_us(self) -> dict[str, Gpu]:
        """The functions that move with a GPU that the domain names: our start binds them. A share
        of a card moves nothing."""
        cards = cards_of(self.domain, self.view.gpus)
        return {address: gpu for gpu in cards for address in gpu.viability.moves}

    @cached_property
    def stale(self) -> dict[str, StaleDevice]:
        return {stray.address: stray for stray in stale_devices(self.domain, self.view)}

    @cached_property
    def controllers(self) -> list[PciFunction]:
        """The USB controllers that the host has, but for those of GPUs."""
        slots = {gpu.function.slot for gpu in self.view.gpus}
        return [
            f for f in self.functions.values()
            if f.class_code.startswith(USB) and is_host_driver(f.driver) and f.slot not in slots
        ]  # fmt: skip

    @cached_property
    def moving(self) -> set[str]:
        """What leaves the host for this guest's start: by us, or by libvirt."""
        managed = {dev.address for dev in self.domain.hostdevs if dev.managed and dev.by != "mdev"}
        return {*self.bound_by_us, *managed}

    def other_guest_with(self, addresses: set[str]) -> tuple[Domain, str] | None:
        """Another guest that runs with one of these, and with which."""
        for other in self.guests.domains if self.guests else ():
            mine = (other.uuid, other.name) == (self.domain.uuid, self.domain.name)
            taken = addresses & set(other.addresses)
            if other.active and not mine and taken:
                return other, min(taken)
        return None

    # --- what hangs on it ---

    def use(self, function: PciFunction) -> DeviceUse:
        return self.uses.of(function.address) or DeviceUse(
            function.address, unreadable=("what hangs on it",)
        )

    def host_use(self, function: PciFunction) -> str | None:
        """What the host uses it for."""
        use = self.use(function)
        if use.in_use:
            return listed([each.text for each in use.in_use])
        found = self.holders.of([function.address]) if self.holders else ()
        open_ = [h for h in found if not h.ours and _IN_THE_WAY.search(h.what)]
        if open_:
            return f"{open_[0].name} ({open_[0].pid}) has {open_[0].what} open"
        if function in self.controllers:
            if not self._left:
                return "the host has no other USB controller"
            if self._last_keyboard(function):
                return "the host's last keyboard is on it"
        return None

    def unknown_use(self, function: PciFunction) -> tuple[str, ...]:
        """What could not be read of that, each completing "cannot tell …"."""
        use = self.use(function)
        dark = list(use.unreadable)
        if function.class_code.startswith(MULTIMEDIA) and not (
            self.holders and self.holders.complete
        ):
            dark.append("which program has it open")
        keyboard = any(each.kind == "keyboard" for each in use.attached)
        others_dark = any(self.use(f).unreadable for f in self._left)
        if keyboard and not self._another_keyboard and others_dark:
            dark.append("whether the host has another keyboard")
        return tuple(dark)

    @cached_property
    def _left(self) -> list[PciFunction]:
        """The USB controllers that stay with the host."""
        return [f for f in self.controllers if f.address not in self.domain.addresses]

    @property
    def _another_keyboard(self) -> bool:
        return self.uses.builtin_keyboard or any(
            each.kind == "keyboard" for f in self._left for each in self.use(f).attached
        )

    def _last_keyboard(self, function: PciFunction) -> bool:
        here = any(each.kind == "keyboard" for each in self.use(function).attached)
        dark = any(self.use(f).unreadable for f in self._left)
        return here and not self._another_keyboard and not dark
