"""Readings of the real cards through our own NVML child, beside nvidia-smi's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.bench.usage import memory, process_clock
from tests.real.compare import (
    Compared,
    Processes,
    Sample,
    compare,
    compare_processes,
    values_of,
)
from tests.real.smi import Details, Smi, SmiError
from tui.host import HostError, NothingToRead
from tui.host.calls import CallLog
from tui.host.journal.file import JOURNAL
from tui.host.nvml.source import NvmlSource
from tui.model import CountedService, Demand, GpuProcess, NvmlReading
from tui.model.address import is_address

Pause = Callable[[float], None]


@dataclass(frozen=True)
class Options:
    """Where to read, and for how long. ``asleep_s`` is how long we read while a card sleeps,
    ``falls_asleep_s`` how long a card that may sleep gets to fall asleep, and ``limit_s`` when the
    samples end, complete or not."""

    root: Path = Path("/")
    samples: int = 20
    period_s: float = 0.5
    asleep_s: int = 20
    falls_asleep_s: int = 45
    limit_s: float = 80.0
    pause: Pause = time.sleep
    clock: Callable[[], float] = time.monotonic


class Calls(CallLog):
    """Counts NVML's calls without forgetting those of more than a minute ago."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def count(self, asked: CountedService, calls: int = 1) -> None:
        super().count(asked, calls)
        self.total += calls


@dataclass(frozen=True)
class Cost:
    """What our child costs: milliseconds of CPU until its first answer; milliseconds of CPU and
    NVML calls for each of the ``readings`` after that; MiB of memory; seconds until the first
    answer, and milliseconds until a later one. ``None``: not measured."""

    readings: int = 0
    start_cpu_ms: float | None = None
    cpu_ms: float | None = None
    calls: float | None = None
    pss_mib: float | None = None
    rss_mib: float | None = None
    first_s: float | None = None
    answer_ms: float | None = None
    smi_ms: float | None = None


@dataclass
class CardResult:
    """What was found out about one card. ``power`` is its power/runtime_status and power/control
    before the first reading and after the last; ``sleep`` says in words whether it slept."""

    address: str
    details: Details = field(default_factory=Details)
    samples: list[Sample] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    processes: Processes | None = None
    power: list[tuple[str, str]] = field(default_factory=list)
    sleep: str = ""
    problem: str | None = None


@dataclass
class Result:
    """Everything; ``notes`` are sentences about what could not be done."""

    driver: str | None = None
    cards: dict[str, CardResult] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    notes: list[str] = field(default_factory=list)


def bound_cards(root: Path = Path("/")) -> list[str]:
    """The addresses of the cards on the driver ``nvidia``."""
    try:
        names = [path.name for path in (root / "sys/bus/pci/drivers/nvidia").iterdir()]
    except OSError:
        return []
    return sorted(name for name in names if is_address(name))


class Measurement:
    """One run of all comparisons. Close it at the end."""

    def __init__(
        self, options: Options, smi: Smi, environment: Mapping[str, str] | None = None,
        journal: Path = JOURNAL,
    ) -> None:  # fmt: skip
        self._options = options
        self._smi = smi
        self._calls = Calls()
        self._source = NvmlSource(
            options.root,
            environment=environment,
            clock=options.clock,
            calls=self._calls,
            journal=journal,
        )
        # Nothing else of ours runs that would move a card meanwhile.
        self._source.set_demand(Demand(reserved=()))
        self._answers: list[float] = []
        self._smi_times: list[float] = []
        self._pid: int | None = None
        self._calls_at_start = 0
        self._cpu_at_start: float | None = None
        self.result = Result()

    def close(self) -> None:
        self._source.close()

    def run(self) -> Result:
        """Cards that sleep come first: nvidia-smi wakes all of them."""
        result = self.result
        for address in bound_cards(self._options.root):
            result.cards[address] = CardResult(address, power=[self._power(address)])
        self._read_around_sleepers()
        self._compare_values()
        self._compare_processes()
        self._let_sleep()
        for address, card in result.cards.items():
            card.power.append(self._power(address))
            card.compared = compare(card.samples)
        return result

    # --- values -------------------------------------------------------------------

    def _compare_values(self) -> None:
        options = self._options
        with suppress(SmiError):  # wakes the cards that sleep, which we never do
            self._smi.query()
        stop = options.clock() + options.limit_s
        for _ in range(options.samples):
            if options.clock() > stop:
                self.result.notes.append("nvidia-smi is slow: fewer samples were taken")
                break
            began = time.monotonic()
            try:
                before = self._read()
                theirs = self._query()
                after = self._read()
            except NothingToRead as error:
                self.result.notes.append(f"the samples ended early: {error}")
                break
            except (HostError, SmiError) as error:
                self.result.notes.append(str(error))
                break
            seconds = time.monotonic() - began
            for address, card in self.result.cards.items():
                first, last = before.of(address), after.of(address)
                if first is None or last is None:
                    continue
                card.problem = last.problem
                if address in theirs and last.problem is None:
                    card.samples.append(Sample(
                        values_of(first.metrics), theirs[address], values_of(last.metrics), seconds
                    ))  # fmt: skip
            self._measure_cost()
            options.pause(options.period_s)

    def _read(self) -> NvmlReading:
        began = time.monotonic()
        reading = self._source.read()
        took = time.monotonic() - began
        if self._source.pid != self._pid:  # another child: its cost begins anew
            self._pid, self._answers = self._source.pid, []
            self._calls_at_start = self._calls.total
            self._cpu_at_start = cpu_ms(self._pid) if self._pid is not None else None
        self._answers.append(took)
        self.result.driver = reading.driver_version
        return reading

    def _query(self) -> dict[str, Mapping[str, float | tuple[str, ...] | None]]:
        began = time.monotonic()
        rows = self._smi.query()
        self._smi_times.append(time.monotonic() - began)
        return dict(rows)

    def _compare_processes(self) -> None:
        try:
            before = self._read()
            details = self._smi.details()
            after = self._read()
        except (HostError, SmiError) as error:
            self.result.notes.append(f"the processes were not compared: {error}")
            return
        for address, card in self.result.cards.items():
            found = details.get(address)
            if found is None:
                continue
            card.details = found
            limit = {"temp_limit_c": found.slowdown_c}
            card.samples = [
                Sample(s.before, {**s.theirs, **limit}, s.after, s.seconds) for s in card.samples
            ]
            first, last = _processes(before, address), _processes(after, address)
            if first is not None and last is not None:
                card.processes = compare_processes(first, found.processes, last)

    def _measure_cost(self) -> None:
        """The cost of the child that runs now, so far."""
        pid, count = self._source.pid, len(self._answers) - 1
        if pid is None or count < 1:
            return
        used, cpu, start = memory(pid), cpu_ms(pid), self._cpu_at_start
        self.result.cost = Cost(
            count,
            start,
            None if cpu is None or start is None else (cpu - start) / count,
            (self._calls.total - self._calls_at_start) / count,
            used.pss / 1024 or None,
            used.rss / 1024 or None,
            self._answers[0],
            1000 * median(self._answers[1:]),
            1000 * median(self._smi_times) if self._smi_times else None,
        )

    # --- sleep --------------------------------------------------------------------

    def _power(self, address: str) -> tuple[str, str]:
        """power/runtime_status and power/control; reading them wakes no device."""
        folder = self._options.root / "sys/bus/pci/devices" / address / "power"
        words = []
        for name in ("runtime_status", "control"):
            try:
                words.append((folder / name).read_text().strip())
            except OSError:
                words.append("unknown")
        return words[0], words[1]

    def _asleep(self, address: str) -> bool:
        return self._power(address)[0] == "suspended"

    def _read_quietly(self) -> None:
        """Read as the screen does; it is fine if there is nothing to read."""
        with suppress(HostError):
            self._source.read()

    def _read_around_sleepers(self) -> None:
        """Read for a while, and see whether a card that sleeps still does."""
        sleeping = [a for a in self.result.cards if self._asleep(a)]
        woken: dict[str, int] = {}
        for second in range(self._options.asleep_s if sleeping else 0):
            self._read_quietly()
            self._options.pause(1.0)
            for address in sleeping:
                if not self._asleep(address):
                    woken.setdefault(address, second + 1)
        for address in sleeping:
            self.result.cards[address].sleep = (
                f"was asleep and woke up after {woken[address]} s"
                if address in woken
                else f"was asleep and still is after {self._options.asleep_s} s of reading"
            )

    def _let_sleep(self) -> None:
        """See whether an idle card falls asleep although it is being read."""
        waiting = []
        for address, card in self.result.cards.items():
            status, control = self._power(address)
            if card.sleep:
                continue
            if control == "auto" and status == "active":
                waiting.append(address)
            else:
                card.sleep = (
                    f"runtime power management is off (power/control is {control})"
                    if control != "auto"
                    else f"runtime_status is {status}"
                )
        released: set[str] = set()
        for second in range(self._options.falls_asleep_s if waiting else 0):
            self._read_and_note(released)
            self._options.pause(1.0)
            for address in [a for a in waiting if self._asleep(a)]:
                self.result.cards[address].sleep = f"fell asleep after {second + 1} s of reading"
                waiting.remove(address)
            if not waiting:
                break
        for address in waiting:
            why = "released" if address in released else "not idle, so not released"
            self.result.cards[
                address
            ].sleep = f"stayed awake for {self._options.falls_asleep_s} s of reading ({why})"

    def _read_and_note(self, released: set[str]) -> None:
        try:
            released |= set(self._source.read().released_idle)
        except NothingToRead:
            released |= set(self.result.cards)
        except HostError:
            pass


def _processes(reading: NvmlReading, address: str) -> tuple[GpuProcess, ...] | None:
    card = reading.of(address)
    return card.processes if card is not None else None


def cpu_ms(pid: int) -> float | None:
    """CPU time of a process in milliseconds, to the nanosecond; ``None`` if it has ended."""
    try:
        return 1000 * time.clock_gettime(process_clock(pid))
    except OSError:
        return None
