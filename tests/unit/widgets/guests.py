"""The guest of the mock-ups: win11, which runs with an RTX 4090 or is off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.values import replace
from tui.model import Check, Domain, Gpu, Guest, GuestDevice, HostDev, Owner, PciFunction, Viability
from widgets.guest import GuestState

AT = datetime(2026, 1, 2, 21, 4, tzinfo=UTC)

CARD = PciFunction(
    "0000:01:00.0", "10de", "2684", "030000", "AD102 [GeForce RTX 4090]", driver="vfio-pci",
    iommu_group=14,
)  # fmt: skip
AUDIO = PciFunction(
    "0000:01:00.1", "10de", "22ba", "040300", "AD102 High Definition Audio Controller",
    driver="vfio-pci", iommu_group=14,
)  # fmt: skip
DISK = PciFunction(
    "0000:02:00.0", "144d", "a80a", "010802", "NVMe SSD Controller PM9A1/PM9A3/980PRO",
    driver="nvme", iommu_group=15,
)  # fmt: skip
GPU = Gpu(
    CARD, (AUDIO,), "guest", Owner("guest", "win11"),
    Viability(True, (CARD.address, AUDIO.address)), guest_uuid="uuid-win11",
)  # fmt: skip
ON_HOST = replace(GPU, owner=Owner("host"), guest_uuid=None)

WIN11 = Domain(
    "win11", "uuid-win11", "running", vcpus=8, memory_mib=16384, memory_used_mib=7270,
    cpu_pct=46.2, disk_read_bps=12e6, disk_write_bps=1.8e6, net_rx_bps=40e3, net_tx_bps=27e3,
    hostdevs=(HostDev(CARD.address, managed=False), HostDev(AUDIO.address, managed=False)),
    started_at=AT - timedelta(hours=2), agent=True,
)  # fmt: skip
OFF = replace(
    WIN11, state="shut off", memory_used_mib=None, cpu_pct=None, disk_read_bps=None,
    disk_write_bps=None, net_rx_bps=None, net_tx_bps=None, started_at=None, agent=None,
)  # fmt: skip
OTHERS = (
    Domain("debian-build", "uuid-build", "shut off", vcpus=12, memory_mib=8192),
    Domain("fedora-ci", "uuid-ci", "shut off", vcpus=4, memory_mib=4096),
)

CHECKS = tuple(
    Check(f"r465.{name}", None, "pass", "fine") for name in ("one-vm", "family", "sriov", "driver")
)

ON_NVME = GuestDevice(
    DISK.address, "fail",
    "0000:02:00.0 is on nvme, and libvirt takes it from the host at the start: it is mounted at /",
    "on nvme", "`virsh -c qemu:///system edit win11`: remove it",
)  # fmt: skip


def state(domain: Domain = WIN11, **facts: Any) -> GuestState:
    """``domain`` as the allowed guest, and two other domains."""
    guests = (Guest(domain, allowed=True), *(Guest(other, allowed=False) for other in OTHERS))
    functions = {f.address: f for f in (CARD, AUDIO, DISK)}
    usual: dict[str, Any] = {
        "guests": guests, "at": AT, "gpu": GPU if domain.active else ON_HOST,
        "functions": functions, "checks": CHECKS, "series": (46.0,) * 200,
    }  # fmt: skip
    return GuestState(**(usual | facts))


def with_disk(domain: Domain) -> Domain:
    return replace(domain, hostdevs=(*domain.hostdevs, HostDev(DISK.address, managed=True)))
