"""How to turn the IOMMU on, given what the host's settings already ask for."""

from __future__ import annotations

from itertools import groupby
from typing import Literal

from tui.model import Cpu, KernelOption, Readiness
from tui.rules.fixes import apply_written, change_options_on, kernel_option
from tui.rules.kernel_settings import intel_on, iommu_off

INTEL_ON = "intel_iommu=on"

BY_FIRMWARE: dict[Cpu | None, str] = {"amd": "AMD-Vi", "arm": "SMMU"}
"""The IOMMUs that the kernel uses once the firmware enables them, by the processor's maker."""

SOURCE = ""
"""The key of options that all boot entries are generated from."""


def iommu(readiness: Readiness) -> str:
    """How to turn the IOMMU on. Intel's needs an option, unless the kernel was built to turn it on
    by default; AMD's and Arm's are on if the firmware enables them (kernel-parameters.txt). Options
    that keep it off must go first."""
    running = iommu_off(readiness.settings.running or (), readiness.cpu)
    written = _written_off(readiness)
    if running or (written and readiness.settings.running is None):
        return _without((*running, *written), written, readiness)
    fix = _with(readiness)
    return f"{fix}; and {_without(written, written, readiness)}" if written else fix


Place = Literal["firmware", "kernel", "reboot"]


def places_left(readiness: Readiness) -> tuple[Place, ...]:
    """Where something is left to do while the IOMMU is off, in the order in which ``iommu`` says
    it. The firmware is not among them while the kernel keeps the IOMMU off, or was started without
    an option that is now in its boot entries: then it is not known."""
    settings, written = readiness.settings, _written_off(readiness)
    off = iommu_off(settings.running or (), readiness.cpu)
    if off or (written and settings.running is None):
        return ("kernel", "reboot")
    if written:
        return ("firmware", "kernel", "reboot")
    if readiness.cpu in BY_FIRMWARE or intel_on(settings.running or ()) is not None:
        return ("firmware", "reboot")
    return ("reboot",) if _at_next_boot(readiness) else ("firmware", "kernel", "reboot")


def _written_off(readiness: Readiness) -> tuple[KernelOption, ...]:
    """The options in the boot loader's files that keep it off, from every command line there."""
    lines = groupby(readiness.settings.written, key=lambda option: option.place)
    off = (iommu_off(tuple(line), readiness.cpu) for _, line in lines)
    return tuple(option for found in off for option in found)


def _without(
    found: tuple[KernelOption, ...], written: tuple[KernelOption, ...], readiness: Readiness
) -> str:
    settings = readiness.settings
    intels = readiness.cpu == "intel" or any(o.name == "intel_iommu" for o in found)
    asked = any(intel_on([option]) for option in (*settings.in_force, *settings.written))
    return change_options_on(readiness, found, written, [INTEL_ON] if intels and not asked else [])


def _with(readiness: Readiness) -> str:
    name = BY_FIRMWARE.get(readiness.cpu)
    if name is not None:
        return f"turn on the IOMMU ({name}) in the firmware; the kernel then uses it automatically"
    settings = readiness.settings
    firmware = f"turn on VT-d{'' if readiness.cpu else ' or AMD-Vi'} in the firmware"
    runs = intel_on(settings.running or ())
    if runs is not None:
        return f"{firmware}: {runs.text} is already on the kernel command line"
    present = _at_next_boot(readiness)
    if present is not None:
        return (
            f"{apply_written(readiness.boot, present)}: {present.text} is in {present.place}, "
            f"and the kernel was started without it; if that is not enough, {firmware}"
        )
    option = kernel_option(INTEL_ON, readiness.boot)
    return f"{firmware}; {'' if readiness.cpu else 'on Intel '}then {option}"


def _at_next_boot(readiness: Readiness) -> KernelOption | None:
    """The option that asks for Intel's IOMMU, if the files have it for every boot entry, since we
    do not know which one boots. rEFInd boots the first in its file."""
    entries: dict[str, list[KernelOption]] = {}
    for option in readiness.settings.written:
        entries.setdefault(_entry(option), []).append(option)
    lines = list(entries.values())
    asked = [intel_on(line) for line in (lines[:1] if readiness.boot.loader == "refind" else lines)]
    if SOURCE in entries and (first := intel_on(entries[SOURCE])) is not None:
        return first
    return asked[0] if asked and None not in asked else None


def _entry(option: KernelOption) -> str:
    """A key for the command line that an option belongs to."""
    if "/loader/entries/" in option.file:
        return option.file
    several = option.file.endswith(("/limine.conf", "/refind_linux.conf"))
    return option.place if several else SOURCE
