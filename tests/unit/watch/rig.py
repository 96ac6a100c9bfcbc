"""A watch on a host whose readings, clock and answers the test controls."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from tests.ui.rig import FakeInspector, Held
from tests.unit.made import NOON, domain, guests, idle, two_cards
from tui.config import Config
from tui.host import Host, HostError, NothingToRead, Objection, ReadOnlyControl
from tui.host.watch.record import Record, RecordFile
from tui.model import (
    Demand,
    Domain,
    DomainState,
    Event,
    Guests,
    HostFacts,
    Inventory,
    NvmlReading,
    Swap,
    UsbHostDev,
    UsbReading,
    Vitals,
)
from tui.model.requests import SwapRequest
from tui.session import Session
from tui.watch.display import Exports
from tui.watch.service import Service

T = TypeVar("T")

PATIENCE = 60.0
CARD = "0000:02:00.0"
POLICY = Config(guest_gpu=CARD, after_stop="unbind", pause=30.0, interval=3600)


class Source(Held[T]):
    """A source that cannot be read after it was closed. ``hold`` makes the next readings hang until
    ``release``."""

    def __init__(self, reading: T | HostError) -> None:
        super().__init__(reading)
        self.closed = False
        self.entered = threading.Semaphore(0)

    def hold(self) -> None:
        self.free.clear()
        self._wake()

    def release(self) -> None:
        self.free.set()

    def read(self) -> T:
        self.entered.release()
        reading = super().read()
        if self.closed:
            raise HostError("the source is closed")
        return reading

    def close(self) -> None:
        self.closed = True
        super().close()


class PlanSource(Source[T]):
    """Can be read after it was closed, like the real ones: it has no events to lose."""

    def close(self) -> None:
        self.release()


class Mover:
    """Hands each request to the test, and gives the answer that the test has queued."""

    unavailable_reason = None
    needs_terminal = False

    def __init__(self) -> None:
        self.requests: queue.SimpleQueue[SwapRequest] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()

    def begin(self, request: SwapRequest) -> str:
        self.requests.put(request)
        answer = self.answers.get(timeout=PATIENCE)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Control(ReadOnlyControl):
    """Gives the test each device that is lent. ``problem`` is why the next one cannot be."""

    unavailable_reason: str | None = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.lent: queue.SimpleQueue[UsbHostDev] = queue.SimpleQueue()
        self.problem: str | None = None
        self.attempts: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        """The number of each device that it was asked to lend."""

    def lend_usb(
        self,
        uuid: str,
        device: UsbHostDev,
        stale: Sequence[UsbHostDev],
        objection: Objection,
        name: str | None = None,
    ) -> None:
        self.attempts.put(device.number)
        if self.problem is not None:
            raise HostError(self.problem)
        self.lent.put(device)


class Keeper:
    """Records what is asked of it; ``works`` is whether it can keep the host awake."""

    def __init__(self) -> None:
        self.works = True
        self.held = False

    def hold(self, why: str) -> bool:
        self.held = self.works
        return self.works

    def release(self) -> None:
        self.held = False


class Outlet:
    """Keeps the events until the test takes them."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def tell(self, event: Event) -> None:
        self._events.put(event)

    def next(self, words: str) -> Event:
        """The next event with these words in its text."""
        while True:
            event = self._events.get(timeout=PATIENCE)
            if words in event.text:
                return event

    def waiting(self) -> list[Event]:
        """The events that nobody has taken yet."""
        return [self._events.get_nowait() for _ in range(self._events.qsize())]


class Rig:
    """A host with one guest, and a watch that has been started."""

    def __init__(self, folder: Path, config: Config = POLICY) -> None:
        self.config = config
        self.now_s = 1000.0
        self.facts = Source(HostFacts("tower", "6.12.30"))
        self.pci: Source[Inventory] = Source(two_cards("vfio-pci"))
        self.vitals: Source[Vitals] = Source(Vitals(idle(two_cards("vfio-pci"))))
        self.guests: Source[Guests] = Source(guests(win("shut off")))
        self.swap: Source[Swap] = Source(NothingToRead("no card was moved"))
        self.usb: Source[UsbReading] = Source(UsbReading(()))
        self.control = Control()
        self.mover, self.keeper, self.outlet = Mover(), Keeper(), Outlet()
        self.inspector = FakeInspector()
        self.record = RecordFile(folder, owner=folder.parent.stat().st_uid)
        self.alarms: list[str] = []
        self.told: list[tuple[str, bool]] = []
        """What the service manager was told: a status, and whether it is ready."""
        self.demands: list[Demand] = []
        self.plans = 0
        self._looks = threading.Condition()
        self._looked_at = 0
        self._seen: object = None

    def _open(self) -> Host:
        self.facts, self.pci = Source(self.facts.reading), Source(self.pci.reading)
        self.vitals, self.guests = Source(self.vitals.reading), Source(self.guests.reading)
        self.swap, self.usb = Source(self.swap.reading), Source(self.usb.reading)
        return Host(
            self.facts, self.pci, self.vitals, Source(NvmlReading("580.95", ())), self.guests,
            swap=self.swap, mover=self.mover, inspector=self.inspector, reopen=self.reopened,
            usb=self.usb, control=self.control,
            now=self.now, set_demand=self.demands.append,
        )  # fmt: skip

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.now_s - 1000.0)

    def reopened(self) -> Host:
        """Open the same host again; its sources are read and closed apart from the watch's."""
        self.plans += 1
        return Host(
            PlanSource(self.facts.reading), PlanSource(self.pci.reading),
            PlanSource(self.vitals.reading),
            PlanSource(NvmlReading("580.95", ())), PlanSource(self.guests.reading),
            swap=PlanSource(self.swap.reading), inspector=self.inspector, now=lambda: NOON,
            usb=PlanSource(self.usb.reading), control=self.control,
        )  # fmt: skip

    @contextmanager
    def watching(
        self,
        *,
        acts: bool = True,
        booting: Callable[[], bool] = lambda: False,
        exports: Exports | None = None,
        remember: Callable[[], str | None] | None = None,
    ) -> Iterator[Service]:
        """Run a watch until the end of the context. It closes its sources then, so each watch gets
        new ones with the same readings."""
        host = self._open()
        self.session = Session(host, self.config)
        service = Service(
            host, self.session, self.record if acts else None, [self.outlet],
            self.keeper, acts=acts, booting=booting, alarm=self.alarms.append,
            alive=self._looked, remember=remember, now_s=lambda: self.now_s, exports=exports,
        )  # fmt: skip
        thread = threading.Thread(target=service.run, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.stop()
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _looked(self, status: str, ready: bool) -> None:
        with self._looks:
            self.told.append((status, ready))
            self._seen = self.session.live.snapshot.facts
            self._looks.notify_all()

    @property
    def status(self) -> str:
        """What the service manager was told last."""
        return self.told[-1][0] if self.told else ""

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds after the watch has looked."""
        with self._looks:
            assert self._looks.wait_for(holds, PATIENCE), self.told[-3:]

    def look(self) -> None:
        """Wait until the watch has taken a new reading, and looked at what there is now."""
        self._looked_at += 1
        facts = HostFacts("tower", f"6.12.{self._looked_at}")
        self.facts.put(facts)
        self.until(lambda: self._seen == facts)

    # --- what happens ---

    def guest_is(self, *domains: Domain) -> None:
        self.guests.put(guests(*domains))

    def later(self, seconds: float) -> None:
        self.now_s += seconds
        self.look()

    def guest_runs_and_ends(self) -> Event:
        self.guest_is(win())
        self.until(lambda: "has the card" in self.status)
        self.guest_is(win("shut off"))
        return self.outlet.next("has ended: the card returns")

    def written(self) -> Record:
        found = self.record.read()
        assert found is not None
        return found

    def begins(self) -> SwapRequest:
        """The next request for a swap."""
        return self.mover.requests.get(timeout=PATIENCE)


def win(state: DomainState = "running", name: str = "win11") -> Domain:
    """A guest whose definition lists the card, with a UUID that the record takes."""
    uuid = f"00000000-0000-0000-0000-{sum(name.encode()):012x}"
    return domain(name, "02:00.0", "02:00.1", state=state, uuid=uuid)
