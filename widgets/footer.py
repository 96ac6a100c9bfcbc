"""The line of keys at the bottom."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Footer


class KeyFooter(Footer):
    """Textual's footer, without what it keeps: each key that it ever showed watches ``compact``,
    and is let go of only when that changes, which it never does [Textual 8.2.8]."""

    def compose(self) -> ComposeResult:
        getattr(self, "__watchers", {}).pop("compact", None)
        yield from super().compose()
