"""The text of sysfs attributes: what the kernel writes, and everything else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.host import sysfs
from tui.host.sysfs import Attributes
from tui.host.tree import FILE_LIMIT, PlainTree
from tui.host.untrusted import clean
from tui.model import Bar

PARSERS = (
    sysfs.pci_id, sysfs.class_code, sysfs.number, sysfs.count, sysfs.numa_node, sysfs.flag,
    sysfs.link_speed, sysfs.link_width, sysfs.words, sysfs.word, sysfs.driver_name, sysfs.bars,
)  # fmt: skip


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (sysfs.pci_id, "0x10DE", "10de"),
        (sysfs.class_code, "0x030000", "030000"),
        (sysfs.count, "0", 0),
        (sysfs.numa_node, "-1", None),
        (sysfs.numa_node, "1", 1),
        (sysfs.flag, "1", True),
        (sysfs.flag, "0", False),
        (sysfs.link_speed, "16.0 GT/s PCIe", 16.0),
        (sysfs.link_speed, "2.5 GT/s PCIe", 2.5),
        (sysfs.link_speed, "8 GT/s", 8.0),
        (sysfs.link_speed, "Unknown", None),
        (sysfs.link_speed, "Unknown speed", None),
        (sysfs.link_width, "16", 16),
        (sysfs.link_width, "0", None),
        (sysfs.link_width, "255", None),
        (sysfs.link_width, "63", None),
        (sysfs.words, "flr bus", ("flr", "bus")),
        (sysfs.words, "", ()),
        (sysfs.word, "D3cold", "D3cold"),
        (sysfs.driver_name, "vfio-pci", "vfio-pci"),
        (sysfs.driver_name, "i801_smbus", "i801_smbus"),
        (sysfs.driver_name, "ATI Radeon+", "ATI Radeon+"),
    ],
)
def test_what_the_kernel_writes(parse: Callable[[str], Any], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (sysfs.pci_id, "10de"),
        (sysfs.pci_id, "0x10de2"),
        (sysfs.class_code, "0x0300"),
        (sysfs.count, "-1"),
        (sysfs.count, "１"),
        (sysfs.count, "9" * 5000),
        (sysfs.flag, "2"),
        (sysfs.link_speed, "fast"),
        (sysfs.link_speed, "16.0 GB/s"),
        (sysfs.link_width, "x16"),
        (sysfs.words, "flr\x1b[2J bus"),
        (sysfs.word, "active\nsuspended"),
        (sysfs.driver_name, "\x1b\x07"),
        (sysfs.driver_name, "vfio-pci\u200b"),
        (sysfs.driver_name, "vfio\u202e-pci"),
        (sysfs.driver_name, " vfio-pci"),
        (sysfs.driver_name, "vfio-pci\n"),
        (sysfs.driver_name, "ｖfio-pci"),
        (sysfs.driver_name, ".."),
        (sysfs.driver_name, "x" * 65),
        (sysfs.bars, "0x0 0x0"),
        (sysfs.bars, "0x10 0x1 0x200"),
    ],
)
def test_what_it_never_writes(parse: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse(text)


@given(text=st.text(max_size=200))
def test_any_text_is_a_value_or_an_error(text: str) -> None:
    for parse in PARSERS:
        try:
            value = parse(text)
        except ValueError:
            continue
        if isinstance(value, str):
            assert value == clean(value)


hexes = st.integers(0, 2**64 - 1)
registers = st.tuples(st.integers(1, 2**40), st.integers(0, 40), st.booleans(), st.booleans())


@given(st.lists(registers, min_size=1, max_size=6))
def test_registers_keep_their_place_and_size(
    described: list[tuple[int, int, bool, bool]],
) -> None:
    lines, wanted = [], []
    for index, (start, power, io, prefetchable) in enumerate(described):
        flags = (0x100 if io else 0x200) | (0x2000 if prefetchable else 0) | 0x40000
        lines.append(f"0x{start:016x} 0x{start + (1 << power) - 1:016x} 0x{flags:016x}")
        wanted.append(Bar(index, 1 << power, io, prefetchable))
    lines += [f"0x{0:016x} 0x{0:016x} 0x{0:016x}"] * (6 - len(lines))
    rom_and_bridge_windows = ["0x00000000000c0000 0x00000000000dffff 0x0000000000000212"] * 7
    assert sysfs.bars("\n".join(lines + rom_and_bridge_windows)) == tuple(wanted)


@given(hexes, hexes, hexes)
def test_a_register_of_any_numbers(start: int, end: int, flags: int) -> None:
    try:
        found = sysfs.bars(f"0x{start:016x} 0x{end:016x} 0x{flags:016x}")
    except ValueError:
        assert end < start
    else:
        assert all(bar.size == end - start + 1 > 0 for bar in found)


# --- reading ------------------------------------------------------------------


def test_a_missing_attribute_is_none_and_readable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    at = Attributes(PlainTree(tmp_path))
    assert at.read("vendor", sysfs.pci_id) is None
    assert at.read("file/vendor", sysfs.pci_id) is None
    assert at.link("driver", sysfs.driver_name) is None
    assert at.unreadable == []


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "error").symlink_to("/proc/self/mem")  # reading its start is EIO
    (tmp_path / "long").write_text("1" * (FILE_LIMIT + 1))
    (tmp_path / "latin").write_bytes(b"\xe9\xff")
    at = Attributes(PlainTree(tmp_path))
    names = ["directory", "fifo", "zeros", "loop", "error", "long", "latin"]
    assert [at.read(name, str) for name in names] == [None] * len(names)
    assert at.unreadable == names


def test_a_link_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "driver").mkdir()
    (tmp_path / "iommu_group").symlink_to("../../../kernel/iommu_groups/none")
    at = Attributes(PlainTree(tmp_path))
    assert at.link("driver", sysfs.driver_name) is None
    assert at.link("iommu_group", sysfs.count) is None
    assert at.unreadable == ["driver", "iommu_group"]


def test_a_file_is_read_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 10)
    assert sysfs.read_file(str(file), 10) == b"x" * 10
    with pytest.raises(OSError, match="more than 9 bytes"):
        sysfs.read_file(str(file), 9)
