"""Everything on one screen: the GPUs, the guest, the IOMMU groups, the events. Any panel can be
shown full-screen."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.background import background
from tui.commands import Command, bindings
from tui.host import HostError
from tui.live import Live
from tui.model import CardSeries, DeviceUses, GuestDevice
from tui.rules.events import Changed
from tui.rules.group_interest import notable
from tui.rules.hostdev_checks import functions_to_inspect, live_verdicts
from tui.screens.card_users_scan import CardUsersScan
from tui.screens.flashes import Flashes
from tui.screens.graph_board import GraphBoard
from tui.screens.panel_board import CARD_PANELS
from tui.screens.panel_values import PanelValues
from tui.session import Session
from widgets.card_list import CardList
from widgets.card_panel import CardPanel
from widgets.event_list import EventList
from widgets.footer import Hint
from widgets.group_panel import GroupPanel, groups_word
from widgets.guest_panel import GuestPanel
from widgets.notice import Notice

if TYPE_CHECKING:
    from textual.widgets import Input

NO_GPU = (
    "No GPU found: this host has no PCI display controller (class 0300, 0302 or 0380). "
    "`vfiotop --demo` shows a simulated host."
)


class OverviewScreen(GraphBoard):
    """The first screen, which always stays open."""

    NAME = "overview"
    CSS_PATH = "overview.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "#card-0"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._uses = DeviceUses()
        self._uses_of: Hashable = ()
        self._lower: dict[str, CardSeries] = {}
        self._field: Input | None = None
        """The input field of the filter; ``None`` before its first use."""
        self._scan = CardUsersScan(self)
        self._flashes = Flashes(self)

    def body(self) -> Iterable[Widget]:
        glyphs = self.glyphs
        with Container(id="body"):
            yield Notice("groups", id="no-gpu", glyphs=glyphs)
            yield CardPanel(id="card-0", glyphs=glyphs)
            yield CardPanel(id="card-1", glyphs=glyphs)
            yield CardList(id="cards", glyphs=glyphs)
            yield GuestPanel(id="guest", glyphs=glyphs)
            yield GroupPanel(id="groups", glyphs=glyphs)
            yield EventList(id="events", glyphs=glyphs)

    @property
    def rows_below(self) -> int:
        return super().rows_below + (1 if self._filters else 0)

    @property
    def shows_cards(self) -> bool:
        # Before the first frame nothing is placed yet, but the cards are about to be.
        return not self.placed or any(map(self.shows, (*CARD_PANELS, "cards")))

    @property
    def flashes(self) -> bool:
        return self._flashes.owner

    def word(self, command: Command) -> str:
        if command.id == "zoom" and self.zoomed is not None:
            return "back"
        return super().word(command)

    def hints(self) -> list[Hint]:
        """The key to go back is shown only while a panel is full-screen."""
        back = self.key_of("back")
        return [hint for hint in super().hints() if hint.key != back]

    # --- devices, and full-screen panels ---

    async def action_open(self) -> None:
        """Show the device under the cursor, or the focused panel, full-screen."""
        groups = self.query_one(GroupPanel)
        if self.focused_panel == "groups" and groups.selected is not None:
            await self.app.run_action(f"app.device('{groups.selected}')")
        elif self.zoomed is None:
            self.zoom(self.focused_panel)

    def on_group_panel_chosen(self, event: GroupPanel.Chosen) -> None:
        self.app.call_later(self.app.run_action, f"app.device('{event.address}')")

    def zoom_changed(self) -> None:
        super().zoom_changed()
        if self.zoomed not in CARD_PANELS:
            self._scan.stop()
        if self.zoomed != "groups":
            self._close_filter()

    def step_back(self) -> bool:
        """Close the filter first."""
        if not self._filters:
            return super().step_back()
        self._close_filter()
        self.query_one(GroupPanel).focus()
        self.show()
        return True

    def action_series(self) -> None:
        """Draw another series in the lower graph of the focused card, or of the first card."""
        focused = self.focused_panel
        panel = focused if focused in CARD_PANELS else "card-0"
        self._lower[panel] = self.query_one(f"#{panel}", CardPanel).next_series()
        self.show()

    # --- the filter of the groups ---

    @property
    def _filters(self) -> bool:
        """Whether the filter is open."""
        field = self._field
        return field is not None and field.display

    def start_filter(self) -> None:
        """Show all groups, and focus the filter."""
        field = self._field
        if field is None:
            from textual.widgets import Input  # noqa: PLC0415 - the first frame has no field

            field = Input(placeholder="address, name, driver, group or id", id="filter",
                          max_length=80, compact=True)  # fmt: skip
            self._field = field
            self.mount(field, before="#too-small")
        field.display = True
        if self.zoomed == "groups":
            self.show()
        else:
            self.zoom("groups")
        field.focus()

    def _close_filter(self) -> None:
        field = self._field
        if field is not None:
            field.value = ""
            field.display = False

    def on_input_changed(self) -> None:
        self.show()

    def on_input_submitted(self) -> None:
        self.query_one(GroupPanel).focus()

    # --- drawing ---

    def hear(self, changed: Changed) -> None:
        self._flashes.hear(changed)

    def draw(self, live: Live) -> None:
        self._flashes.see(live)
        self.place_panels()
        at = self.session.host.now()
        values = PanelValues(self, at)
        zoomed = self.zoomed
        self._draw_cards(live, values, at)
        guest_keys = ("start", "stop", "pause", "reboot")
        self.query_one(GuestPanel).show(
            values.guest(
                self._devices(live),
                values.keys(*guest_keys),
                self.window if zoomed == "guest" else None,
            ),
            self.times(at) if zoomed == "guest" else None,
        )
        field = self._field
        self.query_one(GroupPanel).show(
            live.view, notable(live.view), zoomed=zoomed == "groups",
            text=field.value if field is not None else "",
            flash=self._flashes.owner,
        )  # fmt: skip
        self.query_one(EventList).show(
            live.events, at, self.session.began_at, zoomed=zoomed == "events",
            fresh=self._flashes.events,
            aside=() if self.shows("groups") else groups_word(live.view, self.glyphs),
        )  # fmt: skip
        if self.shows("no-gpu"):
            self.query_one(Notice).show(live.view.problem("pci") or NO_GPU)

    def _draw_cards(self, live: Live, values: PanelValues, at: datetime) -> None:
        gpus = live.view.gpus
        cards = []
        for index, gpu in enumerate(gpus):
            panel = CARD_PANELS[index] if index < len(CARD_PANELS) else None
            ids = ("bind", "unbind", "series") if gpu.role == "guest" else ("series",)
            zoomed = panel is not None and self.zoomed == panel
            if zoomed:
                ids = (*ids[:-1], "cursor", "span", "zoom")
            cards.append(
                values.card(
                    gpu, index + 1, self._lower.get(panel or ""), values.keys(*ids),
                    self.window if zoomed else None,
                )
            )  # fmt: skip
        for panel, card in zip(CARD_PANELS, cards, strict=False):
            zoomed = self.zoomed == panel
            self.query_one(f"#{panel}", CardPanel).show(
                card,
                self.times(at) if zoomed else None,
                self._scan.of(card.gpu) if zoomed else None,
            )
        if self.shows("cards"):
            every = not self.shows("card-0")
            self.query_one(CardList).show(cards if every else cards[len(CARD_PANELS) :])

    def _devices(self, live: Live) -> tuple[GuestDevice, ...]:
        """The host devices passed to the guest. What the host uses them for is read again when the
        devices to check change, or when a device moves to or from a host driver."""
        guest = live.view.guest
        if guest is None:
            return ()
        addresses = functions_to_inspect(guest.domain, live.view)
        if addresses != self._uses_of:
            self._uses_of = addresses
            self.run_worker(self._read_uses(addresses), exclusive=True)
        return live_verdicts(guest.domain, live.view, live.snapshot.guests, self._uses)

    async def _read_uses(self, addresses: tuple[str, ...]) -> None:
        host = self.session.host
        try:
            self._uses = await background(lambda: host.uses(addresses))
        except HostError:  # no thread can be started: their uses stay unknown
            self._uses = DeviceUses()
        self.show()

    def on_screen_suspend(self) -> None:
        self._scan.stop()
