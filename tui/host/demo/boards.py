"""The simulated host's PCI functions as tables: address, IOMMU group, driver and ids.

Names are those of pci.ids.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from tui.model import Bar, BarSizes, Link, PciFunction

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

VENDORS = {
    "1022": "Advanced Micro Devices, Inc. [AMD]",
    "10b5": "PLX Technology, Inc.",
    "10de": "NVIDIA Corporation",
    "144d": "Samsung Electronics Co Ltd",
    "15b7": "Sandisk Corp",
    "8086": "Intel Corporation",
}

# vendor:device, class code, name
_CATALOGUE = """
1022:1480 060000 Starship/Matisse Root Complex
1022:1481 080600 Starship/Matisse IOMMU
1022:1482 060000 Starship/Matisse PCIe Dummy Host Bridge
1022:1483 060400 Starship/Matisse GPP Bridge
1022:1484 060400 Starship/Matisse Internal PCIe GPP Bridge 0 to bus[E:B]
1022:1485 130000 Starship/Matisse Reserved SPP
1022:1486 108000 Starship/Matisse Cryptographic Coprocessor PSPCPP
1022:1487 040300 Starship/Matisse HD Audio Controller
1022:148a 130000 Starship/Matisse PCIe Dummy Function
1022:149c 0c0330 Matisse USB 3.0 Host Controller
1022:57a3 060400 Matisse PCIe GPP Bridge
1022:57a4 060400 Matisse PCIe GPP Bridge
1022:57ad 060400 Matisse Switch Upstream
1022:7901 010601 FCH SATA Controller [AHCI mode]
1022:790b 0c0500 FCH SMBus Controller
1022:790e 060100 FCH LPC Bridge
1022:1440 060000 Matisse/Vermeer Data Fabric: Device 18h; Function 0
1022:1441 060000 Matisse/Vermeer Data Fabric: Device 18h; Function 1
1022:1442 060000 Matisse/Vermeer Data Fabric: Device 18h; Function 2
1022:1443 060000 Matisse/Vermeer Data Fabric: Device 18h; Function 3
1022:1444 060000 Matisse/Vermeer Data Fabric: Device 18h; Function 4
1022:1445 060000 Matisse/Vermeer Data Fabric: Device 18h; Function 5
1022:1446 060000 Matisse/Vermeer Data Fabric: Device 18h; Function 6
1022:1447 060000 Matisse/Vermeer Data Fabric: Device 18h; Function 7
10b5:8747 060400 PEX 8747 48-Lane, 5-Port PCI Express Gen 3 (8.0 GT/s) Switch
10de:1aef 040300 GA102 High Definition Audio Controller
10de:2230 030000 GA102GL [RTX A6000]
10de:228b 040300 GA104 High Definition Audio Controller
10de:228e 040300 GA106 High Definition Audio Controller
10de:22ba 040300 AD102 High Definition Audio Controller
10de:2484 030000 GA104 [GeForce RTX 3070]
10de:2504 030000 GA106 [GeForce RTX 3060 Lite Hash Rate]
10de:2520 030000 GA106M [GeForce RTX 3060 Mobile / Max-Q]
10de:2684 030000 AD102 [GeForce RTX 4090]
144d:a808 010802 NVMe SSD Controller SM981/PM981/PM983
144d:a80a 010802 NVMe SSD Controller PM9A1/PM9A3/980PRO
15b7:5011 010802 WD PC SN810 / Black SN850 NVMe SSD
8086:1563 020000 Ethernet Controller X550
8086:1565 020000 X550 Virtual Function
8086:15bc 020000 Ethernet Connection (7) I219-V
8086:15f3 020000 Ethernet Controller I225-V
8086:1901 060400 6th-10th Gen Core Processor PCIe Controller (x16)
8086:2723 028000 Wi-Fi 6 AX200
8086:3e30 060000 8th/9th Gen Core 8-core Desktop Processor Host Bridge/DRAM Registers [Coffee Lake S]
8086:9a03 118000 TigerLake-LP Dynamic Tuning Processor Participant
8086:9a09 060400 11th Gen Core Processor PCIe Controller
8086:9a13 0c0330 Tiger Lake-LP Thunderbolt 4 USB Controller
8086:9a14 060000 11th Gen Core Processor Host Bridge/DRAM Registers
8086:9a1b 0c0340 Tiger Lake-LP Thunderbolt 4 NHI #0
8086:9a23 060400 Tiger Lake-LP Thunderbolt 4 PCI Express Root Port #0
8086:9a49 030000 TigerLake-LP GT2 [Iris Xe Graphics]
8086:a082 060100 Tiger Lake-LP LPC Controller
8086:a0a3 0c0500 Tiger Lake-LP SMBus Controller
8086:a0a4 0c8000 Tiger Lake-LP SPI Controller
8086:a0b0 060400 Tiger Lake-LP PCI Express Root Port #9
8086:a0c8 040380 Tiger Lake-LP Smart Sound Technology Audio Controller
8086:a0e0 078000 Tiger Lake-LP Management Engine Interface
8086:a0e8 0c8000 Tiger Lake-LP Serial IO I2C Controller #0
8086:a0ed 0c0330 Tiger Lake-LP USB 3.2 Gen 2x1 xHCI Host Controller
8086:a0ef 050000 Tiger Lake-LP Shared SRAM
8086:a0f0 028000 Wi-Fi 6 AX201
8086:a305 060100 Z390 Chipset LPC/eSPI Controller
8086:a323 0c0500 Cannon Lake PCH SMBus Controller
8086:a324 0c8000 Cannon Lake PCH SPI Controller
8086:a348 040300 Cannon Lake PCH cAVS
8086:a352 010601 Cannon Lake PCH SATA AHCI Controller
8086:a360 078000 Cannon Lake PCH HECI Controller
8086:a36d 0c0330 Cannon Lake PCH USB 3.1 xHCI Host Controller
8086:a36f 050000 Cannon Lake PCH Shared SRAM
"""  # noqa: E501  # names from pci.ids

# address without domain, IOMMU group, driver, vendor:device; a dash for none
RYZEN = """
00:00.0 -  -             1022:1480
00:00.2 -  -             1022:1481
00:01.0 0  -             1022:1482
00:01.1 1  pcieport      1022:1483
00:01.2 2  pcieport      1022:1483
00:02.0 3  -             1022:1482
00:03.0 4  -             1022:1482
00:03.1 5  pcieport      1022:1483
00:04.0 6  -             1022:1482
00:05.0 7  -             1022:1482
00:07.0 8  -             1022:1482
00:07.1 9  pcieport      1022:1484
00:08.0 10 -             1022:1482
00:08.1 11 pcieport      1022:1484
00:14.0 12 piix4_smbus   1022:790b
00:14.3 12 -             1022:790e
00:18.0 13 -             1022:1440
00:18.1 13 -             1022:1441
00:18.2 13 -             1022:1442
00:18.3 13 k10temp       1022:1443
00:18.4 13 -             1022:1444
00:18.5 13 -             1022:1445
00:18.6 13 -             1022:1446
00:18.7 13 -             1022:1447
01:00.0 14 nvidia        10de:2684
01:00.1 14 snd_hda_intel 10de:22ba
02:00.0 15 nvme          144d:a80a
03:00.0 16 pcieport      1022:57ad
04:00.0 17 pcieport      1022:57a3
04:01.0 18 pcieport      1022:57a3
04:02.0 19 pcieport      1022:57a3
04:06.0 20 pcieport      1022:57a3
04:08.0 21 pcieport      1022:57a4
04:09.0 22 pcieport      1022:57a4
05:00.0 23 nvme          15b7:5011
06:00.0 24 iwlwifi       8086:2723
07:00.0 25 igc           8086:15f3
0a:00.0 26 nvidia        10de:2504
0a:00.1 26 snd_hda_intel 10de:228e
0b:00.0 21 -             1022:1485
0b:00.1 21 xhci_hcd      1022:149c
0b:00.3 21 xhci_hcd      1022:149c
0c:00.0 22 ahci          1022:7901
0e:00.0 27 -             1022:148a
0f:00.0 28 -             1022:1485
0f:00.1 29 ccp           1022:1486
0f:00.3 30 xhci_hcd      1022:149c
0f:00.4 31 snd_hda_intel 1022:1487
"""
"""A desktop with one slot on the CPU and one on the chipset, well isolated."""

PLX = """
00:00.0 0  skl_uncore    8086:3e30
00:01.0 1  pcieport      8086:1901
00:14.0 2  xhci_hcd      8086:a36d
00:14.2 2  -             8086:a36f
00:16.0 3  mei_me        8086:a360
00:17.0 4  ahci          8086:a352
00:1f.0 5  -             8086:a305
00:1f.3 5  snd_hda_intel 8086:a348
00:1f.4 5  i801_smbus    8086:a323
00:1f.5 5  -             8086:a324
00:1f.6 5  e1000e        8086:15bc
01:00.0 1  pcieport      10b5:8747
02:08.0 1  pcieport      10b5:8747
02:09.0 1  pcieport      10b5:8747
02:10.0 1  pcieport      10b5:8747
02:11.0 1  pcieport      10b5:8747
03:00.0 1  nvidia        10de:2504
03:00.1 1  snd_hda_intel 10de:228e
04:00.0 1  nvidia        10de:2684
04:00.1 1  snd_hda_intel 10de:22ba
05:00.0 1  nvme          144d:a808
06:00.0 1  ixgbe         8086:1563
"""
"""A board with all slots behind one switch, under a root port without ACS."""

NOTEBOOK = """
00:00.0 1  igen6_edac    8086:9a14
00:02.0 0  i915          8086:9a49
00:04.0 2  proc_thermal  8086:9a03
00:06.0 3  pcieport      8086:9a09
00:07.0 4  pcieport      8086:9a23
00:0d.0 5  xhci_hcd      8086:9a13
00:0d.2 5  thunderbolt   8086:9a1b
00:14.0 6  xhci_hcd      8086:a0ed
00:14.2 6  -             8086:a0ef
00:14.3 7  iwlwifi       8086:a0f0
00:15.0 8  intel-lpss    8086:a0e8
00:16.0 9  mei_me        8086:a0e0
00:1d.0 10 pcieport      8086:a0b0
00:1f.0 11 -             8086:a082
00:1f.3 11 sof-audio-pci-intel-tgl 8086:a0c8
00:1f.4 11 i801_smbus    8086:a0a3
00:1f.5 11 intel-spi     8086:a0a4
01:00.0 12 nvidia        10de:2520
01:00.1 12 snd_hda_intel 10de:228e
02:00.0 13 nvme          144d:a80a
"""


def server() -> str:
    """The table of a server: 8 GPUs at 01:00 to 08:00, 256 functions in 96 groups."""
    rows = [f"00:{slot:02x}.0 {slot - 1} pcieport 1022:1483" for slot in range(1, 9)]
    for bus in range(1, 9):
        rows += [f"{bus:02x}:00.0 {bus - 1} nvidia 10de:2230"]
        rows += [f"{bus:02x}:00.1 {bus - 1} snd_hda_intel 10de:1aef"]
    for disk in range(24):
        rows += [f"20:{disk:02x}.0 {8 + disk} pcieport 1022:1483"]
        rows += [f"{0x21 + disk:02x}:00.0 {8 + disk} nvme 144d:a80a"]
    for node in range(8):
        rows += [f"40:{node:02x}.{f} {32 + node} - 1022:144{f}" for f in range(8)]
    for port in range(24):
        nic = "ixgbe 8086:1563" if port < 2 else "ixgbevf 8086:1565"
        rows += [f"50:{port // 8:02x}.{port % 8} {40 + port} {nic}"]
    for hub in range(32):
        rows += [f"60:{hub:02x}.0 {64 + hub} pcieport 1022:1484"]
        rows += [f"{0x61 + hub:02x}:00.0 {64 + hub} - 1022:1485"]
        rows += [f"{0x61 + hub:02x}:00.3 {64 + hub} xhci_hcd 1022:149c"]
    return "\n".join(rows)


class _ClassFacts(Struct, frozen=True):
    """What the functions of a PCI class have in common."""

    resets: tuple[str, ...] | None = None
    link: Link | None = None
    bars: tuple[Bar, ...] = ()


_BY_CLASS = {
    "0106": _ClassFacts(("pm",), Link(16.0, 16), (Bar(5, 2 * KIB),)),
    "0108": _ClassFacts(("flr", "bus"), Link(16.0, 4), (Bar(0, 16 * KIB),)),
    "0200": _ClassFacts(("flr", "pm"), Link(5.0, 1), (Bar(0, MIB), Bar(3, 16 * KIB))),
    "0280": _ClassFacts(("flr", "bus"), Link(5.0, 1), (Bar(0, 16 * KIB),)),
    "0403": _ClassFacts(("bus",), Link(16.0, 16), (Bar(0, 16 * KIB),)),
    "0604": _ClassFacts(("pm",), Link(16.0, 16)),
    "0c03": _ClassFacts(("pm",), Link(16.0, 16), (Bar(0, MIB),)),
}

_MEMORY_BARS = {
    "10de:2230": 64 * GIB, "10de:2484": 256 * MIB, "10de:2504": 256 * MIB,
    "10de:2520": 8 * GIB, "10de:2684": 32 * GIB,
}  # fmt: skip
"""Size of a card's BAR 1: all of its memory if Resizable BAR is on."""

_LARGEST = {
    "10de:2230": 64 * GIB, "10de:2484": 8 * GIB, "10de:2504": 16 * GIB, "10de:2520": 8 * GIB,
    "10de:2684": 32 * GIB,
}  # fmt: skip
"""The largest size that the BAR can have."""

_RESIZABLE = tuple(64 * MIB << n for n in range(12))
"""Sizes that BAR 1 of a card with Resizable BAR can have: up to 128 GiB."""

_SLOWER_LINKS = {
    "10b5:8747": Link(8.0, 16), "144d:a808": Link(8.0, 4), "8086:1563": Link(8.0, 4),
    "8086:1901": Link(8.0, 16),
}  # fmt: skip

_VIRTUAL_FUNCTIONS = {"8086:1563": 63}

_INTEGRATED = _ClassFacts(
    ("flr", "pm"), None,
    (Bar(0, 16 * MIB), Bar(2, 256 * MIB, prefetchable=True), Bar(4, 64, io=True)),
)  # fmt: skip


def functions(
    table: str,
    *,
    boot_vga: str,
    drivers: Mapping[str, str | None] | None = None,
    models: Mapping[str, str] | None = None,
) -> tuple[PciFunction, ...]:
    """The functions of a table, ordered by address.

    ``drivers`` and ``models`` (vendor:device) override the table by full address; the
    domain is 0000.
    """
    catalogue = {ids: (code, name) for ids, code, name in _rows(_CATALOGUE, 3)}
    made = []
    for short, group, driver, table_ids in _rows(table, 4):
        address = f"0000:{short}"
        ids = (models or {}).get(address, table_ids)
        code, name = catalogue[ids]
        vendor, device = ids.split(":")
        facts = _class_facts(ids, code)
        on_root_bus = address.startswith("0000:00:") and code[:4] != "0604"
        made.append(
            PciFunction(
                address, vendor, device, code, name, VENDORS[vendor],
                driver=(drivers or {}).get(address, None if driver == "-" else driver),
                iommu_group=None if group == "-" else int(group),
                boot_vga=address == boot_vga if code.startswith("0300") else None,
                reset_methods=_resets(facts.resets, alone=not on_root_bus and address[-1] == "0"),
                link_max=None if on_root_bus else _SLOWER_LINKS.get(ids, facts.link),
                bars=facts.bars,
                sriov_total_vfs=_VIRTUAL_FUNCTIONS.get(ids),
                resizable=_resizable(ids),
            )
        )  # fmt: skip
    return tuple(sorted(made, key=lambda function: function.address))


def _resizable(ids: str) -> tuple[BarSizes, ...] | None:
    """The sizes that a card's BAR 1 can have: none is larger than its memory needs."""
    if ids not in _MEMORY_BARS:
        return None
    return (BarSizes(1, tuple(size for size in _RESIZABLE if size <= _LARGEST[ids])),)


def _rows(table: str, columns: int) -> list[list[str]]:
    return [row.split(maxsplit=columns - 1) for row in table.strip().splitlines()]


def _resets(methods: tuple[str, ...] | None, *, alone: bool) -> tuple[str, ...] | None:
    """The reset methods of a function. Only one that is ``alone`` on its bus when the kernel finds
    it has a bus reset, and none on the root bus has (drivers/pci/pci.c, pci_parent_bus_reset)."""
    return tuple(m for m in methods or () if alone or m != "bus") or None


def _class_facts(ids: str, code: str) -> _ClassFacts:
    if code[:4] != "0300":
        return _BY_CLASS.get(code[:4], _ClassFacts())
    if ids not in _MEMORY_BARS:
        return _INTEGRATED
    bars = (
        Bar(0, 16 * MIB),
        Bar(1, _MEMORY_BARS[ids], prefetchable=True),
        Bar(3, 32 * MIB, prefetchable=True),
        Bar(5, 128, io=True),
    )
    return _ClassFacts(("flr", "bus"), Link(16.0, 16), bars)
