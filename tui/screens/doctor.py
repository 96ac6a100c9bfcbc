"""Every check of the host with its verdict and fix, on readings taken for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.background import background
from tui.commands import bindings
from tui.host import HostError
from tui.live import Live
from tui.once import examine_once
from tui.rules.doctor import CheckGroup, all_checks, examine, summary
from tui.screens.base import CHECK_S, HostScreen
from tui.screens.swap_words import CHECKING, defect
from tui.session import Session
from widgets.doctor_panel import DoctorPanel
from widgets.lines import Tone


class DoctorScreen(HostScreen):
    """Checks the host when it is opened, and again at each press of its key."""

    NAME = "doctor"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "DoctorPanel"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._groups: tuple[CheckGroup, ...] = ()
        self._say: tuple[str, Tone] = (CHECKING, "dim")

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield DoctorPanel()

    def on_mount(self) -> None:
        self.run_worker(self._examine(), exclusive=True)

    def examine(self) -> None:
        """Take all readings, and show the checks made on them."""
        self._say = (CHECKING, "dim")
        self.show()
        self.run_worker(self._examine(), exclusive=True)

    async def _examine(self) -> None:
        reopen, choice = self.session.host.reopen, self.session.live.choice
        if reopen is None:
            return
        try:
            seen = await asyncio.wait_for(
                background(lambda: examine_once(reopen(), choice)), CHECK_S
            )
        except TimeoutError:
            self._say = (f"the host could not be checked within {CHECK_S:.0f} s", "bad")
        except HostError as error:
            self._say = (str(error), "bad")
        except Exception as error:  # a defect of ours, reported where the checks would be
            self._say = (defect(error), "bad")
        else:
            self._groups = examine(seen)
            self._say = (summary(self._groups), _tone(self._groups))
        self.show()

    def draw(self, live: Live) -> None:
        groups = [(group.title, group.checks) for group in self._groups]
        self.query_one(DoctorPanel).show(*self._say, groups)


def _tone(groups: tuple[CheckGroup, ...]) -> Tone:
    """The tone of the worst verdict; an unknown one is not good."""
    verdicts = {check.verdict for check in all_checks(groups)}
    return "bad" if "fail" in verdicts else "good" if verdicts == {"pass"} else "warn"
