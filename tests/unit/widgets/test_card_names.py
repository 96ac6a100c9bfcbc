"""Names of GPUs in pci.ids, shortened for titles and for the header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.card_names import card_name, short_card_name

NAMES = [
    ("AD102 [GeForce RTX 4090]", "RTX 4090", "4090"),
    ("GA106 [GeForce RTX 3060 Lite Hash Rate]", "RTX 3060", "3060"),
    ("GA106M [GeForce RTX 3060 Mobile / Max-Q]", "RTX 3060 Mobile", "3060"),
    ("GP102 [GeForce GTX 1080 Ti]", "GTX 1080 Ti", "1080 Ti"),
    ("AD104 [GeForce RTX 4070 SUPER]", "RTX 4070 SUPER", "4070 SUPER"),
    ("GP106 [GeForce GTX 1060 6GB]", "GTX 1060 6GB", "1060"),
    ("GK208B [GeForce GT 710]", "GT 710", "710"),
    ("GA102GL [RTX A6000]", "RTX A6000", "A6000"),
    ("GK107GLM [Quadro K2000M]", "Quadro K2000M", "K2000M"),
    ("GV100GL [Tesla V100 PCIe 16GB]", "Tesla V100", "V100"),
    ("GK210GL [Tesla K80]", "Tesla K80", "K80"),
    ("Navi 21 [Radeon RX 6950 XT]", "RX 6950 XT", "6950 XT"),
    ("Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M]", "RX 7900", "7900"),
    ("Ellesmere [Radeon RX 470/480/570/570X/580/580X/590]", "RX 470…590", "470…"),
    ("Tahiti XT [Radeon HD 7970/8970 OEM / R9 280X]", "HD 7970…", "7970…"),
    ("RV710 [Radeon HD 4350/4550]", "HD 4350/4550", "4350/4550"),
    ("Vega 10 XL/XT [Radeon RX Vega 56/64]", "RX Vega 56/64", "56/64"),
    ("DG2 [Arc A770]", "Arc A770", "A770"),
    ("TigerLake-LP GT2 [Iris Xe Graphics]", "Iris Xe", "Iris Xe"),
    ("CoffeeLake-S GT2 [UHD Graphics 630]", "UHD 630", "UHD 630"),
    ("Alder Lake-P GT1 [UHD Graphics]", "UHD Graphics", "UHD Graphics"),
    ("HD Graphics 530", "HD 530", "HD 530"),
    ("GeForce RTX 3060 Laptop GPU", "RTX 3060", "3060"),
    ("Radeon RX 7900 XTX", "RX 7900 XTX", "7900 XTX"),
    ("Renoir", "Renoir", "Renoir"),
    ("10de:2684", "10de:2684", "10de:2684"),
]


@pytest.mark.parametrize(("name", "model", "number"), NAMES)
def test_names(name: str, model: str, number: str) -> None:
    assert (card_name(name), short_card_name(name)) == (model, number)


@given(st.text(max_size=40) | st.sampled_from([name for name, *_ in NAMES]).map(lambda n: n[:20]))
def test_a_name_is_never_empty(name: str) -> None:
    assert card_name(name).strip()
    assert short_card_name(name).strip()
