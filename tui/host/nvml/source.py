"""NVIDIA's cards through NVML, read by a child process that is let go of in time.

NVML holds every card it reads: a held card cannot leave its driver and cannot sleep.
So the child runs only while a card is on the ``nvidia`` driver, is killed as soon as
the set of such cards changes, if it has not ended by itself for that, and lets go of idle
cards (``tui.host.idle``). The ``driver`` links vanish before the driver's remove
callback runs, which is what makes this early enough. The child also ends by itself when the
journal of swaps is replaced, so that it is out of the way where nobody is there to kill it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tui.host import HostError, NothingToRead, Wake
from tui.host.calls import CallLog
from tui.host.idle import IdlePolicy, RuntimePower
from tui.host.journal.file import Journal
from tui.host.nvml.command import JOURNAL, Mark, command
from tui.host.nvml.process import NvmlProcess
from tui.host.nvml.reply import NvmlFailed, parse_reply
from tui.host.pci.power import read_power
from tui.host.readiness.source import nvidia_module
from tui.host.tree import PlainTree
from tui.model import CLOCK, Demand, NvmlReading
from tui.model.address import is_address
from tui.rules.driver_gates import RESERVED, never_recovers

TIMEOUT = 3.0
"""Seconds for one answer; one reading of a busy card takes a few milliseconds."""

START_TIMEOUT = 20.0
"""Seconds for the first answer: NVML may have to start cards that nothing holds."""

BACKOFF = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds until the next start, after one, two, ... failures in a row."""

UNWATCHED_S = 15.0
"""Seconds for which the cards are held though nobody looks: to start NVML costs more."""

RELEASED = "NVML is let go of while a card moves; it is read again after that"


class NvmlSource:
    """Readings of all cards on the ``nvidia`` driver that are awake.

    ``root`` holds the ``sys`` that is looked into, ``environment`` is set for the child
    in addition to our own, the time limits are in seconds, ``clock`` gives monotonic
    seconds; while ``swapping`` says that a card is being moved no child runs, nor does one
    outlive a change of the ``journal`` that tells of that. ``release``,
    ``resume`` and ``close`` may be called from any thread.
    """

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
        start_timeout: float = START_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = CLOCK.now,
        swapping: Callable[[], bool] = lambda: False,
        journal: Path = JOURNAL,
        calls: CallLog | None = None,
    ) -> None:
        self._bus = root / "sys/bus/pci"
        self._root = root
        self._environment = {**os.environ, **(environment or {})}
        self._timeout = timeout
        self._start_timeout = start_timeout
        self._clock = clock
        self._now = now
        self._swapping = swapping
        self._journal = journal
        self._calls = calls or CallLog()
        self._kept: tuple[str, ...] | None = None
        self._unseen: threading.Timer | None = None
        self._wake: Wake = lambda: None
        self._rest = IdlePolicy(clock)
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
        """One reading. Raises ``HostError``: no card there, all asleep, a card moves, NVML
        fails."""
        mark = self._mark()  # before the look: what comes after it ends the child
        try:
            if self._swapping():
                raise NothingToRead(RELEASED)
            bound = self._bound()
            spared = self._spared(bound)
            cards = tuple(self._power(address) for address in bound if address not in spared)
            wanted = self._rest.readable(cards)
            process = self._process_for(wanted, mark)
            if process is None:
                raise NothingToRead(RESERVED) if spared and not cards else _nothing_to_read(cards)
        except HostError:
            self._end()
            raise
        taken_at = self._now()
        try:
            line = process.ask(
                self._timeout if self._answered else self._start_timeout,
                wanted=lambda: (
                    self._bound() == bound
                    and self._spared(bound) == spared
                    and not self._swapping()
                ),
            )
            resting = tuple(card.address for card in cards if card.address not in wanted)
            reading = replace(
                parse_reply(line, taken_at), reserved_for_guest=spared, released_idle=resting
            )
        except NothingToRead:
            self._end()
            raise
        except HostError as error:
            raise self._failed(error) from error
        self._answered = True
        self._failures, self._failure = 0, None
        self._rest.observe(reading, cards)
        self._calls.count("nvml", reading.asked)
        return reading

    def set_demand(self, attention: Demand) -> None:
        """Take note of which cards are for a guest, and of whether somebody looks: a card that
        nobody looks at is let go of, so that it can sleep and leave."""
        if self._unseen is not None:
            self._unseen.cancel()
            self._unseen = None
        if not attention.shown:
            self._unseen = threading.Timer(UNWATCHED_S, self._end)
            self._unseen.daemon = True
            self._unseen.start()
        if attention.reserved != self._kept:
            self._kept = attention.reserved
            self._wake()

    def watch(self, wake: Wake) -> None:
        """NVML has no events for this; the app wakes this source on those of udev."""
        self._wake = wake

    def close(self) -> None:
        """End the child, for good."""
        if self._unseen is not None:
            self._unseen.cancel()
        self.release()

    def release(self) -> bool:
        """End the child and start none until ``resume``: whether nothing of ours holds a
        card any more. False where the child cannot be killed, being inside the driver."""
        with self._lock:
            self._released = True
        return self._end()

    def resume(self) -> None:
        """Allow readings again after ``release``."""
        with self._lock:
            self._released = False

    # --- the child ---------------------------------------------------------------

    def _process_for(self, addresses: tuple[str, ...], mark: Mark) -> NvmlProcess | None:
        """The child that holds just these cards, started where there is none."""
        if addresses != self._held:
            self._end()
            self._held = addresses
            self._failures, self._failure = 0, None
        with self._lock:
            if self._released:
                raise HostError(RELEASED)
            if self._process is None and addresses:
                self._wait_for_turn()
                self._answered = False
                words = command(self._bus / "drivers/nvidia", self._journal, mark, addresses)
                self._process = NvmlProcess(words, self._environment)
            return self._process

    def _wait_for_turn(self) -> None:
        """Raises what keeps the child from being started at this time."""
        stuck = self._unkillable
        if stuck is not None and not stuck.kill(0.0):
            raise HostError(
                f"NVML's process {stuck.pid} cannot be ended: it is stuck in the NVIDIA driver; "
                "no other one is started, and a reboot may be needed"
            )
        self._unkillable = None
        if self._failure is not None and self._clock() < self._failed_at + self._pause():
            raise self._failure

    def _pause(self) -> float:
        """Seconds from the last failure to the next start. What only the user can fix
        is not tried often."""
        if isinstance(self._failure, NvmlFailed):
            return BACKOFF[-1]
        return BACKOFF[min(self._failures, len(BACKOFF)) - 1]

    def _failed(self, error: HostError) -> HostError:
        """End the child that gave ``error``; what is to be told."""
        ended = self._end()
        if self._released:
            return HostError(RELEASED)
        self._failures += 1
        self._failure, self._failed_at = error, self._clock()
        return error if ended else HostError(f"{error}; it is stuck in the NVIDIA driver")

    def _end(self) -> bool:
        """Kill the child and await its end; whether there is none any more."""
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
        return Journal(self._journal.parent).mark()

    def _bound(self) -> tuple[str, ...]:
        """The functions bound to ``nvidia``: the links in /sys/bus/pci/drivers/nvidia
        (kernel: Documentation/ABI/testing/sysfs-bus-pci). Takes no lock of a device."""
        try:
            names = [path.name for path in (self._bus / "drivers/nvidia").iterdir()]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise HostError(
                f"/sys/bus/pci/drivers/nvidia cannot be read: {error.strerror}"
            ) from error
        return tuple(sorted(name for name in names if is_address(name)))

    def _spared(self, bound: tuple[str, ...]) -> tuple[str, ...]:
        """Those that are for a guest, where a card that is read could not be unbound by
        somebody else; all of them as long as it is not known which they are."""
        if not bound or not never_recovers(nvidia_module(PlainTree(self._root))):
            return ()
        return tuple(address for address in bound if self._kept is None or address in self._kept)

    def _power(self, address: str) -> RuntimePower:
        return read_power(PlainTree(self._bus / "devices" / address), address)


def _nothing_to_read(cards: tuple[RuntimePower, ...]) -> NothingToRead:
    if not cards:
        return NothingToRead("no card is on the nvidia driver")
    if all(card.asleep for card in cards):
        return NothingToRead("asleep: the cards on the nvidia driver are not woken to be read")
    return NothingToRead(
        "idle: NVML has let go of the cards on the nvidia driver, so they can sleep"
    )
