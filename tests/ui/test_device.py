"""The screen of a device, and who uses a card."""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import timedelta

import pytest
from textual.pilot import Pilot

from tests.ui.rig import DISK, INVENTORY, NVML, PATIENCE, READING, SIZES, Rig, until
from tests.values import replace
from tui.app import VfiotopApp
from tui.config import Config
from tui.host import HostError
from tui.model import CardReading, GpuProcess, Holder, Holders, NvmlReading, Readiness
from tui.screens.device import DeviceScreen
from tui.session import Session
from widgets.device_panel import DevicePanel

GUEST, AUDIO, HOST = "0000:01:00.0", "0000:01:00.1", "0000:0a:00.0"

XORG = Holder(HOST, 893, "Xorg", "/dev/nvidia0", "root", "Xorg vt2 -keeptty", "session-2.scope")
SOUND = Holder(
    HOST, 1702, "pipewire", "/dev/snd/controlC1", "ann", unit="pipewire.service", of_user=True
)
QEMU = Holder(GUEST, 4242, "qemu-system-x86", "/dev/vfio/14", "libvirt-qemu")


class FakeScan:
    """An inspector that finds the test's holders, once ``free`` is set."""

    def __init__(self, *found: Holder, unseen: int = 0) -> None:
        self.found: Holders | Exception = Holders(found, unseen)
        self.asked: list[tuple[str, ...]] = []
        self.threads: set[threading.Thread] = set()
        self.free = threading.Event()
        self.free.set()

    def holders(self, addresses: Collection[str]) -> Holders:
        self.asked.append(tuple(addresses))
        self.threads.add(threading.current_thread())
        self.free.wait(2 * PATIENCE)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def readiness(self, gpus: Collection[str]) -> Readiness:
        raise AssertionError("the page of a card needs no readiness")


def watched(scan: FakeScan) -> Rig:
    """The rig with ``scan`` as its inspector."""
    rig = Rig()
    rig.host = replace(rig.host, inspector=scan)
    rig.app = VfiotopApp(Session(rig.host, Config(theme="vfiotop-dark", interval=3600)))
    return rig


def device(rig: Rig) -> DeviceScreen:
    screen = rig.app.screen
    assert isinstance(screen, DeviceScreen)
    return screen


async def opened(pilot: Pilot[None], rig: Rig, address: str) -> None:
    """Show a device, as a press of enter on it in the groups does."""
    await rig.app.run_action(f"app.device('{address}')")
    await until(pilot, lambda: isinstance(rig.app.screen, DeviceScreen))


def panel_text(rig: Rig) -> str:
    """The panel's lines, joined."""
    lines = device(rig).query_one(DevicePanel).lines
    return " ".join(" ".join("".join(span.text for span in line) for line in lines).split())


async def shows(pilot: Pilot[None], rig: Rig, *words: str) -> None:
    await until(pilot, lambda: all(each in panel_text(rig) for each in words))


def listing(*processes: GpuProcess) -> NvmlReading:
    return replace(NVML, cards=(replace(READING, processes=processes),))


# --- what is shown --------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_users_of_the_card_are_listed(size: tuple[int, int]) -> None:
    rig = watched(FakeScan(XORG, SOUND))
    rig.nvml.reading = listing(GpuProcess(893, "Xorg", "graphics", 84, 7))
    async with rig.running(size) as pilot:
        await opened(pilot, rig, HOST)
        await shows(pilot, rig, "PID Name")
        await shows(
            pilot, rig, "893 Xorg", "84 MiB 7%", "graphics, /dev/nvidia0", "root", "1702 pipewire",
            "– –", "/dev/snd/controlC1", "unit session-2.scope", "log out of the desktop",
        )  # fmt: skip
        assert "Used by" in rig.text()


async def test_scans_cover_companions_and_run_off_the_event_loop() -> None:
    scan = FakeScan(QEMU)
    rig = watched(scan)
    async with rig.running() as pilot:
        await opened(pilot, rig, GUEST)
        await shows(pilot, rig, "win11, the whole card: x stops it")
        await until(pilot, lambda: bool(scan.asked))
        assert scan.asked == [(GUEST, AUDIO)]
        assert threading.main_thread() not in scan.threads
        assert all(thread.daemon for thread in scan.threads)


async def test_processes_that_cannot_be_inspected_are_counted() -> None:
    rig = watched(FakeScan(unseen=57))
    rig.nvml.reading = listing(GpuProcess(893, "Xorg", "graphics", 84))
    async with rig.running() as pilot:
        await opened(pilot, rig, HOST)
        await shows(
            pilot, rig, "893 Xorg",
            "57 processes of other users could not be inspected: run this as root",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (HostError("no process can be seen: /proc: it is not there"), "no process can be seen"),
        (ValueError("of our own"), "ValueError('of our own')"),
    ],
)
async def test_a_failed_scan_says_why(failure: Exception, words: str) -> None:
    scan = FakeScan()
    scan.found = failure
    rig = watched(scan)
    async with rig.running() as pilot:
        await opened(pilot, rig, HOST)
        await shows(pilot, rig, words)
        assert "no process uses the card" not in panel_text(rig)


async def test_an_unused_card_says_so() -> None:
    rig = watched(FakeScan())
    async with rig.running() as pilot:
        await opened(pilot, rig, HOST)
        await shows(pilot, rig, "Used by no process")


# --- when it is looked ----------------------------------------------------------


async def test_scans_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.screens.card_users_scan.EVERY_S", 0.05)
    scan = FakeScan(XORG)
    rig = watched(scan)
    async with rig.running() as pilot:
        await opened(pilot, rig, HOST)
        await shows(pilot, rig, "893 Xorg")
        scan.found = Holders((SOUND,))
        await shows(pilot, rig, "1702 pipewire", "systemctl --user stop pipewire.socket")
        assert "Xorg" not in panel_text(rig)


async def test_a_new_process_starts_a_scan_and_more_memory_does_not() -> None:
    scan = FakeScan(XORG)
    rig = watched(scan)
    async with rig.running() as pilot:
        await opened(pilot, rig, HOST)
        await shows(pilot, rig, "893 Xorg")
        rig.nvml.put(listing(GpuProcess(893, "Xorg", "graphics", 84)))
        await shows(pilot, rig, "84 MiB")
        await until(pilot, lambda: len(scan.asked) == 2)
        rig.nvml.put(listing(GpuProcess(893, "Xorg", "graphics", 96, 12)))
        await shows(pilot, rig, "96 MiB 12%")
        assert len(scan.asked) == 2


async def test_a_change_during_a_scan_starts_another() -> None:
    scan = FakeScan(XORG)
    scan.free.clear()
    rig = watched(scan)
    async with rig.running() as pilot:
        await opened(pilot, rig, HOST)
        rig.nvml.put(listing(GpuProcess(5, "game", "graphics", 84)))
        await shows(pilot, rig, "5 game", "checking who uses the card …")
        assert len(scan.asked) == 1
        scan.free.set()
        await until(pilot, lambda: len(scan.asked) == 2)
        await shows(pilot, rig, "893 Xorg")


async def test_a_card_back_from_its_guest_is_scanned() -> None:
    scan = FakeScan(QEMU)
    rig = watched(scan)
    async with rig.running() as pilot:
        await opened(pilot, rig, GUEST)
        await until(pilot, lambda: bool(scan.asked))
        scan.found = Holders(())
        guests = rig.guests.reading
        assert not isinstance(guests, HostError)
        off = tuple(replace(domain, state="shut off") for domain in guests.domains)
        rig.guests.put(replace(guests, domains=off))
        await shows(pilot, rig, "Used by no process")


async def test_a_covered_screen_does_not_scan_and_an_uncovered_one_does_at_once() -> None:
    scan = FakeScan(XORG)
    rig = watched(scan)
    async with rig.running() as pilot:
        await opened(pilot, rig, HOST)
        await shows(pilot, rig, "893 Xorg")
        await pilot.press("question_mark")
        await pilot.pause()
        assert len(scan.asked) == 1
        scan.found = Holders((SOUND,))
        await pilot.press("escape")
        await shows(pilot, rig, "1702 pipewire")


async def test_a_closed_screen_does_not_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.screens.card_users_scan.EVERY_S", 0.05)
    scan = FakeScan(XORG)
    rig = watched(scan)
    async with rig.running() as pilot:
        await opened(pilot, rig, HOST)
        await shows(pilot, rig, "893 Xorg")
        await pilot.press("escape")
        count = len(scan.asked)
        rig.nvml.put(listing(GpuProcess(5, "game", "graphics", 84)))
        await until(pilot, lambda: rig.session.live.snapshot.nvml == rig.nvml.reading)
        assert len(scan.asked) == count


async def test_only_gpus_are_scanned() -> None:
    scan = FakeScan(XORG)
    rig = watched(scan)
    async with rig.running() as pilot:
        await opened(pilot, rig, DISK.address)
        await shows(pilot, rig, "NVMe SSD Controller", "15, alone in it")
        device(rig)._scan.scan()
        assert "Used by" not in panel_text(rig)
        assert scan.asked == []


async def test_a_removed_card_loses_its_users() -> None:
    rig = watched(FakeScan(QEMU))
    async with rig.running() as pilot:
        await opened(pilot, rig, GUEST)
        await shows(pilot, rig, "win11, the whole card")
        left = tuple(f for f in INVENTORY.functions if f.address not in (GUEST, AUDIO))
        rig.pci.put(replace(INVENTORY, functions=left))
        await shows(pilot, rig, "no longer exists")


# --- one that hangs -------------------------------------------------------------


async def test_a_hung_scan_blocks_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.screens.card_users_scan.EVERY_S", 0.05)
    scan = FakeScan(XORG)
    scan.free.clear()
    rig = watched(scan)
    rig.nvml.reading = listing(GpuProcess(893, "Xorg", "graphics", 84))
    try:
        async with rig.running() as pilot:
            await opened(pilot, rig, HOST)
            await shows(pilot, rig, "893 Xorg", "checking who uses the card …")
            rig.at += timedelta(seconds=11)
            await shows(pilot, rig, "no answer since 12:00:00: cannot tell who uses the card")
            await pilot.press("t")
            assert rig.app.theme == "vfiotop-light"
            rig.vitals.put(rig.vitals.reading)
            assert len(scan.asked) == 1
            scan.free.set()
            await shows(pilot, rig, "/dev/nvidia0")
            assert "no answer" not in panel_text(rig)
    finally:
        scan.free.set()


async def test_the_screen_can_be_left_while_a_scan_hangs() -> None:
    scan = FakeScan()
    scan.free.clear()
    rig = watched(scan)
    try:
        async with rig.running() as pilot:
            await opened(pilot, rig, HOST)
            await until(pilot, lambda: bool(scan.asked))
            await pilot.press("escape")
            assert rig.app.screen.name == "overview"
            await pilot.press("q")
    finally:
        scan.free.set()
    assert rig.app.return_code == 0


async def test_a_driver_that_lists_no_processes_leaves_the_scan() -> None:
    """A reading without a list is not an empty list."""
    rig = watched(FakeScan(XORG))
    rig.nvml.reading = NvmlReading("580.95.05", (CardReading(HOST, "nvml"),))
    async with rig.running() as pilot:
        await opened(pilot, rig, HOST)
        await shows(pilot, rig, "893 Xorg", "/dev/nvidia0")
