"""The IOMMU groups on the whole screen, with a filter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input

from tui.commands import bindings
from tui.live import Live
from tui.screens.base import HostScreen
from tui.session import Session
from widgets.group_tree import GroupTree


class GroupsScreen(HostScreen):
    """Every device with its driver; with ``filtering`` the filter has the focus at first."""

    NAME = "groups"
    CSS_PATH = "groups.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]

    def __init__(self, session: Session, filtering: bool = False) -> None:
        super().__init__(session)
        self._filtering = filtering

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield GroupTree(id="groups")
        yield Input(placeholder="address, name, driver, group or id", id="filter",
                    max_length=80, compact=True)  # fmt: skip

    def on_mount(self) -> None:
        if self._filtering:
            self.start_filter()
        else:
            self.query_one("#filter").display = False
            self.query_one(GroupTree).focus()

    @property
    def subject(self) -> str | None:
        return self.query_one(GroupTree).selected

    def start_filter(self) -> None:
        """Show the filter and put the cursor in it."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    @on(Input.Changed)
    def _apply_filter(self) -> None:
        self.show()

    @on(Input.Submitted)
    def _leave_filter(self) -> None:
        self.query_one(GroupTree).focus()

    async def on_group_tree_chosen(self) -> None:
        await self.app.run_action("app.details")

    def draw(self, live: Live) -> None:
        view, tree = live.view, self.query_one(GroupTree)
        tree.set_titles("IOMMU groups" if view.iommu_enabled else "PCI devices, no IOMMU group")
        tree.show(view.groups, view.problem("pci"), self.query_one("#filter", Input).value)
