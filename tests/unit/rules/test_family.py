"""The family of an NVIDIA card from its id, and what NVIDIA supports in a guest."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.made import domain, function, inventory, snapshot
from tui.model import NvidiaModel
from tui.rules import r465
from tui.rules.family import family_fix, newer_names, nvidia_model, r465_family
from tui.rules.view import assess

DATA = Path(__file__).parents[2] / "data"
CASES = list(csv.DictReader((DATA / "families.csv").read_text().splitlines()))
CHIPS = {
    "G": "before Fermi", "GT": "before Fermi", "NV": "before Fermi", "C": "before Fermi",
    "MCP": "before Fermi", "GF": "Fermi", "GK": "Kepler", "GM": "Maxwell", "GP": "Pascal",
    "GV": "Volta", "TU": "Turing", "GA": "Ampere", "GH": "Hopper", "AD": "Ada", "GB": "Blackwell",
}  # fmt: skip
PCI_IDS = [Path("/usr/share/misc/pci.ids"), Path("/usr/share/hwdata/pci.ids")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["device"])
def test_the_name_of_2025_tells_all(case: dict[str, str]) -> None:
    named = case["name_2025"] != "-"
    model = nvidia_model(case["device"], case["name_2025"] if named else f"10de:{case['device']}")
    assert model.family == case["family"]
    assert model.brand == case["brand"]
    assert (model.form or "?") == case["form"]
    assert r465_family(model)[0] == case["r465_family"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["device"])
@pytest.mark.parametrize("names", ["of 2023", "none"])
def test_no_verdict_hangs_on_the_age_of_the_names(case: dict[str, str], names: str) -> None:
    name = case["name_2023"] if names == "of 2023" else "-"
    model = nvidia_model(case["device"], name if name != "-" else f"10de:{case['device']}")
    assert model.family == case["family"], "the family is in the id"
    verdict, why = r465_family(model)
    if model.family in ("Fermi", "Kepler") and name == "-":
        assert (model.brand, verdict) == ("unknown", "unknown")
        assert "update-pciids" in (family_fix(model) or "")
        return
    assert (model.brand, verdict) == (case["brand"], case["r465_family"])
    assert ("PCI id" in why) == model.brand_by_id
    if name not in ("-", "GN21-X11"):
        assert (model.form, model.brand_by_id) == (case["form"], False)


@pytest.mark.parametrize(
    ("device", "name", "expected"),
    [
        ("0dd8", "GF106GL [Quadro 2000]", NvidiaModel("Fermi", "pro", "desktop")),
        ("0f02", "GF108 [GeForce GT 730]", NvidiaModel("Fermi", "geforce", "desktop")),
        ("0fc9", "GK107 [GeForce GT 730]", NvidiaModel("Kepler", "geforce", "desktop")),
        ("10c3", "GT218 [GeForce 405]", NvidiaModel("before Fermi", "geforce", "desktop")),
        ("0611", "G92 [GeForce 8800 GT]", NvidiaModel("before Fermi", "geforce", "desktop")),
        ("1392", "GM107M [GeForce GTX 860M]", NvidiaModel("Maxwell", "geforce", "notebook")),
        ("1028", "GK110GL [Tesla K20m]", NvidiaModel("Kepler", "pro", "desktop")),
        ("2238", "GA102GL [A10M]", NvidiaModel("Ampere", "pro", "desktop")),
        ("13f2", "GM204GL [Tesla M60]", NvidiaModel("Maxwell", "pro", "desktop")),
        ("1c07", "GP106 [P106-100]", NvidiaModel("Pascal", "mining", "desktop")),
        (
            "24e0",
            "GA104 [Geforce RTX 3070 Laptop GPU]",
            NvidiaModel("Ampere", "geforce", "notebook"),
        ),
        ("2bb1", "GB202GL [RTX PRO 6000 Blackwell]", NvidiaModel("Blackwell", "pro", "desktop")),
        ("1ff0", "TU117GL [T1000 8GB]", NvidiaModel("Turing", "pro", "desktop")),
        ("26b5", "AD102GL [L40]", NvidiaModel("Ada", "pro", "desktop")),
        ("24df", "GA104M", NvidiaModel("Ampere", "geforce", "notebook", brand_by_id=True)),
        ("1f04", "TU106", NvidiaModel("Turing", "geforce", None, brand_by_id=True)),
        ("0fda", "GK107 [GK107-ES-A1]", NvidiaModel("Kepler", "unknown", None)),
        ("2b85", "GB202", NvidiaModel("Blackwell", "geforce", None, brand_by_id=True)),
        ("2bb9", "GB202GL [RTX 6000D]", NvidiaModel("Blackwell", "pro", None, brand_by_id=True)),
        ("2901", "10de:2901", NvidiaModel("Blackwell", "pro", None, brand_by_id=True)),
        ("2e12", "GB20B [GB10]", NvidiaModel("Blackwell", "unknown", None)),
        ("3fff", "10de:3fff", NvidiaModel(None, "unknown", None)),
        ("zzzz", "", NvidiaModel(None, "unknown", None)),
    ],
)
def test_models(device: str, name: str, expected: NvidiaModel) -> None:
    assert nvidia_model(device, name) == expected


@pytest.mark.parametrize(
    ("model", "verdict", "words"),
    [
        (NvidiaModel("Kepler", "geforce", "desktop"), "pass", "allows it"),
        (NvidiaModel("Kepler", "titan", "desktop"), "pass", "TITAN"),
        (NvidiaModel("Kepler", "geforce", "notebook"), "fail", "notebook cards from Maxwell on"),
        (NvidiaModel("Kepler", "geforce", None), "unknown", "desktop or a notebook card"),
        (NvidiaModel("Fermi", "geforce", "desktop"), "fail", "desktop cards from Kepler on"),
        (NvidiaModel("Fermi", "geforce", "notebook"), "fail", "notebook cards from Maxwell on"),
        (NvidiaModel("before Fermi", "geforce", None), "fail", "before Fermi"),
        (NvidiaModel("Fermi", "pro", "desktop"), "warn", "since R465"),
        (NvidiaModel("Kepler", "pro", "notebook"), "pass", "not restricted"),
        (NvidiaModel("Turing", "mining", "desktop"), "unknown", "mining"),
        (NvidiaModel("Blackwell", "unknown", None), "unknown", "name"),
        (NvidiaModel(None, "geforce", "desktop"), "unknown", "family"),
        (NvidiaModel(None, "pro", "desktop"), "unknown", "family"),
    ],
)
def test_what_nvidia_allows(model: NvidiaModel, verdict: str, words: str) -> None:
    found, why = r465_family(model)
    assert found == verdict
    assert words in why


NAMES = ("GK104 [GeForce GTX 680]", "GK104M [GeForce GTX 680M]", "GF100GL [Quadro 4000]")


def fix_of(device: str, name: str) -> tuple[str, str | None]:
    """The verdict on a card, and its fix."""
    card = function("02:00.0", device=device, name=name)
    gpu = assess(snapshot(inventory(card, function("01:00.0", boot_vga=True)))).gpu(card.address)
    assert gpu is not None
    found = r465.family(gpu)
    return found.verdict, found.fix


def test_a_fix_can_change_the_verdict() -> None:
    """For every device id without a name: the fix is newer names if a name would decide."""
    for number in range(0x10000):
        device = f"{number:04x}"
        model = nvidia_model(device, f"10de:{device}")
        if r465_family(model)[0] != "unknown":
            continue
        card = function("02:00.0", device=device, name=f"10de:{device}")
        fix = family_fix(model, newer_names(card))
        named = {r465_family(nvidia_model(device, name))[0] for name in NAMES}
        if model.family is None:
            assert named == {"unknown"}
            assert fix == "update vfiotop: the card is newer than this version"
        elif fix is not None:
            assert "update-pciids" in fix
            assert "unknown" not in named


@pytest.mark.parametrize(
    ("device", "name", "words"),
    [
        ("0fda", "10de:0fda", "update-pciids"),
        ("2ffe", "10de:2ffe", "update-pciids"),
        # a name that does not tell
        ("0fda", "GK107 [GK107-ES-A1]", None),
        ("12a0", "GK208", None),
        ("1e3e", "TU102GL", None),
        # what no name can tell
        ("2e12", "10de:2e12", None),
        ("2e12", "GB20B [GB10]", None),
        ("2b00", "10de:2b00", None),
        ("1c07", "10de:1c07", None),
        ("3fff", "10de:3fff", "update vfiotop"),
        ("3fff", "GX100 [GeForce RTX 9090]", "update vfiotop"),
        ("1900", "10de:1900", "update vfiotop"),
        ("3fff", "GX100", "update vfiotop"),
    ],
)
def test_what_settles_an_unknown_family(device: str, name: str, words: str | None) -> None:
    verdict, fix = fix_of(device, name)
    assert verdict == "unknown"
    assert (fix or "").startswith(words or "") if words != "update-pciids" else words in str(fix)
    assert (fix is None) is (words is None)


@pytest.mark.parametrize(
    ("device", "name", "fixed"),
    [("3fff", "10de:3fff", True), ("2ffe", "10de:2ffe", True), ("2e12", "10de:2e12", False),
     ("0fda", "GK107 [GK107-ES-A1]", False), ("1c07", "GP106 [P106-100]", False)],
)  # fmt: skip
def test_a_second_card_that_may_be_a_geforce(device: str, name: str, fixed: bool) -> None:
    """Its guest is one too many only if it is a GeForce: a missing name would tell."""
    other = function("02:00.0", device=device, name=name, driver="vfio-pci", iommu_group=2)
    pci = inventory(function("01:00.0", driver="vfio-pci", iommu_group=1), other)
    run = [domain("a", "01:00.0", state="running"), domain("b", "02:00.0", state="running")]
    (found,) = [c for c in assess(snapshot(pci, run)).checks if c.id == "r465.one-vm"]
    assert found.verdict == "unknown"
    assert ("update-pciids" in (found.fix or "")) is fixed


def test_a_card_whose_id_cannot_be_read_is_not_newer_than_vfiotop() -> None:
    card = function("02:00.0", device="ffff", name="10de:ffff", unreadable=("device",))
    gpu = assess(snapshot(inventory(card))).gpus[0]
    found = r465.family(gpu)
    assert (found.verdict, found.why, found.fix) == (
        "unknown", "the card's device id cannot be read", None,
    )  # fmt: skip


@pytest.mark.skipif(not any(path.exists() for path in PCI_IDS), reason="no pci.ids here")
def test_a_card_with_a_name_is_not_to_be_given_one() -> None:
    for device, name in nvidia_entries():
        named = function("02:00.0", device=device, name=name)
        assert newer_names(named) is None


@pytest.mark.skipif(not any(path.exists() for path in PCI_IDS), reason="no pci.ids here")
def test_ranges_agree_with_the_chips_that_pci_ids_names() -> None:
    seen, wrong = 0, []
    for device, name in nvidia_entries():
        chip = re.match(r"(MCP|NV|G[FKMPVAHBT]|TU|AD|G|C)\d", name)
        if chip is None or re.search(r"Audio|USB|Bridge|Memory|Tegra|NVSwitch|MCP", name):
            continue
        seen += 1
        if nvidia_model(device, name).family != CHIPS[chip[1]]:
            wrong.append((device, name))
    assert seen > 1000
    assert len(wrong) <= 8, wrong


def nvidia_entries() -> list[tuple[str, str]]:
    path = next(path for path in PCI_IDS if path.exists())
    entries, vendor = [], ""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("C "):
            break
        if re.match(r"[0-9a-f]{4} ", line):
            vendor = line[:4]
        elif vendor == "10de" and (match := re.match(r"\t([0-9a-f]{4})\s+(.*)", line)):
            entries.append((match[1], match[2]))
    return entries


@given(st.text(max_size=6), st.text(max_size=150))
def test_any_text_has_a_model_and_an_unknown_one_never_passes(device: str, name: str) -> None:
    model = nvidia_model(device, name)
    verdict, why = r465_family(model)
    assert why
    if model.family is None or model.brand == "unknown":
        assert verdict == "unknown"
