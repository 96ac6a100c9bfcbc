"""The application: wiring only. Samplers feed it, screens draw what it holds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from math import ceil
from typing import Protocol, runtime_checkable

from rich.color import ColorSystem
from rich.console import RenderableType
from textual import events
from textual._compositor import CompositorUpdate
from textual.actions import ActionParseResult
from textual.app import App, ScreenStackError, SystemCommand
from textual.dom import DOMNode
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from tui import state
from tui.commands import keys_of, of_screen
from tui.config import Config
from tui.host import Host
from tui.live import Live
from tui.messages import CaughtUp, Sampled
from tui.model import (
    Cost,
    Demand,
    Direction,
    GuestAction,
    Inventory,
    Sample,
    SourceName,
    SourceState,
    Vitals,
)
from tui.rules import events as changes
from tui.rules import guest_readings
from tui.rules.availability import pause_action, stop_action, why_not, why_not_guest
from tui.sampler import Readers, Sampler
from tui.screens.base import HostScreen
from tui.screens.calls import CallsScreen
from tui.screens.details import DetailsScreen
from tui.screens.doctor import DoctorScreen
from tui.screens.events import EventsScreen
from tui.screens.groups import GroupsScreen
from tui.screens.guest import GuestScreen
from tui.screens.help import HelpScreen
from tui.screens.overview import OverviewScreen
from tui.screens.roles import RolesScreen
from tui.screens.swap import SwapScreen
from tui.terminal.driver import TerminalDriver
from tui.terminal.ending import Ending
from tui.terminal.flow import FlowControl
from tui.terminal.queue import KeyQueue
from tui.theme import THEMES, default_theme, next_theme
from widgets.graph import PLAIN, RICH

STALL_CHECK = 0.5
"""Seconds between looks for a source that does not answer."""

STALL_AFTER = 3.0
"""Seconds after which a reading under way counts as not answering."""

COALESCE_S = 0.015
"""Seconds for which a reading waits for others to be drawn with."""

QUIET = 5.0
"""How many times longer the pauses between readings are in quiet mode."""

OF_CARDS: tuple[SourceName, ...] = ("nvml", "drm", "agent")
"""The sources that are read only while their readings are on the screen."""


OPEN_FIELDS = ("filter", "palette")
"""Commands after which keys are text."""

GUEST_KEYS: dict[str, GuestAction] = {
    "start": "start", "stop": "stop", "pause": "pause", "reboot": "reboot",
}  # fmt: skip


@runtime_checkable
class Holder(Protocol):
    """A source that holds the cards that it reads."""

    def release(self) -> bool: ...
    def resume(self) -> None: ...


class VfiotopApp(App[None]):
    """Shows one host until the user quits."""

    CSS_PATH = "app.tcss"
    TITLE = "vfiotop"
    MODES = {"overview": OverviewScreen}  # noqa: RUF012
    DEFAULT_MODE = "overview"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-tiny"),
        (36, "-narrow"),
        (72, "-normal"),
        (110, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-flat"),
        (10, "-low"),
        (32, "-tall"),
    ]

    def __init__(
        self,
        host: Host,
        config: Config,
        stall_after: float = STALL_AFTER,
        readers: Readers | None = None,
        ending: Ending | None = None,
    ) -> None:
        """``readers`` are those of the host, where they read it already; ``ending`` is how the
        program ends, where somebody listens for that."""
        super().__init__(driver_class=TerminalDriver)
        self.ending = ending or Ending()
        self.keys = KeyQueue(
            urgent=keys_of("quit", "back") | {"ctrl+c"}, opens_field=keys_of(*OPEN_FIELDS)
        )
        self.host = host
        self.config = config
        self.live = Live(state.choice(config, host))
        self.glyphs = PLAIN if os.environ.get("TERM") == "linux" else RICH
        self.animation_level = "none"
        for theme in THEMES:
            self.register_theme(theme)
        wanted = config.theme or state.load().theme or default_theme(os.environ)
        self.theme = wanted if wanted in self.available_themes else default_theme(os.environ)
        self._stall_after = max(stall_after, 3 * config.interval)
        self._heard = asyncio.Event()
        self.finished: Counter[SourceName] = Counter()
        """Readings that each source has come back with."""
        self._offered: set[str] = set()
        self._attention: Demand | None = None
        self.quiet = False
        self._no_link = FlowControl()
        self._drawing = False
        self.stops: dict[str, datetime] = {}
        """When guests, by UUID, were asked to shut down that have not done so yet."""
        self._readers = readers or Readers(host, config.interval)
        self._samplers = self._readers.by_name

    # --- readings in ---

    def on_load(self) -> None:
        loop = asyncio.get_running_loop()
        self.ending.set_exit(partial(loop.call_soon_threadsafe, self.exit, None, 1))
        self._readers.connect(self._deliver)
        self._readers.start()

    def on_mount(self) -> None:
        self.set_interval(STALL_CHECK, self._look_for_stalls)

    def on_unmount(self) -> None:
        for sampler in self._samplers.values():
            sampler.stop()

    def _deliver(self, sample: Sample) -> None:
        # A sampler may finish its last reading after the event loop is gone.
        with contextlib.suppress(RuntimeError):
            self.post_message(Sampled(sample))

    def on_sampled(self, message: Sampled) -> None:
        # One that comes while the application ends finds no screen any more.
        with contextlib.suppress(ScreenStackError):
            self._apply(message.sample)
        self.finished[message.sample.source] += 1
        self._heard.set()
        self._heard = asyncio.Event()

    def _apply(self, sample: Sample, *, finished: bool = True) -> None:
        before = self.live.snapshot
        self.live.take(sample, finished=finished)
        if self.live.snapshot is not before:
            self._follow_up(sample)
            self.update_demand()
            self._forget_stops()
            self._offer_to_recover()
        self._draw_soon()

    def _draw_soon(self) -> None:
        """Sources are read at the same time: their readings are drawn as one."""
        if not self._drawing:
            self._drawing = True
            loop = asyncio.get_running_loop()
            loop.call_later(COALESCE_S, lambda: self.call_next(self._draw))

    def _draw(self) -> None:
        """Draw what was read, unless the terminal has not drawn the last of it yet."""
        self._drawing = False
        # One that comes while the application ends finds no screen any more.
        if not self._running or not self.screen_stack:
            return
        if self.link.behind:
            self.link.withheld = True
        elif isinstance(self.screen, HostScreen):
            self.screen.show()

    def on_caught_up(self) -> None:
        self._draw()
        driver = self._driver
        if isinstance(driver, TerminalDriver) and driver.shown.unfinished and self.screen_stack:
            driver.link.withheld = True
            self.screen.refresh()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Textual's way of writing an update to the terminal: only what changes it."""
        driver = self._driver
        if not isinstance(driver, TerminalDriver) or not isinstance(renderable, CompositorUpdate):
            super()._display(screen, renderable)
            return
        pending = isinstance(screen, HostScreen) and screen.first_frame_pending
        if self._running and not self._closed and not self._batch_count and not pending:
            colors = self.console._color_system or ColorSystem.TRUECOLOR
            # Where text is typed the terminal's cursor is, for input methods.
            cursor = self.cursor_position if isinstance(self.focused, Input) else None
            driver.draw(renderable, self.size, colors, cursor, sync=self._sync_available)

    def on_resize(self) -> None:
        self.action_redraw()

    def action_suspend_process(self) -> None:
        """Ctrl-Z: to the shell, as every program does; its job is all of the process group."""
        self.stop_here(everybody=True)

    def stop_here(self, *, everybody: bool = False) -> None:
        """Stop until somebody continues us, and hold no card meanwhile."""
        if isinstance(self._driver, TerminalDriver):
            nvml = self.host.nvml
            if isinstance(nvml, Holder):
                nvml.release()
            self._driver.stop_here(everybody=everybody)
            if isinstance(nvml, Holder):
                nvml.resume()
                self._poke("nvml")

    def action_redraw(self) -> None:
        """Write every cell again: others may have written over them."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.shown.invalidate()
        self.screen.refresh()

    @property
    def link(self) -> FlowControl:
        """The way to the terminal; without one, as in tests, it is never behind."""
        return self._driver.link if isinstance(self._driver, TerminalDriver) else self._no_link

    async def next_change(self) -> None:
        """Wait for the next reading that a source comes back with, equal to the last or not."""
        await self._heard.wait()

    def _follow_up(self, sample: Sample) -> None:
        """Wake the sources that a change elsewhere makes stale."""
        reading, inventory = sample.reading, self.live.snapshot.pci
        if isinstance(reading, Inventory):
            self._poke("vitals", "nvml")
        elif sample.source == "swap":
            self._poke("pci", "nvml")
        elif isinstance(reading, Vitals) and isinstance(inventory, Inventory):
            drivers = {gpu.address: gpu.driver for gpu in inventory.gpus}
            # A bind whose event was lost still shows: the driver link is read on every tick.
            if drivers != {card.address: card.driver for card in reading.cards}:
                self._poke("pci")

    @property
    def notices(self) -> tuple[str, ...]:
        """What is not as usual with all readings, in a word or two. Over a slow link one is
        drawn when the one before it has arrived, and is then on its way as long."""
        interval = self.config.interval * (QUIET if self.quiet else 1)
        delay = self.link.delay_s
        slow = f"slow link: up to {ceil(interval + 2 * delay)} s old"
        found = (("quiet", self.quiet), (slow, delay > interval / 2))
        return tuple(mark for mark, there in found if there)

    @property
    def late_s(self) -> float:
        """Seconds from which on a reading is older than it should be: two intervals."""
        return 2 * self.config.interval * (QUIET if self.quiet else 1)

    def update_demand(self) -> None:
        """Tell the sources what is looked at, and how often."""
        screen = self.screen
        shown = isinstance(screen, HostScreen) and screen.shows_cards
        attention = guest_readings.demand(
            self.live.view, quiet=self.quiet, shown=shown, before=self._attention
        )
        if attention == self._attention:
            return
        self._attention = attention
        self.host.set_demand(attention)
        for name, sampler in self._samplers.items():
            sampler.pace(QUIET if self.quiet else 1.0, resting=name in OF_CARDS and not shown)

    def cost(self) -> Cost:
        """What watching costs now."""
        problems = dict(self.live.view.problems)
        states = (
            SourceState(
                changes.SOURCE_NAMES[name], _when(sampler), self.live.read_at.get(name),
                sampler.took, sampler.reading_s, problems.get(name),
            )
            for name, sampler in self._samplers.items()
        )  # fmt: skip
        return Cost(self.host.calls.last_minute(), tuple(states))

    def _offer_to_recover(self) -> None:
        """Once for each swap that was interrupted, before this start or while we look."""
        swap = self.live.view.swap
        if swap is not None and swap.interrupted and swap.id not in self._offered:
            self._offered.add(swap.id)
            if not isinstance(self.screen, SwapScreen):
                self.open(SwapScreen())

    def _forget_stops(self) -> None:
        """A guest that is off, or gone, was stopped."""
        running = {g.domain.uuid for g in self.live.view.guests if g.domain.active}
        if self.live.view.problem("guests") is None:
            self.stops = {uuid: at for uuid, at in self.stops.items() if uuid in running}

    def _poke(self, *names: SourceName) -> None:
        for name in names:
            self._samplers[name].poke()

    def _look_for_stalls(self) -> None:
        if self.link.withheld and not self.link.behind:  # its answer was lost
            self.link.withheld = False
            if self._driver is not None:
                self._driver.flush()
            self.post_message(CaughtUp())
        for sampler in self._samplers.values():
            sample = sampler.stalled(self._stall_after)
            if sample is not None:
                self._apply(sample, finished=False)

    @property
    def failure(self) -> Exception | None:
        """What has ended the application, where that was an error."""
        return self._exception

    def _fatal_error(self) -> None:
        """Textual's way of ending after an error, without its page of values of variables."""
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        """Errors are told by whoever has started us, in one line."""
        self._exit_renderables.clear()

    # --- keys ---

    def is_typing(self) -> bool:
        """Whether a field for text has the keys, or may have them after the next one."""
        return bool(self.screen_stack) and any(each.display for each in self.screen.query(Input))

    def opens_field(self, event: Message) -> bool:
        """Whether an event is a key that opens a field for text here and now."""
        if not isinstance(event, events.Key) or event.key not in keys_of(*OPEN_FIELDS):
            return False
        binding = self.screen.active_bindings.get(event.key) if self.screen_stack else None
        return binding is not None and binding.enabled and not isinstance(self.focused, Input)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for command in of_screen(screen.name or ""):
            if command.id != "palette":
                action = command.action
                yield SystemCommand(
                    command.label,
                    f"{command.help} ({command.key_label})",
                    lambda action=action: self.call_later(self.run_action, action),
                )

    def why_not(self, action: str) -> str | None:
        """Why an action that is everywhere the same cannot be taken now."""
        if action in ("bind", "unbind"):
            return why_not("bind" if action == "bind" else "unbind", self.live.view)
        if action in GUEST_KEYS:
            return why_not_guest(self._guest_action(action), self.live.view)
        return None

    def _guest_action(self, key: str) -> GuestAction:
        view = self.live.view
        return {"pause": pause_action(view), "stop": stop_action(view)}.get(key, GUEST_KEYS[key])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Textual's question whether a key works: ``None`` dims it."""
        return None if self.why_not(action) else super().check_action(action, parameters)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """A key that does nothing now says why."""
        name = action if isinstance(action, str) else action[1]
        if isinstance(self.screen, HostScreen):
            reason = self.screen.why_not(name.rpartition(".")[2])
            if reason is not None:
                self.notify(reason, severity="warning", markup=False)
                return True
        return await super().run_action(action, default_namespace, namespaces)

    def action_bind(self) -> None:
        self._swap("bind")

    def action_unbind(self) -> None:
        self._swap("unbind")

    def _swap(self, direction: Direction) -> None:
        """Which card is meant is asked first, where it is not known."""
        view = self.live.view
        known = view.guest_gpu is not None or (view.swap is not None and not view.swap.ended)
        self.open(SwapScreen(direction) if known else RolesScreen())

    def action_start(self) -> None:
        self._guest("start")

    def action_stop(self) -> None:
        self._guest("stop")

    def action_pause(self) -> None:
        self._guest("pause")

    def action_reboot(self) -> None:
        self._guest("reboot")

    def _guest(self, key: str) -> None:
        """Which guest is meant is asked first, where it is not known."""
        guest = self.live.view.guest
        if guest is None:
            self.open(RolesScreen())
        else:
            self.open(GuestScreen(self._guest_action(key), guest.domain))

    def action_roles(self) -> None:
        self.open(RolesScreen())

    def open(self, screen: HostScreen) -> None:
        """Show a screen over the overview, in place of all that lie there."""
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if isinstance(self.screen, OverviewScreen):
            self.push_screen(screen)
        else:
            self.switch_screen(screen)

    def action_doctor(self) -> None:
        if isinstance(self.screen, DoctorScreen):
            self.screen.look()
        else:
            self.open(DoctorScreen())

    def action_groups(self) -> None:
        self.open(GroupsScreen())

    def action_events(self) -> None:
        self.open(EventsScreen())

    def action_help(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen())

    def action_details(self) -> None:
        # A key and what it has chosen may both ask for it, or one key twice.
        screen = self.screen
        if isinstance(screen, HostScreen) and not isinstance(screen, DetailsScreen):
            subject = screen.subject
            if subject is not None:
                self.push_screen(DetailsScreen(subject))

    def action_filter(self) -> None:
        if not isinstance(self.screen, GroupsScreen):
            self.open(GroupsScreen(filtering=True))
        else:
            self.screen.start_filter()

    def action_quiet(self) -> None:
        self.quiet = not self.quiet
        self.update_demand()
        alone = ", the guest is left alone" if self.config.guest_readings == "auto" else ""
        self.notify(
            f"Quiet: a reading every {self.config.interval * QUIET:g} s{alone}"
            if self.quiet
            else "Readings as usual",
            timeout=2.0,
        )
        if isinstance(self.screen, HostScreen):
            self.screen.show()

    def action_calls(self) -> None:
        self.open(CallsScreen())

    def action_theme(self) -> None:
        self.theme = next_theme(self.theme)
        self.notify(f"Theme: {self.theme}", timeout=1.5)
        with contextlib.suppress(RuntimeError):  # no thread can be started
            threading.Thread(target=_keep_theme, args=(self.theme,), daemon=True).start()


def _when(sampler: Sampler) -> str:
    """When a source is read. The guests are asked as seldom as is right for each."""
    if sampler.every is not None:
        return f"{sampler.every:g} s"
    return "when due" if sampler.name == "agent" else "on change"


def _keep_theme(theme: str) -> None:
    """A home that cannot be written to costs only that."""
    with contextlib.suppress(OSError):
        state.save(theme=theme)
