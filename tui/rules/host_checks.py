"""What passthrough needs of a host: kernel, IOMMU, VFIO, libvirt."""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from tui.model import Check, Gpu, Guests, HostView, Readiness, Unavailable, Verdict, listed
from tui.rules import fixes
from tui.rules.check_input import CheckInput
from tui.rules.iommu_fix import iommu as iommu_fix
from tui.rules.kernel_settings import (
    blacklists_vfio,
    forbids_vfio,
    interrupts_off,
    iommu_off,
    with_places,
)
from tui.rules.libvirt_uri import (
    INSTALL,
    JOIN,
    START,
    START_LIBVIRTD,
    START_VIRTQEMUD,
    SYSTEM,
    why_not_the_systems,
)
from tui.rules.privilege import join_group
from tui.rules.viability import describe_blockers

ASK_HERE = f"use {SYSTEM}, which knows which guest has the devices of this machine"


def linux(view: HostView) -> Check:
    """host.linux: the host runs Linux, which has VFIO."""
    if view.facts is None:
        return Check("host.linux", None, "unknown", "the kernel release cannot be read")
    return Check("host.linux", None, "pass", f"Linux {view.facts.kernel}")


def libvirt(readings: CheckInput) -> Check:
    """libvirt.reachable: it runs the guests, and knows which of them has which device."""
    check, view = "libvirt.reachable", readings.view
    problem = view.problem("guests")
    if isinstance(readings.guests, Guests) and readings.guests.captured:
        count = len(readings.guests.domains)
        found = "1 domain" if count == 1 else f"{count or 'no'} domains"
        return Check(check, None, "pass", f"{found} in the capture")
    unread = readings.guests if isinstance(readings.guests, Unavailable) else None
    if unread is not None and (unread.expected or readings.readiness.captured):
        return Check(check, None, "unknown", unread.reason)
    strange = why_not_the_systems(view.libvirt_uri) if view.libvirt_uri else None
    if strange is not None:
        return Check(check, None, "warn", f"{view.libvirt_uri} {strange}", ASK_HERE)
    if problem is not None:
        return Check(check, None, "fail", *_why_unreachable(problem, readings.readiness))
    where = f"{view.libvirt_uri}, {view.libvirt_version or 'of unknown version'}"
    if readings.readonly:
        return Check(check, None, "warn", f"{where}, read-only: no guest can be started",
                     _how_to_write(readings.readiness))  # fmt: skip
    return Check(check, None, "pass", where)


def _how_to_write(readiness: Readiness) -> str:
    """How to get a connection that can start a guest. Root's is read-only only by choice."""
    if readiness.root:
        return "run it without --readonly"
    return f"{join_group(readiness.code)}, or a polkit rule for org.libvirt.unix.manage"


def _why_unreachable(problem: str, readiness: Readiness) -> tuple[str, str]:
    """Reason and fix of a libvirt error, whose sentence may end with the fix."""
    for start in (START_LIBVIRTD, START_VIRTQEMUD, START):
        if problem.endswith(f": {start}"):
            return problem.removesuffix(f": {start}"), start
    if problem.endswith(f": {INSTALL}"):
        return problem.removesuffix(f": {INSTALL}"), fixes.install_libvirt(readiness.boot)
    join = f"join its group with {join_group(readiness.code)}"
    if JOIN in problem:
        return problem.replace(f": {JOIN}", ""), join
    return problem, f"{START}, or {join}"


def iommu(view: HostView, readiness: Readiness) -> Check:
    """iommu.enabled: VFIO needs the IOMMU to isolate a guest's devices."""
    check, settings = "iommu.enabled", readiness.settings
    if view.iommu_enabled:
        kind = f" ({view.iommu_kind})" if view.iommu_kind else ""
        return _remapping(Check(check, None, "pass", f"on{kind}, {view.iommu_groups} groups"),
                          readiness)  # fmt: skip
    off = iommu_off(settings.running or (), readiness.cpu)
    if view.iommu_enabled is None and not off:
        why = (
            "the capture has no IOMMU groups (sys/kernel/iommu_groups)"
            if readiness.captured
            else "the PCI devices could not be read"
        )
        return Check(check, None, "unknown", view.problem("pci") or why)
    by = f": the kernel was started with {' '.join(option.text for option in off)}" if off else ""
    return Check(check, None, "fail", f"the IOMMU is off{by or ', or has no groups'}",
                 iommu_fix(readiness))  # fmt: skip


def _remapping(on: Check, readiness: Readiness) -> Check:
    """``on``, or a warning without interrupt remapping: then VFIO refuses all groups, unless unsafe
    interrupts are allowed (drivers/vfio/vfio_iommu_type1.c)."""
    option = interrupts_off(readiness.settings.running or (), readiness.cpu)
    if option is None or readiness.unsafe_interrupts:
        return on
    written = [each for each in readiness.settings.written if each.text == option.text]
    return replace(
        on, verdict="warn", why=f"{on.why}; but {option.text} turns interrupt remapping off, so "
        "VFIO refuses all cards", fix=fixes.change_options_on(readiness, [option], written),
    )  # fmt: skip


def viable(gpu: Gpu, leaving: Collection[str] = (), start: str = "its guest") -> Check:
    """iommu.viable: VFIO can claim the card's whole group. ``leaving`` are the functions that the
    ``start`` of a guest moves before that."""
    viability = gpu.viability
    blockers = [each for each in viability.blockers if each.address not in leaving]
    if viability.viable or (viability.blockers and not blockers):
        count = len(viability.moves)
        together = "1 function moves" if count == 1 else f"{count} functions move together"
        rest = listed([each.address for each in viability.blockers])
        why = f"{together}; starting {start} moves {rest}" if rest else (
            f"nothing else in the group; {together}")  # fmt: skip
        return Check("iommu.viable", gpu.address, "pass", why)
    why = describe_blockers(blockers) or viability.reason or "not viable"
    verdict: Verdict = "unknown" if viability.viable is None else "fail"
    return Check("iommu.viable", gpu.address, verdict, why, viability.fix)


def vfio(readiness: Readiness) -> Check:
    """vfio.available: vfio-pci, the driver that gives devices to guests, can be loaded."""
    check, settings = "vfio.available", readiness.settings
    barred, skipped = forbids_vfio(settings), blacklists_vfio(settings)
    if not readiness.vfio_loaded and readiness.vfio_pci is not False:
        if barred:
            return Check(check, None, "fail", f"vfio-pci cannot be loaded: {with_places(barred)}",
                         fixes.remove_settings(barred, readiness))  # fmt: skip
        if settings.modules_disabled:
            return Check(check, None, "fail", "vfio-pci is not loaded, and the kernel loads no "
                         "modules (kernel.modules_disabled is 1)",
                         "load it before that is set: "
                         f"{fixes.module_at_boot('vfio-pci', readiness.boot)}")  # fmt: skip
    if readiness.vfio_pci is None:
        return _vfio_unknown(readiness)
    if not readiness.vfio_pci:
        return Check(
            check,
            None,
            "fail",
            "the kernel has no vfio-pci module, or is not allowed to load it",
            "install the kernel's extra modules, or check what `modprobe vfio-pci` prints",
        )
    if (skipped or barred) and not readiness.vfio_built_in:
        why = "vfio-pci is available but blacklisted, so neither the boot nor libvirt loads it: "
        return Check(check, None, "warn", f"{why}{with_places((*barred, *skipped))}",
                     fixes.remove_settings((*barred, *skipped), readiness))  # fmt: skip
    return Check(check, None, "pass", "vfio-pci is available")


def _vfio_unknown(readiness: Readiness) -> Check:
    if readiness.captured:
        return Check("vfio.available", None, "unknown", "cannot tell whether vfio-pci can be "
                     "loaded: the capture has neither the driver nor the kernel's modules.dep",
                     "`modprobe vfio-pci` on that host, and capture it again")  # fmt: skip
    return Check("vfio.available", None, "unknown", "cannot tell whether vfio-pci can be loaded",
                 fixes.module_at_boot("vfio-pci", readiness.boot))  # fmt: skip
