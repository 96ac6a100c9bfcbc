"""All that is known of one GPU, one PCI function or one guest."""

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
"""Seconds between two looks at who uses the card: each goes through all processes."""

LONG = timedelta(seconds=10)
"""After which a look counts as one that does not come back."""


class DetailsScreen(HostScreen):
    """``subject``: a PCI address or a domain's UUID. It may go away while it is shown.

    Who uses a GPU is looked at while the screen is the one shown, one look at a time: one
    that hangs is the last."""

    NAME = "details"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "DetailsPanel"

    def __init__(self, session: Session, subject: str) -> None:
        super().__init__(session)
        self._subject = subject
        self._covered = False
        self._holders: Holders | Unavailable | None = None
        self._looking_since: datetime | None = None
        self._looked_for: Hashable = None

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
        self._again = self.set_interval(EVERY_S, self._tick)
        super().on_mount()

    def on_screen_resume(self) -> None:
        self._covered = False
        self._again.resume()
        self.look()
        super().on_screen_resume()

    def on_screen_suspend(self) -> None:
        self._covered = True
        self._again.pause()

    def draw(self, live: Live) -> None:
        gpu = live.view.gpu(self._subject)
        found = users(gpu, self._found()) if gpu is not None else None
        panel = self.query_one(DetailsPanel)
        panel.show(self._subject, live.view, self.session.host.now(), found)
        if gpu is not None and self._looked_for != _users_known(gpu):
            self.look()

    # --- who uses it ---

    def look(self) -> None:
        """Look who uses the card, unless a look is under way or nobody would see it."""
        gpu = self.session.live.view.gpu(self._subject)
        if gpu is None or self._covered or self._looking_since is not None:
            return
        self._looking_since = self.session.host.now()
        self._looked_for = _users_known(gpu)
        self.run_worker(self._look(addresses(gpu)))

    def _tick(self) -> None:
        self.look()
        self.show()  # one that takes long is told

    async def _look(self, functions: tuple[str, ...]) -> None:
        inspector = self.session.host.inspector
        try:
            self._holders = await background(lambda: inspector.holders(functions))
        except HostError as error:
            self._holders = Unavailable(str(error))
        except Exception as error:  # a defect of ours is told in its place
            self._holders = Unavailable(defect(error))
        self._looking_since = None
        self.show()

    def _found(self) -> Holders | Unavailable | None:
        """What the last look found; what it found is old where the next does not come back."""
        since = self._looking_since
        if since is None or self.session.host.now() - since < LONG:
            return self._holders
        reason = f"no answer since {CLOCK.time_of_day(since)}: who uses the card is not known"
        return Unavailable(reason, since=since)


def open_details(app: App[Any]) -> None:
    """Open the details of the present screen's subject, if it has one. A key and the panel that
    has the focus may both ask for that, or a key may be pressed twice."""
    screen = app.screen
    if isinstance(screen, HostScreen) and not isinstance(screen, DetailsScreen):
        subject = screen.subject
        if subject is not None:
            app.push_screen(DetailsScreen(screen.session, subject))


def _users_known(gpu: Gpu) -> Hashable:
    """What is known without a look: a change of it asks for one."""
    return gpu.owner, frozenset((process.pid, process.name) for process in listed(gpu))
