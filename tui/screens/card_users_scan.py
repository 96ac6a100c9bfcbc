"""Scans repeatedly for the users of a card while a screen shows it."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime, timedelta

from textual.timer import Timer

from tui.background import background
from tui.host import HostError
from tui.model import CLOCK, CardUsers, Gpu, Holders, Unavailable
from tui.rules.card_users import addresses, listed, users
from tui.screens.base import HostScreen

EVERY_S = 5.0
"""Seconds between two scans for users of a card; each scan goes through all processes."""

STALL_AFTER = timedelta(seconds=10)
"""How long a scan may take before it counts as not answering."""


class CardUsersScan:
    """The users of the card that ``screen`` shows. The screen calls ``of`` whenever it draws the
    card and ``stop`` when it shows none. It is redrawn when a scan has ended.

    Only one scan runs at a time: if it hangs, no other is started.
    """

    def __init__(self, screen: HostScreen) -> None:
        self._screen = screen
        self._session = screen.session
        self._gpu: Gpu | None = None
        self._timer: Timer | None = None
        self._found: Holders | Unavailable | None = None
        self._began_at: datetime | None = None
        self._scanned_for: Hashable = None

    def of(self, gpu: Gpu) -> CardUsers:
        """The users of ``gpu``; scans for them now if they have probably changed."""
        if self._gpu is None or self._gpu.address != gpu.address:
            self._found, self._scanned_for = None, None
        self._gpu = gpu
        if self._timer is None:
            self._timer = self._screen.set_interval(EVERY_S, self._tick)
        self._timer.resume()
        if self._scanned_for != _known(gpu):
            self.scan()
        return users(gpu, self._holders())

    def stop(self) -> None:
        """Stop scanning until ``of`` is called again, which scans at once."""
        self._gpu = self._scanned_for = None
        if self._timer is not None:
            self._timer.pause()

    def scan(self) -> None:
        """Scan now, unless a scan is under way or no card is shown."""
        gpu = self._gpu
        if gpu is None or self._began_at is not None:
            return
        self._began_at = self._session.host.now()
        self._scanned_for = _known(gpu)
        self._screen.run_worker(self._scan(gpu))

    def _tick(self) -> None:
        self.scan()
        self._screen.show()  # reports a scan that does not answer

    async def _scan(self, gpu: Gpu) -> None:
        inspector, functions = self._session.host.inspector, addresses(gpu)
        found: Holders | Unavailable
        try:
            found = await background(lambda: inspector.holders(functions))
        except HostError as error:
            found = Unavailable(str(error))
        except Exception as error:  # a bug of ours, reported where the users would be
            from tui.screens.swap_words import defect  # noqa: PLC0415

            found = Unavailable(defect(error))
        self._began_at = None
        if self._gpu is not None and self._gpu.address == gpu.address:
            self._found = found
        self._screen.show()

    def _holders(self) -> Holders | Unavailable | None:
        """What the last scan found, or that the scan in progress does not answer."""
        since = self._began_at
        if since is None or self._session.host.now() - since < STALL_AFTER:
            return self._found
        reason = f"no answer since {CLOCK.time_of_day(since)}: cannot tell who uses the card"
        return Unavailable(reason)


def _known(gpu: Gpu) -> Hashable:
    """The users that are known without a scan. If they change, a scan is due."""
    return gpu.owner, frozenset((process.pid, process.name) for process in listed(gpu))
