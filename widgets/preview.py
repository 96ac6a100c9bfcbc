"""Shows one widget alone, full screen, on the data of ``widgets.samples``.

Each module with a widget does so when it is run: ``python -m widgets.gpu_panel``. Press q to
leave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from widgets.canvas import TONE_CLASSES, TONE_RULES

WidgetT = TypeVar("WidgetT", bound=Widget)


class _PreviewScreen(Screen[None]):
    COMPONENT_CLASSES: ClassVar[set[str]] = TONE_CLASSES
    DEFAULT_CSS = f"_PreviewScreen {{ {TONE_RULES} }}"


class Preview(App[None]):
    """An application with one widget; ``show`` fills it once it is mounted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("t", "change_theme", "Theme"),
    ]

    def __init__(self, widget: Widget, show: Callable[[], None]) -> None:
        super().__init__()
        self._widget, self._show = widget, show

    def get_default_screen(self) -> Screen[None]:
        return _PreviewScreen(id="_default")

    def compose(self) -> ComposeResult:
        yield self._widget

    def on_mount(self) -> None:
        self._show()


def preview(widget: WidgetT, show: Callable[[WidgetT], None] = lambda _: None) -> None:
    """Run ``widget`` on its own until the user quits; ``show`` gives it something to draw."""
    Preview(widget, lambda: show(widget)).run()
