"""``python -m tests.bench.bare``: the smallest Textual program, one word on a screen.

No Textual program starts faster than this.
"""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static

WORD = "Nothing else."


class BareApp(App[None]):
    """Shows one word until the user quits."""

    def compose(self) -> ComposeResult:
        yield Static(WORD)


if __name__ == "__main__":
    BareApp().run()
