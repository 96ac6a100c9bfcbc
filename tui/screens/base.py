"""What all screens have in common: the header, the footer, and drawing the session."""

from __future__ import annotations

import os
from collections.abc import Iterable
from math import ceil
from typing import Any, ClassVar, TypeVar

from textual.app import App, ComposeResult
from textual.geometry import Size
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from tui.commands import Command, of_screen
from tui.live import Live
from tui.rules.events import Changed
from tui.rules.live_checks import with_group
from tui.session import Session
from tui.terminal.app import TerminalScreen
from tui.theme import glyphs
from widgets.footer import Hint, KeyFooter
from widgets.glyphs import PLAIN
from widgets.header import HostHeader
from widgets.return_line import Offer, ReturnLine

W = TypeVar("W", bound=Widget)

NOTICE_S = 4.0
"""Seconds for which a notice replaces the footer."""

SHORTEST_S = 0.05
"""Minimum seconds that a countdown waits, since a timer may fire a little early."""

CHECK_S = 30.0
"""Time limit in seconds for the readings of a plan or of the doctor: more than any source needs
that answers at all."""


class HostScreen(TerminalScreen):
    """A screen that draws the host: subclasses compose ``body`` and draw in ``draw``.

    ``show`` is called after each sample; drawing what has not changed costs nothing.
    """

    NAME: ClassVar[str]
    """The screen's name in the table of commands."""

    def __init__(self, session: Session) -> None:
        super().__init__(name=self.NAME)
        self.session = session
        self.commands = of_screen(self.NAME, session.commands)
        """What can be done here, in the order of the table of commands."""
        self.glyphs = glyphs(os.environ)
        self._drawn_for: Size | None = None
        self._notice, self._notice_warns = "", False
        self._notice_timer: Timer | None = None
        self._countdown: Timer | None = None
        self.set_class(self.glyphs is PLAIN, "-plain")

    def why_not(self, action: str) -> str | None:
        """Why an action is not available now: its key is dimmed, and pressing it says why."""
        return self.session.why_not(action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Answer Textual whether a key works: ``None`` dims it, ``False`` hides it."""
        return None if self.why_not(action) else True

    @property
    def shows_cards(self) -> bool:
        """Whether this screen shows readings of the cards; only then are the cards read."""
        return False

    @property
    def subject(self) -> str | None:
        """The PCI address or domain UUID that a key pressed now would act on."""
        return None

    def compose(self) -> ComposeResult:
        yield HostHeader(self.session.host.banner, glyphs=self.glyphs)
        yield ReturnLine(glyphs=self.glyphs)
        yield from self.body()
        yield Static(
            f"vfiotop needs 36x10 cells or more. {self.key_of('quit')} quits.", id="too-small"
        )
        yield KeyFooter(self.glyphs)

    def body(self) -> Iterable[Widget]:
        """Compose what is between the header and the footer."""
        raise NotImplementedError

    def draw(self, live: Live) -> None:
        """Draw what ``live`` holds."""
        raise NotImplementedError

    def hear(self, changed: Changed) -> None:
        """Take note of what a sample has changed, even while another screen covers this one."""

    def show(self) -> None:
        """Draw the screen, unless it is not mounted yet or is being taken down."""
        header = self._child(HostHeader)
        if self.is_mounted and header is not None:
            self._drawn_for = self.app.size
            with self.app.batch_update():
                self._show_return()
                self.draw(self.session.live)  # first: it determines what flashes
                header.show(
                    self.session.live.view,
                    self.session.host.now(),
                    with_group(self.session.live.view),
                    self.session.notices,
                    flash=self.flashes,
                )
                self.draw_footer()

    def _show_return(self) -> None:
        """Show the return that the watch has announced, and update it every second."""
        if self._countdown is not None:
            self._countdown.stop()
            self._countdown = None
        pending, at = self.session.pending_return, self.session.host.now()
        why_not = self.session.host.keeper.unavailable_reason
        self.query_one(ReturnLine).show(pending, at, Offer(self.key_of("keep"), why_not))
        left_s = pending.left_s(at) if pending is not None else 0.0
        if left_s > 0:
            to_next = left_s - (ceil(left_s) - 1)
            self._countdown = self.set_timer(max(to_next, SHORTEST_S), self.draw_soon)

    @property
    def rows_above(self) -> int:
        """The rows above the body."""
        return 1 + (1 if self.query_one(ReturnLine).display else 0)

    def draw_footer(self) -> None:
        """Draw the keys that work here, or a notice instead, once there is a footer."""
        footer = self._child(KeyFooter)
        if footer is not None:
            footer.show(self.hints(), self._notice, warns=self._notice_warns)

    def _child(self, kind: type[W]) -> W | None:
        """The header or the footer, if it exists. A query would match every widget."""
        return next((child for child in self.children if isinstance(child, kind)), None)

    def hints(self) -> list[Hint]:
        """The keys of the footer, in the order of the table of commands."""
        return [hint for c in self.commands if (hint := self._hint(c, c.rank)) is not None]

    def _hint(self, command: Command, rank: int | None) -> Hint | None:
        if rank is None or not (key := command.key_label):
            return None
        owner, _, action = command.action.rpartition(".")
        works = (
            self.check_action(action.partition("(")[0], ())
            if owner == "screen"
            else (self.app.check_action(action, ()))
        )
        if works is False:
            return None
        shown = rank if self.has_edges or not command.edge else min(rank, 2)
        return Hint(key, self.word(command), command.action, shown, enabled=bool(works))

    def hint_of(self, id: str) -> Hint | None:
        """A command's key, as shown in the frame of a panel; ``None`` if the command is not
        available here."""
        for command in self.commands:
            if command.id == id:
                return self._hint(command, command.rank or 0)
        return None

    def key_of(self, id: str) -> str:
        """The key of a command, as shown on the screen."""
        return next((c.key_label for c in self.session.commands if c.id == id), "")

    @property
    def flashes(self) -> bool:
        """Whether the owner of the guest's card has just changed."""
        return False

    @property
    def has_edges(self) -> bool:
        """Whether the frames of panels also show keys."""
        return False

    def word(self, command: Command) -> str:
        """What a key does now, in a word or two for the footer."""
        swap = self.session.live.view.swap
        if command.id in ("bind", "unbind") and swap is not None and not swap.ended:
            if swap.interrupted:
                return "finish" if command.id == "bind" else "undo"
            return "watch swap" if command.id == "bind" else "unbind"
        return command.label.lower()

    def refusal(self, action: str, reason: str) -> str:
        """Why the key of ``action`` does nothing now, as shown in the footer."""
        for command in self.commands:
            if command.action.partition("(")[0].rpartition(".")[2] == action:
                return f"{command.key_label} {self.word(command)}: {reason}"
        return reason

    def say(self, text: str, seconds: float = NOTICE_S, *, warns: bool = False) -> None:
        """Show ``text`` instead of the footer for a moment, or until the next key. ``warns``: it
        says why a key does nothing."""
        self._notice, self._notice_warns = text, warns
        if self._notice_timer is not None:
            self._notice_timer.stop()
        self._notice_timer = self.set_timer(seconds, self.clear_notice)
        self.draw_footer()

    def step_back(self) -> bool:
        """Close what is open on the screen itself, such as a filter. False if nothing is: the key
        then goes back to the previous screen."""
        return False

    def renew(self) -> None:
        """Forget what the screen showed before. Called when a screen is shown again."""
        self.clear_notice()

    def clear_notice(self) -> None:
        if self._notice:
            self._notice = ""
            if self.is_mounted:
                self.draw_footer()

    def on_resize(self) -> None:
        """Draw for a new size. A screen that opens gets this event as well, before its first
        drawing."""
        if self._drawn_for not in (None, self.app.size):
            self.show()

    def on_screen_resume(self) -> None:
        """Draw. Textual also sends this event after the screen is mounted, and calls this handler
        after that of a subclass."""
        self.session.update_demand()
        self.show()


def open_screen(app: App[Any], screen: HostScreen) -> None:
    """Show a screen over the overview, replacing all screens that are open there."""
    while len(app.screen_stack) > 2:
        app.pop_screen()
    if len(app.screen_stack) > 1:
        app.switch_screen(screen)
    else:
        app.push_screen(screen)
