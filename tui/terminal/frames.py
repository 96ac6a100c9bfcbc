"""Writes a frame when all of its widgets have drawn, and at once.

Textual writes a frame after each layout. The widgets draw for their new sizes after that, so it
writes another one, up to ``1 / TEXTUAL_FPS`` seconds later. Here a frame waits until no widget has
a message left, and for nothing else.
"""

from __future__ import annotations

import asyncio

from textual.screen import Screen
from textual.widget import Widget

SETTLE_POLL_S = 0.001
"""Seconds between two checks whether the widgets have drawn what a frame shows."""

SETTLE_CHECKS = 100
"""The most checks for one frame. They are not counted in seconds: on a busy machine the widgets
need longer, too."""


class FramedScreen(Screen[None]):
    """A screen that is written in whole frames."""

    _checks: int | None = None
    """How many checks the frame that waits has had; ``None`` if none waits."""

    @property
    def frame_waits(self) -> bool:
        """Whether there is a frame that is not written yet."""
        return self._checks is not None or bool(self._dirty_widgets)

    def on_mount(self) -> None:
        self._hold_frame()

    def _compositor_refresh(self) -> None:
        self._hold_frame()

    def _hold_frame(self) -> None:
        """Write a frame once the widgets are done."""
        self._compositor.update_widgets(self._dirty_widgets)
        self._dirty_widgets.clear()
        if self._checks is None:
            self._checks = 0
            asyncio.get_running_loop().call_soon(self._check_frame)

    def _check_frame(self) -> None:
        """Write the frame that waits if it has waited for all widgets, or for long enough."""
        self._checks = (self._checks or 0) + 1
        waits = self._is_drawing and not self._is_late
        if waits or self.app._batch_count or not self.is_mounted:
            asyncio.get_running_loop().call_later(SETTLE_POLL_S, self._check_frame)
        else:
            self.call_next(self._write_frame)

    @property
    def _is_late(self) -> bool:
        """Whether the frame has waited for long enough."""
        return (self._checks or 0) > SETTLE_CHECKS

    @property
    def _is_drawing(self) -> bool:
        """Whether a widget has a message left, which may change what it draws."""
        nodes = (self.app, *self.walk_children(with_self=True))
        return not all(node._message_queue.empty() for node in nodes)

    @property
    def is_settled(self) -> bool:
        """Whether no frame waits, and nothing that may need one."""
        return not (
            self.frame_waits or self._is_drawing or self._layout_required or self._repaint_required
        )

    def write_drawn(self) -> None:
        """Write what the widgets have drawn since the screen was settled. If nothing else has to be
        done first, that is done at once: what they ask for would pass through three queues, and a
        third of the CPU that a reading takes is spent there."""
        widgets = self._compositor.visible_widgets.keys()
        everything = self.walk_children(Widget, with_self=True)  # one may be hidden until now
        if self.app._batch_count or not self.is_current or any(map(_has_more_to_do, everything)):
            return
        drawn = {widget for widget in widgets if widget._repaint_required}
        for widget in drawn:
            widget._repaint_required = False
        self._compositor.update_widgets(drawn)
        super()._compositor_refresh()

    def _write_frame(self) -> None:
        wants = self._layout_required or self._repaint_required
        if wants and self.is_current and not self._is_late:
            self._on_timer_update()
            asyncio.get_running_loop().call_soon(self._check_frame)
            return
        self._checks = None
        self._compositor.update_widgets(self._dirty_widgets)
        super()._compositor_refresh()


def _has_more_to_do(widget: Widget) -> bool:
    """Whether a widget has changed in more than what its cells show."""
    return (
        widget._layout_required
        or widget._scroll_required
        or widget._recompose_required
        or widget._refresh_styles_required
    )
