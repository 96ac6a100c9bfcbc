"""What is laid out is what is read back, for every host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts_layout import bind, driver_of, hosts, lay_out
from tests.thorough import every_third
from tui.host.facts import FactsSource
from tui.host.pci.source import PciSource
from tui.host.tree import PlainTree
from tui.model import HostFacts

HOSTS = hosts()


@pytest.mark.parametrize("name", every_third(HOSTS))
def test_a_host_is_read_back(name: str, tmp_path: Path) -> None:
    host = HOSTS[name]
    found = PciSource(PlainTree(lay_out(host, tmp_path))).read()
    laid_out = {
        function["addr"]: (
            function["vendor"], function["device"] or "ffff", function["class"] + "00",
            function.get("subsystem"), driver_of(function), group,
        )
        for group, functions in [
            *((int(group), functions) for group, functions in host["groups"].items()),
            (None, host.get("ungrouped", [])),
        ]
        for function in functions
    }  # fmt: skip
    assert laid_out
    assert {
        f.address: (f.vendor, f.device, f.class_code, f.subsystem, f.driver, f.iommu_group)
        for f in found.functions
    } == laid_out
    assert [f.address for f in found.functions] == sorted(laid_out)
    assert found.groups == tuple(sorted(int(group) for group in host["groups"]))
    assert not any(f.unreadable for f in found.functions)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("21-z390-rtx2070-uhd630", "intel"),
        ("19-x570-1080ti-gt710", "amd"),
        ("23-epyc-6x-v100", None),
        ("43-thinkpad-p52-nogroups", None),
    ],
)
def test_the_iommu_is_that_of_the_host_bridge(name: str, kind: str | None, tmp_path: Path) -> None:
    assert PciSource(PlainTree(lay_out(HOSTS[name], tmp_path))).read().iommu_kind == kind


def test_a_driver_is_bound_and_unbound(tmp_path: Path) -> None:
    sys = lay_out(HOSTS["39-x58-gtx1060"], tmp_path) / "sys"
    device = (sys / "bus/pci/devices/0000:02:00.0").resolve()
    source = PciSource(PlainTree(tmp_path))
    for driver in ("vfio-pci", None, "nouveau"):
        bind(sys, device, driver)
        assert [gpu.driver for gpu in source.read().gpus] == [driver]
    assert not (sys / "bus/pci/drivers/vfio-pci" / device.name).exists()


def test_a_captured_host_has_a_name(tmp_path: Path) -> None:
    lay_out(HOSTS["39-x58-gtx1060"], tmp_path)
    assert FactsSource(PlainTree(tmp_path)).read() == HostFacts("captured", "6.12.0", captured=True)
