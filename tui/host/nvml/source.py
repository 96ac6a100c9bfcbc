"""NVIDIA's cards through NVML, read by a child process that releases them in time.

NVML holds every card it reads, and a held card can neither leave its driver nor sleep. So the child
runs only while a card is on the ``nvidia`` driver. It is killed as soon as the set of such cards
changes, if it has not already ended for that reason, and it does not hold idle cards
(``tui.host.idle``). This is early enough because the ``driver`` links vanish before the driver's
remove callback runs. The child also ends on its own when the swap journal is replaced, so it is out
of the way even if nobody is there to kill it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec.structs import replace

from tui.host import HostError, NothingToRead, NothingYet, Wake
from tui.host.calls import CallLog
from tui.host.idle import IdlePolicy, RuntimePower
from tui.host.journal.file import JOURNAL, Journal
from tui.host.nvml.command import Mark, command
from tui.host.nvml.process import NvmlProcess
from tui.host.nvml.reply import NvmlFailed, parse_reply
from tui.host.pci.power import read_power
from tui.host.readiness.nvidia import nvidia_module
from tui.host.tree import PlainTree
from tui.model import Demand, NvmlReading
from tui.model.address import is_address
from tui.rules.driver_gates import RESERVED, never_recovers

TIMEOUT = 3.0
"""Seconds for one answer; reading a busy card takes a few milliseconds."""

START_TIMEOUT = 20.0
"""Seconds for the first answer: NVML may have to start cards that nothing holds."""

BACKOFF = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds until the next start, after one, two, ... failures in a row."""

UNWATCHED_S = 15.0
"""Seconds for which the cards are held although nobody is watching: starting NVML costs more."""

RELEASED = "NVML is released while a card moves, and is read again afterwards"


class NvmlSource:
    """Reads all cards on the ``nvidia`` driver that are awake.

    ``root`` holds the ``sys`` to read. ``environment`` is set for the child in addition to our own.
    The timeouts are in seconds; ``clock`` gives monotonic seconds. No child runs while ``swapping``
    returns true, and none outlives a change of the swap ``journal``. ``release``, ``resume`` and
    ``close`` may be called from any thread.
    """

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
        start_timeout: float = START_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        swapping: Callable[[], bool] = lambda: False,
        journal: Path = JOURNAL,
        calls: CallLog | None = None,
    ) -> None:
        self._root = PlainTree(root)
        self._drivers = self._root / "sys/bus/pci/drivers"
        self._devices = self._root / "sys/bus/pci/devices"
        self._environment = {**os.environ, **(environment or {})}
        self._timeout = timeout
        self._start_timeout = start_timeout
        self._clock = clock
        self._swapping = swapping
        self._journal = journal
        self._entries = Journal(journal.parent)
        self._calls = calls or CallLog()
        self._reserved: tuple[str, ...] | None = None
        self._unwatched: threading.Timer | None = None
        self._wake: Wake = lambda: None
        self._idle_policy = IdlePolicy(clock)
        self._lock = threading.Lock()
        self._process: NvmlProcess | None = None
        self._held: tuple[str, ...] = ()
        self._answered = False
        self._unkillable: NvmlProcess | None = None
        self._released = False
        self._failures = 0
        self._failure: HostError | None = None
        self._failed_at = 0.0

    @property
    def pid(self) -> int | None:
        """The process id of the child, while there is one."""
        process = self._process
        return process.pid if process else None

    def read(self) -> NvmlReading:
        """Read all cards once.

        Raises ``HostError``: there is no card, all are asleep, a card is being moved, or NVML
        fails.
        """
        mark = self._mark()  # before the checks: a journal that changes after this ends the child
        try:
            if self._swapping():
                raise NothingToRead(RELEASED)
            bound = self._bound()
            reserved = self._reserved_among(bound)
            cards = tuple(self._power(address) for address in bound if address not in reserved)
            readable = self._idle_policy.readable(cards)
            process = self._process_for(readable, mark)
            if process is None:
                raise NothingToRead(RESERVED) if reserved and not cards else _nothing_to_read(cards)
        except HostError:
            self._end()
            raise
        try:
            line = process.ask(
                self._timeout if self._answered else self._start_timeout,
                wanted=lambda: (
                    self._bound() == bound
                    and self._reserved_among(bound) == reserved
                    and not self._swapping()
                ),
            )
            read, calls = parse_reply(line)
            released = tuple(card.address for card in cards if card.address not in readable)
            reading = replace(read, reserved_for_guest=reserved, released_idle=released)
        except NothingToRead:
            self._end()
            raise
        except HostError as error:
            raise self._failed(error) from error
        self._answered = True
        self._failures, self._failure = 0, None
        self._idle_policy.observe(reading, cards)
        self._calls.count("nvml", calls)
        return reading

    def set_demand(self, demand: Demand) -> None:
        """Note which cards are reserved for a guest and whether anybody is watching.

        Cards that nobody watches are released, so that they can sleep and leave their driver.
        """
        if self._unwatched is not None:
            self._unwatched.cancel()
            self._unwatched = None
        if not demand.shown:
            self._unwatched = threading.Timer(UNWATCHED_S, self._end)
            self._unwatched.daemon = True
            self._unwatched.start()
        if demand.reserved != self._reserved:
            self._reserved = demand.reserved
            self._wake()

    def watch(self, wake: Wake) -> None:
        """NVML has no events for this; the app wakes this source on udev events."""
        self._wake = wake

    def close(self) -> None:
        """End the child for good."""
        if self._unwatched is not None:
            self._unwatched.cancel()
        self.release()

    def release(self) -> bool:
        """End the child, and start none until ``resume``. Return whether we hold no card any more.

        False means that the child is inside the driver and cannot be killed.
        """
        with self._lock:
            self._released = True
        return self._end()

    def resume(self) -> None:
        """Allow readings again after ``release``."""
        with self._lock:
            self._released = False

    # --- the child ---------------------------------------------------------------

    def _process_for(self, addresses: tuple[str, ...], mark: Mark) -> NvmlProcess | None:
        """Return the child that holds exactly these cards; start it if there is none."""
        if addresses != self._held:
            self._end()
            self._held = addresses
            self._failures, self._failure = 0, None
        with self._lock:
            if self._released:
                raise HostError(RELEASED)
            if self._process is None and addresses:
                self._check_may_start()
                self._answered = False
                folder = Path(f"{self._drivers}/nvidia")
                words = command(folder, self._journal, mark, addresses)
                self._process = NvmlProcess(words, self._environment)
            return self._process

    def _check_may_start(self) -> None:
        """Raise the reason why the child must not be started now."""
        stuck = self._unkillable
        if stuck is not None and not stuck.kill(0.0):
            raise HostError(
                f"NVML's process {stuck.pid} is stuck in the NVIDIA driver and cannot be killed; "
                "a reboot may be needed"
            )
        self._unkillable = None
        if self._failure is not None and self._clock() < self._failed_at + self._pause():
            raise self._failure

    def _pause(self) -> float:
        """Return the seconds from the last failure to the next start.

        An error of NVML itself, which only the user can fix, is seldom retried.
        """
        if isinstance(self._failure, NvmlFailed):
            return BACKOFF[-1]
        return BACKOFF[min(self._failures, len(BACKOFF)) - 1]

    def _failed(self, error: HostError) -> HostError:
        """End the child that caused ``error``; return the error to report."""
        ended = self._end()
        if self._released:
            return HostError(RELEASED)
        self._failures += 1
        self._failure, self._failed_at = error, self._clock()
        return error if ended else HostError(f"{error}; it is stuck in the NVIDIA driver")

    def _end(self) -> bool:
        """Kill the child and wait for its end; return whether there is none any more."""
        with self._lock:
            process = self._process or self._unkillable
            if process is None:
                return True
            ended = process.kill()
            self._process = None
            self._unkillable = None if ended else process
            return ended

    # --- the journal and sysfs ---------------------------------------------------

    def _mark(self) -> Mark:
        return self._entries.version()

    def _bound(self) -> tuple[str, ...]:
        """Return the functions bound to ``nvidia``: the links in /sys/bus/pci/drivers/nvidia.

        Takes no device lock (kernel: Documentation/ABI/testing/sysfs-bus-pci).
        """
        try:
            names = self._drivers.names("nvidia")
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise HostError(
                f"/sys/bus/pci/drivers/nvidia cannot be read: {error.strerror}"
            ) from error
        return tuple(sorted(name for name in names if is_address(name)))

    def _reserved_among(self, bound: tuple[str, ...]) -> tuple[str, ...]:
        """Return the cards reserved for a guest that must not be read.

        Applies to drivers that lose a card until the next boot if it is unbound while we read it.
        While it is not known which cards are reserved, all of them count.
        """
        if not bound or not never_recovers(nvidia_module(self._root)):
            return ()
        return tuple(
            address for address in bound if self._reserved is None or address in self._reserved
        )

    def _power(self, address: str) -> RuntimePower:
        return read_power(self._devices / address, address)


def _nothing_to_read(cards: tuple[RuntimePower, ...]) -> NothingToRead:
    if not cards:
        return NothingYet("no card is on the nvidia driver")
    if all(card.asleep for card in cards):
        return NothingToRead("asleep: reading does not wake the cards on the nvidia driver")
    return NothingToRead("idle: the cards on the nvidia driver are released, so they can sleep")
