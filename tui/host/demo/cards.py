"""The simulated host's graphics cards: what NVML and sysfs report about them at a given time."""

from __future__ import annotations

from typing import Literal, cast

from msgspec import Struct

from tui.host.demo.traces import Cycle, Load, idle, lagged, noise
from tui.model import CardReading, CardVitals, GpuProcess, Link, Metrics, PciFunction

CardState = Literal["up", "asleep", "lost", "gone"]
"""``lost``: still listed on the bus, but not answering. ``gone``: no longer listed."""

UP = Cycle.always("up")
ASLEEP = Cycle.always("asleep")

LOST = (
    "the card is lost: it has fallen off the bus or does not answer; check the kernel log, "
    "a reboot may be needed"
)

BUSY_FROM = 0.03
"""The lagged load at which a card leaves its idle clocks and its idle link speed."""


class GpuModel(Struct, frozen=True):
    """A card's limits: MiB, watts, MHz, and degrees Celsius when idle, at full load, and when
    it slows down.

    ``fan``: whether NVML can read its fan.
    """

    name: str
    memory_mib: int
    idle_w: float
    limit_w: float
    clock_mhz: int
    mem_clock_mhz: int
    idle_c: int
    hot_c: int
    slow_c: int
    fan: bool = True


class Program(Struct, frozen=True):
    """A process that uses ``mib`` MiB of a card while ``runs`` is ``up``."""

    pid: int
    name: str
    what: str
    mib: int
    runs: Cycle = UP


class DemoCard(Struct, frozen=True):
    """A card in a slot, and its load over time.

    ``lanes`` and ``pcie_gen`` are those of the slot.
    """

    address: str
    model: GpuModel | None = None
    load: Load = idle
    encode: Load = idle
    decode: Load = idle
    programs: tuple[Program, ...] = ()
    states: Cycle = UP
    lanes: int = 16
    pcie_gen: int = 4
    seed: int = 0

    def state(self, at: float) -> CardState:
        return cast(CardState, self.states.state(at))

    def vitals(self, function: PciFunction, at: float) -> CardVitals:
        """What sysfs reports; the link of a card that does not answer cannot be read."""
        state = self.state(at)
        if state == "asleep":
            depth = "D3cold" if function.driver == "nvidia" else "D3hot"
            return CardVitals(self.address, "suspended", depth, driver=function.driver, enabled=0)
        link = self._link(at) if state == "up" else None
        return CardVitals(self.address, "active", "D0", link, function.driver, enabled=0)

    def reading(self, at: float) -> CardReading:
        """What NVML reports about a card that is awake. Raises ``ValueError`` for other cards."""
        if self.model is None:
            raise ValueError(f"NVML does not read {self.address}")
        name = f"NVIDIA {self.model.name}"
        if self.state(at) == "lost":
            return CardReading(self.address, "nvml", name=name, lost=LOST)
        programs = self._processes(at)
        metrics = self._metrics(self.model, programs, at)
        return CardReading(self.address, "nvml", metrics, name, programs)

    def shared_memory_reading(self, at: float) -> CardReading:
        """What i915 reports about integrated graphics: load, clock and power."""
        if self.model is None:
            raise ValueError(f"{self.address} has no readings")
        metrics = self._metrics(self.model, (), at)
        shared = Metrics(
            util_pct=metrics.util_pct, clock_mhz=metrics.clock_mhz, power_w=metrics.power_w
        )
        return CardReading(self.address, "i915", shared)

    def _link(self, at: float) -> Link | None:
        if self.model is None:
            return None
        fast = {3: 8.0, 4: 16.0}[self.pcie_gen]
        return Link(fast if lagged(self.load, at) > BUSY_FROM else 2.5, self.lanes)

    def _metrics(self, model: GpuModel, programs: tuple[GpuProcess, ...], at: float) -> Metrics:
        load, heat = self.load(at), lagged(self.load, at)
        busy = heat > BUSY_FROM
        temp = model.idle_c + (model.hot_c - model.idle_c) * heat
        power_capped = load > 0.965
        power = model.idle_w * (0.96 + 0.08 * noise(self.seed, at / 9))
        power += (0.97 * model.limit_w - model.idle_w) * load**0.85
        used = 310 + sum(p.memory_mib or 0 for p in programs)
        return Metrics(
            util_pct=round(100 * load),
            mem_util_pct=round(62 * load),
            mem_used_mib=round(used),
            mem_total_mib=model.memory_mib,
            temp_c=round(temp),
            temp_limit_c=model.slow_c,
            fan_pct=_fan(temp) if model.fan else None,
            power_w=round(min(power, model.limit_w), 1),
            power_limit_w=model.limit_w,
            clock_mhz=_clock(model, heat) if busy else 210,
            mem_clock_mhz=model.mem_clock_mhz if busy else 405,
            pcie_gen=self.pcie_gen if busy else 1,
            pcie_gen_max=self.pcie_gen,
            pcie_width=self.lanes,
            pcie_width_max=16,
            enc_pct=round(100 * self.encode(at)),
            dec_pct=round(100 * self.decode(at)),
            throttle=("power cap",) if power_capped else (),
        )

    def _share(self, program: Program, at: float) -> int:
        """A program's part of the card's load in percent, in proportion to its memory."""
        whole = sum(each.mib for each in self.programs)
        return round(100 * self.load(at) * program.mib / whole)

    def _processes(self, at: float) -> tuple[GpuProcess, ...]:
        return tuple(
            GpuProcess(p.pid, p.name, p.what, _memory_in_use(p, at), self._share(p, at))
            for p in self.programs
            if p.runs.state(at) == "up"
        )


def _memory_in_use(program: Program, at: float) -> int:
    """A program's memory in MiB, which grows and shrinks by a few percent over minutes."""
    return round(program.mib * (0.95 + 0.1 * noise(program.pid, at / 45)))


def _fan(temp_c: float) -> int:
    """The fan's speed in percent: it stops below 50 °C and follows the temperature above."""
    return 0 if temp_c < 50 else round(30 + 2.1 * (temp_c - 50))


def _clock(model: GpuModel, heat: float) -> int:
    """The core clock in MHz, in these cards' steps of 15; a hot card clocks a little lower."""
    share = min(1.0, 0.5 + 2 * heat) - 0.04 * heat
    return int(model.clock_mhz * share) // 15 * 15
