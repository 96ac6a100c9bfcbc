"""Textual's driver for the terminal: what is drawn goes out, what is typed comes in.

It stands in the place of Textual's own ``LinuxDriver``, which believes what a terminal sends,
gives the terminal back only when all goes well, and hands on keys without end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from rich.color import ColorSystem
from textual import constants, events
from textual._compositor import CompositorUpdate
from textual.driver import Driver
from textual.geometry import Offset, Size
from textual.message import Message

from tui.messages import CaughtUp
from tui.process.signals import stop_by
from tui.terminal.delivery import Delivery
from tui.terminal.diff import CellBuffer
from tui.terminal.flow import CURSOR_QUERY, FlowControl
from tui.terminal.reader import Reader
from tui.terminal.tty import LEAVE, enter
from tui.terminal.writer import Writer

if TYPE_CHECKING:
    from textual.app import App

    from tui.app import VfiotopApp

SYNC_START, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
SYNC_KNOWN = "\x1b[?2026$p"

SEEN_AS_ONE = 800
"""Characters of a frame that nobody sees being drawn."""

LAST_WORDS_S = 10.0
"""Seconds for which the terminal may take to be given back; slow links need some."""

BACKGROUND_S = 0.1
"""Seconds for which a signal that came with SIGCONT is waited for: `kill` of a job sends both."""

OURS = (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)
"""Signals that mean something while the terminal is the screen's."""


class TerminalDriver(Driver):
    """Asks after each frame how far the terminal is (``Link``), and hands on keys one by one."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._vfiotop = cast("VfiotopApp", app)
        self._ending = self._vfiotop.ending
        self._tty = self._ending.tty
        self._size = size or self._tty.size
        self._delivery = Delivery(self._vfiotop, self._later, self.process_message)
        self._writer = Writer(self._tty)
        self._reader: Reader | None = None
        self.link = FlowControl()
        self.shown = CellBuffer(self.link.room)
        self._ending.on_signal(signal.SIGWINCH, self._once(self._measure))
        self._ending.on_signal(signal.SIGTSTP, self._once(self._vfiotop.stop_here))
        self._ending.on_signal(signal.SIGCONT, self._once(self._continued))

    @property
    def can_suspend(self) -> bool:
        return True

    # --- the terminal is taken, and given back ---

    def start_application_mode(self) -> None:
        """Take the terminal, unless the program ends. Raises ``RuntimeError`` where no thread
        can be started, before anything is done to it."""
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
        self._ending.signals.listen(*OURS)
        self._tty.take()
        self.shown.invalidate()
        self.write(enter(mouse=self._mouse, kitty=not constants.DISABLE_KITTY_KEY))
        # Apple's terminal does not know the question, and shows a part of it.
        if os.environ.get("TERM_PROGRAM") != "Apple_Terminal":
            self.write(SYNC_KNOWN)
        self.link.open()
        self.link.sent(len(CURSOR_QUERY))
        # What the way itself takes is known before the first frame is.
        self.flush()
        self._measure()

    def stop_application_mode(self) -> None:
        """Give the terminal back, if it is taken."""
        if not self._tty.taken:
            return
        self.disable_input()
        self._ending.signals.restore(*OURS)
        self._writer.finish(LAST_WORDS_S, LEAVE)
        self._tty.give_back()

    def disable_input(self) -> None:
        if self._reader is not None:
            if self._ending.ended_by != signal.SIGHUP:  # who would answer?
                self.link.close()
            self._reader.stop()
            self._reader = None

    def suspend_application_mode(self) -> None:
        """Lend the terminal to somebody else."""
        self.stop_application_mode()
        self._tty.lent = True

    def resume_application_mode(self) -> None:
        """Take it again."""
        self.start_application_mode()
        self._tty.lent = False

    # --- stopped and continued ---

    def stop_here(self, *, everybody: bool) -> None:
        """Stop this process, as Ctrl-Z does; with ``everybody`` all of its process group, which a
        shell takes for one job. Returns when it is continued."""
        if not self._tty.taken or signal.getsignal(signal.SIGTSTP) == signal.SIG_IGN:
            return
        self.suspend_application_mode()
        if everybody:
            before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
            os.killpg(0, signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, before)
        stop_by(signal.SIGTSTP)
        self.resume_application_mode()

    def _continued(self) -> None:
        """After SIGSTOP, which nobody hears of, others may have had the terminal."""
        if self._tty.taken and self._is_ours():
            self.write(LEAVE)
            self._take()

    def _is_ours(self) -> bool:
        """Wait until the shell gives us the terminal, stopped as one that reads it; false where
        the program ends instead."""
        while not self._tty.foreground:
            if self._ending.begun.wait(BACKGROUND_S):
                return False
            stop_by(signal.SIGTTIN)
        return not self._ending.begun.is_set()

    def _measure(self) -> None:
        """Tell the application how large the terminal is; it then draws every cell."""
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
        """Write what an update changes on the terminal, if it changes anything, and put the
        cursor where one is given. A ``sync``hronized terminal shows a long frame as a whole."""
        text = self.shown.write(update, size, colors)
        self.link.withheld |= self.shown.unfinished
        if text and cursor is not None:
            text += f"\x1b[{cursor.y + 1};{cursor.x + 1}H"
        if text and sync and len(text) > SEEN_AS_ONE:
            text = f"{SYNC_START}{text}{SYNC_END}"
        if text:
            self.write(text)
            self.flush()

    def write(self, data: str) -> None:
        """Nothing is written to a terminal that is not the screen's."""
        if self._tty.taken:
            self._writer.write(data)
            self.link.sent(len(data.encode()))

    def flush(self) -> None:
        """Called when a frame has been written."""
        if self.link.begin_query():
            self._writer.write(CURSOR_QUERY)

    # --- in ---

    def _typed(self, event: Message) -> None:
        """Called on the thread that reads the terminal."""
        if isinstance(event, events.CursorPosition):
            withheld = self.link.answered()
            self.flush()  # for what was written after the question
            if withheld:
                self._later(self.send_message)(CaughtUp())
            return
        self._delivery.put(event)

    def process_message(self, message: Message) -> None:
        if isinstance(message, events.MouseDown) and message.button in self._down_buttons:
            self._down_buttons.remove(message.button)  # told twice
        super().process_message(message)

    def send_message(self, message: Message) -> None:
        """For the event loop's thread."""
        self._app.post_message(message)

    def _input_ended(self, error: Exception | None) -> None:
        """Called on the thread that reads the terminal."""
        if error is None:
            self._ending.hang_up()
        else:
            self._later(self._app._handle_exception)(error)

    # --- between threads ---

    def _later(self, call: Callable[..., None]) -> Callable[..., None]:
        """The same call from any thread, made on that of the event loop."""

        def ask(*arguments: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may be over
                self._loop.call_soon_threadsafe(self._guarded(call), *arguments)

        return ask

    def _once(self, call: Callable[[], None]) -> Callable[[], None]:
        """The same; further calls until it is made are one with it."""
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
        """The same call; asyncio would only log what it raises, and go on without keys."""

        def make(*arguments: Any) -> None:
            try:
                call(*arguments)
            except Exception as error:
                self._app._handle_exception(error)

        return make
