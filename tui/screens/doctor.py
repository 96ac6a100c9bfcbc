"""Every check of the host with its verdict and fix, based on fresh readings."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.background import background
from tui.commands import Command, bindings
from tui.host import HostError
from tui.live import Live
from tui.once import examine_once
from tui.rules.check_input import CheckInput
from tui.rules.doctor import CheckGroup, all_checks, examine
from tui.rules.first_steps import ahead, first_steps
from tui.rules.live_checks import with_group
from tui.screens.base import CHECK_S
from tui.screens.panel_screen import PanelScreen
from tui.screens.swap_words import defect
from tui.session import Session
from tui.terminal.clipboard import to_copy
from widgets.doctor_panel import Ahead, DoctorPanel

COMMAND = re.compile(r"`([^`]+)`")
"""A command in the text of a fix."""


class DoctorScreen(PanelScreen):
    """Checks the host when it is opened, and again at each press of its key."""

    NAME = "doctor"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "DoctorPanel"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._groups: tuple[CheckGroup, ...] = ()
        self._ahead: Ahead | None = None
        self._busy, self._problem, self._captured = True, "", False

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield DoctorPanel(glyphs=self.glyphs)

    def on_mount(self) -> None:
        self.run_worker(self._examine(), exclusive=True)

    def renew(self) -> None:
        """Check the host again: old verdicts may no longer hold."""
        super().renew()
        self._groups, self._ahead = (), None
        self.examine()

    def examine(self) -> None:
        """Take all readings, and show the checks based on them."""
        self._busy = True
        self.show()
        self.run_worker(self._examine(), exclusive=True)

    async def _examine(self) -> None:
        reopen, choice = self.session.host.reopen, self.session.live.choice
        if reopen is None:
            return
        problem = ""
        try:
            seen = await asyncio.wait_for(
                background(lambda: examine_once(reopen(), choice)), CHECK_S
            )
        except TimeoutError:
            problem = f"the host could not be checked within {CHECK_S:.0f} s"
        except HostError as error:
            problem = str(error)
        except Exception as error:  # a bug of ours, reported where the checks would be
            problem = defect(error)
        else:
            self._groups = examine(seen)
            self._captured = seen.readiness.captured
            self._ahead = steps_ahead(seen, self._groups)
        self._busy, self._problem = False, problem
        self.show()

    def draw(self, live: Live) -> None:
        groups = [(group.title, group.checks) for group in self._groups]
        self.query_one(DoctorPanel).show(
            groups, self._ahead, live=len(with_group(live.view)), captured=self._captured,
            busy=self._busy, problem=self._problem,
        )  # fmt: skip

    # --- keys ---

    def word(self, command: Command) -> str:
        if command.id == "fold" and self.query_one(DoctorPanel).is_unfolded:
            return "fold them"
        return "check again" if command.id == "doctor" else super().word(command)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the key that lists checks one by one if there is nothing to list."""
        if action == "fold" and not (self.is_mounted and self._folds):
            return False
        return super().check_action(action, parameters)

    @property
    def _folds(self) -> bool:
        finding = self.query_one(DoctorPanel).finding
        return finding is not None and bool(finding.group)

    def action_fold(self) -> None:
        """List the checks of a line one by one, each with its reason, or fold them again."""
        self.query_one(DoctorPanel).fold()
        self.draw_footer()

    def why_not(self, action: str) -> str | None:
        if action == "copy" and self._fix is None:
            return "the selected check has no fix"
        return super().why_not(action)

    def on_doctor_panel_moved(self) -> None:
        """Update the keys: the finding under the cursor may have no fix."""
        self.draw_footer()

    @property
    def _fix(self) -> str | None:
        finding = self.query_one(DoctorPanel).finding if self.is_mounted else None
        return finding.check.fix if finding is not None else None

    def action_copy(self) -> None:
        """Copy the fix under the cursor, or the command in it if there is one."""
        if self._fix is not None:
            copied = to_copy(command_of(self._fix))
            self.app.copy_to_clipboard(copied)
            self.say(f"Copied: {copied}")


def steps_ahead(readings: CheckInput, groups: tuple[CheckGroup, ...]) -> Ahead | None:
    """The remaining steps towards a guest with the card, as the panel shows them."""
    found = ahead(first_steps(readings.view, all_checks(groups), readings.readiness))
    return Ahead(found[0].why, found[0].fix, found[1]) if found is not None else None


def command_of(fix: str) -> str:
    """The command in a fix; the whole fix if it has none, or several to choose from."""
    found = COMMAND.findall(fix)
    return found[0] if len(found) == 1 else fix
