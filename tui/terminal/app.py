"""A Textual application that controls its terminal: what is written, withheld, and when it is
lent."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from rich.color import ColorSystem
from rich.console import RenderableType
from textual import events
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.message import Message
from textual.screen import Screen

from tui.terminal.alert import alert
from tui.terminal.clipboard import to_copy
from tui.terminal.compositor import RowCompositor
from tui.terminal.driver import TerminalDriver
from tui.terminal.ending import Ending
from tui.terminal.flow import FlowControl
from tui.terminal.frames import FramedScreen
from tui.terminal.queue import KeyQueue
from tui.terminal.stylesheet import ParsedOnce

COALESCE_S = 0.015
"""Seconds that a change waits for others, to be drawn in the same frame."""

MOST_WAITS = 4
"""How many times it waits that long while there is more to come."""


def is_field(widget: object) -> bool:
    """Whether a widget is a text field. Textual's ``Input`` is imported with the first one, and its
    module is still without it while another thread imports it."""
    field = getattr(sys.modules.get("textual.widgets._input"), "Input", None)
    return field is not None and isinstance(widget, field)


class TerminalScreen(FramedScreen):
    """A screen that can be drawn again at any time."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)
        self._compositor = RowCompositor()

    def show(self) -> None:
        """Draw the current state."""
        raise NotImplementedError

    def draw_soon(self) -> None:
        """Draw the current screen in a moment, once the terminal has drawn the last frame."""
        if isinstance(self.app, TerminalApp):
            self.app.draw_soon()

    def frame_written(self) -> None:
        if isinstance(self.app, TerminalApp):
            self.app.frame_written()

    def _on_screen_resume(self, event: events.ScreenResume) -> None:
        """Keep Textual's own handler, which is called after this, from styling a screen that has
        just been made and styled."""
        event.refresh_styles &= self.stack_updates > 0

    async def _compose(self) -> None:
        # If a class is set from the start, its styles are applied only once.
        for breakpoints, size in (
            (self.app.HORIZONTAL_BREAKPOINTS, self.app.size.width),
            (self.app.VERTICAL_BREAKPOINTS, self.app.size.height),
        ):
            classes = self._get_breakpoint_classes(size, breakpoints or [])
            self.set_class(True, *classes, update=False)
        self.app.stylesheet.apply(self)
        await super()._compose()


class TerminalApp(App[None]):
    """An application that writes only what changed, and no faster than its terminal draws.

    ``first_keys`` overtake keys that were typed before them; ``field_keys`` open a text field, so
    that the keys after them are text.
    """

    def __init__(
        self,
        ending: Ending | None = None,
        *,
        first_keys: Collection[str] = (),
        field_keys: Collection[str] = (),
    ) -> None:
        """``ending`` is how the program ends, if anything listens for that."""
        super().__init__(driver_class=TerminalDriver)
        self.stylesheet = ParsedOnce(variables=self.stylesheet._variables)
        # The footer shows notices and what a key does: no screen needs widgets for them.
        self._disable_notifications = self._disable_tooltips = True
        self.ending = ending or Ending()
        self.keys = KeyQueue(urgent=first_keys, opens_field=field_keys)
        self._field_keys = frozenset(field_keys)
        self._no_flow_control = FlowControl()
        self._draw_scheduled = False
        self._after_frame: list[Callable[[], object]] = []
        self._styled: int | None = None

    @property
    def _terminal(self) -> TerminalDriver | None:
        """The driver; ``None`` before the start, and in tests without a terminal."""
        return self._driver if isinstance(self._driver, TerminalDriver) else None

    @property
    def flow(self) -> FlowControl:
        """How far the terminal is behind; not at all without one, as in tests."""
        return self._terminal.flow if self._terminal is not None else self._no_flow_control

    # --- start and end ---

    def on_load(self) -> None:
        loop = asyncio.get_running_loop()
        self.ending.set_exit(partial(loop.call_soon_threadsafe, self.exit, None, 1))

    def refresh_css(self, animate: bool = True) -> None:
        """Style everything again. At the start Textual calls this twice for one theme, before there
        are widgets: the second time changes nothing."""
        asked = self._css_update_count
        if asked != self._styled or self.screen.is_mounted:
            self._styled = asked
            super().refresh_css(animate)

    @property
    def failure(self) -> Exception | None:
        """The error that ended the application, if one did."""
        return self._exception

    def _fatal_error(self) -> None:
        """End after an error without Textual's page of local variables."""
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        """Print nothing: the caller reports the error in one line."""
        self._exit_renderables.clear()

    # --- drawing ---

    def draw_soon(self) -> None:
        """Draw the screen in a moment. Sources are read at the same time, so their readings
        are drawn as one frame."""
        if not self._draw_scheduled:
            self._draw_scheduled = True
            self._wait_to_draw(MOST_WAITS)

    def _wait_to_draw(self, waits: int) -> None:
        def draw() -> None:
            if waits > 1 and self.more_to_come:
                self._wait_to_draw(waits - 1)
            else:
                self.post_message(events.Callback(self._draw))

        asyncio.get_running_loop().call_later(COALESCE_S, draw)

    @property
    def more_to_come(self) -> bool:
        """Whether there will be more to draw in a moment; for subclasses."""
        return False

    def gather(self) -> None:
        """Collect what has arrived to be drawn; for subclasses."""

    def _draw(self) -> None:
        """Draw the screen, unless the terminal is still drawing the previous frame."""
        self._draw_scheduled = False
        self.gather()
        # A call while the application ends finds no screen.
        if not self._running or not self.screen_stack:
            return
        if self.flow.behind:
            self.flow.withheld = True
        elif self.flow.withheld:  # until an answer that never came
            self.flow.withheld = False
            self.on_caught_up()
        elif isinstance(self.screen, TerminalScreen):
            screen = self.screen
            was_settled = screen.is_settled
            screen.show()
            if was_settled:
                screen.write_drawn()

    def call_after_frame(self, call: Callable[..., object], *arguments: object) -> None:
        """Call something once the next frame has been written."""
        self._after_frame.append(partial(call, *arguments))

    def frame_written(self) -> None:
        """Make the calls that have waited for a frame."""
        calls, self._after_frame = self._after_frame, []
        for call in calls:
            call()

    def on_caught_up(self) -> None:
        self._draw()
        terminal = self._terminal
        if terminal is not None and terminal.shown.unfinished and self.screen_stack:
            terminal.flow.withheld = True
            self.screen.refresh()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Write an update to the terminal, reduced to the cells that change."""
        terminal = self._terminal
        if terminal is None or not isinstance(renderable, CompositorUpdate):
            super()._display(screen, renderable)
            return
        if self._running and not self._closed and not self._batch_count:
            colors = self.console._color_system or ColorSystem.TRUECOLOR
            # Input methods open their window at the terminal's cursor.
            cursor = self.cursor_position if is_field(self.focused) else None
            terminal.draw(renderable, self.size, colors, cursor, sync=self._sync_available)

    def on_resize(self) -> None:
        self.action_redraw()

    def action_redraw(self) -> None:
        """Write every cell again: another program may have written over them."""
        if self._terminal is not None:
            self._terminal.shown.invalidate()
        self.screen.refresh()

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a text to the terminal's clipboard (xterm: OSC 52), if the terminal allows it."""
        super().copy_to_clipboard(to_copy(text))

    def alert(self, text: str, *, bell: bool, desktop: bool) -> None:
        """Ring the terminal's bell, and show ``text`` on the desktop if the terminal can."""
        if self._terminal is not None:
            self._terminal.write(alert(text, os.environ, bell=bell, desktop=desktop))

    def clear_selection(self) -> None:
        """Clear the selected text, if there is a screen.

        From Python 3.12 on, Textual sets up the text fields of the first screen before the screen
        is on the stack (asyncio.eager_task_factory), and they call this.
        """
        if self.screen_stack:
            super().clear_selection()

    def action_command_palette(self) -> None:
        """Open the command palette, which is imported only now (``tui.terminal.lean``)."""
        from textual.command import CommandPalette  # noqa: PLC0415

        app: App[Any] = self
        if self.use_command_palette and not CommandPalette.is_open(app):
            self.push_screen(CommandPalette(id="--command-palette"))

    # --- stopped by the shell ---

    def action_suspend_process(self) -> None:
        """Stop the whole process group, which is what a shell's Ctrl-Z stops."""
        self.stop_here(whole_group=True)

    def stop_here(self, *, whole_group: bool = False) -> None:
        """Stop this process, or its group, until it is continued."""
        if self._terminal is not None:
            with self.while_stopped():
                self._terminal.stop_here(whole_group=whole_group)

    def while_stopped(self) -> AbstractContextManager[None]:
        """A context for the time being stopped: subclasses release what others need meanwhile."""
        return nullcontext()

    # --- keys ---

    def is_busy(self) -> bool:
        """Whether a message is waiting in any queue that a key passes through."""
        if not self.screen_stack:
            return False
        focused = self.focused
        nodes = [self, self.screen, *(focused.ancestors_with_self if focused else ())]
        return not all(node._message_queue.empty() for node in nodes)

    def is_typing(self) -> bool:
        """Whether keys are text now, or may be after the next key."""
        return bool(self.screen_stack) and any(each.display for each in self.screen.query("Input"))

    def is_in_field(self) -> bool:
        """Whether a text field has the focus. True without a screen: none will open."""
        return not self.screen_stack or is_field(self.focused)

    def opens_field(self, event: Message) -> bool:
        """Whether an event is a key that opens a text field here and now."""
        if not isinstance(event, events.Key) or event.key not in self._field_keys:
            return False
        binding = self.screen.active_bindings.get(event.key) if self.screen_stack else None
        return binding is not None and binding.enabled and not is_field(self.focused)
