"""The line of keys at the bottom."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.events import Resize
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

PADDING = 3
"""Cells around a key and its description."""

FIRST = ("escape", "question_mark")
"""The keys placed before all others: the way back, and the help with the rest."""


class KeyFooter(Footer):
    """Textual's footer with only the keys that fit, and without its leak.

    Each key that the footer ever showed stays registered as a watcher of ``compact`` until
    that changes, which it never does [Textual 8.2.8].
    """

    _drawn_for = 0

    def compose(self) -> ComposeResult:
        getattr(self, "__watchers", {}).pop("compact", None)
        self._drawn_for = self.app.size.width
        composed = [each for each in super().compose() if isinstance(each, FooterKey)]
        palette = [key for key in composed if "-command-palette" in key.classes]
        keys = [key for key in composed if key not in palette]
        with_palette = self._drawn_for >= WIDE and bool(palette)
        shown = fitting(keys, self._drawn_for - (_width(palette[0]) + 1 if with_palette else 0))
        yield from shown
        if with_palette:
            yield from palette

    def on_resize(self, _: Resize) -> None:
        if self._drawn_for != self.app.size.width:
            self.call_after_refresh(self.recompose)


WIDE = 110
"""Cells from which the palette's key is shown, too."""


def fitting(keys: list[FooterKey], width: int) -> list[FooterKey]:
    """The keys that fit, in their order; the last ones are dropped first."""
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
    return len(key.key_display) + len(key.description) + PADDING


if __name__ == "__main__":
    from widgets.preview import preview

    preview(KeyFooter())
