"""The sentences of the screens that ask before they act."""

from __future__ import annotations

import pytest

from tests.ui.rig import NOON
from tests.values import replace
from tui.commands import KEYS
from tui.host import Unsettled
from tui.model import Direction, GuestPlan, Plan, Swap
from tui.screens import guest_words, swap_words

READ_ONLY = "the group of Win11 is not ACS-isolated: `sudo GRUB_X`"
GUEST_PLAN = GuestPlan(
    "start", "Win11", "Win11", "u", "Win11", ("virsh -c qemu:///system start Win11",)
)
PLAN = Plan("bind", "0000:01:00.0", ("0000:01:00.0",), ())


def test_names_and_commands_keep_their_case() -> None:
    for text, _ in (
        guest_words.question(GUEST_PLAN, READ_ONLY, risky=False),
        swap_words.question(PLAN, "…", READ_ONLY, risky=False),
        guest_words.question(GUEST_PLAN, None, risky=False),
    ):
        assert "Win11" in text
        assert READ_ONLY in text or text == "Starts Win11."


@pytest.mark.parametrize(
    ("direction", "guest", "usual_s", "words"),
    [
        ("bind", "win11", None, "Gives the card to vfio-pci, so that win11 can start with it."),
        ("bind", None, 3.8,
         "Gives the card to vfio-pci, so that a guest can start with it. About 4 s."),
        ("unbind", "win11", 0.2, "Gives the card back to the host. About 1 s."),
    ],
)  # fmt: skip
def test_what_a_swap_is_for(
    direction: Direction, guest: str | None, usual_s: float | None, words: str
) -> None:
    assert swap_words.purpose(direction, guest, usual_s) == words


def test_sentences_name_the_keys_as_they_are_mapped() -> None:
    keys = {**KEYS, "resume": "f2", "force": "f3", "despite": "f4", "finish": "f5"}
    told = guest_words.unsettled(Unsettled("it hangs", None), usable=True, keys=keys)
    assert told == "it hangs. When libvirt answers again: f2 resumes it, f3 forces it off."
    assert guest_words.unsettled(Unsettled("it hangs", None), usable=False) == "it hangs."
    assert "f4 continues anyway" in guest_words.risk("no /proc", keys)[0]
    lost = Swap("a", "bind", "x", (), "running", (), 0, NOON, NOON, runner_alive=False)
    assert "f5 finishes it" in swap_words.progress(lost, "", None, keys)[0]


def test_a_guest_that_is_shutting_down() -> None:
    said, tone = guest_words.countdown("win11", NOON, NOON)
    assert said == "win11 was asked to shut down 0 s ago; 60 s until it can be forced off."
    assert tone == "text"


def test_an_undo_names_what_it_restores() -> None:
    swap = Swap("a", "bind", "0000:01:00.0", ("0000:01:00.0", "0000:01:00.1"), "running", (), 0,
                NOON, NOON)  # fmt: skip
    said, _ = swap_words.undo(swap, None)
    assert said == "Restores 01:00.0 and 01:00.1 to their state before this bind."
    done = swap_words.progress(replace(swap, state="undone"), "", None)
    assert done == ("Undone as requested; the card is as it was.", "warn")
