"""What a host has set up that bears on a card, from a tree of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tui.host.confined import Confined
from tui.host.readiness.setup import framebuffers, host_setup
from tui.model import Framebuffer, HostSetup

CARD = "0000:01:00.0"

IOMEM = """\
00000000-00000fff : Reserved
00000000-00000000 : PCI Bus 0000:00
  00000000-00000000 : PCI Bus 0000:01
    00000000-00000000 : 0000:01:00.0
      00000000-00000000 : BOOTFB
    00000000-00000000 : 0000:01:00.0
  00000000-00000000 : 0000:00:1f.3
    00000000-00000000 : ICH HD audio
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (IOMEM, (Framebuffer("BOOTFB", CARD),)),
        (IOMEM.replace("BOOTFB", "nvidia"), ()),
        (IOMEM.replace("      00000000-00000000 : BOOTFB", "    00000000-00000000 : efifb"),
         (Framebuffer("efifb"),)),
        ("e0000000-e02fffff : efifb\n", (Framebuffer("efifb"),)),
        ("", None), ("  \n", None), ("no such line\n", ()),
    ],
)  # fmt: skip
def test_where_the_firmwares_picture_is(text: str, found: Any) -> None:
    """The lines are those of an ordinary user, who gets zeros for addresses."""
    assert framebuffers(text) == found


def test_lines_below_the_fifth_level_are_not_indented_further() -> None:
    deep = [f"{'  ' * depth}0-0 : PCI Bus 0000:0{depth}" for depth in range(5)]
    lines = [*deep, f"{' ' * 10}0-0 : {CARD}", f"{' ' * 10}0-0 : simplefb"]
    assert framebuffers("\n".join(lines)) == (Framebuffer("simplefb", CARD),)


def test_a_sibling_of_a_device_is_not_inside_it() -> None:
    text = f"0-0 : PCI Bus 0000:00\n  0-0 : {CARD}\n  0-0 : BOOTFB\n"
    assert framebuffers(text) == (Framebuffer("BOOTFB"),)


def setup(root: Path, files: dict[str, str]) -> HostSetup:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return host_setup(Confined(str(root)), [CARD, "0000:0a:00.0"])


def test_sleep_and_modules(tmp_path: Path) -> None:
    found = setup(tmp_path, {
        f"sys/bus/pci/devices/{CARD}/d3cold_allowed": "0\n",
        "sys/module/vfio_pci/parameters/disable_idle_d3": "Y\n",
        "proc/modules": "vendor_reset 1 0 - Live 0x0\n", "proc/iomem": IOMEM,
    })  # fmt: skip
    assert (found.d3cold_allowed, found.no_idle_d3, found.vendor_reset) == (
        {CARD: False}, True, True,
    )  # fmt: skip
    assert found.framebuffers == (Framebuffer("BOOTFB", CARD),)


def test_what_a_capture_lacks_is_not_known(tmp_path: Path) -> None:
    found = setup(tmp_path, {"proc/version": "Linux\n"})
    assert (found.framebuffers, found.no_idle_d3, found.vendor_reset) == (None, None, None)
    assert (found.d3cold_allowed, found.managers, found.hooks.known) == ({}, (), False)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("etc/supergfxd.conf", '{"mode": "Hybrid", "vfio_enable": true}', ("supergfxd", None)),
        ("etc/supergfxd.conf", '{"mode": "Hybrid", "vfio_enable": false}', None),
        ("etc/supergfxd.conf", '{"vfio_enable": "true"}', None),
        ("etc/supergfxd.conf", "[" * 5000, None),
        ("etc/driverctl.d/pci-0000:01:00.0", "vfio-pci\n", ("driverctl", CARD)),
        ("etc/driverctl.d/pci-0000:01:00.0", "a b\n", None),
        ("etc/driverctl.d/other", "vfio-pci\n", None),
        ("usr/lib/udev/rules.d/50-remove-nvidia.rules", "", ("envycontrol", None)),
        ("usr/lib/udev/rules.d/60-other.rules", "", None),
    ],
)
def test_other_programs_that_move_cards(
    tmp_path: Path, name: str, text: str, found: tuple[str, str | None] | None
) -> None:
    seen = [(each.name, each.address) for each in setup(tmp_path, {name: text}).managers]
    assert seen == ([found] if found else [])


def test_an_odd_attribute_is_no_answer(tmp_path: Path) -> None:
    place = f"sys/bus/pci/devices/{CARD}/d3cold_allowed"
    assert setup(tmp_path, {place: "maybe\n"}).d3cold_allowed == {}
