"""The GPUs beyond the first two, one line each."""

from __future__ import annotations

from collections.abc import Sequence

from tui.model import Gpu
from widgets.canvas import Panel
from widgets.gpu_panel import compact_line, origin
from widgets.lines import Span


class GpuList(Panel):
    """One line per GPU that has no panel."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._gpus: tuple[tuple[Gpu, Span], ...] = ()
        self.set_titles("Further GPUs")

    def show(self, gpus: Sequence[Gpu], ages: Sequence[float | None], late_s: float) -> None:
        """Draw ``gpus``; ``ages`` are the ages of their readings in seconds, ``late_s`` is the
        age from which one is marked."""
        self._gpus = tuple(
            (gpu, origin(gpu.reading, age, late_s)) for gpu, age in zip(gpus, ages, strict=True)
        )
        self._draw()

    def _draw(self) -> None:
        if self.room.width > 0:
            self.paint([compact_line(gpu, self.room.width, where) for gpu, where in self._gpus])


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import VIEW

    preview(GpuList(), lambda widget: widget.show(VIEW.gpus, (None, None), late_s=2.0))
