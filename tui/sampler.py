"""Takes readings: one daemon thread per source, woken by a timer or by events.

A thread that hangs in the kernel or in a library stops only its own source. Nothing here ever
waits for it, and the process can exit without it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from tui.host import Host, HostError, NothingToRead, NothingYet, Source
from tui.host.untrusted import clean
from tui.model import CLOCK, Reading, Sample, SourceName, Unavailable
from tui.process.crash import system_limit

SHORTEST_GAP = 0.05
"""Minimum seconds between two readings of a source, however many events ask for one."""

MIN_STALL_S: dict[SourceName, float] = {"agent": 15.0, "nvml": 25.0}
"""Minimum seconds before a reading counts as stalled, for sources with time limits of their own:
the agent runs a program in each guest to its end, and NVML may have to initialise idle cards."""

SELDOM_S = 10.0
"""Seconds between two readings of a source that events wake, in case one is lost."""

LEAST_S: dict[SourceName, float] = {"memory": 10.0, "swap": SELDOM_S}
"""Minimum seconds between two readings of sources that change slowly, cost more, or tell of each
change."""

FIRST: tuple[SourceName, ...] = ("nvml", "pci", "vitals", "swap", "facts")
"""The sources that the first frame needs: it shows the cards. NVML's process starts up while the
others are read. libvirt, which takes 20 ms to load, is read right after that frame."""

SOON_S = 0.1
"""A reading that has been under way for longer than this is not about to finish."""

TURN_S = 0.02
"""Maximum seconds that a reading waits for another source's: longer than most take together."""

Deliver = Callable[[Sample], None]
"""Called from a sampler's thread; must be safe there and return at once."""


class Sampler:
    """Reads one source every ``interval`` seconds, or with ``None`` only when poked, and
    delivers each reading as a sample. ``min_stall_s`` raises the caller's stall timeout.

    Samplers that are given the same ``turn`` read one after the other. Threads that read at once
    wait for Python's global lock at each system call, which costs more than the readings.
    """

    def __init__(
        self,
        name: SourceName,
        source: Source[Reading],
        deliver: Deliver,
        interval: float | None,
        now: Callable[[], datetime],
        *,
        min_stall_s: float = 0.0,
        turn: threading.Lock | None = None,
    ) -> None:
        self.name = name
        self._source = source
        self._deliver = deliver
        self._interval = interval
        self._factor, self._paused = 1.0, False
        self._has_nothing = False
        self._min_stall_s = min_stall_s
        self._now = now
        self._turn = turn
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._watch_wanted, self._watching = True, False
        self._reading_began: tuple[float, datetime] | None = None
        self.took_s: float | None = None
        """Seconds that the last reading took."""
        self._thread = threading.Thread(target=self._run, name=f"sampler-{name}", daemon=True)

    def start(self, *, watch: bool = True) -> None:
        """Begin to read, and unless told otherwise to watch. If no thread can start, the source is
        unavailable for that reason."""
        self._watch_wanted = watch
        try:
            self._thread.start()
        except RuntimeError as error:
            why = system_limit(error) or str(error)
            self._deliver(Sample(self.name, Unavailable(why), self._now()))

    def watch(self) -> None:
        """Watch from now on, and read again: an event before would be lost. From any thread."""
        if not self._watch_wanted:
            self._watch_wanted = True
            self._wake.set()

    def poke(self) -> None:
        """Ask for a reading now. From any thread."""
        self._wake.set()

    def set_pace(self, factor: float = 1.0, *, paused: bool = False) -> None:
        """Multiply the interval by ``factor``, or read nothing while ``paused``. A reading asked
        for meanwhile is taken afterwards. From any thread."""
        if (factor, paused) != (self._factor, self._paused):
            at_once = paused < self._paused or factor < self._factor
            self._factor, self._paused = factor, paused
            if at_once:
                self._wake.set()

    @property
    def interval_s(self) -> float | None:
        """Seconds between two readings at the present pace; ``None``: only when poked."""
        if self._interval is None:
            return None
        least_s = SELDOM_S if self._has_nothing else 0.0
        return max(self._interval * self._factor, least_s)

    @property
    def schedule(self) -> str:
        """When the source is read, in words. Each guest's agent has an interval of its own."""
        if self.interval_s is not None:
            return f"{self.interval_s:g} s"
        return "when due" if self.name == "agent" else "on change"

    @property
    def reading_s(self) -> float | None:
        """Seconds since the reading under way began; ``None`` if there is none."""
        under_way = self._reading_began
        return None if under_way is None else time.monotonic() - under_way[0]

    @property
    def soon_read(self) -> bool:
        """Whether the reading under way may be about to finish: most take a few milliseconds."""
        seconds = self.reading_s
        return seconds is not None and seconds < SOON_S

    @property
    def paused(self) -> bool:
        return self._paused

    def stop(self) -> None:
        """Ask the thread to end after its present reading; does not wait for it."""
        self._stopped.set()
        self._wake.set()

    def stalled(self, after: float) -> Sample | None:
        """A sample that says since when the source has not answered, if its reading has been under
        way for more than ``after`` seconds."""
        after = max(after, self._min_stall_s)
        under_way = self._reading_began
        if under_way is None or time.monotonic() - under_way[0] < after:
            return None
        reason = f"no answer since {CLOCK.time_of_day(under_way[1])}"
        return Sample(self.name, Unavailable(reason), self._now())

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            if self._paused:
                self._wake.wait()
                continue
            sample = self._take()
            if self._stopped.is_set():
                break
            self._deliver(sample)
            ended = time.monotonic()
            self._wake.wait(self._until_next())
            self._stopped.wait(max(0.0, ended + SHORTEST_GAP - time.monotonic()))
        self._source.close()

    def _until_next(self) -> float | None:
        """Seconds to the next reading. Sources with the same interval are read at the same
        moment, so that their readings are drawn as one frame."""
        every = self.interval_s
        if every is None:
            return None
        left = every - time.monotonic() % every
        return left if left > min(SHORTEST_GAP, every / 2) else left + every

    def _read(self) -> Reading:
        # Watch before reading: an event in between would be lost.
        if self._watch_wanted and not self._watching:
            self._source.watch(self.poke)
            self._watching = True
        return self._source.read()

    def _take(self) -> Sample:
        self._reading_began = (time.monotonic(), self._now())
        turn = self._take_turn()
        began, began_s = self._now(), time.monotonic()
        has_nothing = False
        try:
            reading = self._read()
        except HostError as error:
            has_nothing = isinstance(error, NothingYet)
            reading = Unavailable(str(error), isinstance(error, NothingToRead))
        except Exception as error:  # a bug of ours costs one panel, and shows there
            text = clean(f"{type(error).__name__}: {error}")
            why = system_limit(error) or f"vfiotop failed here ({text}); please report it"
            reading = Unavailable(why)
        finally:
            if turn is not None:
                turn.release()
            self.took_s = time.monotonic() - began_s
            self._reading_began = None
            self._has_nothing = has_nothing
        return Sample(self.name, reading, began)

    def _take_turn(self) -> threading.Lock | None:
        """Wait for this source's turn; returns the lock to release after the reading. There is none
        if the wait was too long, for first readings, since the screen's start waits for them, and
        for sources that are not read regularly: an agent may take seconds."""
        if self._turn is None or self._interval is None or self.took_s is None:
            return None
        return self._turn if self._turn.acquire(timeout=TURN_S) else None


def samplers(host: Host, deliver: Deliver, interval: float | None) -> tuple[Sampler, ...]:
    """Make a sampler for each source of ``host``.

    The host's facts, PCI inventory, USB devices, kernel log and watch are read at start and on
    events only, and the guests' agents when they are due; the other sources every ``interval``
    seconds as well, or less often.
    """
    on_events: Iterable[SourceName] = ("facts", "pci", "agent", "usb", "kernel", "watch")

    def every(name: SourceName) -> float | None:
        if name in on_events or interval is None:
            return None
        return max(interval, LEAST_S.get(name, 0.0))

    turn = threading.Lock()
    return tuple(
        Sampler(
            name, source, deliver, every(name), host.now,
            min_stall_s=MIN_STALL_S.get(name, 0.0), turn=turn,
        )
        for name, source in host.sources()
    )  # fmt: skip


class Readers:
    """All samplers of a host. They can read before a screen is connected: starting the screen
    takes as long as the first readings do."""

    def __init__(self, host: Host, interval: float) -> None:
        self._lock = threading.Lock()
        self._early: list[Sample] = []
        self._receiver: Deliver | None = None
        self._started: set[SourceName] = set()
        self.started = threading.Event()
        """Set when all sources are being read."""
        self.by_name = {s.name: s for s in samplers(host, self._deliver, interval)}

    def start_first(self) -> None:
        """Begin to read what the first frame needs, without watching: that can wait."""
        for name in FIRST:
            self._started.add(name)
            self.by_name[name].start(watch=False)

    def start(self) -> None:
        """Begin to read all sources and to watch them; once."""
        for name, sampler in self.by_name.items():
            if name in self._started:
                sampler.watch()
            else:
                self._started.add(name)
                sampler.start()
        self.started.set()

    def connect(
        self, receiver: Deliver, *, early: Callable[[Sample], object] | None = None
    ) -> None:
        """Deliver new samples to ``receiver``, and those taken so far to ``early``, if given."""
        with self._lock:
            self._receiver = receiver
            for sample in self._early:
                (early or receiver)(sample)
            self._early = []

    def _deliver(self, sample: Sample) -> None:
        with self._lock:
            if self._receiver is None:
                self._early.append(sample)
                return
        self._receiver(sample)
