"""What is read for the plan of a swap."""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from tests.ui.rig import DISK, GUEST_AUDIO, GUEST_CARD, GUESTS, INVENTORY, WIN11, Rig
from tests.values import replace as with_values
from tui.model import DeviceUses, Direction, HostDev
from tui.rules.roles import Choice
from tui.swap.planning import plan_once

NEIGHBOUR = replace(DISK, iommu_group=14)
"""An NVMe drive on a host driver in the card's group."""


class Uses:
    def __init__(self) -> None:
        self.asked: list[Collection[str]] = []

    def __call__(self, addresses: Collection[str]) -> DeviceUses:
        self.asked.append(addresses)
        return DeviceUses()


def read_for(direction: Direction, driver: str) -> list[Collection[str]]:
    """The devices whose use is read for a plan; the guest takes the neighbour, too."""
    rig, uses = Rig(), Uses()
    functions = tuple(
        NEIGHBOUR if f is DISK else replace(f, driver=driver) if f.iommu_group == 14 else f
        for f in INVENTORY.functions
    )
    rig.pci.reading = replace(INVENTORY, functions=functions)
    hostdevs = (*WIN11.hostdevs, HostDev(NEIGHBOUR.address, managed=True))
    guest = replace(WIN11, state="shut off", hostdevs=hostdevs)
    rig.guests.reading = replace(GUESTS, domains=(guest,))
    host = with_values(rig.reopen(), uses=uses)
    plan_once(host, Choice(), direction, None)
    return uses.asked


def test_a_bind_depends_on_how_the_host_uses_what_the_guest_takes() -> None:
    assert read_for("bind", "nvidia") == [[NEIGHBOUR.address]]


def test_a_bind_depends_on_what_is_plugged_into_the_card() -> None:
    rig, uses = Rig(), Uses()
    port = replace(GUEST_AUDIO, address="0000:01:00.2", class_code="0c0330", driver="xhci_hcd")
    functions = tuple(
        replace(f, driver="nvidia") if f is GUEST_CARD else f for f in INVENTORY.functions
    )
    rig.pci.reading = replace(INVENTORY, functions=(*functions, port))
    rig.guests.reading = replace(GUESTS, domains=())
    host = with_values(rig.reopen(), uses=uses)
    card = GUEST_CARD.address
    made = plan_once(host, Choice(card), "bind", card)
    assert uses.asked == [[port.address]]
    (attached,) = (check for check in made.checks if check.id == "gpu.attached")
    assert attached.verdict == "unknown"
    assert attached in made.doubts


def test_an_unbind_does_not() -> None:
    assert read_for("unbind", "vfio-pci") == []
