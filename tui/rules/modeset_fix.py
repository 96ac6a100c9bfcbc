"""How to load nvidia_drm without modeset, given where the host sets it."""

from __future__ import annotations

from tui.model import KernelOption, ModuleRule, Readiness
from tui.rules.fixes import change_options_on
from tui.rules.kernel_settings import is_true, parameter, value_in

MODULE, NAME = "nvidia_drm", "modeset"
OFF = "options nvidia_drm modeset=0"

OURS = "/etc/modprobe.d/"
"""The folder of the administrator's files. Packages use the other folders of modprobe.d(5)."""

NIXOS = "set hardware.nvidia.modesetting.enable to false, run `nixos-rebuild boot` and reboot"


def without_modeset(readiness: Readiness, *, needed: bool) -> str:
    """How to turn off nvidia_drm's modeset, which is on. ``needed``: a card of the host is on the
    driver too, so that it cannot just be unloaded."""
    present = parameter(readiness.settings, MODULE, NAME)
    value = value_in(present, NAME) if present is not None else None
    on = present is not None and is_true(value)
    if readiness.boot.distribution == "nixos" and (on or (present is None and needed)):
        return NIXOS
    if isinstance(present, KernelOption) and on:
        same = [o for o in readiness.settings.written if o.text == present.text]
        return change_options_on(readiness, [present], same)
    if present is not None and not on:
        return (
            f"reboot: {present.text} ({present.place}) takes effect then; if the initramfs loads "
            "nvidia_drm, rebuild it first"
        )
    if isinstance(present, ModuleRule):
        return _rewritten(present)
    if needed:
        return f"set `{OFF}` in /etc/modprobe.d and reboot, since the host GPU needs nvidia_drm"
    return "stop the display and run `modprobe -r nvidia_drm`"


def _rewritten(rule: ModuleRule) -> str:
    if rule.file.startswith(OURS):
        return f"set modeset=0 in {rule.place} ({rule.text}), and reboot"
    return (
        f"copy {rule.file} to {OURS.rstrip('/')}, where it overrides the package's, set "
        f"modeset=0 there in line {rule.line} ({rule.text}), and reboot"
    )
