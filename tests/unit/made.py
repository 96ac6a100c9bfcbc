"""Hosts in a few words: the values the rules' tests are made of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from tui.model import (
    CardVitals,
    Domain,
    DomainSetup,
    DomainState,
    Guests,
    HostDev,
    HostFacts,
    HostMemory,
    Inventory,
    KernelLog,
    MemoryPart,
    NvmlReading,
    PciFunction,
    Snapshot,
    Unavailable,
    Vitals,
)

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)

VGA, AUDIO, USB, SATA = "030000", "040300", "0c0330", "010601"
BRIDGE, HOST_BRIDGE = "060400", "060000"


MEMORY = HostMemory(available_mib=32768, swap_free_mib=0, default_page_kib=2048, pools=())
"""A host that has enough for one guest, and no huge pages."""


def function(address: str, class_code: str = VGA, **facts: Any) -> PciFunction:
    """A function at ``01:00.0`` of domain 0; an NVIDIA GeForce unless told otherwise."""
    facts = {"vendor": "10de", "device": "2684", "name": "AD102 [GeForce RTX 4090]"} | facts
    return PciFunction(address=f"0000:{address}", class_code=class_code, **facts)


def inventory(*functions: PciFunction, **facts: Any) -> Inventory:
    groups = sorted({f.iommu_group for f in functions if f.iommu_group is not None})
    ordered = tuple(sorted(functions, key=lambda f: f.address))
    return Inventory(ordered, **({"groups": tuple(groups), "iommu_kind": "intel"} | facts))


def card(
    slot: str, group: int | None, driver: str | None = "nvidia", **facts: Any
) -> tuple[PciFunction, PciFunction]:
    """A GPU and its audio function; both on ``driver`` when that is VFIO's."""
    sound = driver if driver is None or driver.startswith("vfio") else "snd_hda_intel"
    return (
        function(f"{slot}.0", driver=driver, iommu_group=group, **facts),
        function(f"{slot}.1", AUDIO, driver=sound, iommu_group=group, name="Audio"),
    )


def two_cards(guest_driver: str | None = "nvidia") -> Inventory:
    """A host card at 01:00 that shows the console, a guest card at 02:00."""
    return inventory(
        *card("01:00", 1, boot_vga=True),
        *card("02:00", 2, guest_driver, boot_vga=False),
        function("00:1f.2", SATA, vendor="8086", name="SATA", driver="ahci", iommu_group=3),
    )


def domain(
    name: str, *slots: str, state: DomainState = "shut off", managed: bool = False, **facts: Any
) -> Domain:
    """A domain with the functions ``02:00.0`` ... as its hostdevs."""
    hostdevs = tuple(HostDev(f"0000:{slot}", managed) for slot in slots)
    made = Domain(
        name, f"uuid-{name}", state, hostdevs=hostdevs, vcpus=8, memory_mib=16384.0,
        setup=DomainSetup((MemoryPart(16384.0),)),
    )  # fmt: skip
    return replace(made, **facts)


def guests(*domains: Domain) -> Guests:
    ordered = tuple(sorted(domains, key=lambda d: d.name))
    return Guests("qemu:///system", "11.3.0", ordered)


def idle(pci: Inventory) -> tuple[CardVitals, ...]:
    """The vitals of the cards on VFIO's driver, which nobody has open."""
    there = (gpu for gpu in pci.gpus if gpu.driver and gpu.driver.startswith("vfio"))
    return tuple(CardVitals(gpu.address, driver=gpu.driver, enabled=0) for gpu in there)


def snapshot(pci: Inventory, domains: Iterable[Domain] = (), **readings: Any) -> Snapshot:
    """Everything was read. Unless told otherwise, cards are awake, libvirt knows every process that
    has one open, and NVML lists none."""
    read = Snapshot(
        facts=HostFacts("atlas", "6.12.1"),
        pci=pci,
        vitals=Vitals(idle(pci)),
        nvml=NvmlReading("580.95", ()),
        guests=guests(*domains),
        drm=Unavailable("no card is on amdgpu, i915 or xe", expected=True),
        threads=Unavailable("the guest is not running", expected=True),
        agent=Unavailable("no guest is there to be asked", expected=True),
        swap=Unavailable("no card was moved", expected=True),
        usb=Unavailable("this host has no USB devices", expected=True),
        memory=MEMORY,
        kernel=KernelLog(),
        watch=Unavailable("no watch has run since boot", expected=True),
    )
    return replace(read, **readings)
