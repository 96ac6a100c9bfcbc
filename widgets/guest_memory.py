"""The guest's memory in its panel: huge pages and balloon."""

from __future__ import annotations

from tui.model import Domain
from widgets.glyphs import Glyphs
from widgets.guest_bars import gib
from widgets.lines import Line, Span, joined_to_fit, line


def pages_line(domain: Domain, width: int, glyphs: Glyphs) -> Line:
    """``Huge pages 16.0 GiB ✓   Balloon off`` for a running guest, or ``Huge pages 12.0 of 16.0
    GiB``; empty if there is nothing to say."""
    setup = domain.setup
    if setup is None or not setup.huge_mib:
        return ()
    huge, whole = setup.huge_mib, setup.memory_mib
    amount = [Span(f"{gib(huge)} GiB ", "text"), Span(glyphs.passed, "good")]
    if whole is not None and huge < whole:
        amount = [Span(f"{gib(huge)} of {gib(whole)} GiB", "warn")]
    pages = line(Span("Huge pages ", "label"), *amount)
    taken = setup.ballooned_mib
    balloon = Span(f"takes {gib(taken)} GiB", "warn") if taken else Span("off", "text")
    return joined_to_fit([pages, line(Span("Balloon ", "label"), balloon)], width, "   ")


def starts_with_pages(domain: Domain) -> str:
    """What follows the memory that a guest starts with: its kind of pages."""
    setup = domain.setup
    return " huge pages" if setup is not None and setup.huge_mib else ""
