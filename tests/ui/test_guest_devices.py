"""The host devices of a guest: on its panel, in the plan of a start, and in the roles screen."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from tests.ui.rig import DISK, GUESTS, HOST_CARD, INVENTORY, WIN11, Rig, hints, press, until
from tui.model import (
    Attachment,
    DeviceUse,
    DeviceUses,
    Domain,
    HostDev,
)
from tui.rules.roles import Choice

DISK_AT = DISK.address
ROOT = DeviceUse(DISK_AT, (Attachment("disk", "nvme0n1p2", "is mounted at /", in_use=True),))
OFF = replace(WIN11, state="shut off")
WITH_DISK = replace(OFF, hostdevs=(*OFF.hostdevs, HostDev(DISK_AT, managed=True)))


TALL = ((120, 40), (80, 24), (45, 44))
"""The guest's panel is on the screen without scrolling."""


# --- on a host --------------------------------------------------------------------------------


class Uses:
    """How the host uses the devices, and how often that was read."""

    def __init__(self, *uses: DeviceUse) -> None:
        self.uses, self.asked = uses, list[tuple[str, ...]]()

    def __call__(self, addresses: Collection[str]) -> DeviceUses:
        self.asked.append(tuple(addresses))
        return DeviceUses(self.uses)


def _shows(rig: Rig, domain: Domain) -> bool:
    return [guest.domain for guest in rig.session.live.view.guests] == [domain]


def with_uses(rig: Rig, *uses: DeviceUse) -> Uses:
    found = Uses(*uses)
    rig.host = replace(rig.host, uses=found, reopen=lambda: replace(rig.reopen(), uses=found))
    rig.session.host = rig.host
    return found


@pytest.mark.parametrize("size", TALL)
async def test_the_panel_says_how_the_host_uses_a_device_and_reads_that_once(
    size: tuple[int, int],
) -> None:
    rig = Rig()
    uses = with_uses(rig, ROOT)
    rig.guests.reading = replace(GUESTS, domains=(WITH_DISK,))
    async with rig.running(size) as pilot:
        await until(pilot, lambda: "✗ 02:00.0 " in rig.text())
        await until(pilot, lambda: len(uses.asked) == 1)
        for cpu in (1, 2, 3):
            busier = replace(WITH_DISK, cpu_pct=cpu)
            rig.guests.put(replace(GUESTS, domains=(busier,)))
            await until(pilot, partial(_shows, rig, busier))
        assert uses.asked == [(DISK_AT,)]
        functions = tuple(f for f in INVENTORY.functions if f.address != DISK_AT)
        rig.pci.put(replace(INVENTORY, functions=functions))
        await until(pilot, lambda: "gone: NVMe SSD" in rig.text() and "✗ 02:00.0 " in rig.text())


@pytest.mark.parametrize("size", TALL, ids=["120x40", "80x24", "45x44"])
def test_pixels(size: tuple[int, int], snap_compare: Callable[..., bool]) -> None:
    rig = Rig()
    with_uses(rig, ROOT)
    gone = HostDev("0000:02:00.1", managed=True)
    rig.guests.reading = replace(
        GUESTS, domains=(replace(WITH_DISK, hostdevs=(*WITH_DISK.hostdevs, gone)),)
    )

    async def ready(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "✗ 02:00.0 " in rig.text())

    assert snap_compare(rig.app, terminal_size=size, run_before=ready)
    rig.free()


async def test_a_guest_with_only_its_card_has_no_uses_read() -> None:
    rig = Rig()
    uses = with_uses(rig)
    async with rig.running() as pilot:
        await until(pilot, lambda: "01:00.0 RTX 4090  01:00.1 audio" in rig.text())
    assert uses.asked == []


async def test_a_refused_start_says_which_device_it_would_take() -> None:
    rig = Rig()
    with_uses(rig, ROOT)
    rig.guests.reading = replace(GUESTS, domains=(WITH_DISK,))
    async with rig.running() as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "nvme0n1p2 is mounted at /" in rig.text())
        assert "y" not in hints(rig)
    assert rig.control.asked == []


# --- w ------------------------------------------------------------------------------------------

XML = """<domain type='kvm'>
  <name>win11</name>
  <uuid>00000000-0000-4000-8000-000000000001</uuid>
  <devices>
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source><address domain='0x0000' bus='0x02' slot='0x00' function='0x0'/></source>
    </hostdev>
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source><address domain='0x0000' bus='0x02' slot='0x00' function='0x1'/></source>
    </hostdev>
  </devices>
</domain>"""
STALE = (HostDev(DISK_AT, managed=True), HostDev("0000:02:00.1", managed=True))


def shifted(rig: Rig, *more: HostDev) -> None:
    """win11 names 02:00, where its card was and the host's disk is now."""
    rig.control.xml = XML
    functions = tuple(
        replace(f, boot_vga=True if f.address == HOST_CARD.address else f.boot_vga)
        for f in INVENTORY.functions
    )
    rig.pci.reading = replace(INVENTORY, functions=functions)
    rig.guests.reading = replace(GUESTS, domains=(replace(OFF, hostdevs=(*STALE, *more)),))


async def test_the_cards_old_address_is_removed_and_the_plan_says_why() -> None:
    rig = Rig()
    shifted(rig)
    async with rig.running((120, 40)) as pilot:
        rig.session.live.choose(Choice("0000:01:00.0", "win11"))
        await pilot.press("w")
        await until(pilot, lambda: rig.app.screen.name == "roles")
        await press(pilot, rig, "y")
        words = "press y to add 01:00.0 01:00.1 in place of 02:00.0 02:00.1"
        await until(pilot, lambda: words in _flat(rig))
        assert (
            "02:00.0 is now NVMe SSD Controller (nvme), and 0000:02:00.1 of its slot is gone."
            in (_flat(rig))
        )
        assert "02:00.1 no longer exists." in _flat(rig)
        assert rig.control.asked == []
        await press(pilot, rig, "y")
        await until(pilot, lambda: "u restores its old definition" in _flat(rig))
        assert rig.control.xml == XML.replace("bus='0x02'", "bus='0x01'")


async def test_a_guest_that_names_other_devices_as_well() -> None:
    rig = Rig()
    shifted(rig, *WIN11.hostdevs)
    rig.control.xml = XML.replace("  </devices>", _hostdev(0) + _hostdev(1) + "  </devices>")
    async with rig.running() as pilot:
        await pilot.press("w")
        await until(pilot, lambda: rig.app.screen.name == "roles")
        await press(pilot, rig, "y")
        await until(
            pilot, lambda: "press y to remove 02:00.0 02:00.1 from its definition" in _flat(rig)
        )
        await press(pilot, rig, "y")
        await until(pilot, lambda: "u restores its old definition" in _flat(rig))
    assert "bus='0x02'" not in rig.control.xml
    assert rig.control.xml.count("<hostdev") == 2


async def test_a_doubtful_device_is_reported_and_stays() -> None:
    rig = Rig()
    shifted(rig)
    alone = replace(OFF, hostdevs=STALE[:1])
    rig.guests.reading = replace(GUESTS, domains=(alone,))
    async with rig.running() as pilot:
        rig.session.live.choose(Choice("0000:01:00.0", "win11"))
        await pilot.press("w")
        await until(pilot, lambda: rig.app.screen.name == "roles")
        await press(pilot, rig, "y")
        await until(
            pilot,
            lambda: "It stays; `virsh -c qemu:///system edit win11` removes it." in _flat(rig),
        )
        assert "press y to add 01:00.0 01:00.1 to its definition" in _flat(rig)


def _hostdev(function: int) -> str:
    return (
        "<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0x0000' "
        f"bus='0x01' slot='0x00' function='0x{function}'/></source></hostdev>"
    )


def _flat(rig: Rig) -> str:
    """The words of the screen without its line breaks."""
    return " ".join(rig.text().replace("│", " ").split())
