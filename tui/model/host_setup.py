"""What a host has set up that bears on a card, besides its devices and its kernel's options."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from tui.model.hooks import Hooks


class Framebuffer(Struct, frozen=True):
    """Memory that holds the firmware's framebuffer. ``name`` is the kernel's, ``address`` the
    function whose memory it is, ``None`` if it is in no function's."""

    name: str
    address: str | None = None


class Manager(Struct, frozen=True):
    """Another program that moves cards, by its configuration in ``file``. ``why`` says what it
    does. ``address`` is the function that it is for; ``None``: any."""

    name: str
    file: str
    why: str
    address: str | None = None


class HostSetup(Struct, frozen=True):
    """Read once for checks.

    ``framebuffers`` is ``None`` if /proc/iomem could not be read. ``d3cold_allowed`` is the
    attribute of GPUs, by address. ``no_idle_d3`` is vfio_pci's parameter disable_idle_d3, ``None``
    while that module is not loaded. ``vendor_reset``: the module is loaded, ``None`` if that is not
    known.
    """

    framebuffers: tuple[Framebuffer, ...] | None = None
    d3cold_allowed: Mapping[str, bool] = field(default_factory=dict)
    no_idle_d3: bool | None = None
    vendor_reset: bool | None = None
    hooks: Hooks = Hooks()
    managers: tuple[Manager, ...] = ()
