"""What all screens share: the header, the footer, and drawing the session."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.widget import Widget
from textual.widgets import Static

from tui.live import Live
from tui.session import Session
from tui.terminal.app import TerminalScreen
from tui.theme import glyphs
from widgets.canvas import TONE_CLASSES, TONE_RULES
from widgets.footer import KeyFooter
from widgets.graph import PLAIN
from widgets.header import HostHeader

CHECK_S = 30.0
"""Seconds for the readings of a plan or of the doctor; more than any source takes that answers at
all."""


class HostScreen(TerminalScreen):
    """A screen that draws the host: subclasses compose ``body`` and draw in ``draw``.

    ``show`` is called after each sample; drawing what has not changed costs nothing.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = TONE_CLASSES
    DEFAULT_CSS = f"HostScreen {{ {TONE_RULES} }}"

    NAME: ClassVar[str]
    """The screen's name in the table of commands."""

    def __init__(self, session: Session) -> None:
        super().__init__(name=self.NAME)
        self.session = session
        self.glyphs = glyphs(os.environ)
        self._enabled_keys: dict[str, bool] = {}
        self.set_class(self.glyphs is PLAIN, "-plain")

    def why_not(self, action: str) -> str | None:
        """Why an action cannot be taken now: its key is dimmed, and says so when pressed."""
        return self.session.why_not(action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Answer Textual whether a key works: ``None`` dims it, ``False`` hides it."""
        return None if self.why_not(action) else True

    @property
    def shows_cards(self) -> bool:
        """Whether readings of the cards are on this screen; only then are they taken."""
        return False

    @property
    def subject(self) -> str | None:
        """The PCI address or domain UUID that a key pressed now is about."""
        return None

    def compose(self) -> ComposeResult:
        yield HostHeader(self.session.host.banner)
        yield from self.body()
        yield Static("vfiotop needs 36x10 cells or more", id="too-small")
        yield KeyFooter()

    def body(self) -> Iterable[Widget]:
        """Compose what is between the header and the footer."""
        raise NotImplementedError

    def draw(self, live: Live) -> None:
        """Draw what ``live`` holds."""
        raise NotImplementedError

    def show(self) -> None:
        """Draw the screen, unless it is not mounted yet or is being taken down."""
        if self.is_mounted and self.query(HostHeader):
            with self.app.batch_update():
                self.query_one(HostHeader).show(self.session.live.view, self.session.notices)
                self.draw(self.session.live)
                self._dim_keys()

    def _dim_keys(self) -> None:
        """Redraw the footer, but only when a key begins or ceases to work."""
        enabled = {key: each.enabled for key, each in self.active_bindings.items()}
        if enabled != self._enabled_keys:
            self._enabled_keys = enabled
            self.refresh_bindings()

    def on_screen_resume(self) -> None:
        """Draw. Textual sends this after the screen is mounted, too, and calls this handler after
        that of a subclass."""
        self.session.update_demand()
        self.show()


def open_screen(app: App[Any], screen: HostScreen) -> None:
    """Show a screen over the overview, in place of all that are open there."""
    while len(app.screen_stack) > 2:
        app.pop_screen()
    if len(app.screen_stack) > 1:
        app.switch_screen(screen)
    else:
        app.push_screen(screen)
