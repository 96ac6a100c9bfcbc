"""NVIDIA's rules of GeForce passthrough (R465), on a card and on all guests of a host."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tui.model import Brand, Check, Domain, Gpu, Guests, HostView, Unavailable
from tui.rules.family import NEWER_NAMES, family_mend, r465_family

ONE_VM = "r465.one-vm"

MAKER = "who made the card cannot be read"

CONSUMER: tuple[Brand, ...] = ("geforce", "titan")
"""Brands that the rules are for. Professional cards are exempt."""

UNSURE: tuple[Brand, ...] = ("unknown", "mining")
"""Brands of which it is not known whether the rules are for them."""


def restricted(gpu: Gpu) -> bool:
    """Whether the rules of GeForce passthrough are for this card."""
    return gpu.nvidia is not None and gpu.nvidia.brand in CONSUMER


def unsure(gpu: Gpu) -> bool:
    """Whether that is not known."""
    return gpu.nvidia is not None and gpu.nvidia.brand in UNSURE


def family(gpu: Gpu) -> Check:
    """r465.family: whether NVIDIA supports the card in a guest."""
    if "vendor" in gpu.function.unreadable:
        return Check("r465.family", gpu.address, "unknown", MAKER)
    if gpu.nvidia is None:
        return Check("r465.family", gpu.address, "pass", "not an NVIDIA card: no rule is for it")
    verdict, why = r465_family(gpu.nvidia)
    mend = family_mend(gpu.nvidia) if verdict == "unknown" else None
    return Check("r465.family", gpu.address, verdict, why, mend)


def one_vm(
    gpus: Sequence[Gpu],
    guests: Guests | Unavailable,
    *,
    coming: str | None = None,
    others: int = 1,
    subject: str | None = None,
) -> Check:
    """r465.one-vm: at most ``others`` guests with a GeForce card run beside the one
    whose UUID is ``coming``, over all domains, transient ones and those of any name too."""
    if isinstance(guests, Unavailable):
        return Check(ONE_VM, subject, "unknown", f"libvirt: {guests.reason}")
    domains = [d for d in guests.domains if d.uuid != coming]
    with_one = _running_with({gpu.address for gpu in gpus if restricted(gpu)}, domains)
    if len(with_one) > others:
        few = ", ".join(f"“{domain.name}”" for domain in with_one[:4])
        return Check(
            ONE_VM, subject, "fail",
            f"{few} {'runs' if len(with_one) == 1 else 'run'} with a GeForce card: NVIDIA allows "
            "one such guest on a host",
            f"shut down {', '.join(domain.name for domain in with_one[others:][:4])} first",
        )  # fmt: skip
    unclear = [
        d for d in _running_with({g.address for g in gpus if unsure(g)}, domains)
        if d not in with_one
    ]  # fmt: skip
    if unclear and len(with_one) + len(unclear) > others:
        name = min(domain.name for domain in unclear)
        return Check(ONE_VM, subject, "unknown",
                     f"whether the card of “{name}” is a GeForce is not known",
                     NEWER_NAMES)  # fmt: skip
    unread = [d.name for d in domains if d.problem or d.state == "unknown"]
    if unread:
        return Check(ONE_VM, subject, "unknown", f"what “{unread[0]}” has cannot be read")
    if with_one:
        return Check(ONE_VM, subject, "pass",
                     f"“{with_one[0].name}” alone runs with a GeForce card")  # fmt: skip
    return Check(ONE_VM, subject, "pass", f"no {'other ' if coming else ''}guest with a GeForce "
                 "card runs")  # fmt: skip


def _running_with(cards: set[str], domains: Iterable[Domain]) -> list[Domain]:
    return [d for d in domains if d.active and cards & set(d.addresses)]


def one_vm_for(
    gpu: Gpu, gpus: Sequence[Gpu], guests: Guests | Unavailable, coming: str | None = None
) -> Check:
    """r465.one-vm for a card that a guest is to get. Professional cards are exempt."""
    if "vendor" in gpu.function.unreadable:
        return Check(ONE_VM, gpu.address, "unknown", MAKER)
    unclear = unsure(gpu)
    if not restricted(gpu) and not unclear:
        return Check(ONE_VM, gpu.address, "pass", "the rule is for GeForce and TITAN cards")
    found = one_vm(gpus, guests, coming=coming, others=0, subject=gpu.address)
    if unclear and found.verdict == "fail":
        why = f"whether it is a GeForce card is not known, and {found.why}"
        return replace(found, verdict="unknown", why=why)
    return found


def sriov(gpu: Gpu, with_vfs: Sequence[str] | None) -> Check:
    """r465.sriov: no virtual functions on a GeForce card; on any card they would be lost."""
    if with_vfs is None:
        return Check("r465.sriov", gpu.address, "unknown",
                     "whether the card has virtual functions cannot be read")  # fmt: skip
    if gpu.address in with_vfs:
        return Check(
            "r465.sriov", gpu.address, "fail", "the card has virtual functions in use",
            f"echo 0 > {shlex.quote(f'/sys/bus/pci/devices/{gpu.address}/sriov_numvfs')}",
        )  # fmt: skip
    return Check("r465.sriov", gpu.address, "pass", "the card has no virtual functions")


def two_gpus(gpu: Gpu, view: HostView) -> Check:
    """host.two-gpus: another card stays with the host."""
    rest = [other for other in view.gpus if other.address != gpu.address and other.owner == "host"]
    if rest:
        return Check("host.two-gpus", gpu.address, "pass", f"{rest[0].address} stays with the host")
    dark = [other for other in view.gpus if other.address != gpu.address and
            other.owner == "unknown"]  # fmt: skip
    if dark:
        return Check(
            "host.two-gpus", gpu.address, "unknown", f"the driver of {dark[0].address} is unknown"
        )
    return Check(
        "host.two-gpus", gpu.address, "fail", "no other card would stay with the host",
        "a card is never shared: give the host a GPU of its own",
    )  # fmt: skip


def not_shared(gpu: Gpu) -> Check:
    """host.not-shared: the card does not drive the host's display."""
    function = gpu.function
    if function.boot_vga:
        return Check(
            "host.not-shared", gpu.address, "fail", "it drives the host's display (boot VGA)",
            "choose another card for the guest, or another primary display in the firmware",
        )  # fmt: skip
    if function.boot_vga is None and function.class_code.startswith("0300"):
        return Check(
            "host.not-shared", gpu.address, "unknown", "whether it is the boot VGA cannot be read"
        )
    return Check("host.not-shared", gpu.address, "pass", "it is not the host's display")
