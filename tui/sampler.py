"""How readings are taken: one daemon thread per source, woken by time or by events.

A thread that hangs in the kernel or in a library stops its own source only:
nothing here ever waits for it, and the process can exit past it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from tui.host import Host, HostError, NothingToRead, Source
from tui.host.untrusted import clean
from tui.model import CLOCK, Reading, Sample, SourceName, Unavailable
from tui.process.crash import system_limit

SHORTEST_GAP = 0.05
"""Seconds between two readings of a source at least, however many events ask for one."""

PATIENCE: dict[SourceName, float] = {"agent": 15.0, "nvml": 25.0}
"""Seconds that one reading may take of sources that have time limits of their own: in each
guest a program is started and its end is waited for, and NVML may have to start cards that
nothing holds."""

Deliver = Callable[[Sample], None]
"""Called from a sampler's thread; must be safe there and return at once."""


class Sampler:
    """Reads one source again and again: every ``interval`` seconds, or with ``None``
    only when poked, and delivers each reading as a sample. ``patience`` is how many seconds a
    reading may take where that is not for whoever looks to say."""

    def __init__(
        self,
        name: SourceName,
        source: Source[Reading],
        deliver: Deliver,
        interval: float | None,
        now: Callable[[], datetime],
        *,
        patience: float = 0.0,
    ) -> None:
        self.name = name
        self._source = source
        self._deliver = deliver
        self._interval = interval
        self._slower, self._resting = 1.0, False
        self._patience = patience
        self._now = now
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._watched = False
        self._reading_since: tuple[float, datetime] | None = None
        self.took: float | None = None
        """Seconds that the last reading took."""
        self._thread = threading.Thread(target=self._run, name=f"sampler-{name}", daemon=True)

    def start(self) -> None:
        """Begin to read. Where no thread may start, that is what the source says."""
        try:
            self._thread.start()
        except RuntimeError as error:
            why = system_limit(error) or str(error)
            self._deliver(Sample(self.name, Unavailable(why), self._now()))

    def poke(self) -> None:
        """Ask for a reading now. From any thread."""
        self._wake.set()

    def pace(self, slower: float = 1.0, *, resting: bool = False) -> None:
        """Read with ``slower`` times the interval between, or while ``resting`` not at all; what
        was asked for meanwhile is read after that. From any thread."""
        if (slower, resting) != (self._slower, self._resting):
            at_once = resting < self._resting or slower < self._slower
            self._slower, self._resting = slower, resting
            if at_once:
                self._wake.set()

    @property
    def every(self) -> float | None:
        """Seconds between readings now; ``None``: only when poked."""
        return self._interval and self._interval * self._slower

    @property
    def reading_s(self) -> float | None:
        """Seconds for which a reading has been under way; ``None`` while none is."""
        under_way = self._reading_since
        return None if under_way is None else time.monotonic() - under_way[0]

    @property
    def resting(self) -> bool:
        return self._resting

    def stop(self) -> None:
        """Ask the thread to end after the reading it is in; does not wait for it."""
        self._stopped.set()
        self._wake.set()

    def stalled(self, after: float) -> Sample | None:
        """What stands for the source while a reading is under way for more than ``after``
        seconds: that it does not answer, and since when."""
        after = max(after, self._patience)
        under_way = self._reading_since
        if under_way is None or time.monotonic() - under_way[0] < after:
            return None
        since = under_way[1]
        reason = f"no answer since {CLOCK.time_of_day(since)}"
        return Sample(self.name, Unavailable(reason, since=since), self._now())

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            if self._resting:
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
        """Seconds to the next reading. All sources of the same pace are read at the same time,
        so that what they tell is drawn at once."""
        every = self.every
        if every is None:
            return None
        left = every - time.monotonic() % every
        return left if left > min(SHORTEST_GAP, every / 2) else left + every

    def _read(self) -> Reading:
        # Events are heard before the first reading, so that none falls between them.
        if not self._watched:
            self._source.watch(self.poke)
            self._watched = True
        return self._source.read()

    def _take(self) -> Sample:
        began = self._now()
        self._reading_since = (time.monotonic(), began)
        try:
            reading = self._read()
        except HostError as error:
            reading = Unavailable(str(error), isinstance(error, NothingToRead), since=began)
        except Exception as error:  # a defect of ours must cost one panel, and be seen in it
            text = clean(f"{type(error).__name__}: {error}")
            why = system_limit(error) or f"vfiotop failed here ({text}); please report it"
            reading = Unavailable(why, since=began)
        finally:
            self.took = time.monotonic() - self._reading_since[0]
            self._reading_since = None
        return Sample(self.name, reading, began)


def samplers(host: Host, deliver: Deliver, interval: float | None) -> tuple[Sampler, ...]:
    """A sampler for each source of ``host``. The host's facts and its PCI inventory
    are read at start and on events only, the guests' agents when they are due, the rest every
    ``interval`` seconds too."""
    on_events: Iterable[SourceName] = ("facts", "pci", "agent")
    return tuple(
        Sampler(
            name, source, deliver, None if name in on_events else interval, host.now,
            patience=PATIENCE.get(name, 0.0),
        )
        for name, source in host.sources()
    )  # fmt: skip


class Readers:
    """All samplers of a host. They may begin to read before there is somebody to have it: to
    start the screen takes as long as the first readings do."""

    def __init__(self, host: Host, interval: float) -> None:
        self._lock = threading.Lock()
        self._early: list[Sample] = []
        self._have: Deliver | None = None
        self._started = False
        self.by_name = {s.name: s for s in samplers(host, self._deliver, interval)}

    def start(self) -> None:
        """Begin to read; once."""
        if not self._started:
            self._started = True
            for sampler in self.by_name.values():
                sampler.start()

    def connect(self, have: Deliver) -> None:
        """Hand over what was read already, and from now on what is read."""
        with self._lock:
            self._have = have
            for sample in self._early:
                have(sample)
            self._early = []

    def _deliver(self, sample: Sample) -> None:
        with self._lock:
            if self._have is None:
                self._early.append(sample)
                return
        self._have(sample)
