"""The keys and what they do, from the table of commands with the user's key mapping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input

from tui.commands import AIMS, Command, bindings, key_name
from tui.live import Live
from tui.screens.panel_screen import PanelScreen
from tui.session import Session
from widgets.footer import Hint
from widgets.glyphs import Glyphs
from widgets.help_page import Chapter, Entry, HelpPage
from widgets.lines import DASH

PLACES = {
    "swap": "for a swap", "guest": "for a guest", "roles": "for the roles",
    "usb": "for USB", "doctor": "in the checks",
}  # fmt: skip
"""Where each key works that does not work on the overview."""

MOVES = (
    Entry("tab", "", "Next panel; shift+tab goes to the previous one"),
    Entry("↑ ↓", "", "Move the cursor, or scroll; j and k do the same"),
)

REMARKS = (
    "Every change to the host shows its plan and asks first.",
    "A sleeping card is never woken; a card is read only while it is on the screen.",
    "Amber and red mean close to a limit; load has no limit and stays blue.",
)


class HelpScreen(PanelScreen):
    """One page, with a filter."""

    NAME = "help"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "#help"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._chapters = chapters(session.commands, self.glyphs)

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield HelpPage(glyphs=self.glyphs)
        yield Input(placeholder="a key or a word", id="filter", max_length=80, compact=True)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#filter").display = False

    def draw(self, live: Live) -> None:
        """Draw the page. Nothing on it depends on the host."""
        text = self.query_one("#filter", Input).value
        self.query_one(HelpPage).show(self._chapters, text)

    def hints(self) -> list[Hint]:
        command = next(c for c in self.session.commands if c.id == "filter")
        find = [Hint(command.key_label, "find", command.action, 1)] if command.key_label else []
        return [*find, *super().hints()]

    def renew(self) -> None:
        """Start at the top, without a filter."""
        super().renew()
        self.step_back()
        self.query_one(HelpPage).scroll_home(animate=False)

    # --- the filter ---

    def start_filter(self) -> None:
        """Show the filter and put the cursor in it."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def step_back(self) -> bool:
        field = self.query_one("#filter", Input)
        if not field.display:
            return False
        field.value = ""
        field.display = False
        self.query_one(HelpPage).focus()
        return True

    @on(Input.Changed)
    def _apply_filter(self) -> None:
        self.show()

    @on(Input.Submitted)
    def _leave_filter(self) -> None:
        self.query_one(HelpPage).focus()


def chapters(commands: Sequence[Command], glyphs: Glyphs) -> list[Chapter]:
    """The help's chapters: one for each aim, then the signs and a few remarks."""
    found = []
    for aim in AIMS:
        mine = [c for c in commands if c.aim == aim and c.each_key]
        uses = Counter(key for command in mine for key in command.each_key)
        entries = [_entry(c, twice=any(uses[key] > 1 for key in c.each_key)) for c in mine]
        found.append(Chapter(aim, [*entries, *(MOVES if aim == "Look around" else ())]))
    return [*found, Chapter("Signs", _signs(glyphs)), Chapter("Good to know", _remarks())]


def _entry(command: Command, *, twice: bool) -> Entry:
    """A command's entry. It says where the key works if the chapter does not."""
    keys = command.shown_keys or " ".join(map(key_name, command.each_key))
    not_on_overview = bool(command.screens) and "overview" not in command.screens
    says = twice or (not_on_overview and command.aim != "Answer a plan")
    places = [PLACES[each] for each in command.screens if each in PLACES] if says else []
    return Entry(keys, command.label, command.help, " or ".join(places[:2]).capitalize())


def _signs(glyphs: Glyphs) -> list[Entry]:
    owner = (
        (glyphs.in_guest, "in a guest"), (glyphs.on_host, "on the host"),
        (glyphs.free, "free"), (glyphs.moving, "moving"),
    )  # fmt: skip
    verdict = (
        (glyphs.passed, "ok"), (glyphs.warned, "warning"), (glyphs.failed, "failed"),
        (glyphs.unknown, "unknown"), (DASH, "not measured"),
    )  # fmt: skip
    signs = (tuple(f"{sign} {text}" for sign, text in row) for row in (owner, verdict))
    return [Entry("", "", glyphs.between.join(row)) for row in signs]


def _remarks() -> list[Entry]:
    return [Entry("", "", remark) for remark in REMARKS]
