"""Stale addresses: the evidence for them, and what the key w removes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.ui.rig import FakeControl
from tests.unit.made import NOON, card, domain, function, inventory, snapshot
from tui.guest.hostdevs import assign, doubtful, replaced, stale
from tui.host.libvirt.domain_xml import definition
from tui.model import Domain, HostDev, HostView, PciFunction
from tui.rules.roles import Choice
from tui.rules.stale_hostdevs import stale_devices
from tui.rules.view import assess

CARD = "0000:0c:00.0"
OLD, OLD_SOUND = "0000:0b:00.0", "0000:0b:00.1"
NVME, NIC, USB = ("010802", "nvme"), ("020000", "igc"), ("0c0330", "xhci_hcd")


def there(code: str, driver: str | None, place: str = "0b:00.0") -> PciFunction:
    return function(place, code, vendor="144d", name="Thing", driver=driver, iommu_group=20)


def seen(*functions: PciFunction, guests: tuple[Domain, ...]) -> HostView:
    """The guest's card is at 0c:00 now, but not when the domains were defined."""
    cards = (*card("08:00", 14, boot_vga=True), *card("0c:00", 21, boot_vga=False))
    return assess(snapshot(inventory(*cards, *functions), guests), Choice(CARD))


def found(
    guest: Domain, *functions: PciFunction, others: tuple[Domain, ...] = ()
) -> dict[str, Any]:
    view = seen(*functions, guests=(guest, *others))
    return {stray.address: stray.certain for stray in stale_devices(guest, view)}


BOTH = domain("win10", "0b:00.0", "0b:00.1", managed=True)
WITH_CARD = domain("win10", "0b:00.0", "0b:00.1", "0c:00.0", "0c:00.1", managed=True)


def test_nothing_is_there() -> None:
    assert found(BOTH) == {OLD: True, OLD_SOUND: True}


@pytest.mark.parametrize("kind", [NVME, USB])
def test_another_device_stands_where_the_card_was(kind: tuple[str, str]) -> None:
    assert found(BOTH, there(*kind)) == {OLD: True, OLD_SOUND: True}
    assert found(BOTH, there(kind[0], None)) == {OLD: True, OLD_SOUND: True}


@pytest.mark.parametrize("driver", ["igc", None])
def test_a_network_card_where_the_card_was_may_be_meant(driver: str | None) -> None:
    assert found(BOTH, there(NIC[0], driver)) == {OLD: False, OLD_SOUND: True}


@pytest.mark.parametrize("driver", ["igbvf", "iavf", "mlx5_core", None])
def test_virtual_functions_share_a_slot_and_go_one_by_one(driver: str | None) -> None:
    router = domain("router", "0b:10.0", "0b:10.4", managed=True)
    player = domain("win10", "0c:00.0", "0c:00.1", managed=True)
    left = there(NIC[0], driver, place="0b:10.0")
    assert found(router, left, others=(player,)) == {"0000:0b:10.4": True}
    # Even if no guest has a card: no card can be at such an address.
    assert found(router, left) == {"0000:0b:10.4": True}
    port = domain("router", "0b:00.0", "0b:00.4", managed=True)
    assert found(port, there(NIC[0], driver)) == {OLD: False, "0000:0b:00.4": True}


def test_the_card_was_put_in_beside_the_stale_ones() -> None:
    assert found(WITH_CARD, there(*NVME)) == {OLD: True, OLD_SOUND: True}
    # A port of a network card may disappear alone.
    assert found(WITH_CARD, there(*NIC)) == {OLD_SOUND: True}


def test_what_is_ready_for_a_guest_is_no_stray() -> None:
    assert found(BOTH, there(NVME[0], "vfio-pci")) == {OLD_SOUND: True}


def test_the_functions_of_a_slot_that_are_all_there() -> None:
    both = (there(*NIC), there(*NIC, place="0b:00.1"))
    assert found(WITH_CARD, *both) == {}
    # If no guest has a card, they may be the old addresses of one.
    assert found(BOTH, *both) == {OLD: False, OLD_SOUND: False}
    assert found(BOTH, *both, others=(domain("win11", "0c:00.0"),)) == {}


@pytest.mark.parametrize(("kind", "certain"), [(NVME, True), (NIC, False)])
def test_the_rom_of_a_card(kind: tuple[str, str], certain: bool) -> None:
    rom = replace(BOTH, hostdevs=(HostDev(OLD, managed=True, rom=True),))
    assert found(rom, there(*kind)) == {OLD: certain}
    with_card = replace(rom, hostdevs=(*rom.hostdevs, HostDev(CARD, managed=True)))
    assert found(with_card, there(*kind)) == {}


def test_a_device_beside_the_card_is_no_stray() -> None:
    guest = domain("win10", "0c:00.0", "0c:00.1", "0b:00.0", managed=True)
    for kind in (NVME, NIC, USB):
        assert found(guest, there(*kind)) == {}


def test_a_rom_is_read_from_its_file_alone() -> None:
    xml = XML.replace("</source></hostdev>", "</source>{}</hostdev>")
    for rom, known in (("<rom file='/x.rom'/>", True), ("<rom bar='off'/>", False), ("", False)):
        assert {dev.rom for dev in definition(xml.format(rom, rom)).hostdevs} == {known}


# --- what w does ----------------------------------------------------------------------------

HOSTDEV = (
    "\n    <hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' "
    "bus='0x{}' slot='0x00' function='0x{}'/></source></hostdev>"
)
XML = (
    "<domain type='kvm'><name>win10</name><uuid>00000000-0000-4000-8000-000000000001</uuid>"
    "<devices>"
    f"{HOSTDEV.format('0b', 0)}{HOSTDEV.format('0b', 1)}\n  </devices></domain>\n"
)


def given(xml: str, *functions: PciFunction, tmp_path: Path) -> str:
    """The definition after the key w."""
    control = FakeControl()
    control.xml = xml
    guest = replace(BOTH, hostdevs=definition(xml).hostdevs)
    view = seen(*functions, guests=(guest,))
    gpu = view.gpu(CARD)
    assert gpu is not None
    gone = stale(guest, gpu, view)
    assign(control, guest, gpu, view.gpus, folder=tmp_path, at=NOON, stale=tuple(gone))
    return control.xml


def test_the_card_comes_in_place_of_its_old_addresses(tmp_path: Path) -> None:
    changed = given(XML, there(*NVME), tmp_path=tmp_path)
    assert changed == XML.replace("0x0b", "0x0c")


def test_stale_ones_beside_the_card_are_taken_out(tmp_path: Path) -> None:
    both = HOSTDEV.format("0c", 0) + HOSTDEV.format("0c", 1)
    xml = XML.replace("\n  </devices>", f"{both}\n  </devices>")
    changed = given(xml, there(*NVME), tmp_path=tmp_path)
    assert changed == XML.replace("0x0b", "0x0c")


def test_what_is_there_and_used_by_no_card_stays(tmp_path: Path) -> None:
    xml = XML.replace("0x0b", "0x0c").replace(
        "\n  </devices>", f"{HOSTDEV.format('0b', 0)}{HOSTDEV.format('0d', 0)}\n  </devices>"
    )
    changed = given(xml, there(*NVME), tmp_path=tmp_path)
    assert changed == xml.replace(HOSTDEV.format("0d", 0), "")


def test_what_is_no_hostdev_is_never_edited(tmp_path: Path) -> None:
    interface = (HOSTDEV.replace("hostdev mode='subsystem' type='pci'", "interface type='hostdev'")
                 .replace("/hostdev", "/interface").format("0d", 0))  # fmt: skip
    xml = XML.replace("\n  </devices>", f"{interface}\n  </devices>")
    changed = given(xml, there(*NVME), tmp_path=tmp_path)
    assert interface in changed
    disk = replace(BOTH, hostdevs=(HostDev(OLD_SOUND, managed=True, by="disk"),))
    view = seen(guests=(disk,))
    gpu = view.gpu(CARD)
    assert gpu is not None
    assert stale_devices(disk, view)
    assert stale(disk, gpu, view) == {}
    other = replace(disk, hostdevs=(HostDev("0000:08:00.0", managed=True, by="command line"),))
    assert replaced(other, gpu, view.gpus) == ()


def test_why_each_leaves_and_what_is_only_reported() -> None:
    view = seen(there(*NVME), guests=(BOTH,))
    gpu = view.gpu(CARD)
    assert gpu is not None
    assert stale(BOTH, gpu, view) == {
        OLD: "is now Thing (nvme), and 0000:0b:00.1 of its slot is gone",
        OLD_SOUND: "no longer exists",
    }
    assert doubtful(BOTH, gpu, view) == {}
    alone = domain("win10", "0b:00.0", managed=True)
    view = seen(there(*NVME), guests=(alone,))
    assert stale(alone, gpu, view) == {}
    assert "may be the old address of its card" in doubtful(alone, gpu, view)[OLD]


def test_a_card_beside_the_chosen_one_leaves_and_the_chosen_one_stays(tmp_path: Path) -> None:
    xml = XML.replace("0x0b", "0x08").replace(
        "\n  </devices>", f"{HOSTDEV.format('0c', 0)}\n  </devices>"
    )
    changed = given(xml, tmp_path=tmp_path)
    named = [(dev.address, dev.managed) for dev in definition(changed).hostdevs]
    assert sorted(named) == [(CARD, True), ("0000:0c:00.1", True)]
