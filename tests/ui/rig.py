"""A running application on a host that the test controls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Generic, TypeVar, cast

from textual.pilot import Pilot

from tests.thorough import thorough
from tests.values import replace
from tui.app import VfiotopApp
from tui.config import Config
from tui.host import Forbids, Host, HostError, NothingToRead, Objection, Wake
from tui.model import (
    NOT_READ_YET,
    AgentReading,
    CardReading,
    CardVitals,
    Demand,
    Domain,
    DrmReading,
    GuestAction,
    Guests,
    Holders,
    Hooks,
    HostDev,
    HostFacts,
    HostSetup,
    Inventory,
    KernelLog,
    KernelSettings,
    Metrics,
    NvidiaModule,
    NvmlReading,
    PciFunction,
    Readiness,
    Snapshot,
    Swap,
    UsbHostDev,
    UsbReading,
    Vitals,
    Watch,
)
from tui.model.requests import SwapRequest
from tui.screens.base import HostScreen
from tui.session import Session

T = TypeVar("T")

PATIENCE = 60.0
NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
WIDE, NORMAL, PHONE = (120, 40), (80, 24), (45, 20)
SIZES = [WIDE, PHONE, *thorough((NORMAL,))]


class Held(Generic[T]):
    """A source that returns what the test puts in, and wakes its sampler then."""

    def __init__(self, reading: T | HostError) -> None:
        self.reading: T | HostError = reading
        self._wake: Wake = lambda: None
        self.free = threading.Event()
        self.free.set()
        self.readings = 0

    def put(self, reading: T | HostError) -> None:
        self.reading = reading
        self._wake()

    def read(self) -> T:
        self.readings += 1
        self.free.wait()
        if isinstance(self.reading, HostError):
            raise self.reading
        return self.reading

    def watch(self, wake: Wake) -> None:
        self._wake = wake

    def close(self) -> None:
        self.free.set()


GUEST_CARD = PciFunction(
    "0000:01:00.0", "10de", "2684", "030000", "AD102 [GeForce RTX 4090]",
    driver="vfio-pci", iommu_group=14, boot_vga=False,
)  # fmt: skip
GUEST_AUDIO = PciFunction(
    "0000:01:00.1", "10de", "22ba", "040300", "AD102 High Definition Audio Controller",
    driver="vfio-pci", iommu_group=14,
)  # fmt: skip
HOST_CARD = PciFunction(
    "0000:0a:00.0", "10de", "2504", "030000", "GA106 [GeForce RTX 3060]",
    driver="nvidia", iommu_group=20, boot_vga=True,
)  # fmt: skip
DISK = PciFunction(
    "0000:02:00.0", "144d", "a80a", "010802", "NVMe SSD Controller", driver="nvme", iommu_group=15
)
INVENTORY = Inventory((GUEST_CARD, GUEST_AUDIO, DISK, HOST_CARD), "amd", (14, 15, 20))
VITALS = Vitals((
    CardVitals("0000:01:00.0", "active", "D0", driver="vfio-pci"),
    CardVitals("0000:0a:00.0", "active", "D0", driver="nvidia"),
))  # fmt: skip
READING = CardReading(
    "0000:0a:00.0", "nvml", Metrics(util_pct=37, mem_used_mib=1240, mem_total_mib=12288, temp_c=54)
)
NVML = NvmlReading("580.95.05", (READING,))
WIN11 = Domain(
    "win11", "5f0c", "running", hostdevs=(HostDev("0000:01:00.0", managed=False),
    HostDev("0000:01:00.1", managed=False)), vcpus=8, memory_mib=16384, cpu_pct=42,
)  # fmt: skip
GUESTS = Guests("qemu:///system", "9.0.0", (WIN11,))


class FakeMover:
    """Records requests; ``answer`` is the swap's id, or the error to raise."""

    def __init__(self) -> None:
        self.unavailable_reason: str | None = None
        self.needs_terminal = False
        self.requests: list[SwapRequest] = []
        self.answer: str | Exception = "first"

    def begin(self, request: SwapRequest) -> str:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class FakeControl:
    """Records what is asked of domains; ``answer`` is the error to raise, if any."""

    unavailable_reason: str | None = None

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answer: Exception | None = None
        self.free = threading.Event()
        self.free.set()
        self.domains = GUESTS
        self.xml = ""

    def act(self, action: GuestAction, uuid: str, name: str | None = None) -> None:
        self.asked.append((action, uuid))
        self._do()

    def start(self, uuid: str, forbids: Forbids, name: str | None = None) -> None:
        reason = forbids(self.domains)
        if reason is not None:
            raise HostError(reason)
        self.asked.append(("start", uuid))
        self._do()

    def lend_usb(
        self,
        uuid: str,
        device: UsbHostDev,
        stale: Sequence[UsbHostDev],
        objection: Objection,
        name: str | None = None,
    ) -> None:
        reason = objection()
        if reason is not None:
            raise HostError(reason)
        self.asked += [(f"return {each.number}", uuid) for each in stale]
        self.asked.append((f"lend {device.number}", uuid))
        self._do()

    def return_usb(self, uuid: str, device: UsbHostDev, name: str | None = None) -> None:
        self.asked.append((f"return {device.number}", uuid))
        self._do()

    def definition(self, uuid: str) -> str:
        return self.xml

    def define(self, uuid: str, before: str, after: str) -> None:
        if before != self.xml:
            raise HostError("somebody has changed the guest meanwhile")
        self.asked.append(("define", uuid))
        self.xml = after

    def _do(self) -> None:
        self.free.wait(PATIENCE)
        if self.answer is not None:
            raise self.answer


class FakeKeeper:
    """Records which returns are cancelled."""

    def __init__(self) -> None:
        self.unavailable_reason: str | None = None
        self.kept: list[str] = []
        self.answer: HostError | None = None

    def keep(self, pending: str) -> None:
        if self.answer is not None:
            raise self.answer
        self.kept.append(pending)


class FakeInspector:
    """A host that is ready for a swap, with no users of a card unless a test adds some."""

    def __init__(self) -> None:
        self.found: Holders | HostError = Holders(())

    def holders(self, addresses: Collection[str]) -> Holders:
        if isinstance(self.found, HostError):
            raise self.found
        return self.found

    def readiness(self, gpus: Collection[str]) -> Readiness:
        return Readiness(
            root=True, vfio_pci=True, nvidia=NvidiaModule("580.95.05", modeset=False),
            settings=KernelSettings(running=()),
            setup=HostSetup((), dict.fromkeys(gpus, True), hooks=Hooks(known=True)),
        )  # fmt: skip


class Rig:
    """A host with two cards and one guest, and an application that shows it."""

    def __init__(self) -> None:
        self.mover, self.inspector = FakeMover(), FakeInspector()
        self.control, self.at = FakeControl(), NOON
        self.keeper = FakeKeeper()
        self.facts = Held(HostFacts("tower", "6.12.30"))
        self.pci = Held(INVENTORY)
        self.vitals = Held(VITALS)
        self.nvml = Held(NVML)
        self.guests = Held(GUESTS)
        self.swap: Held[Swap] = Held(NothingToRead("none"))
        self.drm: Held[DrmReading] = Held(NothingToRead("none"))
        self.agent: Held[AgentReading] = Held(NothingToRead("none"))
        self.usb: Held[UsbReading] = Held(NothingToRead("none"))
        self.kernel = Held(KernelLog())
        self.watch: Held[Watch] = Held(NothingToRead("none"))
        self.demands: list[Demand] = []
        self.host = Host(
            self.facts, self.pci, self.vitals, self.nvml, self.guests, swap=self.swap,
            drm=self.drm, agent=self.agent, kernel=self.kernel, set_demand=self.demands.append,
            usb=self.usb, watch=self.watch, keeper=self.keeper,
            inspector=self.inspector, mover=self.mover, control=self.control, now=lambda: self.at,
            reopen=self.reopen,
        )  # fmt: skip
        self.app = VfiotopApp(Session(self.host, Config(theme="vfiotop-dark", interval=3600)))

    @property
    def session(self) -> Session:
        return self.app.session

    def reopen(self) -> Host:
        """Open the same host again, for readings apart from the application's."""
        return Host(
            Held(self.facts.reading), Held(self.pci.reading), Held(self.vitals.reading),
            Held(self.nvml.reading), Held(self.guests.reading), swap=Held(self.swap.reading),
            kernel=Held(self.kernel.reading),
            inspector=self.inspector, control=self.control, now=lambda: self.at,
            usb=Held(self.usb.reading),
        )  # fmt: skip

    def free(self) -> None:
        for source in (self.facts, self.pci, self.vitals, self.nvml, self.guests, self.swap):
            source.free.set()

    @asynccontextmanager
    async def running(self, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[None]]:
        try:
            async with self.app.run_test(size=size) as pilot:
                await until(pilot, lambda: all_read(self.session.live.snapshot))
                yield pilot
        finally:
            self.free()

    def text(self) -> str:
        return text_of(self.app)


def at_home(rig: Rig) -> None:
    """Both cards with the host, and the guest shut off."""
    home = {GUEST_CARD.address: "nvidia", GUEST_AUDIO.address: "snd_hda_intel"}
    functions = tuple(replace(f, driver=home.get(f.address, f.driver)) for f in INVENTORY.functions)
    cards = tuple(replace(card, driver="nvidia") for card in VITALS.cards)
    rig.pci.reading = replace(INVENTORY, functions=functions)
    rig.vitals.reading = replace(VITALS, cards=cards)
    rig.guests.reading = replace(GUESTS, domains=(replace(WIN11, state="shut off"),))


def all_read(snapshot: Snapshot) -> bool:
    """Whether every source has answered at least once."""
    return NOT_READ_YET not in (
        snapshot.facts, snapshot.pci, snapshot.vitals, snapshot.nvml, snapshot.guests,
        snapshot.swap, snapshot.kernel,
    )  # fmt: skip


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds; readings come through the samplers' threads. Fails with what
    is on the screen."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(text_of(cast(VfiotopApp, pilot.app))) from None
    await pilot.pause()


def text_of(app: VfiotopApp) -> str:
    """The screen as the terminal shows it, row by row."""
    width, height = app.size
    rows = app.screen._compositor.render_strips(app.size)[:height]
    return "\n".join("".join(s.text for s in strip)[:width].rstrip() for strip in rows)


def hints(rig: Rig) -> dict[str, bool]:
    """The keys of the footer, and whether they work."""
    screen = rig.app.screen
    assert isinstance(screen, HostScreen)
    return {hint.key: hint.enabled for hint in screen.hints()}


def dim(rig: Rig, key: str) -> bool:
    """Whether the footer shows a key dimmed."""
    return hints(rig).get(key) is False


def said(rig: Rig) -> str:
    """What the footer says in place of the keys."""
    screen = rig.app.screen
    return screen._notice if isinstance(screen, HostScreen) else ""


async def press(pilot: Pilot[None], rig: Rig, key: str) -> None:
    """Press a key once it works: a plan is agreed to only after all of it was drawn."""
    await until(pilot, lambda: hints(rig).get(key, False))
    await pilot.press(key)
