"""Shows a single widget full-screen, on the data of ``widgets.samples``.

Each module with a widget does this when it is run: ``python -m widgets.card_panel``. Press q to
quit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget

from widgets.lines import RAMP_STEPS

WidgetT = TypeVar("WidgetT", bound=Widget)


COLOURS = {
    "key": "#56c2a8", "track": "#37434f", "guest-gpu": "#c39bff", "host-gpu": "#6fb1ff",
    "guest": "#f29ac8", "groups": "#a8b4c2", "events": "#d8ad80", "load": "#3fc1d1",
    "heat": "#f0b350",
}  # fmt: skip
"""One colour for each hue: a preview does not have vfiotop's themes."""


class Preview(App[None]):
    """An application with one widget; ``show`` fills it once it is mounted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("t", "change_theme", "Theme"),
    ]

    def __init__(self, widget: Widget, show: Callable[[], None]) -> None:
        super().__init__()
        self._widget, self._show = widget, show

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The variables that Textual's own themes lack."""
        ramps = {f"{ramp}-{step}": COLOURS[ramp] for ramp in ("load", "heat")
                 for step in range(1, RAMP_STEPS + 1)}  # fmt: skip
        return COLOURS | {f"{name}-edge": colour for name, colour in COLOURS.items()} | ramps

    def compose(self) -> ComposeResult:
        yield self._widget

    def on_mount(self) -> None:
        self._show()


def preview(widget: WidgetT, show: Callable[[WidgetT], None] = lambda _: None) -> None:
    """Run ``widget`` on its own until the user quits; ``show`` gives it something to draw."""
    Preview(widget, lambda: show(widget)).run()
