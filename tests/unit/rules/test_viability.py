"""What moves with a GPU, and what blocks its group."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.made import AUDIO, BRIDGE, HOST_BRIDGE, SATA, USB, VGA, card, function, inventory
from tui.model import Inventory, PciFunction, is_vfio_driver
from tui.rules.viability import blocks, companions, viability


def gpu_of(host: Inventory) -> PciFunction:
    return host.gpus[0]


def test_all_functions_of_the_slot_in_the_group_move() -> None:
    host = inventory(
        *card("01:00", 1),
        function("01:00.2", USB, driver="xhci_hcd", iommu_group=1),
        function("01:00.3", "0c8000", driver="nvidia-gpu", iommu_group=1),
    )
    found = viability(gpu_of(host), host)
    assert found.viable is True
    assert found.moves == tuple(f"0000:01:00.{n}" for n in range(4))
    assert (found.blockers, found.reason) == ((), None)


def test_a_function_of_the_slot_in_another_group_stays() -> None:
    host = inventory(
        function("08:00.0", iommu_group=18, driver="amdgpu"),
        function("08:00.1", AUDIO, iommu_group=19, driver="snd_hda_intel"),
    )
    assert companions(gpu_of(host), host) == ()
    assert viability(gpu_of(host), host).moves == ("0000:08:00.0",)


def test_a_longer_slot_number_is_another_slot() -> None:
    host = inventory(function("01:00.0"), PciFunction("0000:01:00f.1", "10de", "1", AUDIO, "x"))
    assert companions(gpu_of(host), host) == ()


@pytest.mark.parametrize(
    ("class_code", "driver", "expected"),
    [
        (SATA, "ahci", True),
        (HOST_BRIDGE, "skl_uncore", True),
        (BRIDGE, "pcieport", False),
        (BRIDGE, "shpchp", False),
        (BRIDGE, None, False),
        (SATA, None, False),
        (SATA, "vfio-pci", False),
        (SATA, "mlx5_vfio_pci", False),
        (SATA, "nvgrace-gpu-vfio-pci", False),
        (SATA, "pci-stub", False),
        (HOST_BRIDGE, "pcieport", False),
    ],
)
def test_what_blocks(class_code: str, driver: str | None, expected: bool) -> None:
    other = function("03:00.0", class_code, driver=driver, iommu_group=1)
    assert blocks(other) is expected
    host = inventory(*card("01:00", 1), other)
    assert viability(gpu_of(host), host).viable is not expected


def test_blockers_say_what_they_are() -> None:
    host = inventory(
        *card("01:00", 1),
        *card("02:00", 1, "nouveau"),
        function("03:00.0", SATA, driver="ahci", iommu_group=1),
    )
    found = viability(gpu_of(host), host)
    assert found.viable is False
    assert [(b.address, b.reason) for b in found.blockers] == [
        ("0000:02:00.0", "another GPU (nouveau)"),
        ("0000:02:00.1", "part of another GPU (snd_hda_intel)"),
        ("0000:03:00.0", "used by the host (ahci)"),
    ]
    assert found.reason == "3 devices in the group stay with the host"


def test_without_any_group_the_iommu_is_off() -> None:
    host = inventory(*card("01:00", None), groups=(), iommu_kind=None)
    found = viability(gpu_of(host), host)
    assert found.viable is False
    assert found.moves == ("0000:01:00.0", "0000:01:00.1")
    assert found.reason is not None
    assert "no IOMMU group: the IOMMU is off" in found.reason


def test_without_its_own_group_the_device_is_not_isolated() -> None:
    host = inventory(*card("01:00", None), function("03:00.0", SATA, iommu_group=7))
    found = viability(gpu_of(host), host)
    assert (found.viable, found.reason) == (
        False, "no IOMMU group: the IOMMU does not isolate this device",
    )  # fmt: skip


def test_a_capture_without_groups_does_not_tell_that_the_iommu_is_off() -> None:
    host = inventory(*card("01:00", None), groups=(), groups_known=False)
    found = viability(gpu_of(host), host)
    assert (found.viable, found.reason, found.fix) == (
        None, "the capture has no IOMMU groups", "capture /sys/kernel/iommu_groups as well",
    )  # fmt: skip
    linked = inventory(*card("01:00", 1), groups_known=False)
    assert viability(gpu_of(linked), linked).viable is True


def test_a_noiommu_group_is_refused() -> None:
    host = inventory(*card("01:00", 0, "vfio-pci"), noiommu_groups=(0,))
    found = viability(gpu_of(host), host)
    assert found.viable is False
    assert found.reason is not None
    assert "noiommu" in found.reason


def test_a_noiommu_group_of_another_device_does_not_mean_that_the_iommu_is_on() -> None:
    other = function("03:00.0", SATA, driver="vfio-pci", iommu_group=0)
    host = inventory(*card("01:00", None), other, noiommu_groups=(0,))
    assert viability(gpu_of(host), host).reason == "no IOMMU group: the IOMMU is off"


def test_an_unreadable_driver_is_unknown_unless_something_blocks_anyway() -> None:
    dark = function("03:00.0", SATA, iommu_group=1, unreadable=("driver",))
    host = inventory(*card("01:00", 1), dark)
    found = viability(gpu_of(host), host)
    assert (found.viable, found.reason) == (None, "the driver of 0000:03:00.0 cannot be read")
    blocked = inventory(*host.functions, function("04:00.0", SATA, driver="ahci", iommu_group=1))
    assert viability(gpu_of(blocked), blocked).viable is False


def test_an_unreadable_group_is_unknown() -> None:
    lost = function("01:00.0", unreadable=("iommu_group",))
    assert viability(lost, inventory(lost)).viable is None
    neighbour = function("03:00.0", SATA, driver="ahci", unreadable=("iommu_group",))
    host = inventory(*card("01:00", 1), neighbour)
    found = viability(gpu_of(host), host)
    assert (found.viable, found.reason) == (
        None, "the IOMMU group of 0000:03:00.0 cannot be read",
    )  # fmt: skip


FUNCTIONS = st.builds(
    function,
    st.builds("{:02x}:00.{}".format, st.integers(0, 3), st.integers(0, 7)),
    st.sampled_from([VGA, "030200", "038000", AUDIO, BRIDGE, SATA, HOST_BRIDGE]),
    driver=st.sampled_from([None, "nvidia", "ahci", "vfio-pci", "pci-stub", "pcieport"]),
    iommu_group=st.sampled_from([None, 0, 1, 2]),
    unreadable=st.sampled_from([(), (), (), ("driver",), ("iommu_group",)]),
)
INVENTORIES = st.lists(FUNCTIONS, max_size=12, unique_by=lambda f: f.address).flatmap(
    lambda functions: st.builds(
        lambda noiommu: inventory(*functions, noiommu_groups=noiommu),
        st.sampled_from([(), (), (2,)]),
    )
)


@given(INVENTORIES)
def test_every_function_of_a_group_moves_or_blocks_or_does_no_harm(host: Inventory) -> None:
    for gpu in host.gpus:
        found = viability(gpu, host)
        moves, blockers = set(found.moves), {b.address for b in found.blockers}
        assert gpu.address in moves
        assert not moves & blockers
        assert len(found.moves) == len(moves)
        members = [f for f in host.functions if f.iommu_group == gpu.iommu_group]
        if found.viable:
            assert found.reason is None
            assert gpu.iommu_group is not None
            assert not blockers
            assert not any("driver" in f.unreadable and not f.is_bridge for f in members)
            for f in members:
                harmless = f.driver in (None, "pci-stub", "pcieport") or is_vfio_driver(f.driver)
                assert f.address in moves or f.is_bridge or harmless
        else:
            assert found.reason
        if blockers:
            assert found.viable is False
            assert blockers <= {f.address for f in members}
