"""Huge pages and balloon in the guest's panel."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from textual.geometry import Size

from tests.unit.widgets.guests import OFF, WIN11, state
from tui.model import DomainSetup, DomainState, MemoryPart
from widgets.glyphs import RICH
from widgets.graph_grid import Times
from widgets.guest_memory import pages_line, starts_with_pages
from widgets.guest_zoom import zoomed_lines

HUGE = DomainSetup((MemoryPart(16384.0, 2048),))


@pytest.mark.parametrize(
    ("setup", "width", "words"),
    [
        (HUGE, 60, "Huge pages 16.0 GiB ✓   Balloon off"),
        (HUGE, 24, "Huge pages 16.0 GiB ✓"),
        (replace(HUGE, current_mib=12288.0), 60, "Huge pages 16.0 GiB ✓   Balloon takes 4.0 GiB"),
        (DomainSetup((MemoryPart(12288.0, 0), MemoryPart(4096.0))), 60,
         "Huge pages 12.0 of 16.0 GiB   Balloon off"),
        (DomainSetup((MemoryPart(12288.0, 0), MemoryPart(None))), 30, "Huge pages 12.0 GiB ✓"),
        (DomainSetup((MemoryPart(16384.0),)), 60, ""),
        (None, 60, ""),
    ],
)  # fmt: skip
def test_the_line_of_a_guest_that_runs(setup: DomainSetup | None, width: int, words: str) -> None:
    assert (
        "".join(span.text for span in pages_line(replace(WIN11, setup=setup), width, RICH)) == words
    )


@pytest.mark.parametrize(("found", "shown"), [("running", True), ("shut off", False)])
def test_the_whole_screen_has_the_line_too(found: DomainState, shown: bool) -> None:
    domain = replace(WIN11, state=found, setup=HUGE)
    lines = zoomed_lines(state(domain), domain, Size(100, 40), Times()).lines
    words = ["".join(span.text for span in each) for each in lines]
    assert [row for row in words if row.startswith("Huge pages 16.0 GiB ✓")] == (
        ["Huge pages 16.0 GiB ✓   Balloon off"] if shown else []
    )


def test_what_a_guest_starts_with() -> None:
    assert starts_with_pages(replace(OFF, setup=HUGE)) == " huge pages"
    assert starts_with_pages(OFF) == ""
