"""A list to choose one thing from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from widgets.glyphs import RICH, Glyphs


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item to choose, in two lines. ``why_not``: why it cannot be chosen."""

    id: str
    name: str
    text: str
    why_not: str | None = None


class ChoiceList(OptionList):
    """A list of candidates; enter or space chooses the one under the cursor."""

    BINDINGS = [Binding("space", "select", show=False)]  # noqa: RUF012

    DEFAULT_CSS = """
    ChoiceList {
        height: auto;
        max-height: 100%;
        border: round $guest-edge;
        background: $background;
        padding: 0 1;
        border-title-color: $foreground;
        border-title-style: bold;
        background-tint: $background 0%;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        scrollbar-size-vertical: 0;
        &:focus { border: round $guest; background-tint: $background 0%; }
        &#card { border: round $guest-gpu-edge; }
        &#card:focus { border: round $guest-gpu; }
        & > .option-list--option { color: $foreground; }
        & > .option-list--option-disabled { color: $text-disabled; }
        & > .option-list--option-highlighted {
            background: $background; color: $foreground; text-style: none;
        }
        &:focus > .option-list--option-highlighted {
            background: $panel; color: $foreground; text-style: bold;
        }
        &:ansi:focus > .option-list--option-highlighted { text-style: reverse; }
    }
    """

    class Chosen(Message):
        """The user chose ``chosen`` in the list with the id ``kind``."""

        def __init__(self, kind: str, chosen: str) -> None:
            super().__init__()
            self.kind, self.chosen = kind, chosen

    def __init__(self, title: str, *, id: str, glyphs: Glyphs = RICH) -> None:
        super().__init__(id=id)
        self.border_title = Content(title)
        self._glyphs = glyphs
        self._shown: tuple[tuple[Candidate, ...], str | None] | None = None

    def show(self, candidates: Sequence[Candidate], chosen: str | None) -> None:
        """Draw ``candidates``, marking the one with the id ``chosen``."""
        shown = (tuple(candidates), chosen)
        if shown == self._shown:
            return
        self._shown = shown
        at = self.highlighted
        self.clear_options()
        # No option ids: two domains of a captured host may have the same UUID.
        self.add_options([self._option(each, each.id == chosen) for each in candidates])
        first = next((n for n, each in enumerate(candidates) if each.id == chosen), 0)
        if candidates:
            self.highlighted = min(at if at is not None else first, len(candidates) - 1)
            self.call_after_refresh(self.scroll_to_highlight)

    @property
    def under_cursor(self) -> str | None:
        """The id of the candidate under the cursor."""
        candidates = self._shown[0] if self._shown else ()
        at = self.highlighted
        return candidates[at].id if at is not None and at < len(candidates) else None

    def _option(self, each: Candidate, chosen: bool) -> Option:
        mark = self._glyphs.passed if chosen else " "
        text = Content.assemble(
            (f"{mark} ", "$text-success"),
            f"{each.name}\n",
            (f"  {each.why_not or each.text}", "$text-muted not bold"),
        )
        return Option(text, disabled=each.why_not is not None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Turn Textual's message into ``Chosen``."""
        event.stop()
        candidates = self._shown[0] if self._shown else ()
        if self.id is not None and event.option_index < len(candidates):
            self.post_message(self.Chosen(self.id, candidates[event.option_index].id))


if __name__ == "__main__":
    from widgets.preview import preview

    preview(
        ChoiceList("Guest GPU", id="card"),
        lambda widget: widget.show(
            (
                Candidate("0000:01:00.0", "GeForce RTX 4090", "01:00.0, on vfio-pci"),
                Candidate("0000:0a:00.0", "GeForce RTX 3060", "0a:00.0", "it drives the display"),
            ),
            "0000:01:00.0",
        ),
    )
