"""Everything known about one GPU, one PCI function or one guest."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.background import background
from tui.commands import bindings
from tui.host import HostError
from tui.live import Live
from tui.model import CLOCK, Gpu, Holders, Unavailable
from tui.rules.card_users import addresses, listed, users
from tui.screens.base import HostScreen
from tui.screens.swap_words import defect
from tui.session import Session
from widgets.details import DetailsPanel

EVERY_S = 5.0
"""Seconds between two scans for users of the card: each goes through all processes."""

STALL_AFTER = timedelta(seconds=10)
"""How long a scan may take before it counts as not answering."""


class DetailsScreen(HostScreen):
    """``subject`` is a PCI address or a domain's UUID; it may disappear while it is shown.

    While this screen is on top it scans for users of the GPU, one scan at a time, so a scan
    that hangs is the last."""

    NAME = "details"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "DetailsPanel"

    def __init__(self, session: Session, subject: str) -> None:
        super().__init__(session)
        self._subject = subject
        self._covered = False
        self._holders: Holders | Unavailable | None = None
        self._scan_began_at: datetime | None = None
        self._scanned_for: Hashable = None

    @property
    def subject(self) -> str | None:
        return self._subject

    @property
    def shows_cards(self) -> bool:
        return self.session.live.view.gpu(self._subject) is not None

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield DetailsPanel()

    def on_mount(self) -> None:
        self._timer = self.set_interval(EVERY_S, self._tick)

    def on_screen_resume(self) -> None:
        self._covered = False
        self._timer.resume()
        self.scan()

    def on_screen_suspend(self) -> None:
        self._covered = True
        self._timer.pause()

    def draw(self, live: Live) -> None:
        gpu = live.view.gpu(self._subject)
        found = users(gpu, self._found()) if gpu is not None else None
        panel = self.query_one(DetailsPanel)
        panel.show(self._subject, live.view, self.session.host.now(), found)
        if gpu is not None and self._scanned_for != _users_known(gpu):
            self.scan()

    # --- who uses it ---

    def scan(self) -> None:
        """Scan for users of the card, unless a scan is under way or this screen is covered."""
        gpu = self.session.live.view.gpu(self._subject)
        if gpu is None or self._covered or self._scan_began_at is not None:
            return
        self._scan_began_at = self.session.host.now()
        self._scanned_for = _users_known(gpu)
        self.run_worker(self._scan(addresses(gpu)))

    def _tick(self) -> None:
        self.scan()
        self.show()  # reports a scan that does not answer

    async def _scan(self, functions: tuple[str, ...]) -> None:
        inspector = self.session.host.inspector
        try:
            self._holders = await background(lambda: inspector.holders(functions))
        except HostError as error:
            self._holders = Unavailable(str(error))
        except Exception as error:  # a defect of ours, reported where the users would be
            self._holders = Unavailable(defect(error))
        self._scan_began_at = None
        self.show()

    def _found(self) -> Holders | Unavailable | None:
        """What the last scan found, or that the one under way does not answer."""
        since = self._scan_began_at
        if since is None or self.session.host.now() - since < STALL_AFTER:
            return self._holders
        reason = f"no answer since {CLOCK.time_of_day(since)}: cannot tell who uses the card"
        return Unavailable(reason)


def open_details(app: App[Any]) -> None:
    """Open the details of the present screen's subject, if it has one. A key and the panel that
    has the focus may both ask for that, or a key may be pressed twice."""
    screen = app.screen
    if isinstance(screen, HostScreen) and not isinstance(screen, DetailsScreen):
        subject = screen.subject
        if subject is not None:
            app.push_screen(DetailsScreen(screen.session, subject))


def _users_known(gpu: Gpu) -> Hashable:
    """The users known without a scan: if they change, a scan is due."""
    return gpu.owner, frozenset((process.pid, process.name) for process in listed(gpu))
