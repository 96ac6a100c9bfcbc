"""Every check of the host, in groups."""

from __future__ import annotations

from collections.abc import Sequence

from tui.model import Check
from widgets.canvas import Panel
from widgets.check_lines import check_lines, heading
from widgets.lines import Line, Tone, wrap

Groups = Sequence[tuple[str, Sequence[Check]]]
"""A heading and its checks."""


class DoctorPanel(Panel):
    """A summary and the checks; scrolls."""

    DEFAULT_CSS = """
    DoctorPanel { scrollbar-gutter: stable; }
    """

    def __init__(self) -> None:
        super().__init__(id="doctor", can_focus=True)
        self._shown: tuple[str, Tone, Groups] = ("", "text", ())
        self.set_titles("Doctor")

    def show(self, summary: str, tone: Tone, groups: Groups = ()) -> None:
        """Draw the sentence ``summary`` and the checks."""
        self._shown = (summary, tone, groups)
        self._draw()

    def _draw(self) -> None:
        if self.room.width > 0:
            self.paint(doctor_lines(*self._shown, self.room.width))


def doctor_lines(summary: str, tone: Tone, groups: Groups, width: int) -> list[Line]:
    """The summary, then one block per group."""
    lines = wrap(summary, width, tone)
    for title, checks in groups:
        lines += heading(title)
        lines += [row for check in checks for row in check_lines(check, width)]
    return lines


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import CHECKS

    preview(
        DoctorPanel(),
        lambda widget: widget.show("Of 4 checks, 1 fails.", "bad", [("Samples", CHECKS)]),
    )
