"""Swaps on the simulated host: its cards move step by step, as on a real one.

Each step takes its time, and none fails.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from tui.host import HostError, NothingToRead, Wake
from tui.host.demo.clock import Clock
from tui.host.demo.holders import holders
from tui.host.demo.machine import Machine
from tui.model import (
    AMD_GRAPHICS,
    INTEL,
    NVIDIA,
    Boot,
    Cpu,
    Direction,
    Framebuffer,
    Holders,
    Hooks,
    HostSetup,
    Inventory,
    KernelOption,
    KernelSettings,
    NvidiaModule,
    PciFunction,
    Readiness,
    Snapshot,
    Step,
    StepKind,
    Swap,
)
from tui.model.requests import Requester, SwapRequest
from tui.rules.view import assess
from tui.swap.plan import steps

STEP_S: dict[StepKind, float] = {
    "load": 0.3, "drivers": 0.2, "override": 0.1, "unbind": 0.9, "probe": 0.7, "power": 0.1,
    "node": 0.1, "nvml": 0.4,
}  # fmt: skip
"""Seconds that each kind of step takes."""


_PASSTHROUGH = KernelOption("iommu", "pt", "iommu=pt", "/proc/cmdline")
_OPTIONS = {
    "amd": (_PASSTHROUGH,),
    "intel": (KernelOption("intel_iommu", "on", "intel_iommu=on", "/proc/cmdline"), _PASSTHROUGH),
}
"""The kernel options of a host that is set up, by the processor's vendor."""


class _Move(Struct, frozen=True):
    """A swap that began at ``began_s``; ``ends`` are the seconds from there to each step's end."""

    number: int
    direction: Direction
    address: str
    functions: tuple[PciFunction, ...]
    steps: tuple[Step, ...]
    began_s: float
    ends: tuple[float, ...]
    by: Requester

    def done(self, at: float) -> int:
        """The number of steps done."""
        return sum(self.began_s + end <= at for end in self.ends)

    def drivers(self, at: float) -> dict[str, str | None]:
        """The driver of each function as the steps done so far left it."""
        drivers = {f.address: f.driver for f in self.functions}
        host_drivers = {f.address: _host_driver(f) for f in self.functions}
        for step in self.steps[: self.done(at)]:
            if step.address is not None and step.kind == "unbind":
                drivers[step.address] = None
            elif step.address is not None and step.kind == "probe":
                drivers[step.address] = step.driver or host_drivers[step.address]
        return drivers


class DemoSwaps:
    """The swaps that the user ran on a ``machine``; safe from any thread."""

    def __init__(self, machine: Machine, clock: Clock) -> None:
        self._machine, self._clock = machine, clock
        self._lock = threading.Lock()
        self._moves: list[_Move] = []
        self.wakes: set[Wake] = set()

    def machine(self, at: float) -> Machine:
        """The machine with each function on the driver it has at a time."""
        drivers = tuple(sorted(self._drivers(at).items()))
        return _with_drivers(self._machine, drivers) if drivers else self._machine

    def _drivers(self, at: float) -> dict[str, str | None]:
        with self._lock:
            moves = list(self._moves)
        drivers: dict[str, str | None] = {}
        for move in moves:
            drivers |= move.drivers(at)
        return drivers

    def last(self) -> Swap:
        """The last swap, as the journal records one. Raises ``NothingToRead`` if there is none."""
        at = self._clock.seconds()
        with self._lock:
            if not self._moves:
                raise NothingToRead("no card has been moved on the simulated host")
            move = self._moves[-1]
        count = len(move.steps)
        done = move.done(at)
        began = self._clock.now() - timedelta(seconds=at - move.began_s)
        elapsed = ([0.0, *move.ends])[min(done, count)]
        return Swap(
            id=f"demo-{move.number}",
            direction=move.direction,
            address=move.address,
            moves=tuple(f.address for f in move.functions),
            state="done" if done == count else "running",
            steps=tuple(step.text for step in move.steps),
            step=min(done, count - 1),
            began_at=began,
            step_began_at=began + timedelta(seconds=elapsed),
            drivers=tuple(f.driver for f in move.functions),
            by=move.by,
        )

    def _wake(self) -> None:
        for wake in tuple(self.wakes):
            wake()

    # --- the mover protocol ---

    unavailable_reason = None
    needs_terminal = False

    def begin(self, request: SwapRequest) -> str:
        direction, address = request.action, request.address or ""
        at = self._clock.seconds()
        inventory: Inventory = self.machine(at).inventory(at)
        gpu = assess(Snapshot(pci=inventory)).gpu(address)
        if gpu is None or direction not in ("bind", "unbind"):
            raise HostError("the simulated host can bind and unbind its own cards only")
        planned = steps(gpu, "bind" if direction == "bind" else "unbind")
        ends: list[float] = []
        for step in planned:
            ends.append((ends[-1] if ends else 0.0) + STEP_S[step.kind])
        with self._lock:
            move = _Move(
                len(self._moves) + 1, "bind" if direction == "bind" else "unbind", address,
                gpu.functions, planned, at, tuple(ends), request.by,
            )  # fmt: skip
            self._moves.append(move)
        for end in ends:
            self._clock.call_at(at + end, self._wake)
        self._wake()
        return f"demo-{move.number}"

    # --- the inspector protocol ---

    def holders(self, addresses: Collection[str]) -> Holders:
        """The processes that hold a card bound to a host driver."""
        at = self._clock.seconds()
        return holders(self.machine(at), at, addresses)

    def readiness(self, gpus: Collection[str]) -> Readiness:
        module = NvidiaModule(self._machine.driver_version, modeset=False)
        cpu: Cpu = "amd" if self._machine.iommu == "amd" else "intel"
        boot = Boot("grub", "debian", "/etc/default/grub")
        options = () if self._machine.no_libvirt else _OPTIONS[cpu]
        seen = [Framebuffer("BOOTFB", f.address) for f in self._machine.functions if f.boot_vga]
        return Readiness(
            root=True, vfio_pci=True, nvidia=module, boot=boot, cpu=cpu,
            settings=KernelSettings(running=options),
            setup=HostSetup(
                tuple(seen), dict.fromkeys(gpus, True), no_idle_d3=False, vendor_reset=False,
                hooks=Hooks(known=True),
            ),
        )  # fmt: skip


class DemoJournal:
    """The source that reads the last swap."""

    def __init__(self, swaps: DemoSwaps) -> None:
        self._swaps = swaps
        self._wake: Wake | None = None

    def read(self) -> Swap:
        return self._swaps.last()

    def watch(self, wake: Wake) -> None:
        self._wake = wake
        self._swaps.wakes.add(wake)

    def close(self) -> None:
        if self._wake is not None:
            self._swaps.wakes.discard(self._wake)


@lru_cache(maxsize=64)
def _with_drivers(machine: Machine, drivers: tuple[tuple[str, str | None], ...]) -> Machine:
    by_address: Mapping[str, str | None] = dict(drivers)
    functions = tuple(
        replace(f, driver=by_address.get(f.address, f.driver)) for f in machine.functions
    )
    return replace(machine, functions=functions)


def _host_driver(function: PciFunction) -> str:
    """The host driver that the simulated kernel binds to a function."""
    by_class = {"0403": "snd_hda_intel", "0c03": "xhci_hcd", "0c80": "nvidia-gpu"}
    by_vendor = {NVIDIA: "nvidia", AMD_GRAPHICS: "amdgpu", INTEL: "i915"}
    return by_class.get(function.class_code[:4]) or by_vendor.get(function.vendor, "none")
