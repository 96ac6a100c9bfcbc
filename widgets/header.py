"""The line on top: where this is, and whether it is real."""

from __future__ import annotations

from typing import cast

from tui.model import HostView
from widgets.canvas import Canvas
from widgets.lines import Line, Span, Tone, line, spread, width_of


class HostHeader(Canvas):
    """The host's name, kernel, IOMMU and libvirt; a banner for a host that is not the real one."""

    DEFAULT_CSS = """
    HostHeader { height: 1; dock: top; padding: 0 1; background: $footer-background; }
    """

    def __init__(self, banner: str | None) -> None:
        super().__init__()
        self._banner = banner
        self._view = HostView()

    def show(self, view: HostView) -> None:
        """Draw the header of ``view``."""
        if view is not self._view:
            self._view = view
            self._draw()

    def _draw(self) -> None:
        if self.room.width > 0:
            self.paint([header_line(self._view, self._banner, self.room.width)])


def header_line(view: HostView, banner: str | None, width: int) -> Line:
    """The banner keeps its room; of what the host is, as much as fits whole."""
    right = line(Span(banner, "warn")) if banner else ()
    room = width - width_of(right) - 1
    left = line(Span("vfiotop  ", "accent"))
    facts = view.facts
    for text, tone in (
        (facts.name if facts else "", "strong"),
        (_iommu(view), "dim" if view.iommu_enabled else "warn"),
        (f"Linux {facts.kernel}" if facts else "", "dim"),
        (f"libvirt {view.libvirt_version}" if view.libvirt_version else "", "dim"),
    ):
        piece = Span(f"{text}  ", cast(Tone, tone))
        if text and width_of((*left, piece)) <= room + 2:
            left = (*left, piece)
    return spread(left, right, width)


def _iommu(view: HostView) -> str:
    if view.iommu_enabled is None:
        return ""
    if not view.iommu_enabled:
        return "IOMMU off"
    kind = f" {view.iommu_kind}" if view.iommu_kind else ""
    return f"IOMMU{kind}, {view.iommu_groups} groups"
