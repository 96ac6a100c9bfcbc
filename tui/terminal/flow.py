"""Flow control for the terminal: how far it is behind, and how much may be sent to it.

A slow link must not fill up with readings that are stale when they arrive, while the response to
a key waits behind them. After each frame, the terminal is therefore asked for its cursor position
(DSR, ECMA-48). Every terminal answers once it has drawn everything before the query. While a query
is pending, new readings are not drawn; the next frame shows the newest. If frames take long, each
is cut to what the link can carry, and the rest follows in later frames. There is no query while
nothing is drawn.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

CURSOR_QUERY = "\x1b[6n"

ANSWER_TIMEOUT_S = 10.0
"""Seconds after which an answer counts as lost."""

MIN_CLOSE_WAIT_S = 1.0
"""Minimum seconds that ``close`` waits for a pending answer."""

SAMPLES = 16
"""How many recent answers count; the fastest is the latency of the link, which may change."""

TARGET_S = 0.12
"""Seconds that a frame may take on top of the latency. The response to a key waits as long."""

NOISE_S = 0.03
"""Seconds above the latency below which a measurement is noise."""

MIN_BUDGET, MAX_BUDGET = 200, 32768
"""Bytes of the smallest budget, and the budget from which frames are not cut at all."""


class FlowControl:
    """What is known about the link to the terminal. ``clock`` returns monotonic seconds.
    Thread-safe: frames are written on one thread, and answers arrive on another."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open = False
        self._asked_at: float | None = None
        self._has_answered = False
        self._never_answers = False
        self._no_query = threading.Event()
        self._no_query.set()
        self._sent = 0
        self._in_flight = 0
        self._samples: deque[tuple[float, int]] = deque(maxlen=SAMPLES)
        self._budget: int | None = None
        self.took_s = 0.0
        """Seconds from the last query to its answer."""
        self.withheld = False
        """Whether something waits to be drawn until the terminal has caught up."""

    def open(self) -> None:
        """Start sending queries. The answer to one still pending went to another program."""
        with self._lock:
            self._open = True
            self._asked_at, self._sent = None, 0
            self._no_query.set()

    def close(self) -> None:
        """Stop sending queries, and wait for a pending answer: otherwise it would be input to the
        next program that reads the terminal."""
        with self._lock:
            self._open = False
            answers = self._has_answered
        if answers:
            self._no_query.wait(min(ANSWER_TIMEOUT_S, max(MIN_CLOSE_WAIT_S, 2 * self.took_s)))

    def sent(self, size: int) -> None:
        """Record that ``size`` bytes were written."""
        with self._lock:
            self._sent += size

    def begin_query(self) -> bool:
        """Whether to send a query now; if so, it counts as sent. Only one is pending at a time, and
        a terminal that has never answered is not asked again."""
        with self._lock:
            if self._is_waiting() or not self._open:
                return False
            if self._asked_at is not None and not self._has_answered:
                self._never_answers = True
            if self._never_answers or not self._sent:
                return False
            self._in_flight, self._sent = self._sent, 0
            self._no_query.clear()
            self._asked_at = self._clock()
            return True

    def answered(self) -> bool:
        """Record an answer: the terminal has drawn everything written before the query. Returns
        whether something was withheld meanwhile. An unsolicited report is ignored."""
        with self._lock:
            if self._asked_at is None:
                return False
            self.took_s, self._asked_at = self._clock() - self._asked_at, None
            self._measure(self.took_s, self._in_flight)
            self._has_answered = True
            self._no_query.set()
            withheld, self.withheld = self.withheld, False
            return withheld

    def _measure(self, took_s: float, size: int) -> None:
        """Update the budget. The speed of the link follows from how much longer a larger frame
        takes than the fastest recent one; what all frames take is latency."""
        self._samples.append((took_s, size))
        fastest, its_size = min(self._samples)
        longer, more, budget = took_s - fastest, size - its_size, self._budget
        if longer > NOISE_S and more > 0:
            found = max(MIN_BUDGET, int(more * TARGET_S / longer))
            if budget is not None:
                self._budget = min(found, 2 * budget)
            elif longer > TARGET_S:
                self._budget = found
        elif budget is not None and size >= budget / 2:
            self._budget = 2 * budget if budget < MAX_BUDGET else None

    def _is_waiting(self) -> bool:
        """Whether a query is pending and its answer may still come."""
        asked_at = self._asked_at
        return asked_at is not None and self._clock() - asked_at < ANSWER_TIMEOUT_S

    def room(self) -> int | None:
        """Bytes that would arrive within ``TARGET_S`` if sent now; ``None`` for any number."""
        with self._lock:
            if self._budget is None or not self._is_waiting():
                return self._budget
            return max(0, self._budget - self._in_flight - self._sent)

    @property
    def behind(self) -> bool:
        """Whether a frame is in flight to a terminal that is known to answer."""
        with self._lock:
            return self._has_answered and self._is_waiting()

    @property
    def delay_s(self) -> float:
        """Seconds that a frame takes at present, as far as is known."""
        with self._lock:
            if self._asked_at is None or not self._has_answered or not self._is_waiting():
                return self.took_s
            return max(self.took_s, self._clock() - self._asked_at)
