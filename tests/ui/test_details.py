"""Who uses a card, on the screen of its details."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import pytest
from textual.pilot import Pilot

from tests.ui.rig import INVENTORY, NVML, PATIENCE, READING, SIZES, Rig, until
from tui.app import VfiotopApp
from tui.config import Config
from tui.host import HostError
from tui.model import CardReading, GpuProcess, Holder, Holders, NvmlReading, Readiness
from tui.screens.details import DetailsScreen
from tui.session import Session
from widgets.details import DetailsPanel

GUEST, AUDIO, HOST = "0000:01:00.0", "0000:01:00.1", "0000:0a:00.0"

XORG = Holder(HOST, 893, "Xorg", "/dev/nvidia0", "root", "Xorg vt2 -keeptty", "session-2.scope")
SOUND = Holder(
    HOST, 1702, "pipewire", "/dev/snd/controlC1", "ann", unit="pipewire.service", of_user=True
)
QEMU = Holder(GUEST, 4242, "qemu-system-x86", "/dev/vfio/14", "libvirt-qemu")


class Lookout:
    """Looks into processes: what a test says there is, as long as it lets it."""

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
        raise AssertionError("details need no readiness")


def watched(lookout: Lookout) -> Rig:
    """The rig's host with its processes looked into by ``lookout``."""
    rig = Rig()
    rig.host = replace(rig.host, inspector=lookout)
    rig.app = VfiotopApp(Session(rig.host, Config(theme="vfiotop-dark", interval=3600)))
    return rig


def details(rig: Rig) -> DetailsScreen:
    screen = rig.app.screen
    assert isinstance(screen, DetailsScreen)
    return screen


def told(rig: Rig) -> str:
    """All lines of the panel as one."""
    lines = details(rig).query_one(DetailsPanel).lines
    return " ".join(" ".join("".join(span.text for span in line) for line in lines).split())


async def shows(pilot: Pilot[None], rig: Rig, *words: str) -> None:
    await until(pilot, lambda: all(each in told(rig) for each in words))


def listing(*processes: GpuProcess) -> NvmlReading:
    return replace(NVML, cards=(replace(READING, processes=processes),))


# --- what is shown --------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_who_uses_the_card(size: tuple[int, int]) -> None:
    rig = watched(Lookout(XORG, SOUND))
    rig.nvml.reading = listing(GpuProcess(893, "Xorg", "graphics", 84, 7))
    async with rig.running(size) as pilot:
        await pilot.press("tab", "enter")
        await shows(pilot, rig, "PID Name")
        await shows(
            pilot, rig, "893 Xorg", "84 MiB 7%", "graphics, /dev/nvidia0", "root", "1702 pipewire",
            "– –", "/dev/snd/controlC1", "unit session-2.scope", "log out of the desktop",
        )  # fmt: skip
        assert "Used by" in rig.text()


async def test_the_card_and_its_companions_are_asked_about_beside_the_loop() -> None:
    lookout = Lookout(QEMU)
    rig = watched(lookout)
    async with rig.running() as pilot:
        await pilot.press("enter")
        await shows(pilot, rig, "4242 guest win11 libvirt-qemu", "/dev/vfio/14", "stop the guest")
        assert lookout.asked == [(GUEST, AUDIO)]
        assert threading.main_thread() not in lookout.threads
        assert all(thread.daemon for thread in lookout.threads)


async def test_processes_that_could_not_be_looked_into() -> None:
    rig = watched(Lookout(unseen=57))
    rig.nvml.reading = listing(GpuProcess(893, "Xorg", "graphics", 84))
    async with rig.running() as pilot:
        await pilot.press("tab", "enter")
        await shows(
            pilot, rig, "893 Xorg",
            "57 processes of other users could not be looked into: run this as root",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (HostError("no process can be seen: /proc: it is not there"), "no process can be seen"),
        (ValueError("of our own"), "ValueError('of our own')"),
    ],
)
async def test_a_look_that_fails(failure: Exception, words: str) -> None:
    lookout = Lookout()
    lookout.found = failure
    rig = watched(lookout)
    async with rig.running() as pilot:
        await pilot.press("tab", "enter")
        await shows(pilot, rig, words)
        assert "no process uses the card" not in told(rig)


async def test_nobody_uses_it() -> None:
    rig = watched(Lookout())
    async with rig.running() as pilot:
        await pilot.press("tab", "enter")
        await shows(pilot, rig, "Used by no process uses the card")


# --- when it is looked ----------------------------------------------------------


async def test_it_is_looked_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.screens.details.EVERY_S", 0.05)
    lookout = Lookout(XORG)
    rig = watched(lookout)
    async with rig.running() as pilot:
        await pilot.press("tab", "enter")
        await shows(pilot, rig, "893 Xorg")
        lookout.found = Holders((SOUND,))
        await shows(pilot, rig, "1702 pipewire", "systemctl --user stop pipewire.socket")
        assert "Xorg" not in told(rig)


async def test_another_process_on_the_card_is_looked_at_and_more_memory_is_not() -> None:
    lookout = Lookout(XORG)
    rig = watched(lookout)
    async with rig.running() as pilot:
        await pilot.press("tab", "enter")
        await shows(pilot, rig, "893 Xorg")
        rig.nvml.put(listing(GpuProcess(893, "Xorg", "graphics", 84)))
        await shows(pilot, rig, "84 MiB")
        await until(pilot, lambda: len(lookout.asked) == 2)
        rig.nvml.put(listing(GpuProcess(893, "Xorg", "graphics", 96, 12)))
        await shows(pilot, rig, "96 MiB 12%")
        assert len(lookout.asked) == 2


async def test_a_change_during_a_look_is_looked_at_after_it() -> None:
    lookout = Lookout(XORG)
    lookout.free.clear()
    rig = watched(lookout)
    async with rig.running() as pilot:
        await pilot.press("tab", "enter")
        rig.nvml.put(listing(GpuProcess(5, "game", "graphics", 84)))
        await shows(pilot, rig, "5 game", "looking who uses the card …")
        assert len(lookout.asked) == 1
        lookout.free.set()
        await until(pilot, lambda: len(lookout.asked) == 2)
        await shows(pilot, rig, "893 Xorg")


async def test_a_card_that_comes_back_from_its_guest_is_looked_at() -> None:
    lookout = Lookout(QEMU)
    rig = watched(lookout)
    async with rig.running() as pilot:
        await pilot.press("enter")
        await shows(pilot, rig, "guest win11 libvirt-qemu")
        lookout.found = Holders(())
        guests = rig.guests.reading
        assert not isinstance(guests, HostError)
        off = tuple(replace(domain, state="shut off") for domain in guests.domains)
        rig.guests.put(replace(guests, domains=off))
        await shows(pilot, rig, "no process uses the card")


async def test_a_covered_screen_looks_at_nothing_and_an_uncovered_one_at_once() -> None:
    lookout = Lookout(XORG)
    rig = watched(lookout)
    async with rig.running() as pilot:
        await pilot.press("tab", "enter")
        await shows(pilot, rig, "893 Xorg")
        screen = details(rig)
        await pilot.press("question_mark")
        screen.scan()
        await pilot.pause()
        assert len(lookout.asked) == 1
        lookout.found = Holders((SOUND,))
        await pilot.press("escape")
        await shows(pilot, rig, "1702 pipewire")


async def test_a_closed_screen_looks_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.screens.details.EVERY_S", 0.05)
    lookout = Lookout(XORG)
    rig = watched(lookout)
    async with rig.running() as pilot:
        await pilot.press("tab", "enter")
        await shows(pilot, rig, "893 Xorg")
        await pilot.press("escape")
        count = len(lookout.asked)
        rig.nvml.put(listing(GpuProcess(5, "game", "graphics", 84)))
        await until(pilot, lambda: rig.session.live.snapshot.nvml == rig.nvml.reading)
        assert len(lookout.asked) == count


@pytest.mark.parametrize("keys", [("g", "down", "down", "enter"), ("tab", "tab", "enter")])
async def test_what_is_no_gpu_is_not_looked_at(keys: tuple[str, ...]) -> None:
    lookout = Lookout(XORG)
    rig = watched(lookout)
    async with rig.running() as pilot:
        await pilot.press(*keys)
        details(rig).scan()
        assert "Used by" not in told(rig)
        assert lookout.asked == []


async def test_a_card_that_goes_away_takes_its_users_along() -> None:
    rig = watched(Lookout(QEMU))
    async with rig.running() as pilot:
        await pilot.press("enter")
        await shows(pilot, rig, "guest win11 libvirt-qemu")
        left = tuple(f for f in INVENTORY.functions if f.address not in (GUEST, AUDIO))
        rig.pci.put(replace(INVENTORY, functions=left))
        await shows(pilot, rig, "is not there any more")


# --- one that hangs -------------------------------------------------------------


async def test_a_look_that_hangs_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.screens.details.EVERY_S", 0.05)
    lookout = Lookout(XORG)
    lookout.free.clear()
    rig = watched(lookout)
    rig.nvml.reading = listing(GpuProcess(893, "Xorg", "graphics", 84))
    try:
        async with rig.running() as pilot:
            await pilot.press("tab", "enter")
            await shows(pilot, rig, "893 Xorg", "looking who uses the card …")
            rig.at += timedelta(seconds=11)
            await shows(pilot, rig, "no answer since 12:00:00: cannot tell who uses the card")
            await pilot.press("t")
            assert rig.app.theme == "vfiotop-light"
            rig.vitals.put(rig.vitals.reading)
            assert len(lookout.asked) == 1
            lookout.free.set()
            await shows(pilot, rig, "/dev/nvidia0")
            assert "no answer" not in told(rig)
    finally:
        lookout.free.set()


async def test_one_can_leave_while_a_look_hangs() -> None:
    lookout = Lookout()
    lookout.free.clear()
    rig = watched(lookout)
    try:
        async with rig.running() as pilot:
            await pilot.press("tab", "enter")
            await until(pilot, lambda: bool(lookout.asked))
            await pilot.press("escape")
            assert rig.app.screen.name == "overview"
            await pilot.press("q")
    finally:
        lookout.free.set()
    assert rig.app.return_code == 0


async def test_the_driver_lists_what_a_card_of_unknown_processes_has() -> None:
    """A reading without a list is no empty one."""
    rig = watched(Lookout(XORG))
    rig.nvml.reading = NvmlReading("580.95.05", (CardReading(HOST, "nvml"),))
    async with rig.running() as pilot:
        await pilot.press("tab", "enter")
        await shows(pilot, rig, "893 Xorg", "/dev/nvidia0")
