"""NVIDIA's rules of GeForce passthrough, as far as they bear on a card that is to move."""

from __future__ import annotations

from collections.abc import Sequence

from tui.model import Brand, Check, Gpu, Guest, Guests, HostView, Unavailable
from tui.rules.family import r465_family

CONSUMER: tuple[Brand, ...] = ("geforce", "titan")
"""Brands that the rules are for. Professional cards are exempt."""


def restricted(gpu: Gpu) -> bool:
    """Whether the rules of GeForce passthrough are for this card."""
    return gpu.nvidia is not None and gpu.nvidia.brand in CONSUMER


def family(gpu: Gpu) -> Check:
    """r465.family: whether NVIDIA supports the card in a guest."""
    if gpu.nvidia is None:
        return Check("r465.family", gpu.address, "pass", "not an NVIDIA card: no rule is for it")
    verdict, why = r465_family(gpu.nvidia)
    return Check("r465.family", gpu.address, verdict, why)


def one_vm(gpu: Gpu, gpus: Sequence[Gpu], guests: Guests | Unavailable) -> Check:
    """r465.one-vm: one guest with a GeForce card at a time, over all domains."""
    check = "r465.one-vm"
    if gpu.nvidia is not None and gpu.nvidia.brand == "unknown":
        return Check(check, gpu.address, "unknown", "whether it is a GeForce card is not known")
    if not restricted(gpu):
        return Check(check, gpu.address, "pass", "the rule is for GeForce and TITAN cards")
    if isinstance(guests, Unavailable):
        return Check(check, gpu.address, "unknown", f"libvirt: {guests.reason}")
    cards = {other.address for other in gpus if restricted(other)}
    unclear = [d.name for d in guests.domains if d.problem or d.state == "unknown"]
    running = [d.name for d in guests.domains if d.active and cards & set(d.addresses)]
    if running:
        return Check(
            check, gpu.address, "fail",
            f"“{running[0]}” runs with a GeForce card: NVIDIA allows one such guest on a host",
            f"shut down {running[0]} first",
        )  # fmt: skip
    if unclear:
        return Check(check, gpu.address, "unknown", f"what “{unclear[0]}” has cannot be read")
    return Check(check, gpu.address, "pass", "no guest with a GeForce card runs")


def running_guests(view: HostView) -> Check:
    """r465.one-vm: over all domains, whatever they are called."""
    check, problem = "r465.one-vm", view.problem("guests")
    if problem is not None:
        return Check(check, None, "unknown", f"libvirt: {problem}")
    if any(gpu.nvidia is not None and gpu.nvidia.brand == "unknown" for gpu in view.gpus):
        return Check(check, None, "unknown", "whether all cards are GeForce cards is not known")
    cards = {gpu.address for gpu in view.gpus if restricted(gpu)}
    domains = [guest.domain for guest in view.guests]
    running = [d.name for d in domains if d.active and cards & set(d.addresses)]
    if len(running) > 1:
        return Check(
            check, None, "fail",
            f"{len(running)} guests run with GeForce cards: {', '.join(running[:4])}",
            f"NVIDIA allows one such guest on a host: shut down all but {running[0]}",
        )  # fmt: skip
    unclear = [d.name for d in domains if d.problem or d.state == "unknown"]
    if unclear:
        return Check(check, None, "unknown", f"what “{unclear[0]}” has cannot be read")
    why = f"{running[0]} alone runs with one" if running else "no guest with a GeForce card runs"
    return Check(check, None, "pass", why)


def guest_driver(guest: Guest) -> Check:
    """r465.guest-driver: 465 or newer. Only the guest's own agent could tell."""
    name = guest.domain.name
    return Check("r465.guest-driver", name, "unknown", "the guest is not asked for its driver",
                 "look in the guest: it has to be 465 or newer")  # fmt: skip


def sriov(gpu: Gpu, with_vfs: Sequence[str] | None) -> Check:
    """r465.sriov: no virtual functions on a GeForce card; on any card they would be lost."""
    if with_vfs is None:
        return Check("r465.sriov", gpu.address, "unknown",
                     "whether the card has virtual functions cannot be read")  # fmt: skip
    if gpu.address in with_vfs:
        return Check(
            "r465.sriov", gpu.address, "fail", "the card has virtual functions in use",
            f"echo 0 > /sys/bus/pci/devices/{gpu.address}/sriov_numvfs",
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
