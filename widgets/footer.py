"""The line of keys at the bottom."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.events import Resize
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

AROUND = 3
"""Cells around the two words of a key."""

FIRST = ("escape", "question_mark")
"""The keys that have room before all others: the way back, and the page with the rest."""


class KeyFooter(Footer):
    """Textual's footer with as many keys as fit whole, and without what it keeps: each key that
    it ever showed watches ``compact``, and is let go of only when that changes, which it never
    does [Textual 8.2.8]."""

    _drawn_for = 0

    def compose(self) -> ComposeResult:
        getattr(self, "__watchers", {}).pop("compact", None)
        self._drawn_for = self.app.size.width
        made = [each for each in super().compose() if isinstance(each, FooterKey)]
        palette = [key for key in made if "-command-palette" in key.classes]
        keys = [key for key in made if key not in palette]
        beside = self._drawn_for >= WIDE and bool(palette)
        kept = fitting(keys, self._drawn_for - (_width(palette[0]) + 1 if beside else 0))
        yield from kept
        if beside:
            yield from palette

    def on_resize(self, _: Resize) -> None:
        if self._drawn_for != self.app.size.width:
            self.call_after_refresh(self.recompose)


WIDE = 110
"""Cells from which on the palette's key is shown, too."""


def fitting(keys: list[FooterKey], width: int) -> list[FooterKey]:
    """The keys that fit whole, in their order; the last ones give way first."""
    left = width - sum(_width(key) for key in keys if key.key in FIRST)
    kept = []
    full = False
    for key in keys:
        if key.key in FIRST:
            kept.append(key)
        elif not full and _width(key) <= left:
            left -= _width(key)
            kept.append(key)
        else:
            full = True
    return kept


def _width(key: FooterKey) -> int:
    return len(key.key_display) + len(key.description) + AROUND


if __name__ == "__main__":
    from widgets.preview import preview

    preview(KeyFooter())
