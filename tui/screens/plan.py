"""What all screens have in common that show a plan and ask before they act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from msgspec.structs import replace
from textual.containers import Container
from textual.widget import Widget

from tui.commands import Command
from tui.live import Live
from tui.screens.arrangement import has_frames
from tui.screens.base import HostScreen
from tui.session import Session
from widgets.footer import Hint
from widgets.panel import Accent
from widgets.plan_lines import has_paths
from widgets.plan_page import PlanPage
from widgets.plan_panel import PlanPanel

IN_THE_EDGE = (
    "carry-out", "despite", "force", "resume", "give-back", "start-next", "finish", "undo", "back",
)  # fmt: skip
"""The commands whose keys are shown in the frame of the plan while they work."""

ANSWERS = ("carry_out", "despite")
"""The actions with which the user agrees."""


class PlanScreen(HostScreen):
    """A panel with a plan. The user cannot agree to a plan before all of it was on the screen."""

    AUTO_FOCUS = "PlanPanel"
    ACCENT: ClassVar[Accent] = "guest-gpu"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.unfolded = False
        """Whether the checks that passed are also listed."""
        self.full_paths = False
        """Whether the paths of steps are shown in full."""
        self._has_checks = self._has_paths = self._refused = False

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield PlanPanel(self.glyphs, self.ACCENT)

    def page(self) -> PlanPage:
        """What the panel shows now."""
        raise NotImplementedError

    def draw(self, live: Live) -> None:
        panel = self.query_one(PlanPanel)
        panel.set_ruled(not has_frames(self.app.size))
        page = replace(self.page(), full_paths=self.full_paths)
        self._has_checks, self._has_paths = bool(page.checks), has_paths(page)
        self._refused = page.refused
        panel.show(page)
        panel.show_keys(self.edge_keys())

    def edge_keys(self) -> list[Hint]:
        """The keys for the panel's frame, which act on what is shown."""
        commands = {command.id: command for command in self.session.commands}
        found = (commands[each] for each in IN_THE_EDGE if self._is_here(each))
        hints = (self._hint(command, command.rank) for command in found)
        return [hint for hint in hints if hint is not None and hint.enabled]

    def _is_here(self, command: str) -> bool:
        return any(c.id == command and self.NAME in c.screens for c in self.session.commands)

    @property
    def keys(self) -> Mapping[str, str]:
        """The key of each command, as the configuration has it."""
        return {command.id: command.key_label for command in self.session.commands}

    def on_plan_panel_scrolled(self) -> None:
        self.show()

    # --- keys ---

    def hints(self) -> list[Hint]:
        """The keys of the footer; none that agree if the plan is refused."""
        refused = "screen.carry_out" if self._refused else ""
        return [hint for hint in super().hints() if hint.action != refused]

    @property
    def _panel(self) -> PlanPanel | None:
        panels = self.query(PlanPanel)
        return panels.first() if panels else None

    def why_unseen(self, action: str) -> str | None:
        """Why the user cannot agree yet: part of the plan has never been on the screen."""
        if action not in ANSWERS or (self._panel is not None and not self._panel.unseen):
            return None
        more = self.keys["more"] or "page down"
        return f"not all of it was on the screen yet: {more} shows the rest"

    def word(self, command: Command) -> str:
        if command.id == "more" and self._panel is not None:
            count = self._panel.below
            return "1 more line" if count == 1 else f"{count} more lines"
        if command.id == "paths" and self.full_paths:
            return "short paths"
        return super().word(command)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys that have nothing to show."""
        below = self._panel.below if self._panel is not None else 0
        nothing = {
            "more": not below, "checks": not self._has_checks, "paths": not self._has_paths,
        }  # fmt: skip
        return False if nothing.get(action) else super().check_action(action, parameters)

    def action_checks(self) -> None:
        self.unfolded = not self.unfolded
        self.show()

    def action_paths(self) -> None:
        self.full_paths = not self.full_paths
        self.show()

    def action_more(self) -> None:
        self.query_one(PlanPanel).action_more()
