"""The line at the top: which host this is, and whether it is the real one."""

from __future__ import annotations

from typing import cast

from tui.model import HostView
from widgets.canvas import Canvas
from widgets.lines import Line, Span, Tone, line, spread, width_of


class HostHeader(Canvas):
    """The host's name, IOMMU, kernel and libvirt; a banner on simulated and captured hosts."""

    DEFAULT_CSS = """
    HostHeader { height: 1; dock: top; padding: 0 1; background: $footer-background; }
    """

    def __init__(self, banner: str | None) -> None:
        super().__init__()
        self._banner = banner
        self._view = HostView()
        self._notices: tuple[str, ...] = ()

    def show(self, view: HostView, notices: tuple[str, ...] = ()) -> None:
        """Draw the header of ``view``; ``notices`` say what is unusual about its readings."""
        if view is not self._view or notices != self._notices:
            self._view, self._notices = view, notices
            self._draw()

    def _draw(self) -> None:
        if self.room.width > 0:
            self.paint([header_line(self._view, self._banner, self.room.width, self._notices)])


def header_line(
    view: HostView, banner: str | None, width: int, notices: tuple[str, ...] = ()
) -> Line:
    """The banner and the notices in full; of the host's facts, those that fit."""
    shown = [Span(notice, "accent") for notice in notices] + (
        [Span(banner, "warn")] if banner else []
    )
    right = line(*[part for span in shown for part in (Span("  "), span)][1:])
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


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import VIEW

    preview(HostHeader("Sample host"), lambda widget: widget.show(VIEW))
