"""What turns the IOMMU on, on a host of which it is known what was already done for it."""

from __future__ import annotations

from itertools import groupby

from tui.model import KernelOption, Readiness
from tui.rules.fixes import apply_written, change_options_on, kernel_option
from tui.rules.kernel_settings import intel_on, iommu_off

INTEL_ON = "intel_iommu=on"

SOURCE = ""
"""The entry of options that stand where all entries are made from."""


def iommu(readiness: Readiness) -> str:
    """How the IOMMU is turned on: Intel's needs the option unless the kernel was built to do
    without, AMD's is on where the firmware has it (kernel-parameters.txt). An option that keeps
    it off comes first."""
    running = iommu_off(readiness.settings.running or (), readiness.cpu)
    written = _written_off(readiness)
    if running or (written and readiness.settings.running is None):
        return _without((*running, *written), written, readiness)
    fix = _with(readiness)
    return f"{fix}; and {_without(written, written, readiness)}" if written else fix


def _written_off(readiness: Readiness) -> tuple[KernelOption, ...]:
    """Options in the boot loader's files that keep it off, of each command line there."""
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
    if readiness.cpu == "amd":
        return "turn on the IOMMU (AMD-Vi) in the firmware; the kernel then uses it by itself"
    settings = readiness.settings
    firmware = f"turn on VT-d{'' if readiness.cpu else ' or AMD-Vi'} in the firmware"
    runs = intel_on(settings.running or ())
    if runs is not None:
        return f"{firmware}: {runs.text} is on the kernel's command line already"
    stands = _at_next_start(readiness)
    if stands is not None:
        return (
            f"{apply_written(readiness.boot, stands)}: {stands.text} is in {stands.place}, "
            f"and the kernel was started without it; if that does not do, {firmware}"
        )
    option = kernel_option(INTEL_ON, readiness.boot)
    return f"{firmware}; {'' if readiness.cpu else 'on Intel '}then {option}"


def _at_next_start(readiness: Readiness) -> KernelOption | None:
    """The option that asks for Intel's IOMMU, where the files have it for every boot entry:
    which of them boots is not known. In rEFInd's file it is the first."""
    entries: dict[str, list[KernelOption]] = {}
    for option in readiness.settings.written:
        entries.setdefault(_entry(option), []).append(option)
    lines = list(entries.values())
    asked = [intel_on(line) for line in (lines[:1] if readiness.boot.loader == "refind" else lines)]
    if SOURCE in entries and (first := intel_on(entries[SOURCE])) is not None:
        return first
    return asked[0] if asked and None not in asked else None


def _entry(option: KernelOption) -> str:
    """What tells the command line that an option is in from others."""
    if "/loader/entries/" in option.file:
        return option.file
    several = option.file.endswith(("/limine.conf", "/refind_linux.conf"))
    return option.place if several else SOURCE
