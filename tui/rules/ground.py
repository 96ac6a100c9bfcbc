"""What a host has to offer before any card can be lent: kernel, IOMMU, VFIO, libvirt."""

from __future__ import annotations

from tui.model import Check, Gpu, HostView, Readiness, Unavailable, Verdict
from tui.rules import mends
from tui.rules.fresh import Fresh
from tui.rules.libvirt_uri import beyond
from tui.rules.viability import named

ASK_HERE = "use qemu:///system, which knows who has the devices of this machine"


def linux(view: HostView) -> Check:
    """host.linux: VFIO is Linux's."""
    if view.facts is None:
        return Check("host.linux", None, "unknown", "the kernel cannot be read")
    return Check("host.linux", None, "pass", f"Linux {view.facts.kernel}")


def libvirt(fresh: Fresh) -> Check:
    """libvirt.reachable: who has which device is known from it, and guests are run by it."""
    check, view = "libvirt.reachable", fresh.view
    problem = view.problem("guests")
    if isinstance(fresh.guests, Unavailable) and fresh.guests.calm:
        return Check(check, None, "unknown", fresh.guests.reason)
    strange = beyond(view.libvirt_uri) if view.libvirt_uri else None
    if strange is not None:
        return Check(check, None, "warn", f"{view.libvirt_uri} {strange}", ASK_HERE)
    if problem is not None:
        return Check(check, None, "fail", problem,
                     "start it with `systemctl start libvirtd` (or virtqemud), or join its users "
                     "with `usermod -aG libvirt $USER` and log in again")  # fmt: skip
    where = f"{view.libvirt_uri}, {view.libvirt_version or 'of unknown version'}"
    if fresh.readonly:
        return Check(check, None, "warn", f"{where}, read-only: guests cannot be run from here",
                     "`usermod -aG libvirt $USER` and log in again, or a polkit rule for "
                     "org.libvirt.unix.manage")  # fmt: skip
    return Check(check, None, "pass", where)


def iommu(view: HostView, readiness: Readiness) -> Check:
    """iommu.enabled: VFIO needs it to isolate what a guest has."""
    if view.iommu_enabled:
        kind = f" ({view.iommu_kind})" if view.iommu_kind else ""
        return Check("iommu.enabled", None, "pass", f"on{kind}, {view.iommu_groups} groups")
    if view.iommu_enabled is None:
        return Check("iommu.enabled", None, "unknown", "the PCI devices could not be read")
    return Check(
        "iommu.enabled", None, "fail", "the IOMMU is off, or without groups",
        mends.iommu(readiness),
    )  # fmt: skip


def viable(gpu: Gpu) -> Check:
    """iommu.viable: the card's group can be had as a whole."""
    viability = gpu.viability
    if viability.viable:
        count = len(viability.moves)
        return Check("iommu.viable", gpu.address, "pass", f"the group is free but for {count} "
                     f"function{'s' if count > 1 else ''} that move")  # fmt: skip
    why = named(viability.blockers) or viability.reason or "not viable"
    verdict: Verdict = "unknown" if viability.viable is None else "fail"
    return Check("iommu.viable", gpu.address, verdict, why, viability.mend)


def vfio(readiness: Readiness) -> Check:
    """vfio.available: the driver that lends devices to guests."""
    check = "vfio.available"
    if readiness.vfio_pci is None:
        return Check(check, None, "unknown", "whether vfio-pci can be loaded could not be found "
                     "out", mends.module_at_boot("vfio-pci", readiness.boot))  # fmt: skip
    if not readiness.vfio_pci:
        return Check(check, None, "fail", "the kernel has no vfio-pci, or may not load it",
                     "install the kernel's extra modules, or see `modprobe vfio-pci`")  # fmt: skip
    return Check(check, None, "pass", "vfio-pci is there")


def privilege(readiness: Readiness) -> Check:
    """privilege: who may move a card."""
    if readiness.root:
        return Check("privilege", None, "pass", "root")
    return Check("privilege", None, "warn", "only root may move a card",
                 "run it with sudo, doas or run0")  # fmt: skip
