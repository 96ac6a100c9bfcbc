"""``python -m tests.bench.bare``: the least that a Textual program can be, a word on a screen.

What starts no faster than this is as fast as Textual lets it be.
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
