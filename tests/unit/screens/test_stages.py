"""The stages of the screens that ask before they act: which keys work, and what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.ui.rig import NOON, WIN11, FakeMover
from tui.guest.hostdevs import Change
from tui.model import Swap
from tui.model.errors import Doubtful
from tui.model.requests import Consent
from tui.screens import guest_stages, roles_stages, swap_stages
from tui.screens.guest_stages import Situation

CARD = "0000:01:00.0"
RUNNING = Swap("first", "bind", CARD, (CARD,), "running", ("one", "two"), 1, NOON, NOON)
INTERRUPTED = replace(RUNNING, runner_alive=False)
DOUBT = Doubtful("no /proc", ["holders:unknown"])
SWAP_ASKING = swap_stages.Asking(consent=Consent(), doubt=DOUBT)
GUEST_ASKING = guest_stages.Asking(consent=Consent(), doubt=DOUBT)


def keys(visible: dict[str, bool]) -> set[str]:
    return {key for key, shown in visible.items() if shown}


@pytest.mark.parametrize(
    ("stage", "swap", "visible"),
    [
        (swap_stages.Planning(), None, {"carry_out"}),
        (swap_stages.Shown(), None, {"carry_out"}),
        (SWAP_ASKING, None, {"despite"}),
        (SWAP_ASKING, INTERRUPTED, {"despite"}),
        (swap_stages.Shown(), RUNNING, set()),
        (swap_stages.Shown(), INTERRUPTED, {"carry_out", "finish", "take_back"}),
        (swap_stages.Failed(why="no"), INTERRUPTED, {"carry_out", "finish", "take_back"}),
        (swap_stages.Beginning(recovery="undo", consent=Consent()), INTERRUPTED, {"carry_out"}),
    ],
)
def test_keys_of_a_swap(stage: swap_stages.Stage, swap: Swap | None, visible: set[str]) -> None:
    assert keys(swap_stages.visible_keys(stage, swap)) == visible


@pytest.mark.parametrize(
    ("stage", "swap", "reason"),
    [
        (swap_stages.Planning(), None, "the plan is not ready yet"),
        (swap_stages.Failed(why="no GPU"), None, "no GPU"),
        (swap_stages.Shown(), RUNNING, "a swap is under way"),
        (swap_stages.Shown(), INTERRUPTED, "choose first: f finishes it, u undoes it"),
        (swap_stages.Shown(recovery="undo"), INTERRUPTED, None),
        (swap_stages.Beginning(consent=Consent()), None, "it is starting"),
    ],
)
def test_why_a_swap_cannot_begin(
    stage: swap_stages.Stage, swap: Swap | None, reason: str | None
) -> None:
    assert swap_stages.why_not("carry_out", stage, swap, FakeMover()) == reason


def test_a_change_in_the_journal_voids_questions_and_answers() -> None:
    for stage in (SWAP_ASKING, swap_stages.Failed(recovery="undo", why="no")):
        assert swap_stages.at_rest(stage) == swap_stages.Planning()


STOPPING = Situation("stop", "win11", WIN11, None, NOON, None, free_card=True, at=NOON)
OFF = replace(STOPPING, domain=replace(WIN11, state="shut off"))
UNREADABLE = replace(OFF, problem="libvirtd is not running")
REQUESTED = guest_stages.Requested()
HALF_DONE = guest_stages.Failed(why="paused", half_done=True)


@pytest.mark.parametrize(
    ("stage", "seen", "visible"),
    [
        (guest_stages.Shown(), STOPPING, {"carry_out"}),
        (GUEST_ASKING, STOPPING, {"despite"}),
        (REQUESTED, STOPPING, {"force"}),
        (REQUESTED, OFF, {"give_back"}),
        (REQUESTED, UNREADABLE, {"force"}),
        (HALF_DONE, STOPPING, {"force", "resume"}),
        (guest_stages.Failed(why="no"), STOPPING, {"carry_out"}),
    ],
)
def test_keys_of_a_guest(stage: guest_stages.Stage, seen: Situation, visible: set[str]) -> None:
    assert keys(guest_stages.visible_keys(stage, seen)) == visible


def test_a_stop_that_may_have_reached_the_guest_counts_down() -> None:
    running = guest_stages.Running(consent=Consent(), requested=True)
    assert "it has 60 s left" in guest_stages.sentence(running, STOPPING, None, asks=False)[0]
    ended, tone = guest_stages.sentence(running, OFF, None, asks=False)
    assert (ended.startswith("win11 is shut off."), tone) == (True, "good")


CHANGE = Change("uuid", "<before/>", "<after/>", Path("/old.xml"))


@pytest.mark.parametrize(
    ("stage", "said", "tone"),
    [
        (roles_stages.Choosing(), None, None),
        (roles_stages.Saved(), None, None),
        (roles_stages.Saved(warning="No space left"),
         "The choice could not be saved: No space left. It ends with vfiotop.", "warn"),
        (roles_stages.Changing(name="win11"), "Changing the definition of win11 …", "strong"),
        (roles_stages.Changed(name="win11", change=CHANGE),
         "win11 names the card now. u restores its old definition, saved in /old.xml.", "good"),
        (roles_stages.Changed(name="win11", change=replace(CHANGE, rom=("/a.rom",))),
         "win11 names the card now. u restores its old definition, saved in /old.xml. Its <rom> "
         "/a.rom was made for the other card: check it.", "warn"),
        (roles_stages.Restored(), "The old definition is restored.", "good"),
        (roles_stages.Failed(why="no", change=CHANGE), "no", "bad"),
    ],
)  # fmt: skip
def test_what_the_roles_screen_says_of_a_stage(
    stage: roles_stages.Stage, said: str | None, tone: str | None
) -> None:
    assert (roles_stages.outcome(stage) or (None, None)) == (said, tone)
    assert roles_stages.can_choose(stage) is not isinstance(stage, roles_stages.Changing)
