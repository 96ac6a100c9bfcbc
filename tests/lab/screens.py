"""What a screen of vfiotop shows, for the tests that wait for it. The owner of a card stands at
the end of its panel's title, so that neither the header nor an event is taken for it."""

from __future__ import annotations

import re

from tests.lab.terminal import Seen, Terminal

FREE = r"○ free(?: for a guest)?"
"""The owner of a card on vfio-pci; a narrow panel uses the short form."""


def shows(words: str) -> Seen:
    """Whether the screen shows these words."""
    return lambda text: words in text


def owned(owner: str, cards: int = 1) -> Seen:
    """Whether that many cards have this owner, a regular expression."""
    return lambda text: len(re.findall(rf" {owner} ─╮", text)) == cards


def reads(cards: int) -> Seen:
    """Whether that many cards have readings: the rows of the others are there, but empty."""
    return lambda text: len(re.findall(r"VRAM +\d", text)) == cards


both_with_the_host = owned("● on host", 2)
free_for_a_guest = owned(FREE)
nvml_reads_both = reads(2)


def kernel_log_is_read(text: str) -> bool:
    """Whether the screen of what readings cost shows a reading of the kernel's log."""
    return re.search(r"kernel log +on change +[\d.]+ ms +\d", text) is not None


def planned(text: str) -> bool:
    """Whether there is a plan on the screen, and not only the note that one is being made."""
    return "nothing has been touched yet" in text and "Checks " in text


def _may_agree(text: str) -> bool:
    """Whether the frame of the plan shows the key for it: all of it was on the screen."""
    return re.search(r"╰─.* y [a-z].*─╯", text) is not None


def agree(screen: Terminal) -> None:
    """Scroll to the end of a plan, as a user must, and agree to it."""
    screen.until(lambda text: _may_agree(text) or "more line" in text)
    while not _may_agree(before := screen.text()):
        assert "more line" in before, before
        screen.press(" ")
        screen.until(lambda text, before=before: text != before)  # type: ignore[misc]
    screen.press("y")
