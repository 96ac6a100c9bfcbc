"""The GPUs beyond the first two, one line each."""

from __future__ import annotations

from tui.model import Gpu
from widgets.canvas import Panel
from widgets.gpu_panel import compact_line


class GpuList(Panel):
    """Further GPUs in short."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._gpus: tuple[Gpu, ...] = ()
        self.entitle("Further GPUs")

    def show(self, gpus: tuple[Gpu, ...]) -> None:
        """Draw ``gpus``."""
        self._gpus = gpus
        self._draw()

    def _draw(self) -> None:
        if self.room.width > 0:
            self.paint([compact_line(gpu, self.room.width) for gpu in self._gpus])
