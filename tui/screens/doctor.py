"""Every check of the host with its verdict and fix, on readings taken when it is opened."""

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
from tui.rules.doctor import CheckGroup, every, examine, summary
from tui.screens.base import HostScreen
from tui.screens.swap_words import defect
from tui.session import Session
from widgets.doctor_panel import DoctorPanel
from widgets.lines import Tone

LOOK_S = 30.0
"""Seconds for the readings; more than any source of ours takes that answers."""

LOOKING = "Looks at the host …"


class DoctorScreen(HostScreen):
    """The same key looks again."""

    NAME = "doctor"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "DoctorPanel"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._wards: tuple[CheckGroup, ...] = ()
        self._say: tuple[str, Tone] = (LOOKING, "dim")

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield DoctorPanel()

    def on_mount(self) -> None:
        super().on_mount()
        self.examine()

    def examine(self) -> None:
        """Take all readings, and show what they come to."""
        self._say = (LOOKING, "dim")
        self.show()
        self.run_worker(self._examine(), exclusive=True)

    async def _examine(self) -> None:
        again, choice = self.session.host.reopen, self.session.live.choice
        if again is None:
            return
        try:
            fresh = await asyncio.wait_for(
                background(lambda: examine_once(again(), choice)), LOOK_S
            )
        except TimeoutError:
            self._say = (f"the host could not be looked at within {LOOK_S:.0f} s", "bad")
        except HostError as error:
            self._say = (str(error), "bad")
        except Exception as error:  # a defect of ours is told in its place
            self._say = (defect(error), "bad")
        else:
            self._wards = examine(fresh)
            self._say = (summary(self._wards), _tone(self._wards))
        self.show()

    def draw(self, live: Live) -> None:
        groups = [(ward.title, ward.checks) for ward in self._wards]
        self.query_one(DoctorPanel).show(*self._say, groups)


def _tone(wards: tuple[CheckGroup, ...]) -> Tone:
    """That of the worst; what is not known is not well."""
    verdicts = {check.verdict for check in every(wards)}
    return "bad" if "fail" in verdicts else "good" if verdicts == {"pass"} else "warn"
