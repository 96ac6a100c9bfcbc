"""How nvidia_drm is loaded without modeset, on a host of which it is known where it gets it."""

from __future__ import annotations

from tui.model import KernelOption, ModuleRule, Readiness
from tui.rules.fixes import change_options_on
from tui.rules.kernel_settings import is_true, parameter, value_in

MODULE, NAME = "nvidia_drm", "modeset"
OFF = "options nvidia_drm modeset=0"

OURS = "/etc/modprobe.d/"
"""Where a host's own files are; packages have theirs in the other folders of modprobe.d(5)."""

NIXOS = "set hardware.nvidia.modesetting.enable to false, run `nixos-rebuild boot` and reboot"


def without_modeset(readiness: Readiness, *, needed: bool) -> str:
    """What to do so that nvidia_drm has no modeset, which it has now. ``needed``: a card of the
    host is on the driver too, so that it cannot just be unloaded."""
    stands = parameter(readiness.settings, MODULE, NAME)
    value = value_in(stands, NAME) if stands is not None else None
    on = stands is not None and is_true(value)
    if readiness.boot.distribution == "nixos" and (on or (stands is None and needed)):
        return NIXOS
    if isinstance(stands, KernelOption) and on:
        same = [o for o in readiness.settings.written if o.text == stands.text]
        return change_options_on(readiness, [stands], same)
    if stands is not None and not on:
        return (
            f"reboot: {stands.text} ({stands.place}) counts from then on, once the initramfs has "
            "it, if nvidia_drm is loaded from there"
        )
    if isinstance(stands, ModuleRule):
        return _rewritten(stands)
    if needed:
        return f"set `{OFF}` in /etc/modprobe.d and reboot, since the host GPU needs nvidia_drm"
    return "stop the display and run `modprobe -r nvidia_drm`"


def _rewritten(rule: ModuleRule) -> str:
    if rule.file.startswith(OURS):
        return f"write modeset=0 in its place in {rule.place} ({rule.text}), and reboot"
    return (
        f"copy {rule.file} to {OURS.rstrip('/')}, where it goes before the package's, write "
        f"modeset=0 there in line {rule.line} ({rule.text}), and reboot"
    )
