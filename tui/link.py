"""The way to the terminal: what it shows, and how far it is behind.

A slow link must not fill up with readings that are old by the time they arrive, while a key
waits behind them for its answer. So the terminal is asked after a frame where its cursor is
(DSR, ECMA-48), which every terminal tells; the answer comes when it has drawn all before.
While one is out, readings are not drawn: what is drawn next are the newest. Where frames take
long, each is cut to what the link can take, and the rest is drawn when it has. Nothing is asked
while nothing is drawn.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from tui.messages import CaughtUp
from tui.tight import Shown

if TYPE_CHECKING:
    from textual.app import App

QUESTION = "\x1b[6n"

LOST_S = 10.0
"""Seconds after which an answer is not waited for any more."""

SETTLE_S = 1.0
"""Seconds for which the end waits for an answer, that would be typed to whoever reads next."""

AIM_S = 0.12
"""Seconds that a frame may take on top of what the way takes anyhow: a key's answer waits as
long behind it."""

MEASURABLE_S = 0.03
"""Seconds of that which tell how fast the link is; less is chance."""

LEAST, ENOUGH = 200, 32768
"""Bytes of the smallest frame that is cut, and of one that needs not be."""


class Link:
    """What is known of the way to the terminal. ``clock`` gives monotonic seconds; questions
    are asked on one thread and answered on another."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_at: float | None = None
        self._answers = False
        self._mute = False
        self._settled = threading.Event()
        self._settled.set()
        self._sent = 0
        self._in_flight = 0
        self._shortest: float | None = None
        self.took_s = 0.0
        """Seconds that the last frame took."""
        self._budget: int | None = None
        self.withheld = False
        """Whether something waits to be drawn until the terminal has caught up."""

    def sent(self, size: int) -> None:
        """Some bytes were written."""
        self._sent += size

    def drawn(self) -> bool:
        """A frame was written: whether to ask for an answer now. One question is out at a time,
        and a terminal that never answers is not asked on."""
        if self._asked_at is not None and self._clock() - self._asked_at < LOST_S:
            return False
        if self._asked_at is not None and not self._answers:
            self._mute = True
        if self._mute or not self._sent:
            return False
        self._in_flight, self._sent = self._sent, 0
        self._settled.clear()
        self._asked_at = self._clock()
        return True

    def answered(self) -> bool:
        """The terminal has drawn all that was sent before the question: whether something was
        withheld meanwhile."""
        asked_at, self._asked_at = self._asked_at, None
        if asked_at is not None:
            self.took_s = self._clock() - asked_at
            self._judge(self.took_s)
        self._answers = True
        self._settled.set()
        withheld, self.withheld = self.withheld, False
        return withheld

    def _judge(self, took: float) -> None:
        """The way itself takes as long as the fastest answer took; the rest is the frame's."""
        self._shortest = took if self._shortest is None else min(took, self._shortest)
        excess, budget = took - self._shortest, self._budget
        if excess > MEASURABLE_S:
            found = max(LEAST, int(self._in_flight * AIM_S / excess))
            if budget is not None:
                self._budget = min(found, 2 * budget)
            elif excess > AIM_S:
                self._budget = found
        elif budget is not None and self._in_flight >= budget / 2:
            self._budget = 2 * budget if budget < ENOUGH else None

    def room(self) -> int | None:
        """Bytes that the link takes now, so that they are there within ``AIM_S``; ``None``: any
        number."""
        if self._budget is None:
            return None
        on_the_way = self._sent + (self._in_flight if self._asked_at is not None else 0)
        return max(0, self._budget - on_the_way)

    @property
    def behind(self) -> bool:
        """Whether a frame is on its way to a terminal that is known to answer."""
        asked_at = self._asked_at
        return self._answers and asked_at is not None and self._clock() - asked_at < LOST_S

    @property
    def delay_s(self) -> float:
        """Seconds that frames take now, as far as is known."""
        asked_at = self._asked_at
        if asked_at is None or not self.behind:
            return self.took_s
        return max(self.took_s, self._clock() - asked_at)

    def settle(self, seconds: float = SETTLE_S) -> None:
        """Wait until no answer is out any more, from a terminal that is known to answer."""
        if self._answers:
            self._settled.wait(seconds)


class LinkDriver(LinuxDriver):
    """Textual's driver for terminals, which asks after each frame."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.link = Link()
        self.shown = Shown(self.link.room)
        self._listens = False

    def start_application_mode(self) -> None:
        self.shown.forget()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._listens = True
        # What the way itself takes is known before the first frame is.
        self.flush()

    def write(self, data: str) -> None:
        super().write(data)
        self.link.sent(len(data))

    def flush(self) -> None:
        """Called when a frame has been written."""
        super().flush()
        self._ask()

    def _ask(self) -> None:
        if self._listens and self.link.drawn():
            super().write(QUESTION)

    def process_message(self, message: Message) -> None:
        """Called on the thread that reads the terminal."""
        if not isinstance(message, events.CursorPosition):
            super().process_message(message)
        else:
            withheld = self.link.answered()
            self._ask()  # for what was written after the question
            if withheld:
                self.send_message(CaughtUp())

    def disable_input(self) -> None:
        self._listens = False
        self.link.settle()
        super().disable_input()
