"""Names of PCI functions, from udev's database and from pci.ids."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.host.pci.names import Names, PciIds, udev_names
from tui.host.tree import PlainTree

PCI_IDS = """\
# A comment
0e11  Compaq Computer Corporation
\t2684  Not the card
10de  NVIDIA Corporation
# comments may stand anywhere
\t2684  AD102 [GeForce RTX 4090]
\t\t1043 88e2  A maker's card
\t\t10de 2685  Not a device
\t2684  Only the first counts
\t2704  AD103 [GeForce RTX 4080]
10df  Emulex Corporation
\t2685  Not NVIDIA's
ffff  Illegal Vendor ID
C 03  Display controller
\t00  VGA compatible controller
"""


@pytest.fixture
def ids(tmp_path: Path) -> PciIds:
    (tmp_path / "pci.ids").write_text(PCI_IDS)
    return PciIds([PlainTree(tmp_path)], ["absent", "pci.ids"])


@pytest.mark.parametrize(
    ("vendor", "device", "vendor_name", "name"),
    [
        ("10de", "2684", "NVIDIA Corporation", "AD102 [GeForce RTX 4090]"),
        ("10de", "2704", "NVIDIA Corporation", "AD103 [GeForce RTX 4080]"),
        ("10de", "2685", "NVIDIA Corporation", None),
        ("0e11", "2684", "Compaq Computer Corporation", "Not the card"),
        ("ffff", "0000", "Illegal Vendor ID", None),
        ("1043", "88e2", None, None),
        ("2684", "0000", None, None),
    ],
)
def test_ids_are_found(
    ids: PciIds, vendor: str, device: str, vendor_name: str | None, name: str | None
) -> None:
    for _ in range(2):  # the second time from memory
        assert ids.names(vendor, device) == (name, vendor_name)


def test_what_was_released_is_read_again_for_new_ids_only(ids: PciIds, tmp_path: Path) -> None:
    assert ids.names("10de", "2684")[0] == "AD102 [GeForce RTX 4090]"
    (tmp_path / "pci.ids").write_text("10de  NVIDIA\n\t2684  Other\n\t2704  New\n")
    assert ids.names("10de", "2704")[0] == "AD103 [GeForce RTX 4080]"
    ids.release()
    assert ids.names("10de", "2684")[0] == "AD102 [GeForce RTX 4090]"
    assert ids.names("10de", "2783") == (None, "NVIDIA")


def test_the_first_vendor_of_a_file_counts(tmp_path: Path) -> None:
    (tmp_path / "pci.ids").write_text("10de  NVIDIA\n\t0001  One")
    assert PciIds([PlainTree(tmp_path)], ["pci.ids"]).names("10de", "0001") == ("One", "NVIDIA")


def test_names_are_safe_to_draw(tmp_path: Path) -> None:
    (tmp_path / "pci.ids").write_bytes(b"10de  NVI\x1b[2JDIA\n\t0001  \xff\xe2\x80\xaeOne\t\t!\n")
    assert PciIds([PlainTree(tmp_path)], ["pci.ids"]).names("10de", "0001") == (
        "\ufffdOne !",
        "NVI[2JDIA",
    )


def test_a_packed_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "pci.ids.gz").write_bytes(gzip.compress(PCI_IDS.encode()))
    assert (
        PciIds([PlainTree(tmp_path)], ["pci.ids.gz"]).names("10de", "2704")[0]
        == "AD103 [GeForce RTX 4080]"
    )


def test_a_broken_file_gives_way_to_the_next(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(b"not packed")
    (tmp_path / "b").mkdir()
    (tmp_path / "c").write_bytes(b"")
    (tmp_path / "d").write_text(PCI_IDS)
    places, tree = ("a.gz", "b", "c", "d"), PlainTree(tmp_path)
    assert PciIds([tree], places).names("ffff", "0000") == (None, "Illegal Vendor ID")
    assert PciIds([tree], places[:3]).names("ffff", "0000") == (None, None)


@given(text=st.binary(max_size=300), vendor=st.sampled_from(["10de", "0000"]))
def test_any_file_is_searched(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, vendor: str
) -> None:
    file = tmp_path_factory.mktemp("ids") / "pci.ids"
    file.write_bytes(b"10de  NVIDIA\n" + text)
    _, vendor_name = PciIds([PlainTree(file.parent)], [file.name]).names(vendor, "0001")
    if vendor == "10de":
        assert vendor_name == "NVIDIA"


# --- udev, and which names win ------------------------------------------------


def test_the_udev_database_names_a_function(tmp_path: Path) -> None:
    (tmp_path / "+pci:0000:01:00.0").write_text(
        "I:1234\nE:ID_MODEL_FROM_DATABASE=AD102 [GeForce\x1b RTX 4090]\n"
        "E:ID_VENDOR_FROM_DATABASE=NVIDIA Corporation\nE:ID_EMPTY=\nG:seat\nV:1\n"
    )
    assert udev_names("0000:01:00.0", PlainTree(tmp_path)) == (
        "AD102 [GeForce RTX 4090]",
        "NVIDIA Corporation",
    )


@pytest.mark.parametrize("data", [b"", b"E:ID_MODEL_FROM_DATABASE\n", b"\xff\x00\n" * 9])
def test_a_database_without_names(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "+pci:0000:01:00.0").write_bytes(data)
    assert udev_names("0000:01:00.0", PlainTree(tmp_path)) == (None, None)
    assert udev_names("0000:02:00.0", PlainTree(tmp_path)) == (None, None)


def test_a_captured_host_has_its_own_pci_ids(tmp_path: Path) -> None:
    place = tmp_path / "usr/share/misc/pci.ids"
    place.parent.mkdir(parents=True)
    place.write_text("10de  Captured\n\t2684  Its card\n")
    names = Names(PlainTree(tmp_path))
    assert names.of("0000:01:00.0", "10de", "2684") == ("Its card", "Captured")
    assert names.of("0000:01:00.1", "10de", "22ba") == ("10de:22ba", "Captured")
    assert names.of("0000:02:00.0", "1234", "1111") == ("1234:1111", None)
