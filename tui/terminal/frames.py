"""Writes a frame as soon as all of its widgets have drawn.

Textual writes a frame after each layout. Only then do the widgets draw for their new sizes, so it
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
"""Maximum checks for one frame. The limit is not in seconds: on a busy machine the widgets need
longer, too."""


class FramedScreen(Screen[None]):
    """A screen that is written in whole frames."""

    _checks: int | None = None
    """How many checks the waiting frame has had; ``None`` if none waits."""

    @property
    def frame_waits(self) -> bool:
        """Whether there is a frame that has not been written yet."""
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
        """Write the waiting frame if all widgets have drawn, or if it has waited long enough."""
        self._checks = (self._checks or 0) + 1
        waits = self._is_drawing and not self._is_late
        if waits or self.app._batch_count or not self.is_mounted:
            asyncio.get_running_loop().call_later(SETTLE_POLL_S, self._check_frame)
        else:
            self.call_next(self._write_frame)

    @property
    def _is_late(self) -> bool:
        """Whether the frame has waited long enough."""
        return (self._checks or 0) > SETTLE_CHECKS

    @property
    def _is_drawing(self) -> bool:
        """Whether a widget has a message left, which may change what it draws."""
        nodes = (self.app, *self.walk_children(with_self=True))
        return not all(node._message_queue.empty() for node in nodes)

    @property
    def is_settled(self) -> bool:
        """Whether no frame waits, and nothing is pending that may need one."""
        return not (
            self.frame_waits or self._is_drawing or self._layout_required or self._repaint_required
        )

    def write_drawn(self) -> None:
        """Write what the widgets have drawn since the screen was settled, at once if nothing else
        has to be done first. Their requests would pass through three queues, which costs a third of
        the CPU time of a reading."""
        widgets = self._compositor.visible_widgets.keys()
        everything = self.walk_children(Widget, with_self=True)  # one may be hidden until now
        if self.app._batch_count or not self.is_current or any(map(_has_more_to_do, everything)):
            return
        drawn = {widget for widget in widgets if widget._repaint_required}
        for widget in drawn:
            widget._repaint_required = False
        self._compositor.update_widgets(drawn)
        super()._compositor_refresh()
        self.frame_written()

    def frame_written(self) -> None:
        """Called after each frame; for subclasses."""

    def _write_frame(self) -> None:
        wants = self._layout_required or self._repaint_required
        if wants and self.is_current and not self._is_late:
            self._on_timer_update()
            asyncio.get_running_loop().call_soon(self._check_frame)
            return
        self._checks = None
        self._compositor.update_widgets(self._dirty_widgets)
        super()._compositor_refresh()
        self.frame_written()


def _has_more_to_do(widget: Widget) -> bool:
    """Whether a widget needs more than to be painted again."""
    return (
        widget._layout_required
        or widget._scroll_required
        or widget._recompose_required
        or widget._refresh_styles_required
    )
