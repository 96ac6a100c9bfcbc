"""The Textual driver for the terminal: what is drawn goes out, what is typed comes in.

It replaces Textual's own ``LinuxDriver``, which trusts what a terminal sends, restores the
terminal only on a clean exit, and queues keys without limit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Protocol, cast

from rich.color import ColorSystem
from textual import constants, events
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.driver import Driver
from textual.geometry import Offset, Size
from textual.message import Message

from tui.messages import CaughtUp
from tui.process.signals import stop_by
from tui.terminal.delivery import Delivery, KeyReceiver
from tui.terminal.diff import CellBuffer
from tui.terminal.ending import Ending
from tui.terminal.flow import CURSOR_QUERY, FlowControl
from tui.terminal.reader import Reader
from tui.terminal.tty import LEAVE, enter
from tui.terminal.writer import Writer

SYNC_START, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronized output: the terminal shows what is written between the two as one frame."""

SYNC_QUERY = "\x1b[?2026$p"
"""Asks the terminal whether it supports synchronized output."""

SHORT_FRAME = 800
"""Maximum characters of a frame that is drawn too fast to be seen in parts."""

RESTORE_S = 10.0
"""Seconds that restoring the terminal may take; a slow link needs some."""

BACKGROUND_S = 0.1
"""Seconds to wait for a signal that came together with SIGCONT: `kill` of a job sends both."""

SCREEN_SIGNALS = (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)
"""The signals that are handled while the screen owns the terminal."""


class DrivenApp(KeyReceiver, Protocol):
    """What the driver needs from the application besides Textual's ``App``."""

    ending: Ending

    def stop_here(self) -> None:
        """Stop this process until it is continued."""
        ...


class TerminalDriver(Driver):
    """Asks the terminal after each frame whether it has drawn it, and delivers keys one by one."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        driven = cast(DrivenApp, app)
        self._ending = driven.ending
        self._tty = self._ending.tty
        self._size = size or self._tty.size
        self._delivery = Delivery(driven, self._later, self.process_message)
        self._writer = Writer(self._tty)
        self._reader: Reader | None = None
        self._taken_before = False
        self.flow = FlowControl()
        self.shown = CellBuffer(self.flow.room)
        self._ending.on_signal(signal.SIGWINCH, self._once(self._measure))
        self._ending.on_signal(signal.SIGTSTP, self._once(driven.stop_here))
        self._ending.on_signal(signal.SIGCONT, self._once(self._continued))

    @property
    def can_suspend(self) -> bool:
        return True

    # --- taking the terminal, and giving it back ---

    def start_application_mode(self) -> None:
        """Take the terminal, unless the program is ending. Raises ``RuntimeError`` if no thread
        can be started, before the terminal is touched."""
        if not self._is_ours():
            return
        writer = Writer(self._tty, self._ending.hang_up)
        reader = Reader(self._tty, self._typed, self._input_ended)
        try:
            writer.start()
            reader.start()
        except RuntimeError:
            writer.finish(0.0)
            reader.stop()
            raise
        self._writer, self._reader = writer, reader
        self._take()
        reader.begin()

    def _take(self) -> None:
        self._ending.signals.listen(*SCREEN_SIGNALS)
        self._tty.take()
        self.shown.invalidate()
        self.write(enter(mouse=self._mouse, kitty=not constants.DISABLE_KITTY_KEY))
        # Apple's Terminal does not know the query, and prints part of it.
        if os.environ.get("TERM_PROGRAM") != "Apple_Terminal":
            self.write(SYNC_QUERY)
        self.flow.open()
        self.flow.sent(len(CURSOR_QUERY))
        # The answer shows the latency of the link before the first frame is written.
        self.flush()
        # The first frame uses the size that was measured before.
        if self._taken_before or self._tty.size != self._size:
            self._measure()
        self._taken_before = True

    def stop_application_mode(self) -> None:
        """Give the terminal back, if we have it."""
        if not self._tty.taken:
            return
        self.disable_input()
        self._ending.signals.restore(*SCREEN_SIGNALS)
        self._writer.finish(RESTORE_S, LEAVE)
        self._tty.give_back()

    def disable_input(self) -> None:
        if self._reader is not None:
            if self._ending.ended_by != signal.SIGHUP:  # a terminal that hung up does not answer
                self.flow.close()
            self._reader.stop()
            self._reader = None

    def suspend_application_mode(self) -> None:
        """Lend the terminal to another program."""
        self.stop_application_mode()
        self._tty.lent = True

    def resume_application_mode(self) -> None:
        """Take the terminal back."""
        self.start_application_mode()
        self._tty.lent = False

    # --- stopped and continued ---

    def stop_here(self, *, whole_group: bool) -> None:
        """Stop this process, as Ctrl-Z does, or with ``whole_group`` its process group, which a
        shell treats as one job. Returns when it is continued."""
        if not self._tty.taken or signal.getsignal(signal.SIGTSTP) == signal.SIG_IGN:
            return
        self.suspend_application_mode()
        if whole_group:
            before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
            os.killpg(0, signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, before)
        stop_by(signal.SIGTSTP)
        self.resume_application_mode()

    def _continued(self) -> None:
        """Take the terminal again: SIGSTOP cannot be caught, and others may have used the terminal
        since."""
        if self._tty.taken and self._is_ours():
            self.write(LEAVE)
            self._take()

    def _is_ours(self) -> bool:
        """Wait until the shell gives us the terminal, stopped like a background job that reads it.
        False if the program ends instead."""
        while not self._tty.foreground:
            if self._ending.begun.wait(BACKGROUND_S):
                return False
            stop_by(signal.SIGTTIN)
        return not self._ending.begun.is_set()

    def _measure(self) -> None:
        """Tell the application the terminal's size; it then draws every cell."""
        size = Size(*self._tty.size)
        self.send_message(events.Resize(size, size))

    # --- out ---

    def draw(
        self,
        update: CompositorUpdate,
        size: Size,
        colors: ColorSystem,
        cursor: Offset | None,
        *,
        sync: bool,
    ) -> None:
        """Write the cells that an update changes, if any, and move the terminal's cursor to
        ``cursor``, if given. With ``sync`` the terminal shows a long frame as a whole."""
        text = self.shown.write(update, size, colors)
        self.flow.withheld |= self.shown.unfinished
        if text and cursor is not None:
            text += f"\x1b[{cursor.y + 1};{cursor.x + 1}H"
        if text and sync and len(text) > SHORT_FRAME:
            text = f"{SYNC_START}{text}{SYNC_END}"
        if text and self._tty.taken:
            self.flow.sent(len(text.encode()))
            self._writer.write(text + self._query())

    def write(self, data: str) -> None:
        """Write to the terminal while it is ours; otherwise drop it."""
        if self._tty.taken:
            self._writer.write(data)
            self.flow.sent(len(data.encode()))

    def flush(self) -> None:
        """Ask the terminal to answer once it has drawn what was written."""
        if query := self._query():
            self._writer.write(query)

    def _query(self) -> str:
        """What to write after a frame."""
        return CURSOR_QUERY if self.flow.begin_query() else ""

    # --- in ---

    def _typed(self, event: Message) -> None:
        """Take an event. Called on the thread that reads the terminal."""
        if isinstance(event, events.CursorPosition):
            withheld = self.flow.answered()
            self.flush()  # for what was written after the query
            if withheld:
                self._later(self.send_message)(CaughtUp())
            return
        self._delivery.put(event)

    def process_message(self, message: Message) -> None:
        if isinstance(message, events.MouseDown) and message.button in self._down_buttons:
            self._down_buttons.remove(message.button)  # reported twice
        super().process_message(message)

    def send_message(self, message: Message) -> None:
        """Post a message to the application. Called on the event loop's thread."""
        self._app.post_message(message)

    def _input_ended(self, error: Exception | None) -> None:
        """End the program, since its input has ended. Called on the thread that reads the
        terminal."""
        if error is None:
            self._ending.hang_up()
        else:
            self._later(self._app._handle_exception)(error)

    # --- between threads ---

    def _later(self, call: Callable[..., None]) -> Callable[..., None]:
        """Wrap a call so that other threads can have it run on the event loop."""

        def ask(*arguments: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended
                self._loop.call_soon_threadsafe(self._guarded(call), *arguments)

        return ask

    def _once(self, call: Callable[[], None]) -> Callable[[], None]:
        """Wrap a call likewise; requests that arrive before it has run count as one."""
        asked = threading.Event()

        def make() -> None:
            asked.clear()
            call()

        def ask() -> None:
            if not asked.is_set():
                asked.set()
                self._later(make)()

        return ask

    def _guarded(self, call: Callable[..., None]) -> Callable[..., None]:
        """Wrap a call so that an error ends the application. asyncio would only log the error, and
        the screen would no longer react to keys."""

        def make(*arguments: Any) -> None:
            try:
                call(*arguments)
            except Exception as error:
                self._app._handle_exception(error)

        return make
