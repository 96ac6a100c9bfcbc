"""Names of PCI functions in pci.ids, in two words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.model import PciFunction
from widgets.device_names import device_name, kind_of, part_name

NAMES = [
    ("010802", "NVMe SSD Controller PM9A1/PM9A3/980PRO", "NVMe PM9A1"),
    ("010802", "NVMe SSD Controller SM981/PM981/PM983", "NVMe SM981"),
    ("010802", "WD PC SN810 / Black SN850 NVMe SSD", "NVMe SN810"),
    ("010802", "WD Blue SN570 NVMe SSD 2TB", "NVMe SN570"),
    ("010802", "PS5013 E13 NVMe Controller", "NVMe PS5013"),
    ("010802", "PC NVMe SSD", "NVMe"),
    ("010802", "144d:a80c", "NVMe 144d:a80c"),
    ("010601", "FCH SATA Controller [AHCI mode]", "SATA AHCI"),
    ("010601", "7 Series Chipset Family 6-port SATA Controller [AHCI mode]", "SATA AHCI"),
    ("010601", "Cannon Lake PCH SATA AHCI Controller", "SATA AHCI"),
    ("010601", "ASM1062 Serial ATA Controller", "SATA ASM1062"),
    ("010601", "400 Series Chipset SATA Controller", "SATA"),
    ("010700", "SAS3008 PCI-Express Fusion-MPT SAS-3", "SAS SAS3008"),
    ("010400", "MegaRAID SAS-3 3108 [Invader]", "RAID 3108"),
    ("020000", "Ethernet Controller I225-V", "Ethernet I225-V"),
    ("020000", "Ethernet Connection (7) I219-V", "Ethernet I219-V"),
    ("020000", "RTL8111/8168/8411 PCI Express Gigabit Ethernet Controller", "Ethernet RTL8111"),
    ("020000", "82579LM Gigabit Network Connection (Lewisville)", "Ethernet 82579LM"),
    ("020000", "82599ES 10-Gigabit SFI/SFP+ Network Connection", "Ethernet 82599ES"),
    ("020000", "Ethernet Controller 10-Gigabit X540-AT2", "Ethernet X540-AT2"),
    ("020000", "X550 Virtual Function", "Ethernet X550 VF"),
    ("020000", "MT27710 Family [ConnectX-4 Lx]", "Ethernet ConnectX-4"),
    ("028000", "Wi-Fi 6 AX200", "Wi-Fi 6 AX200"),
    ("028000", "Wi-Fi 6E(802.11ax) AX210/AX1675* 2x2 [Typhoon Peak]", "Wi-Fi 6E AX210"),
    ("028000", "MT7921 802.11ax PCI Express Wireless Network Adapter", "Wi-Fi MT7921"),
    ("028000", "Centrino Advanced-N 6205 [Taylor Peak]", "Wi-Fi 6205"),
    ("028000", "Cannon Lake PCH CNVi WiFi", "Wi-Fi"),
    ("0c0330", "Matisse USB 3.0 Host Controller", "USB 3.0"),
    ("0c0330", "Tiger Lake-LP USB 3.2 Gen 2x1 xHCI Host Controller", "USB 3.2"),
    ("0c0330", "uPD720201 USB 3.0 Host Controller", "USB 3.0 uPD720201"),
    ("0c0330", "8 Series/C220 Series Chipset Family USB xHCI", "USB 3"),
    ("0c0320", "7 Series/C216 Chipset Family USB Enhanced Host Controller #1", "USB 2"),
    ("0c0340", "Tiger Lake-LP Thunderbolt 4 NHI #0", "Thunderbolt 4"),
    ("040300", "AD102 High Definition Audio Controller", "Audio AD102"),
    ("040300", "Starship/Matisse HD Audio Controller", "Audio"),
    ("030000", "AD102 [GeForce RTX 4090]", "RTX 4090"),
    ("060400", "Matisse PCIe GPP Bridge", "Bridge"),
    ("050000", "Cannon Lake PCH Shared SRAM", "SRAM"),
    ("0c8000", "TU106 USB Type-C UCSI Controller", "UCSI TU106"),
    ("088000", "Coral Edge TPU", "Coral Edge TPU"),
    ("ff0000", "RTS525A PCI Express Card Reader", "Device RTS525A"),
]


def function(class_code: str, name: str) -> PciFunction:
    return PciFunction("0000:02:00.0", "8086", "1234", class_code, name)


@pytest.mark.parametrize(("class_code", "name", "short"), NAMES)
def test_names(class_code: str, name: str, short: str) -> None:
    assert device_name(function(class_code, name)) == short


def test_a_part_is_named_within_a_sentence() -> None:
    parts = ("040300", "0c0330", "020000", "060400")
    assert [part_name(function(code, "x")) for code in parts] == [
        "audio", "USB 3", "Ethernet", "bridge",
    ]  # fmt: skip


@given(st.text("0123456789abcdef", min_size=6, max_size=6), st.text(max_size=40))
def test_a_name_is_never_empty(class_code: str, name: str) -> None:
    assert device_name(function(class_code, name)).strip()
    assert kind_of(function(class_code, name)).strip()
