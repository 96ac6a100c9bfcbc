"""Real machines, read from the kernel's layout, against what is known of each."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from tests.hosts_layout import expected, hosts, lay_out
from tui.host.confined import Confined
from tui.host.pci.source import PciSource
from tui.model import Gpu, HostView, Inventory, Readiness, Snapshot
from tui.rules import card_setup_checks, host_setup_checks
from tui.rules.family import r465_family
from tui.rules.view import assess

HOSTS, EXPECTED = hosts(), expected()
GPUS = [(host, address) for host, gpus in EXPECTED.items() for address in gpus]

UNNAMED = {"10de": {"2230": "GA102GL [RTX A6000]"}, "8086": {"a780": "Raptor Lake-S GT1"}}
"""Names of devices that the source of a host calls only "Device"."""

KNOWN_VENDORS = (
    "Advanced Micro Devices, Inc. [AMD/ATI]", "Advanced Micro Devices, Inc. [AMD]",
    "NVIDIA Corporation", "Intel Corporation",
)  # fmt: skip


def pci_ids(host: dict[str, Any]) -> str:
    """The names of the host's devices in the format of pci.ids."""
    names: dict[str, dict[str, str]] = {}
    for function in functions(host):
        vendor, device = function["vendor"], function["device"]
        if device is None:  # the host's owner did not post it
            continue
        name = function["name"]
        for known in KNOWN_VENDORS:
            name = name.removeprefix(known).strip()
        if name != "Device":
            names.setdefault(vendor, {})[device] = name
        elif device in UNNAMED.get(vendor, {}):
            names.setdefault(vendor, {})[device] = UNNAMED[vendor][device]
    lines = []
    for vendor, devices in sorted(names.items()):
        lines.append(f"{vendor}  Vendor {vendor}")
        lines += [f"\t{device}  {name}" for device, name in sorted(devices.items())]
    return "\n".join([*lines, "C 03  Display controller", ""])


def functions(host: dict[str, Any]) -> list[dict[str, Any]]:
    grouped = [f for group in host["groups"].values() for f in group]
    return [*grouped, *host.get("ungrouped", ())]


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Inventory, HostView]]:
    """The inventory and the view of every host; read by the same code as a live host."""
    found = {}
    for name, host in HOSTS.items():
        root = lay_out(host, tmp_path_factory.mktemp(name))
        ids = root / "usr/share/misc/pci.ids"
        ids.parent.mkdir(parents=True)
        ids.write_text(pci_ids(host))
        source = PciSource(Confined(str(root)))
        inventory = source.read()
        source.close()
        found[name] = (inventory, assess(Snapshot(pci=inventory)))
    return found


def test_every_host_has_its_expectations() -> None:
    assert set(HOSTS) == set(EXPECTED)
    assert len(GPUS) > 40


@pytest.mark.parametrize("name", HOSTS)
def test_all_functions_are_read_into_their_groups(
    name: str, views: dict[str, tuple[Inventory, HostView]]
) -> None:
    host, (inventory, view) = HOSTS[name], views[name]
    assert [f.address for f in inventory.functions] == sorted(f["addr"] for f in functions(host))
    assert not [f.address for f in inventory.functions if f.unreadable]
    in_file = {int(g): sorted(f["addr"] for f in fs) for g, fs in host["groups"].items()}
    shown = {g.id: [f.address for f in g.functions] for g in view.groups if g.id is not None}
    assert shown == in_file
    assert view.iommu_enabled is bool(in_file)
    assert {gpu.address for gpu in view.gpus} == set(EXPECTED[name])


@pytest.mark.parametrize(("name", "address"), GPUS)
def test_what_is_known_of_the_card(
    name: str, address: str, views: dict[str, tuple[Inventory, HostView]]
) -> None:
    wanted, (inventory, view) = EXPECTED[name][address], views[name]
    gpu = view.gpu(address)
    assert gpu is not None
    function = gpu.function
    assert (function.vendor, function.device) == (wanted["vendor"], wanted["device"])
    assert function.class_code[:4] == wanted["class"]
    assert list(gpu.viability.moves) == wanted["move_together"]
    assert sorted([address, *(f.address for f in gpu.companions)]) == wanted["move_together"]
    elsewhere = {f.address for f in inventory.functions if f.slot == function.slot}
    assert sorted(elsewhere - set(gpu.viability.moves)) == wanted["slot_functions_other_groups"]
    _check_group(gpu, wanted, view)
    _check_model(gpu, wanted)


def _check_group(gpu: Gpu, wanted: dict[str, Any], view: HostView) -> None:
    found = gpu.viability
    assert [b.address for b in found.blockers] == wanted["blockers"]
    if wanted["group"] is None:
        assert gpu.function.iommu_group is None
        assert found.viable is False
        assert (found.reason or "").startswith("no IOMMU group")
        return
    assert gpu.function.iommu_group == int(wanted["group"])
    assert found.viable is wanted["viable"]
    group = next(g for g in view.groups if g.id == gpu.function.iommu_group)
    rest = [f for f in group.functions if f.address not in found.moves]
    assert [f.address for f in rest if f.is_bridge] == wanted["bridges_in_group"]
    driverless = [f.address for f in rest if f.driver is None and not f.is_bridge]
    assert driverless == wanted["driverless_in_group"]


def _check_model(gpu: Gpu, wanted: dict[str, Any]) -> None:
    if wanted["brand"] == "other-vendor":
        assert gpu.nvidia is None
        return
    assert gpu.nvidia is not None
    assert (gpu.nvidia.family, gpu.nvidia.brand, gpu.nvidia.form) == (
        wanted["family"], wanted["brand"], wanted["form"],
    )  # fmt: skip
    verdict, why = r465_family(gpu.nvidia)
    assert (verdict in ("pass", "warn")) is wanted["r465_allowed"], why
    assert (verdict == "warn") is ("no R465 driver" in wanted.get("note", ""))


@pytest.mark.parametrize("name", HOSTS)
def test_what_a_list_of_functions_cannot_tell_is_no_warning(
    name: str, views: dict[str, tuple[Inventory, HostView]]
) -> None:
    """These hosts have functions, groups and drivers, and nothing of how they are set up."""
    _, view = views[name]
    ready = Readiness(root=None, vfio_pci=None, captured=True)
    for gpu in view.gpus:
        found = {
            check.id: check.verdict
            for check in (
                card_setup_checks.framebuffer(gpu, view, ready),
                card_setup_checks.reset(gpu, view, ready),
                card_setup_checks.d3cold(gpu, ready),
                card_setup_checks.resizable_bar(gpu, view),
                card_setup_checks.user(gpu),
                host_setup_checks.early_binding(gpu, view, ready),
            )
        }
        assert set(found.values()) <= {"pass", "unknown"}, found
        assert (found["gpu.d3cold"], found["gpu.framebuffer"]) == ("unknown", "unknown")


def test_names_are_those_of_the_card_alone() -> None:
    assert not re.search(r"NVIDIA|Advanced", pci_ids(HOSTS["33-trx40-gtx1080-quadro2000-rx580"]))


def test_a_card_newer_than_every_list_of_names(tmp_path: Path) -> None:
    """Its name is its ids; the range tells the family, nothing tells the brand."""
    host = copy.deepcopy(HOSTS["27-trpro-2x-a6000-k420"])
    for function in functions(host):
        if function["device"] == "2230":
            function["device"] = "2ffe"
    source = PciSource(Confined(str(lay_out(host, tmp_path))))
    inventory = source.read()
    source.close()
    gpu = assess(Snapshot(pci=inventory)).gpu("0000:42:00.0")
    assert gpu is not None
    assert gpu.function.name == "10de:2ffe"
    assert gpu.nvidia is not None
    assert (gpu.nvidia.family, gpu.nvidia.brand) == ("Blackwell", "unknown")
    assert r465_family(gpu.nvidia)[0] == "unknown"
