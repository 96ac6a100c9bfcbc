"""The simulation's time. Tests put a clock of their own in its place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from tui.host import Wake
from tui.model import CLOCK

Cancel = Callable[[], None]


class Clock(Protocol):
    """What the simulated host asks of a clock. Every method is safe to call from any thread."""

    def now(self) -> datetime:
        """The date and time, with its zone."""
        ...

    def seconds(self) -> float:
        """Seconds since the simulation began; never goes backwards."""
        ...

    def call_at(self, seconds: float, call: Wake) -> Cancel:
        """Call ``call`` once ``seconds()`` reaches ``seconds``, unless cancelled."""
        ...


class RealClock:
    """Time as it passes; the simulation begins when the clock is created."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> datetime:
        return CLOCK.now()

    def seconds(self) -> float:
        return time.monotonic() - self._began

    def call_at(self, seconds: float, call: Wake) -> Cancel:
        timer = threading.Timer(max(0.0, seconds - self.seconds()), call)
        timer.daemon = True
        timer.start()
        return timer.cancel
