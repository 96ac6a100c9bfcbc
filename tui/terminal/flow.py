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
from collections import deque
from collections.abc import Callable

QUESTION = "\x1b[6n"

LOST_S = 10.0
"""Seconds after which an answer is not waited for any more."""

SETTLE_S = 1.0
"""Seconds for which the end waits for an answer at least."""

REMEMBERED = 16
"""Answers of which the fastest tells how long the way is: it may become another one."""

AIM_S = 0.12
"""Seconds that a frame may take on top of what the way takes anyhow: a key's answer waits as
long behind it."""

MEASURABLE_S = 0.03
"""Seconds of that which tell how fast the link is; less is chance."""

LEAST, ENOUGH = 200, 32768
"""Bytes of the smallest frame that is cut, and of one that needs not be."""


class FlowControl:
    """What is known of the way to the terminal. ``clock`` gives monotonic seconds. Frames are
    written on one thread and answers come on another: all of it may be called from both."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._listens = False
        self._asked_at: float | None = None
        self._answers = False
        self._mute = False
        self._settled = threading.Event()
        self._settled.set()
        self._sent = 0
        self._in_flight = 0
        self._seen: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)
        self._budget: int | None = None
        self.took_s = 0.0
        """Seconds that the last frame took."""
        self.withheld = False
        """Whether something waits to be drawn until the terminal has caught up."""

    def open(self) -> None:
        """From now on answers are read; one that is still out was read by somebody else."""
        with self._lock:
            self._listens = True
            self._asked_at, self._sent = None, 0
            self._settled.set()

    def close(self) -> None:
        """Nothing is asked any more, and the answer that is out is waited for: it would be
        typed to whoever reads next."""
        with self._lock:
            self._listens = False
            answers = self._answers
        if answers:
            self._settled.wait(min(LOST_S, max(SETTLE_S, 2 * self.took_s)))

    def sent(self, size: int) -> None:
        """Some bytes were written."""
        with self._lock:
            self._sent += size

    def drawn(self) -> bool:
        """Whether to ask now whether all that was written is drawn. One question is out at a
        time, and a terminal that never answers is not asked on."""
        with self._lock:
            if self._is_out() or not self._listens:
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
        """The terminal has drawn all that was written before the question: whether something
        was withheld meanwhile. What comes unasked is no answer."""
        with self._lock:
            if self._asked_at is None:
                return False
            self.took_s, self._asked_at = self._clock() - self._asked_at, None
            self._judge(self.took_s, self._in_flight)
            self._answers = True
            self._settled.set()
            withheld, self.withheld = self.withheld, False
            return withheld

    def _judge(self, took: float, size: int) -> None:
        """How fast the link is, by how much longer a larger frame takes than the fastest of
        late: what all of them take is how long the way is."""
        self._seen.append((took, size))
        fastest, its_size = min(self._seen)
        longer, more, budget = took - fastest, size - its_size, self._budget
        if longer > MEASURABLE_S and more > 0:
            found = max(LEAST, int(more * AIM_S / longer))
            if budget is not None:
                self._budget = min(found, 2 * budget)
            elif longer > AIM_S:
                self._budget = found
        elif budget is not None and size >= budget / 2:
            self._budget = 2 * budget if budget < ENOUGH else None

    def _is_out(self) -> bool:
        """Whether an answer is waited for that may still come."""
        asked_at = self._asked_at
        return asked_at is not None and self._clock() - asked_at < LOST_S

    def room(self) -> int | None:
        """Bytes that the link takes now, so that they are there within ``AIM_S``; ``None``: any
        number."""
        with self._lock:
            if self._budget is None or not self._is_out():
                return self._budget
            return max(0, self._budget - self._in_flight - self._sent)

    @property
    def behind(self) -> bool:
        """Whether a frame is on its way to a terminal that is known to answer."""
        with self._lock:
            return self._answers and self._is_out()

    @property
    def delay_s(self) -> float:
        """Seconds that frames take now, as far as is known."""
        with self._lock:
            if self._asked_at is None or not self._answers or not self._is_out():
                return self.took_s
            return max(self.took_s, self._clock() - self._asked_at)
