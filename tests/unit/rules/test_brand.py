"""The brand of an NVIDIA card: from its name, or from its id if the name tells none."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts_layout import lay_out
from tests.unit.captured import Command
from tests.unit.made import card, domain, guests, inventory, snapshot
from tests.unit.rules.test_family import PCI_IDS, nvidia_entries
from tui.model import Gpu
from tui.rules import r465
from tui.rules.brand import brand_by_id, brand_by_name
from tui.rules.family import nvidia_model
from tui.rules.view import assess

LIST = Path(__file__).parents[2] / "data/nvidia-brands.txt"
FIRST_MAXWELL = 0x1340

NO_CARD = {"2e12"}
"""From NVIDIA's list: GB10, a system on a chip, whose id tells nothing."""

AGAINST_THE_BLOCKS = {
    "137d": "geforce", "24bf": "geforce",
    "1389": "pro", "1613": "pro", "1789": "pro",
}  # fmt: skip
"""Entries of pci.ids whose names contradict ``id & 0x30``, without mining and server cards."""


def brands() -> dict[str, str]:
    found: dict[str, str] = {}
    brand = ""
    for line in LIST.read_text().splitlines():
        if line.startswith("["):
            brand = line.strip("[]")
        elif not line.startswith("#"):
            found |= dict.fromkeys(line.split(), brand)
    return found


def said(name: str) -> str | None:
    """The brand in a name of pci.ids, by an independent word list; None if there is none."""
    if re.search(r"TITAN", name, re.I):
        return "titan"
    if re.search(r"GeForce", name, re.I):
        return "geforce"
    if re.search(r"\[(CMP|P10\d)", name):
        return "mining"
    words = r"Quadro|Tesla|GRID|RTX (A\d|PRO)|Ada Generation|\[(A|L|H|B|T|GH200 |HGX )\d"
    return "pro" if re.search(words, name) else None


def test_the_id_agrees_with_every_card_of_nvidias_list() -> None:
    told = Counter((brand, brand_by_id(device)) for device, brand in brands().items())
    assert told == {
        ("geforce", "geforce"): 153, ("titan", "titan"): 1, ("pro", "pro"): 129,
        ("mining", "mining"): 5, ("pro", "unknown"): len(NO_CARD),
    }  # fmt: skip
    assert {d for d, brand in brands().items() if brand_by_id(d) != brand} == NO_CARD


@pytest.mark.skipif(not any(path.exists() for path in PCI_IDS), reason="no pci.ids here")
def test_the_id_agrees_with_the_names_of_pci_ids_where_both_tell() -> None:
    seen: Counter[str] = Counter()
    wrong = []
    for device, name in _named_gpus():
        by_name, by_id = said(name), brand_by_id(device)
        if by_name is None or by_id == "unknown":
            continue
        seen[by_name] += 1
        if by_name != by_id:
            wrong.append((device, name, by_id))
        if device not in AGAINST_THE_BLOCKS and by_name == "geforce":
            assert int(device, 16) & 0x30 != 0x30, name
    assert not wrong
    assert seen["geforce"] > 200
    assert seen["pro"] > 120


@pytest.mark.parametrize(("device", "brand"), AGAINST_THE_BLOCKS.items())
def test_what_breaks_the_rule_is_known_by_its_id(device: str, brand: str) -> None:
    assert brand_by_id(device) == brand


@pytest.mark.parametrize(
    "device",
    [
        "0fda", "1023", "11ff",  # Kepler has no blocks
        "0de0", "0611",
        "13bf", "1fbf", "24be", "1dbe",  # samples
        "1d82", "20c0",  # a server's chip without a professional id
        "2b00", "2e12", "2f95",  # systems on a chip
        "22d0", "3333", "3fff", "ffff", "zzzz", "",
    ],
)  # fmt: skip
def test_where_the_id_tells_nothing_it_says_so(device: str) -> None:
    assert brand_by_id(device) == "unknown"


@pytest.mark.parametrize("device", ["2b85", "2c02", "2c58", "2d04", "2dd8", "2f04", "2d98"])
@pytest.mark.parametrize("name", ["10de:{}", "GB202", "GB205M", "Device {}"])
def test_a_geforce_that_pci_ids_does_not_name(device: str, name: str) -> None:
    model = nvidia_model(device, name.format(device))
    assert (model.family, model.brand, model.brand_by_id) == ("Blackwell", "geforce", True)


def test_a_professional_chip_with_a_consumers_id_is_neither() -> None:
    assert brand_by_id("1fae", "TU117GL") == "unknown"
    assert brand_by_id("1fae", "TU117") == "geforce"


@pytest.mark.parametrize(
    ("name", "brand"),
    [
        ("GK107-ES-A1", "unknown"), ("GK208-CS1-C", "unknown"), ("N22W-ES-A1", "unknown"),
        ("GB202", "unknown"), ("GB205", "unknown"), ("GB100", "unknown"), ("GB10", "unknown"),
        ("A10M", "pro"), ("A100 SXM4 / A100X", "pro"), ("TS4 / B100", "pro"), ("L40S", "pro"),
        ("HGX B200 168GB", "pro"), ("GH200 120GB / 480GB", "pro"), ("GB300 MaxQ", "pro"),
        ("T400 4GB", "pro"), ("T4G", "pro"), ("RTX TITAN Ada", "titan"), ("P106M", "mining"),
    ],
)  # fmt: skip
def test_a_products_letter_starts_a_word(name: str, brand: str) -> None:
    assert brand_by_name(name) == brand


def gpus_of(*devices: str) -> tuple[Gpu, ...]:
    slots = range(1, len(devices) + 1)
    cards = [
        card(f"0{n}:00", n, "vfio-pci", device=device, name=f"10de:{device}")
        for n, device in zip(slots, devices, strict=True)
    ]
    return assess(snapshot(inventory(*(f for functions in cards for f in functions)))).gpus


@pytest.mark.parametrize(
    ("coming", "verdict"),
    [
        ("2b85", "fail"),  # GeForce by its id
        ("2bb1", "pass"),  # professional by its id
        ("0fda", "unknown"),  # neither
        ("1f0b", "unknown"),  # a mining card
    ],
)
def test_the_rule_of_one_guest_is_never_skipped_for_want_of_a_name(
    coming: str, verdict: str
) -> None:
    gpus = gpus_of("2783", coming)
    gpu = next(each for each in gpus if each.function.device == coming)
    running = guests(domain("win11", "01:00.0", state="running"))
    check = r465.one_vm_for(gpu, gpus, running)
    assert check.verdict == verdict


def test_a_mining_card_in_use_leaves_the_rule_open() -> None:
    gpus = gpus_of("2783", "1f0b")
    running = (
        domain("a", "01:00.0", state="running"), domain("b", "02:00.0", state="running"),
    )  # fmt: skip
    check = r465.one_vm(gpus, guests(*running))
    assert (check.verdict, "“b”" in check.why) == ("unknown", True)


@given(st.text(max_size=6), st.text(max_size=40))
def test_any_text_has_a_brand(device: str, name: str) -> None:
    assert brand_by_id(device, name) in ("geforce", "titan", "pro", "mining", "unknown")


# --- a case from the field ----------------------------------------------------


def host(device: str) -> dict[str, Any]:
    """An Intel host with a GeForce GTX 1070 of its own and a card for a guest."""

    def function(addr: str, code: str, device: str, driver: str | None) -> dict[str, Any]:
        return {"addr": addr, "class": code, "vendor": "10de", "device": device, "driver": driver}

    return {
        "boot_vga": "0000:08:00.0",
        "groups": {
            "15": [function("0000:08:00.0", "0300", "1b81", "nvidia")],
            "17": [
                function("0000:0a:00.0", "0300", device, "nvidia"),
                function("0000:0a:00.1", "0403", "228b", "snd_hda_intel"),
            ],
        },
    }


@pytest.mark.parametrize(
    ("device", "brand", "verdict"),
    [("2783", "geforce", "pass"), ("28b9", "pro", "pass"), ("0fda", "unknown", "unknown")],
)
@pytest.mark.parametrize("command", ["doctor", "status"])
def test_a_captured_host_whose_pci_ids_is_older_than_its_card(
    vfiotop: Command, tmp_path: Path, command: str, device: str, brand: str, verdict: str
) -> None:
    lay_out(host(device), tmp_path)
    ids = tmp_path / "usr/share/misc/pci.ids"
    ids.parent.mkdir(parents=True)
    ids.write_text("10de  NVIDIA Corporation\n\t1b81  GP104 [GeForce GTX 1070]\n")
    told = vfiotop(command, "--root", tmp_path)
    (check,) = [c for c in told["checks"] if c["id"] == "r465.family"]
    assert (check["subject"], check["verdict"]) == ("0000:0a:00.0", verdict)
    if brand == "unknown":
        assert "a newer list of PCI names" in check["fix"]
    else:
        assert "brand from the PCI id" in check["why"]
    if command == "status":
        gpu = next(gpu for gpu in told["gpus"] if gpu["address"] == "0000:0a:00.0")
        assert (gpu["name"], gpu["nvidia"]["brand"]) == (f"10de:{device}", brand)


def _named_gpus() -> list[tuple[str, str]]:
    return [(d, name) for d, name in nvidia_entries() if int(d, 16) >= FIRST_MAXWELL]
