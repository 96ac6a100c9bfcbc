"""The hosts of the mock-ups, as views: one with 32 IOMMU groups, one whose groups block."""

from __future__ import annotations

from tests.unit.widgets.guests import AUDIO, CARD, CHECKS, GPU, WIN11
from tests.values import replace
from tui.model import (
    Blocker,
    Gpu,
    Group,
    GroupMark,
    Guest,
    HostFacts,
    HostView,
    Notable,
    Owner,
    PciFunction,
    Viability,
)


def function(address: str, class_code: str, name: str, driver: str | None) -> PciFunction:
    return PciFunction(f"0000:{address}", "8086", "1", class_code, name, driver=driver)


HOST_CARD = function("0a:00.0", "030000", "GA106 [GeForce RTX 3060 Lite Hash Rate]", "nvidia")
HOST_AUDIO = function("0a:00.1", "040300", "GA106 High Definition Audio", "snd_hda_intel")
HOST_GPU = Gpu(HOST_CARD, (HOST_AUDIO,), "host", Owner("host"), Viability(True, ()))

BRIDGE = function("04:08.0", "060400", "Matisse PCIe GPP Bridge", "pcieport")
USB = [
    function("0b:00.0", "130000", "Starship/Matisse Reserved SPP", None),
    function("0b:00.1", "0c0330", "Matisse USB 3.0 Host Controller", "xhci_hcd"),
    function("0b:00.3", "0c0330", "Matisse USB 3.0 Host Controller", "xhci_hcd"),
]  # fmt: skip


_OK: GroupMark = "ok"


NOTABLE = tuple(
    Notable(Group(number, (first, *others), (_OK,) * (1 + len(others))), first, others)
    for number, first, others in (
        (15, function("02:00.0", "010802", "NVMe SSD Controller PM9A1/PM9A3/980PRO", "nvme"), ()),
        (23, function("05:00.0", "010802", "WD Black SN850 NVMe SSD", "nvme"), ()),
        (25, function("07:00.0", "020000", "Ethernet Controller I225-V", "igc"), ()),
        (24, function("06:00.0", "028000", "Wi-Fi 6 AX200", "iwlwifi"), ()),
        (21, USB[1], (BRIDGE, USB[0], USB[2])),
        (22, function("0c:00.0", "010601", "FCH SATA Controller [AHCI mode]", "ahci"), (BRIDGE,)),
    )
)
CARDS = (
    Notable(Group(14, (CARD, AUDIO), ("gpu", "moves"), role="guest"), CARD, (AUDIO,)),
    Notable(Group(26, (HOST_CARD, HOST_AUDIO), ("gpu", "moves"), role="host"), HOST_CARD,
            (HOST_AUDIO,)),
)  # fmt: skip
REST = tuple(Group(number, (BRIDGE,), ("ok",)) for number in range(24))

GAMING = HostView(
    HostFacts("tower", "6.12.48-amd64"), iommu_enabled=True, iommu_kind="amd", iommu_groups=32,
    gpus=(GPU, HOST_GPU),
    groups=(*(each.group for each in (*CARDS, *NOTABLE)), *(replace(g, id=100 + (g.id or 0))
                                                            for g in REST)),
    guests=(Guest(WIN11, allowed=True),), libvirt_version="11.3.0", checks=CHECKS,
)  # fmt: skip
"""The host of the mock-ups, where nothing blocks; its interesting groups are ``INTERESTING``."""

INTERESTING = (*CARDS, *NOTABLE)

_BLOCKING = (
    function("03:00.0", "030000", "GA106 [GeForce RTX 3060]", "nvidia"),
    function("03:00.1", "040300", "GA106 High Definition Audio", "snd_hda_intel"),
    function("05:00.0", "010802", "NVMe SSD Controller SM981/PM981/PM983", "nvme"),
    function("06:00.0", "020000", "Ethernet Controller X550", "ixgbe"),
)
_REASONS = ("another GPU, nvidia", "a part of the other GPU, snd_hda_intel", "in use by host, nvme",
            "in use by host, ixgbe")  # fmt: skip
_BLOCKERS = tuple(Blocker(f.address, reason) for f, reason in zip(_BLOCKING, _REASONS, strict=True))
_CARD = replace(CARD, address="0000:04:00.0", driver="nvidia", iommu_group=1)
_AUDIO = replace(AUDIO, address="0000:04:00.1", driver="snd_hda_intel", iommu_group=1)
_MARKS: tuple[GroupMark, ...] = (*("blocks",) * 4, "gpu", "moves")
_GROUP = Group(1, (*_BLOCKING, _CARD, _AUDIO), _MARKS, _BLOCKERS, "guest")
_SRAM = function("00:14.2", "050000", "Cannon Lake PCH Shared SRAM", None)
_USB = function("00:14.0", "0c0330", "Cannon Lake PCH USB 3.1 xHCI Host Controller", "xhci_hcd")

BLOCKED = replace(
    GAMING,
    gpus=(
        Gpu(_CARD, (_AUDIO,), "guest", Owner("host"), Viability(False, (), _BLOCKERS)),
    ),
    groups=(_GROUP, Group(2, (_USB, _SRAM), ("ok", "ok")), *REST[3:7]),
    iommu_groups=6,
)  # fmt: skip
BLOCKED_GROUPS = (
    Notable(_GROUP, _CARD, (*_BLOCKING, _AUDIO)), Notable(BLOCKED.groups[1], _USB, (_SRAM,)),
)  # fmt: skip
