"""A domain's devices next to the host's: the facts that ``hostdev_verdicts`` judges."""

from __future__ import annotations

import re
from functools import cached_property

from msgspec import Struct, field

from tui.model import (
    MULTIMEDIA_CLASS,
    STORAGE_CLASS,
    STUB_DRIVERS,
    USB_CLASS,
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

MAY_HAVE_OPEN_FILES = (STORAGE_CLASS, MULTIMEDIA_CLASS)
"""Classes of functions whose nodes programs have open."""

_IN_THE_WAY = re.compile(r"/dev/(snd/|vfio/|nvme[0-9]+n|sd|vd)")
"""Nodes whose users would lose data, or block the driver's unbind (snd_hda_intel)."""


def on_host_driver(function: PciFunction) -> bool:
    """Whether a driver has the function and must give it up: one that the host uses it with, or
    one that lends it to a program."""
    return function.driver not in (None, *STUB_DRIVERS) and not is_vfio_driver(function.driver)


class DeviceFacts(Struct, frozen=True, dict=True):
    """A domain and the host that it is on. ``guests`` and ``holders`` are ``None`` if they could
    not be read. ``readonly``: nothing can be changed through this connection."""

    domain: Domain
    view: HostView
    guests: Guests | None = None
    uses: DeviceUses = field(default_factory=DeviceUses)
    holders: Holders | None = None
    readonly: bool = False

    @cached_property
    def functions(self) -> dict[str, PciFunction]:
        return self.view.functions

    @cached_property
    def bound_by_us(self) -> dict[str, Gpu]:
        """The functions that move with a GPU that the domain names whole, by address. Our start
        binds them."""
        cards = cards_of(self.domain, self.view.gpus)
        return {address: gpu for gpu in cards for address in gpu.viability.moves}

    @cached_property
    def stale(self) -> dict[str, StaleDevice]:
        return {stale.address: stale for stale in stale_devices(self.domain, self.view)}

    @cached_property
    def controllers(self) -> list[PciFunction]:
        """The USB controllers of the host, without those on GPUs."""
        slots = {gpu.function.slot for gpu in self.view.gpus}
        return [
            f for f in self.functions.values()
            if f.class_code.startswith(USB_CLASS) and is_host_driver(f.driver)
            and f.slot not in slots
        ]  # fmt: skip

    @cached_property
    def moving(self) -> set[str]:
        """The functions that we or libvirt move for this guest's start."""
        managed = {dev.address for dev in self.domain.hostdevs if dev.managed and dev.by != "mdev"}
        return {*self.bound_by_us, *managed}

    def other_guest_with(self, addresses: set[str]) -> tuple[Domain, str] | None:
        """Another running guest that has one of the addresses, and that address."""
        for other in self.guests.domains if self.guests else ():
            mine = (other.uuid, other.name) == (self.domain.uuid, self.domain.name)
            taken = addresses & set(other.addresses)
            if other.active and not mine and taken:
                return other, min(taken)
        return None

    # --- what the host uses a function for ---

    def use(self, function: PciFunction) -> DeviceUse:
        return self.uses.of(function.address) or DeviceUse(
            function.address, unreadable=("what is attached to it",)
        )

    def host_use(self, function: PciFunction) -> str | None:
        """What the host uses the function for; ``None`` if no use was found."""
        use = self.use(function)
        if use.in_use:
            return listed([each.text for each in use.in_use])
        found = self.holders.of([function.address]) if self.holders else ()
        open_ = [h for h in found if not h.ours and _IN_THE_WAY.search(h.what)]
        if open_:
            return f"{open_[0].name} ({open_[0].pid}) has {open_[0].what} open"
        if function in self.controllers:
            if not self._staying_controllers:
                return "the host has no other USB controller"
            if self._has_last_keyboard(function):
                return "the host's last keyboard is on it"
        return None

    def unknown_use(self, function: PciFunction) -> tuple[str, ...]:
        """What is not known about its use. Each item completes "cannot tell …"."""
        use = self.use(function)
        unknown = list(use.unreadable)
        if function.class_code.startswith(MULTIMEDIA_CLASS) and not (
            self.holders and self.holders.complete
        ):
            unknown.append("which program has it open")
        keyboard = any(each.kind == "keyboard" for each in use.attached)
        if keyboard and not self._another_keyboard and self._keyboard_may_be_elsewhere:
            unknown.append("whether the host has another keyboard")
        return tuple(unknown)

    @cached_property
    def _staying_controllers(self) -> list[PciFunction]:
        """The USB controllers that stay with the host."""
        return [f for f in self.controllers if f.address not in self.domain.addresses]

    @property
    def _another_keyboard(self) -> bool:
        return self.uses.builtin_keyboard or any(
            each.kind == "keyboard"
            for f in self._staying_controllers
            for each in self.use(f).attached
        )

    @property
    def _keyboard_may_be_elsewhere(self) -> bool:
        """Whether a controller that stays may have a keyboard unseen."""
        return any(self.use(f).unreadable for f in self._staying_controllers)

    def _has_last_keyboard(self, function: PciFunction) -> bool:
        here = any(each.kind == "keyboard" for each in self.use(function).attached)
        return here and not self._another_keyboard and not self._keyboard_may_be_elsewhere
