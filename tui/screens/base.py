"""What all screens share: the line on top, the footer, and how they hear of a change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from tui.live import Live
from widgets.canvas import TONE_CLASSES, TONE_RULES
from widgets.footer import KeyFooter
from widgets.graph import PLAIN
from widgets.header import HostHeader

if TYPE_CHECKING:
    from tui.app import VfiotopApp


class HostScreen(Screen[None]):
    """A screen that draws the host: subclasses compose ``body`` and draw in ``draw``.

    ``show`` is called after each sample; drawing what has not changed costs nothing.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = TONE_CLASSES
    DEFAULT_CSS = f"HostScreen {{ {TONE_RULES} }}"

    NAME: ClassVar[str]
    """The screen's name in the table of commands."""

    def __init__(self) -> None:
        super().__init__(name=self.NAME)
        self._working: dict[str, bool] = {}
        self.first_frame_pending = True
        """Whether it has not been drawn yet: an empty screen is not worth to be written."""
        self.set_class(self.vfiotop.glyphs is PLAIN, "-plain")

    @property
    def vfiotop(self) -> VfiotopApp:
        """The application, with its type."""
        from tui.app import VfiotopApp  # noqa: PLC0415  # the app imports the screens

        return cast(VfiotopApp, self.app)

    def why_not(self, action: str) -> str | None:
        """Why an action cannot be taken now; its key is dimmed, and says so when pressed."""
        return self.vfiotop.why_not(action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Textual's question whether a key works: ``None`` dims it."""
        return None if self.why_not(action) else True

    @property
    def shows_cards(self) -> bool:
        """Whether readings of the cards are on this screen: they are taken only then."""
        return False

    @property
    def subject(self) -> str | None:
        """The address or the domain's UUID that a key pressed now is about."""
        return None

    def compose(self) -> ComposeResult:
        yield HostHeader(self.vfiotop.host.banner)
        yield from self.body()
        yield Static("vfiotop needs 36x10 cells or more", id="too-small")
        yield KeyFooter()

    def body(self) -> Iterable[Widget]:
        raise NotImplementedError

    def draw(self, live: Live) -> None:
        """Draw what ``live`` holds."""
        raise NotImplementedError

    def show(self) -> None:
        """Draw the screen as it is; before it is mounted, and when it is taken down, there is
        nothing to draw on."""
        if self.is_mounted and self.query(HostHeader):
            with self.app.batch_update():
                self.query_one(HostHeader).show(self.vfiotop.live.view, self.vfiotop.notices)
                self.draw(self.vfiotop.live)
                self._dim_keys()

    def _dim_keys(self) -> None:
        """The footer is drawn anew only when a key begins or ceases to work."""
        working = {key: each.enabled for key, each in self.active_bindings.items()}
        if working != self._working:
            self._working = working
            self.refresh_bindings()

    def on_mount(self) -> None:
        self.show()
        self.call_after_refresh(self._unveil)

    def _unveil(self) -> None:
        self.first_frame_pending = False
        self.refresh()

    def on_screen_resume(self) -> None:
        self.vfiotop.update_demand()
        self.show()
