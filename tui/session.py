"""What one run of the program knows: the host, its readings, and who takes them.

The application feeds a session and its screens draw it. It imports no Textual, so everything
here can be tested without a screen. Not thread-safe: it belongs to the event loop's thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tui import state
from tui.commands import mapped
from tui.config import Config
from tui.host import Host
from tui.lendings import Lendings
from tui.live import Live
from tui.model import (
    SOURCE_NAMES,
    Cost,
    Demand,
    GuestAction,
    Inventory,
    PendingReturn,
    Sample,
    SourceName,
    SourceState,
    Vitals,
)
from tui.recall import Recall
from tui.rules import guest_readings
from tui.rules.availability import pause_action, stop_action, why_not, why_not_guest
from tui.rules.events import Changed
from tui.sampler import Deliver, Readers
from tui.spans import Spans

if TYPE_CHECKING:
    from asyncio import Event

STALL_AFTER_S = 3.0
"""Seconds after which a reading under way counts as not answering."""

QUIET_FACTOR = 5.0
"""How many times longer the pauses between readings are in quiet mode."""

CARD_SOURCES: tuple[SourceName, ...] = ("nvml", "drm", "agent")
"""The sources that are read only while their readings are on the screen."""

GUEST_KEYS: dict[str, GuestAction] = {
    "start": "start", "stop": "stop", "pause": "pause", "reboot": "reboot",
}  # fmt: skip
"""The guest's keys, each with what it does while the guest runs."""


class Display(Protocol):
    """What a session needs to know about the screen that draws it."""

    @property
    def shows_cards(self) -> bool | None:
        """Whether readings of the cards are visible; ``None`` while there is no screen."""
        ...

    @property
    def output_delay_s(self) -> float:
        """Seconds between writing a frame and the terminal showing it."""
        ...


class NoDisplay:
    """No screen, and so no output delay."""

    shows_cards = None
    output_delay_s = 0.0


@runtime_checkable
class CardHolder(Protocol):
    """A source that holds the cards that it reads."""

    def release(self) -> bool: ...
    def resume(self) -> None: ...


class Session:
    """One host, as this run of the program knows it."""

    def __init__(self, host: Host, config: Config, readers: Readers | None = None) -> None:
        """``readers`` are those of the host, if they are reading already."""
        self.host = host
        self.config = config
        self.commands = mapped(dict(config.keys))
        """The table of commands with the keys of the configuration."""
        self.live = Live(state.choice(config, host))
        self.lendings = Lendings(self.live, host.now)
        self.began_at = host.now()
        """When this run began to watch."""
        self.quiet = False
        saved = state.load()
        self.layouts = saved.layouts
        """The layout that the user chose for terminals of a size class."""
        self.alerts = saved.alerts
        """How events are announced outside the screen."""
        self.finished: Counter[SourceName] = Counter()
        """How many readings each source has finished."""
        self.pending_stops: dict[str, datetime] = {}
        """When each guest, by UUID, was asked to shut down. Its entry goes once it is off."""
        self.stall_after_s = max(STALL_AFTER_S, 3 * config.interval)
        self.recall = Recall(self.live, self.began_at, host.history) if host.history else None
        """Reads the history of the watch."""
        self.spans = Spans(self.live, self.began_at, self.recall)
        self._readers = readers or Readers(host, config.interval)
        self.samplers = self._readers.by_name
        self._display: Display = NoDisplay()
        self._changed: Event | None = None
        self._demand: Demand | None = None
        self._offered_recoveries: set[str] = set()

    # --- readings in ---

    def connect(self, deliver: Deliver, display: Display) -> None:
        """Merge what was read so far, and deliver what is read from now on."""
        self._display = display
        self._readers.connect(deliver, early=self.take)

    def start(self, deliver: Deliver, display: Display) -> None:
        """Begin to read all sources. ``deliver`` is called on the samplers' threads."""
        self._display = display
        self._readers.connect(deliver)
        self._readers.start()

    def stop(self) -> None:
        """Ask all samplers to end; does not wait for them."""
        for sampler in self.samplers.values():
            sampler.stop()

    def take(self, *samples: Sample, finished: bool = True) -> Changed:
        """Merge samples, as ``Live.take``. Returns what changed."""
        known = self.live.snapshot
        changed = self.live.take(*samples, finished=finished)
        if changed.after is not changed.before:
            for sample in filter(known.differs_from, samples):
                if self.finished[sample.source]:  # at first all are read
                    self._wake_stale_sources(sample)
            self.update_demand()
            self._forget_stops()
        if finished:
            self.finished.update(sample.source for sample in samples)
            if self._changed is not None:
                self._changed.set()
                self._changed = None
        return changed

    async def next_change(self) -> None:
        """Wait until any source finishes a reading, even one equal to its last."""
        from asyncio import Event  # noqa: PLC0415 - 3 MiB, which the watch has no use for

        self._changed = self._changed or Event()
        await self._changed.wait()

    def poke(self, *names: SourceName) -> None:
        """Ask these sources, or all of them, for a reading now."""
        for name in names or self.samplers:
            self.samplers[name].poke()

    def stalled(self) -> Iterator[Sample]:
        """A sample in place of each source that does not answer."""
        for sampler in self.samplers.values():
            if (sample := sampler.stalled(self.stall_after_s)) is not None:
                yield sample

    def _wake_stale_sources(self, sample: Sample) -> None:
        """Wake the sources whose readings this change makes stale."""
        reading, inventory = sample.reading, self.live.snapshot.pci
        if isinstance(reading, Inventory):
            self.poke("vitals", "nvml", "drm")
        elif sample.source == "swap":
            self.poke("pci", "nvml")
        elif isinstance(reading, Vitals) and isinstance(inventory, Inventory):
            drivers = {gpu.address: gpu.driver for gpu in inventory.gpus}
            # The driver link is read on every tick, so a bind shows even if its event is lost.
            if drivers != {card.address: card.driver for card in reading.cards}:
                self.poke("pci")

    def _forget_stops(self) -> None:
        """Drop the stops of guests that are off or gone."""
        running = {g.domain.uuid for g in self.live.view.guests if g.domain.active}
        if self.live.view.problem("guests") is None:
            stops = self.pending_stops.items()
            self.pending_stops = {uuid: at for uuid, at in stops if uuid in running}

    # --- how much is read ---

    def set_quiet(self, quiet: bool) -> None:
        """Read less often and leave the guest alone, or read as usual."""
        self.quiet = quiet
        self.update_demand()

    def choose_layout(self, size: state.SizeClass, layout: state.Layout) -> None:
        """Use a layout for terminals of a size class, now and after the next start."""
        self.layouts = {**self.layouts, size: layout}
        state.in_background(lambda: state.save_layout(size, layout))

    def choose_alerts(self, *alerts: state.Alert) -> None:
        """Announce events in these ways, now and after the next start."""
        self.alerts = alerts
        state.in_background(lambda: state.save(alerts=alerts))

    @property
    def interval_s(self) -> float:
        """Seconds between two readings of a source that is read on a timer."""
        return self.config.interval * (QUIET_FACTOR if self.quiet else 1)

    @property
    def late_s(self) -> float:
        """The age in seconds, two intervals, from which a reading is shown as old."""
        return 2 * self.interval_s

    def update_demand(self) -> None:
        """Tell the sources which of their readings are needed, and how often."""
        shown = self._display.shows_cards
        if shown is None:
            return
        demand = guest_readings.demand(
            self.live.view, quiet=self.quiet, shown=shown, before=self._demand
        )
        if demand == self._demand:
            return
        self._demand = demand
        self.host.set_demand(demand)
        for name, sampler in self.samplers.items():
            factor = QUIET_FACTOR if self.quiet else 1.0
            sampler.set_pace(factor, paused=name in CARD_SOURCES and not shown)

    @contextmanager
    def cards_released(self) -> Iterator[None]:
        """Hold no card within this context, and read NVML again after it."""
        nvml = self.host.nvml
        if not isinstance(nvml, CardHolder):
            yield
            return
        nvml.release()
        yield
        nvml.resume()
        self.poke("nvml")

    # --- what is said about it ---

    @property
    def notices(self) -> tuple[str, ...]:
        """What is unusual about all readings, in a few words each. Over a slow link a frame
        waits until the one before it has arrived, and then takes as long itself."""
        delay = self._display.output_delay_s
        slow = f"slow link: up to {ceil(self.interval_s + 2 * delay)} s old"
        found = (("quiet", self.quiet), (slow, delay > self.interval_s / 2))
        return tuple(notice for notice, holds in found if holds)

    def cost(self) -> Cost:
        """What reading this host costs now."""
        problems, read_at = dict(self.live.view.problems), self.live.snapshot.read_at
        states = (
            SourceState(
                SOURCE_NAMES[name], sampler.schedule, read_at.get(name),
                sampler.took_s, sampler.reading_s, problems.get(name),
            )
            for name, sampler in self.samplers.items()
        )  # fmt: skip
        return Cost(self.host.calls.last_minute(), tuple(states))

    def why_not(self, action: str) -> str | None:
        """Why a key that works on every screen does nothing now; ``None`` if it works."""
        if action in ("bind", "unbind"):
            return why_not("bind" if action == "bind" else "unbind", self.live.view)
        if action in GUEST_KEYS:
            return why_not_guest(self.guest_action(action), self.live.view)
        if action == "keep":
            return self.host.keeper.unavailable_reason
        return None

    @property
    def pending_return(self) -> PendingReturn | None:
        """The return of a card that the watch has announced, until the swap begins."""
        watch, swap = self.live.view.watch, self.live.view.swap
        return None if watch is None or (swap is not None and swap.under_way) else watch.pending

    def guest_action(self, key: str) -> GuestAction:
        """What one of ``GUEST_KEYS`` does to the guest in its present state."""
        view = self.live.view
        return {"pause": pause_action(view), "stop": stop_action(view)}.get(key, GUEST_KEYS[key])

    def recovery_to_offer(self) -> bool:
        """Whether a swap was interrupted, before this start or since; true once per swap."""
        swap = self.live.view.swap
        if swap is None or not swap.interrupted or swap.id in self._offered_recoveries:
            return False
        self._offered_recoveries.add(swap.id)
        return True
