"""What a host has to offer before any card can be lent: kernel, IOMMU, VFIO, libvirt."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

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
from tui.rules.libvirt_uri import JOIN, START, SYSTEM, why_not_this_host
from tui.rules.viability import describe_blockers

ASK_HERE = f"use {SYSTEM}, which knows who has the devices of this machine"


def linux(view: HostView) -> Check:
    """host.linux: VFIO is Linux's."""
    if view.facts is None:
        return Check("host.linux", None, "unknown", "the kernel cannot be read")
    return Check("host.linux", None, "pass", f"Linux {view.facts.kernel}")


def libvirt(fresh: CheckInput) -> Check:
    """libvirt.reachable: who has which device is known from it, and guests are run by it."""
    check, view = "libvirt.reachable", fresh.view
    problem = view.problem("guests")
    if isinstance(fresh.guests, Guests) and fresh.guests.captured:
        count = len(fresh.guests.domains)
        return Check(check, None, "pass", f"the capture has the domains of libvirt: {count}")
    unread = fresh.guests if isinstance(fresh.guests, Unavailable) else None
    if unread is not None and (unread.expected or fresh.readiness.captured):
        return Check(check, None, "unknown", unread.reason)
    strange = why_not_this_host(view.libvirt_uri) if view.libvirt_uri else None
    if strange is not None:
        return Check(check, None, "warn", f"{view.libvirt_uri} {strange}", ASK_HERE)
    if problem is not None:
        return Check(check, None, "fail", *_why_unreachable(problem))
    where = f"{view.libvirt_uri}, {view.libvirt_version or 'of unknown version'}"
    if fresh.readonly:
        return Check(check, None, "warn", f"{where}, read-only: guests cannot be run from here",
                     "`usermod -aG libvirt $USER` and log in again, or a polkit rule for "
                     "org.libvirt.unix.manage")  # fmt: skip
    return Check(check, None, "pass", where)


def _why_unreachable(problem: str) -> tuple[str, str]:
    """A sentence that says what to do is taken apart: the rest of it is the reason."""
    if START in problem:
        return problem.replace(f": {START}", ""), START
    join = "join its users with `usermod -aG libvirt $USER` and log in again"
    if JOIN in problem:
        return problem.replace(f": {JOIN}", ""), join
    return problem, f"{START}, or {join}"


def iommu(view: HostView, readiness: Readiness) -> Check:
    """iommu.enabled: VFIO needs it to isolate what a guest has."""
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
    return Check(check, None, "fail", f"the IOMMU is off{by or ', or without groups'}",
                 iommu_fix(readiness))  # fmt: skip


def _remapping(on: Check, readiness: Readiness) -> Check:
    """VFIO takes no group where interrupts are not isolated too, unless it is told to
    (drivers/vfio/vfio_iommu_type1.c)."""
    option = interrupts_off(readiness.settings.running or ())
    if option is None or readiness.unsafe_interrupts:
        return on
    written = [each for each in readiness.settings.written if each.text == option.text]
    return replace(
        on, verdict="warn", why=f"{on.why}; but {option.text} turns interrupt remapping off, and "
        "VFIO takes no card then", fix=fixes.change_options_on(readiness, [option], written),
    )  # fmt: skip


def viable(gpu: Gpu, leaving: Collection[str] = (), start: str = "its guest") -> Check:
    """iommu.viable: the card's group can be had as a whole. ``leaving`` are the functions that
    the ``start`` of a guest moves before VFIO claims the group."""
    viability = gpu.viability
    blockers = [each for each in viability.blockers if each.address not in leaving]
    if viability.viable or (viability.blockers and not blockers):
        count = len(viability.moves)
        rest = listed([each.address for each in viability.blockers])
        more = f", and {rest}, which the start of {start} moves" if rest else ""
        return Check("iommu.viable", gpu.address, "pass", f"the group is free but for {count} "
                     f"function{'s' if count > 1 else ''} that move{more}")  # fmt: skip
    why = describe_blockers(blockers) or viability.reason or "not viable"
    verdict: Verdict = "unknown" if viability.viable is None else "fail"
    return Check("iommu.viable", gpu.address, verdict, why, viability.fix)


def vfio(readiness: Readiness) -> Check:
    """vfio.available: the driver that lends devices to guests."""
    check, settings = "vfio.available", readiness.settings
    barred, skipped = forbids_vfio(settings), blacklists_vfio(settings)
    if not readiness.vfio_loaded and readiness.vfio_pci is not False:
        if barred:
            return Check(check, None, "fail", f"vfio-pci may not be loaded: {with_places(barred)}",
                         fixes.remove_settings(barred, readiness))  # fmt: skip
        if settings.modules_disabled:
            return Check(check, None, "fail", "vfio-pci is not loaded, and the kernel loads no "
                         "module any more (kernel.modules_disabled is 1)",
                         "have it loaded before that is set: "
                         f"{fixes.module_at_boot('vfio-pci', readiness.boot)}")  # fmt: skip
    if readiness.vfio_pci is None:
        return _not_found_out(readiness)
    if not readiness.vfio_pci:
        return Check(
            check,
            None,
            "fail",
            "the kernel has no vfio-pci, or may not load it",
            "install the kernel's extra modules, or see what `modprobe vfio-pci` says",
        )
    if (skipped or barred) and not readiness.vfio_built_in:
        why = "vfio-pci is there, but libvirt may not load it, nor is it loaded at boot: "
        return Check(check, None, "warn", f"{why}{with_places((*barred, *skipped))}",
                     fixes.remove_settings((*barred, *skipped), readiness))  # fmt: skip
    return Check(check, None, "pass", "vfio-pci is there")


def _not_found_out(readiness: Readiness) -> Check:
    if readiness.captured:
        return Check("vfio.available", None, "unknown", "the capture has no vfio-pci driver, and "
                     "no modules.dep of the kernel that would tell whether it can be loaded",
                     "`modprobe vfio-pci` on that host, and capture it again")  # fmt: skip
    return Check("vfio.available", None, "unknown", "whether vfio-pci can be loaded could not be "
                 "found out", fixes.module_at_boot("vfio-pci", readiness.boot))  # fmt: skip


def privilege(readiness: Readiness) -> Check:
    """privilege: who may move a card."""
    if readiness.root is None:
        return Check("privilege", None, "unknown", "the capture does not tell who would move a "
                     "card: only root may")  # fmt: skip
    if readiness.root:
        return Check("privilege", None, "pass", "root")
    return Check("privilege", None, "warn", "only root may move a card",
                 "run it with sudo, doas or run0")  # fmt: skip
