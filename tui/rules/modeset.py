"""How nvidia_drm is loaded without modeset, on a host of which it is known where it gets it."""

from __future__ import annotations

from tui.model import KernelOption, Readiness
from tui.rules.mends import change_on
from tui.rules.settings import is_true, parameter, value_in

MODULE, NAME = "nvidia_drm", "modeset"
OFF = "options nvidia_drm modeset=0"


def without_modeset(readiness: Readiness, *, needed: bool) -> str:
    """What to do so that nvidia_drm has no modeset, which it has now. ``needed``: a card of the
    host is on the driver too, so that it cannot just be unloaded."""
    stands = parameter(readiness.settings, MODULE, NAME)
    value = value_in(stands, NAME) if stands is not None else None
    if isinstance(stands, KernelOption) and is_true(value):
        same = [o for o in readiness.settings.written if o.text == stands.text]
        return change_on(readiness, [stands], same)
    if stands is not None and not is_true(value):
        return (
            f"reboot: {stands.text} ({stands.place}) counts from then on, once the initramfs has "
            "it, if nvidia_drm is loaded from there"
        )
    if stands is not None:
        return f"write modeset=0 in its place in {stands.place} ({stands.text}), and reboot"
    if needed:
        return f"set `{OFF}` in /etc/modprobe.d and reboot, since the host GPU needs nvidia_drm"
    return "stop the display and run `modprobe -r nvidia_drm`"
