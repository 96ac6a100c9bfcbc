"""The application: wires the session to its screens and to the terminal."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial

from tui import state
from tui.commands import keys_of
from tui.intake import Intake
from tui.keymap import keymap
from tui.messages import Recalled
from tui.model import Event
from tui.rules.alerts import alerts
from tui.rules.events import Changed
from tui.screens.base import HostScreen
from tui.screens.navigation import Navigation
from tui.screens.overview import OverviewScreen
from tui.session import Session
from tui.terminal.ending import Ending
from tui.theme import DEFAULTS, THEMES, default_theme
from widgets.event_list import event_text


class VfiotopApp(Navigation):
    """Shows one host until the user quits."""

    CSS_PATH = "app.tcss"
    TITLE = "vfiotop"
    DEFAULT_MODE = "overview"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-tiny"),
        (36, "-narrow"),
        (72, "-normal"),
        (110, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (10, "-low"), (32, "-tall")]  # noqa: RUF012

    def __init__(self, session: Session, ending: Ending | None = None) -> None:
        """``ending`` is how the program ends, if anything listens for that."""
        super().__init__(
            session,
            ending,
            first_keys=keys_of(session.commands, "quit", "back") | {"ctrl+c", "ctrl+q"},
            field_keys=keys_of(session.commands, "filter", "palette") | {"ctrl+p"},
        )
        self.set_keymap(keymap(session.config.keys))
        self.add_mode(self.DEFAULT_MODE, partial(OverviewScreen, session))
        self.animation_level = "none"
        for theme in THEMES:
            self.register_theme(theme)
        fallback = default_theme(os.environ)
        chosen = session.config.theme or state.load().theme or fallback
        self.theme = chosen if chosen in self.available_themes else fallback

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The values of our colours in Textual's own themes."""
        return dict(DEFAULTS)

    # --- readings in ---

    def on_load(self) -> None:
        self._intake = Intake(
            self.session, self.draw_soon, self._tell, waits=lambda: self.flow.withheld
        )
        self.session.connect(self._intake.put, self)
        self.call_after_frame(self.session.start, self._intake.put, self)
        if self.session.recall is not None:
            self.session.recall.start(self._deliver_recalled)

    def on_mount(self) -> None:
        self._offer_recovery()

    def on_unmount(self) -> None:
        self._intake.close()
        self.session.stop()

    def gather(self) -> None:
        self._intake.take()

    def _deliver_recalled(self) -> None:
        # A thread may finish its last reading after the event loop has ended.
        with contextlib.suppress(RuntimeError):
            self.post_message(Recalled())

    def on_recalled(self) -> None:
        if self.session.recall is not None:
            self.session.recall.settle()
            self.draw_soon()

    def _tell(self, changed: Changed) -> None:
        """Pass on what the samples have changed."""
        self._announce(alerts(changed, self.session.began_at))
        for screen in self.screen_stack:
            if isinstance(screen, HostScreen):
                screen.hear(changed)
        self._offer_recovery()
        for again in self.session.lendings.replugged():
            from tui.screens.usb_again import attach_again  # noqa: PLC0415

            self.run_worker(attach_again(self.session, again))
        self.session.lendings.note_flapping()

    def _offer_recovery(self) -> None:
        # A sample that arrives while the application exits finds no screen.
        if self.screen_stack and self.session.recovery_to_offer():
            self.offer_recovery()

    def _announce(self, events: Sequence[Event]) -> None:
        """Announce new events with the bell or on the desktop, as the user chose."""
        chosen = self.session.alerts
        if events and chosen:
            more = f" (and {len(events) - 1} more)" if len(events) > 1 else ""
            text = f"{event_text(events[0])}{more}"
            self.alert(text, bell="bell" in chosen, desktop="desktop" in chosen)

    @property
    def more_to_come(self) -> bool:
        return any(sampler.soon_read for sampler in self.session.samplers.values())

    # --- what the session asks of its display ---

    @property
    def shows_cards(self) -> bool | None:
        """Whether readings of the cards are visible; ``None`` while there is no screen."""
        if not self.screen_stack:
            return None
        return isinstance(self.screen, HostScreen) and self.screen.shows_cards

    @property
    def output_delay_s(self) -> float:
        """Seconds between writing a frame and the terminal showing it."""
        return self.flow.delay_s

    # --- what the terminal asks ---

    def while_stopped(self) -> AbstractContextManager[None]:
        return self.session.cards_released()
