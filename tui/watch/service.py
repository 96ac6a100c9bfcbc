"""The watch's loop: readings in, decisions, swaps and events out.

One thread decides. Readings, and the outcomes of swaps that other threads have asked for, come to
it through one queue, so nothing that hangs can hold it up.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from tui.host import Host
from tui.host.watch.record import RecordFile
from tui.host.watch.source import pending_return
from tui.model import Direction, Event, Sample, Watch
from tui.model.clock import since_boot
from tui.model.watch import WatchPolicy
from tui.rules.usb_attempts import FLAPS, FLAPS_FIX, failure
from tui.session import Session
from tui.watch import boot as booting
from tui.watch import policies
from tui.watch.boot import Boot, BootDecision
from tui.watch.carry_out import move
from tui.watch.display import Exports, WatchDisplay
from tui.watch.policies import Decision, News, Outcome
from tui.watch.recorder import Recorder
from tui.watch.usb import Attached, Attacher

TICK_S, IDLE_TICK_S = 1.0, 5.0
"""Seconds between two checks of what no reading shows: a request to keep the card, a deadline, a
source that does not answer. The longer one while nothing is pending."""


class Outlet(Protocol):
    """Where events go."""

    def tell(self, event: Event) -> None:
        """Pass an event on. Returns at once."""
        ...


class Keeper(Protocol):
    """Keeps the host from going to sleep."""

    def hold(self, why: str) -> bool: ...
    def release(self) -> None: ...


class _Moved(NamedTuple):
    """What became of a swap that was asked for."""

    direction: Direction
    outcome: Outcome


class Service:
    """Watches one host until it is stopped.

    ``record`` is ``None`` if nobody can see what it does. ``acts``: it may move cards; else it only
    reports. ``booting``: whether the host is booting. ``alarm`` gets a sentence when the bind at
    boot fails. ``alive`` gets what it is about to do, and whether the bind at boot is done, at each
    look. ``remember``, if there is one, is called at each look; it returns a problem to report.
    ``exports`` serves the readings to others.
    """

    def __init__(
        self,
        host: Host,
        session: Session,
        record: RecordFile | None,
        outlets: Sequence[Outlet],
        keeper: Keeper,
        *,
        acts: bool = True,
        booting: Callable[[], bool] = lambda: False,
        alarm: Callable[[str], object] = lambda _: None,
        alive: Callable[[str, bool], object] = lambda _status, _ready: None,
        remember: Callable[[], str | None] | None = None,
        now_s: Callable[[], float] = since_boot,
        exports: Exports | None = None,
    ) -> None:
        self._host = host
        self._session = session
        self._policy = session.config.watch_policy if acts else WatchPolicy()
        self._acts = acts
        self._outlets = outlets
        self._keeper = keeper
        self._alarm = alarm
        self._alive = alive
        self._remember = remember
        self._now_s = now_s
        self._exports = exports
        self._began_s = now_s()
        self._arrived: queue.SimpleQueue[Sample | _Moved | Attached | None] = queue.SimpleQueue()
        self._stopping = False
        self._untold: list[Event] = []
        file = session.config.file
        self._file = None if file is None else str(file)
        self._recorder = Recorder(record, self._policy, self._file, self._began_s, acts=acts)
        self._memory = self._recorder.memory
        binds = self._policy.at_boot == "bind" and not self._memory.booted
        self._boot = Boot("reading" if binds and booting() else "done")
        self._attacher = Attacher(host, session.live.choice, self._arrived.put)
        self._stays_awake = False

    def stop(self) -> None:
        """End ``run`` soon. From any thread or signal handler."""
        self._arrived.put(None)

    def run(self) -> None:
        """Watch until ``stop``."""
        display = WatchDisplay(self._exports, remembers=self._remember is not None)
        self._session.start(self._arrived.put, display)
        try:
            while not self._stopping:
                self._take()
                self._decide()
        finally:
            self._session.stop()
            self._keeper.release()
            self._recorder.write(self._memory, stays_awake=False, stopped=self._stopping)

    # --- in ---

    def _take(self) -> None:
        """Take what has arrived, after waiting for it for a tick at most."""
        awaited = self._memory.pending is not None or self._boot.phase != "done"
        deadline = time.monotonic() + (TICK_S if awaited else IDLE_TICK_S)
        waits = True
        while True:
            try:
                left = max(0.0, deadline - time.monotonic())
                item = self._arrived.get(timeout=left) if waits else self._arrived.get_nowait()
            except queue.Empty:
                break
            waits = False  # what has arrived with it is taken as well
            if item is None:
                self._stopping = True
            elif isinstance(item, Sample):
                self._take_sample(item)
                self._attach_again()
            elif isinstance(item, Attached):
                self._settle_usb(item)
            else:
                self._settle(item)
        for sample in self._session.stalled():
            self._take_sample(sample, finished=False)

    def _take_sample(self, sample: Sample, *, finished: bool = True) -> None:
        self._untold += reversed(self._session.take(sample, finished=finished).events)

    def _settle(self, moved: _Moved) -> None:
        if moved.direction == "bind":
            self._follow_boot(booting.settle(self._boot, moved.outcome))
        else:
            self._follow(policies.settle(self._memory, moved.outcome, self._now_s()))

    def _attach_again(self) -> None:
        """Have lent USB devices that were replugged attached again."""
        for again in self._session.lendings.replugged():
            if self._acts:
                self._session.lendings.expect_change(again.lending.uuid)
                self._attacher.attach(again)
        for device in self._session.lendings.flapping():
            if self._acts:
                self._note([News(device.port, f"{device.name} {FLAPS}", "warn", FLAPS_FIX)])

    def _settle_usb(self, attached: Attached) -> None:
        again, device = attached.again, attached.again.device
        if attached.lost:
            self._session.lendings.keep(again.lending)
        if attached.problem is None:
            self._note([News(device.port, f"{device.name} attached again", "done")])
        else:
            wait_s = self._session.lendings.failed(again, final=attached.final)
            told = failure(attached.problem, wait_s)
            if told is not None:
                text, kind = told
                self._note([News(device.port, f"{device.name} {text}", kind)])
        self._session.poke("usb", "guests")

    # --- decisions ---

    def _decide(self) -> None:
        view, now_s = self._session.live.view, self._now_s()
        if self._boot.phase != "done":
            self._follow_boot(booting.observe(self._boot, view, now_s - self._began_s))
        else:
            file = self._recorder.file
            if file is not None and self._memory.pending is not None:
                kept = file.take_keep()
                if kept is not None:
                    self._follow(policies.keep(self._memory, kept))
            self._follow(policies.observe(self._memory, view, now_s, self._policy))
        self._stay_awake(policies.stays_awake(view, before=self._stays_awake))
        self._tell()
        self._write()
        problem = self._remember() if self._remember is not None else None
        if problem is not None:
            self._note([News("watch", problem, "warn")])
        self._alive(self._status(), self._boot.phase == "done")
        self._publish()

    def _follow(self, decision: Decision) -> None:
        self._memory = decision.memory
        self._note(decision.news)
        if decision.due is not None:
            self._write()  # before it begins: a watch that is started again must know
            self._move("unbind", decision.due.address)

    def _follow_boot(self, decision: BootDecision) -> None:
        self._boot = decision.boot
        self._note(decision.news)
        for news in decision.news:
            if news.kind == "failed":
                self._alarm(f"vfiotop: {news.subject}: {news.text}")
        if decision.boot.phase != "reading" and not self._memory.booted:
            self._memory = replace(self._memory, booted=True)
            self._write()
        if decision.bind is not None:
            self._move("bind", decision.bind)

    def _move(self, direction: Direction, address: str) -> None:
        def carry_out() -> None:
            self._arrived.put(_Moved(direction, move(self._host, direction, address)))

        try:
            threading.Thread(target=carry_out, name=direction, daemon=True).start()
        except RuntimeError as error:
            self._arrived.put(_Moved(direction, Outcome(False, str(error))))

    def _stay_awake(self, wanted: bool) -> None:
        held = wanted and self._acts and self._keeper.hold("a guest has a GPU of this host")
        if not wanted:
            self._keeper.release()
        self._stays_awake = bool(held)

    # --- out ---

    def _note(self, news: Iterable[News]) -> None:
        for each in news:
            event = Event(self._host.now(), each.subject, each.text, each.kind, "watch", each.fix)
            self._session.live.note(event)
            self._recorder.add(event, self._now_s())

    def _tell(self) -> None:
        """Pass the new events on, oldest first."""
        self._untold += reversed(self._session.live.new_events())
        for event in self._untold:
            for outlet in self._outlets:
                outlet.tell(event)
        self._untold.clear()

    def _status(self) -> str:
        """What it is about to do, in a line for ``systemctl status``."""
        pending = self._memory.pending
        if self._boot.phase != "done":
            return "binding the guest's card at boot"
        if pending is not None:
            left = max(0.0, pending.due_s - self._now_s())
            return f"returns {pending.address} to the host in {left:.0f} s"
        if self._memory.user is not None:
            return f"“{self._memory.guest}” has the card"
        return "waiting for a guest with the card"

    def _publish(self) -> None:
        """Pass what was read on, and have cards read as long as somebody asks for it."""
        if self._exports is not None:
            watch = Watch(
                running=True, acts=self._acts, policy=self._policy, file=self._file,
                pending=pending_return(self._memory), stays_awake=self._stays_awake,
            )  # fmt: skip
            self._exports.publish(replace(self._session.live.view, watch=watch), self._session)
            self._session.update_demand()

    def _write(self) -> None:
        """Write the record. A full /run is reported once, and is no reason to stop."""
        problem = self._recorder.write(self._memory, stays_awake=self._stays_awake)
        if problem is not None:
            self._note([News("watch", f"screens cannot show the watch: {problem}", "warn")])
