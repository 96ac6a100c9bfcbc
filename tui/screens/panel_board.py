"""A screen of panels: where they are, which one has the focus, and which one is full-screen."""

from __future__ import annotations

from typing import cast, get_args

from textual.events import Click
from textual.geometry import Size

from tui.model import NOT_READ_YET
from tui.screens.arrangement import (
    LAYOUTS,
    Arrangement,
    Layout,
    PanelId,
    arrange,
    size_class,
)
from tui.screens.base import HostScreen
from tui.session import Session
from widgets.footer import KeyFooter
from widgets.guest import is_off
from widgets.panel import Panel

NUMBERS: dict[str, PanelId] = {
    "1": "card-0", "2": "card-1", "3": "guest", "4": "groups", "5": "events",
}  # fmt: skip
"""The key of each panel, which is shown in its title."""

PANELS = get_args(PanelId)

CARD_PANELS: tuple[PanelId, ...] = ("card-0", "card-1")


class PanelBoard(HostScreen):
    """Places the panels that a subclass composes, each with its ``PanelId`` as its id."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._zoomed: PanelId | None = None
        self._arrangement: Arrangement = {}

    @property
    def layout_name(self) -> Layout:
        """The layout for terminals of this size."""
        return self.session.layouts.get(size_class(self.app.size), "full")

    @property
    def body_size(self) -> Size:
        """The size of the area for panels, in cells."""
        width, height = self.app.size
        return Size(width, max(0, height - self.rows_above - self.rows_below))

    @property
    def rows_below(self) -> int:
        """The rows below the panels."""
        return self.query_one(KeyFooter).rows

    def place_panels(self) -> None:
        """Place the panels, if something that their places depend on has changed."""
        gpus = len(self.session.live.view.gpus)
        guests = self.session.live.last_guests
        guest = guests.allowed if guests is not None else None
        found = arrange(
            self.body_size, self.layout_name, gpus, self._zoomed,
            guest_off=guest is not None and is_off(guest.domain),
        )  # fmt: skip
        if gpus == 0 and "card-0" in found and self.session.live.snapshot.pci != NOT_READ_YET:
            found["no-gpu"] = found.pop("card-0")
        if found == self._arrangement:
            return
        self._arrangement = found
        for panel in self.query(Panel):
            place = found.get(cast(PanelId, panel.id))
            panel.place(place and place.region, framed=place is not None and place.framed)
        self.session.update_demand()

    @property
    def placed(self) -> bool:
        """Whether the panels have been placed yet."""
        return bool(self._arrangement)

    def shows(self, panel: PanelId) -> bool:
        """Whether a panel is on the screen."""
        return panel in self._arrangement

    @property
    def zoomed(self) -> PanelId | None:
        """The full-screen panel."""
        return self._zoomed

    @property
    def has_edges(self) -> bool:
        return any(place.framed for place in self._arrangement.values())

    # --- focus, zoom, layout ---

    @property
    def focused_panel(self) -> PanelId | None:
        """The panel that has the focus."""
        name = self.focused.id if self.focused is not None else None
        return cast(PanelId, name) if name in PANELS else None

    def action_panel(self, number: str) -> None:
        """Focus a panel. If it is already focused, or not on the screen, show it full-screen; if it
        is full-screen, show all panels again."""
        panel = NUMBERS[number]
        if panel == "card-1" and len(self.session.live.view.gpus) < 2:
            self.say("There is no second GPU.")
        elif self._zoomed == panel:
            self.zoom(None)
        else:
            away = panel not in self._arrangement or self._zoomed is not None
            if away or self.focused_panel == panel:
                self.zoom(panel)
            self.query_one(f"#{panel}").focus()

    def action_zoom(self) -> None:
        """Show the focused panel full-screen, or all panels again."""
        self.zoom(self.focused_panel if self._zoomed is None else None)

    def zoom(self, panel: PanelId | None) -> None:
        """Show one panel full-screen, or with ``None`` all of them."""
        if panel == self._zoomed:
            return
        self._zoomed = panel
        self.zoom_changed()
        self.show()
        if panel is not None:
            self.query_one(f"#{panel}").focus()

    def zoom_changed(self) -> None:
        """For subclasses: called when another panel is full-screen, or none."""

    def step_back(self) -> bool:
        if self._zoomed is not None:
            self.zoom(None)
            return True
        return False

    def action_layout(self) -> None:
        """Switch to the next layout, and remember it for terminals of this size."""
        following = LAYOUTS[(LAYOUTS.index(self.layout_name) + 1) % len(LAYOUTS)]
        self.set_layout(following)
        self.say(f"Layout: {following}")

    def set_layout(self, layout: Layout) -> None:
        """Use a layout for terminals of this size from now on."""
        self.session.choose_layout(size_class(self.app.size), layout)
        self._zoomed = None
        self.show()

    def on_click(self, event: Click) -> None:
        """A double click on a panel shows it full-screen, or all panels again."""
        panel = event.widget.id if event.widget is not None else None
        if event.chain == 2 and panel in PANELS and panel != "groups":
            self.zoom(cast(PanelId, panel) if self._zoomed is None else None)
