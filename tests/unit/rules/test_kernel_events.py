"""What the kernel says becomes an event of the card that it is about."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import BRIDGE, NOON, SATA, card, domain, function, inventory, snapshot
from tui.model import HostView, Inventory, KernelLog, KernelMessage, Snapshot, Swap, Unavailable
from tui.rules.events import changes
from tui.rules.kernel_log import ALLOW, NO_RIGHT
from tui.rules.kernel_messages import BY_ID
from tui.rules.view import assess

HOST, GUEST, SOUND = "0000:01:00.0", "0000:02:00.0", "0000:02:00.1"
PORT, DISK, LENT = "0000:00:01.1", "0000:00:1f.2", "0000:05:00.0"


def board() -> Inventory:
    gpu, sound = card("02:00", 2)
    radeon = {"vendor": "1002", "device": "744c", "name": "Navi 31", "driver": "amdgpu"}
    return inventory(
        *card("01:00", 1, boot_vga=True),
        replace(gpu, ports=(PORT, "0000:00:05.0")), sound,
        function("00:01.1", BRIDGE, driver="pcieport"),
        function("00:1f.2", SATA, driver="ahci"),
        function("05:00.0", SATA, driver="vfio-pci"),
        function("06:00.0", **radeon),
    )  # fmt: skip


def desk(pci: Inventory | None = None, **readings: Any) -> Snapshot:
    return snapshot(pci or board(), (domain("win11", "02:00.0"),), **readings)


def said(topic: str, address: str | None = GUEST, detail: str = "", number: int = 7) -> KernelLog:
    return KernelLog((KernelMessage(number, topic, address, detail),))


def told(after: Snapshot, before: Snapshot | None = None) -> list[tuple[str, str, str]]:
    events = changes(assess(before or desk()), assess(after), NOON)
    assert all(event.by == "kernel" for event in events)
    return [(event.subject, event.text, event.kind) for event in events]


@pytest.mark.parametrize(
    ("log", "event"),
    [
        (said("asleep", GUEST, "D3cold"), (GUEST, "does not wake from D3cold", "failed")),
        (said("asleep", SOUND, "D3hot"), (SOUND, "does not wake from D3hot", "failed")),
        (said("off-bus", "0000:02:00"),
         (GUEST, "the card has fallen off the bus (Xid 79)", "failed")),
        (said("dma", "02:00.0"), (GUEST, "the IOMMU blocked an access to memory", "warn")),
        (said("no-link", PORT), (GUEST, "the PCIe link does not come up (port 00:01.1)", "failed")),
        (said("link-down", PORT), (GUEST, "the PCIe link went down (port 00:01.1)", "failed")),
        (said("no-answer", LENT, "FLR"), (LENT, "does not answer after FLR", "failed")),
        (said("iommu-waits", None),
         ("IOMMU", BY_ID["iommu-waits"].text, "failed")),
        (said("xid", "0000:01:00", "62"),
         (HOST, "Xid 62: the card's microcontroller halted", "failed")),
        (said("xid", "0000:01:00", "999"),
         (HOST, "Xid 999: an error of the nvidia driver", "warn")),
    ],
)  # fmt: skip
def test_a_message_is_about_a_card(log: KernelLog, event: tuple[str, str, str]) -> None:
    assert told(desk(kernel=log)) == [event]


@pytest.mark.parametrize("address", [DISK, "0000:07:00.0", "0001:02:00.0", "0000:05:00", "07:00.0"])
def test_other_devices_are_not_ours(address: str) -> None:
    assert told(desk(kernel=said("asleep", address, "D3hot"))) == []


def test_an_address_without_a_domain_that_fits_two_devices_is_none() -> None:
    pci = board()
    other = replace(function("02:00.0"), address="0001:02:00.0")
    both = replace(pci, functions=(*pci.functions, other))
    assert told(desk(pci=both, kernel=said("dma", "02:00.0")), desk(pci=both)) == []


def test_the_port_of_two_cards_is_about_both() -> None:
    pci = board()
    shared = [replace(f, ports=(PORT,)) if f.is_gpu else f for f in pci.functions]
    both = replace(pci, functions=tuple(shared))
    found = told(desk(pci=both, kernel=said("aer", PORT)), desk(pci=both))
    assert {subject for subject, *_ in found} == {HOST, GUEST, "0000:06:00.0"}


def test_a_card_that_the_message_took_along_still_has_it() -> None:
    pci = board()
    rest = tuple(f for f in pci.functions if not f.address.startswith("0000:02:"))
    gone = desk(pci=replace(pci, functions=rest), kernel=said("link-down", PORT))
    events = changes(assess(desk()), assess(gone), NOON)
    assert (GUEST, "the PCIe link went down (port 00:01.1)") in [
        (e.subject, e.text) for e in events
    ]


def test_only_new_messages_are_news() -> None:
    codes = ("13", "31", "45")
    log = [KernelMessage(n, "xid", GUEST, code) for n, code in enumerate(codes)]
    before, after = desk(kernel=KernelLog((log[0],))), desk(kernel=KernelLog((*log,)))
    assert [text[:6] for _, text, _ in told(after, before)] == ["Xid 45", "Xid 31"]
    assert told(before, after) == []
    assert told(after, desk(kernel=Unavailable("not read yet"))) == []


def test_it_says_what_to_do() -> None:
    def fix(log: KernelLog) -> str | None:
        (event,) = changes(assess(desk()), assess(desk(kernel=log)), NOON)
        return event.fix

    assert "power cables" in (fix(said("off-bus")) or "")
    assert "docs.nvidia.com" in (fix(said("xid", GUEST, "999")) or "")
    assert fix(said("aer-corrected")) is None
    assert "vendor-reset" not in (fix(said("no-answer", GUEST, "FLR")) or "")
    assert "vendor-reset" in (fix(said("no-answer", "0000:06:00.0", "FLR")) or "")


def test_it_stays_the_kernels_word_while_we_move_the_card() -> None:
    swap = Swap("1", "unbind", GUEST, (GUEST,), "running", ("unbind",), 0, NOON, NOON)
    assert told(desk(swap=swap, kernel=said("in-use")), desk(swap=swap)) == [
        (GUEST, "the nvidia driver cannot release the card: something uses it", "failed")
    ]


@pytest.mark.parametrize(
    ("lost", "text"), [(1, "1 line was overwritten unread"), (6, "6 lines were overwritten unread")]
)
def test_lost_lines_are_counted(lost: int, text: str) -> None:
    before, after = desk(kernel=KernelLog(lost=3)), desk(kernel=KernelLog(lost=3 + lost))
    (event,) = changes(assess(before), assess(after), NOON)
    assert (event.subject, event.text, event.kind) == ("kernel log", text, "note")


def test_no_right_to_read_it_is_said_once() -> None:
    unread, denied = desk(kernel=Unavailable("not read yet")), desk(kernel=Unavailable(NO_RIGHT))
    (event,) = changes(assess(unread), assess(denied), NOON)
    assert (event.subject, event.text, event.kind) == ("kernel log", NO_RIGHT, "note")
    assert event.fix == ALLOW
    assert changes(HostView(), assess(Snapshot(kernel=denied.kernel)), NOON) == (event,)
    later = replace(denied, vitals=Unavailable("hung"))
    assert [each.subject for each in changes(assess(denied), assess(later), NOON)] == ["sysfs"]
    none = desk(kernel=Unavailable("no kernel log here", expected=True))
    assert changes(assess(unread), assess(none), NOON) == ()
