"""The stages of the screens that ask before they act: which keys work, and what is shown."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.ui.rig import NOON, WIN11, FakeMover
from tui.commands import KEYS
from tui.guest.hostdevs import Change
from tui.model import Check, GuestPlan, Plan, Swap, Verdict
from tui.model.errors import Doubtful
from tui.model.requests import Consent
from tui.screens import guest_stages, roles_stages, swap_stages
from tui.screens.guest_stages import Situation
from tui.screens.plan_pages import Course
from widgets.plan_page import State

CARD = "0000:01:00.0"
RUNNING = Swap("first", "bind", CARD, (CARD,), "running", ("one", "two"), 1, NOON, NOON)
INTERRUPTED = replace(RUNNING, runner_alive=False)
DOUBT = Doubtful("no /proc", ["holders:unknown"])
DONE = replace(RUNNING, state="done", runner_alive=False)
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
        (swap_stages.Shown(), DONE, {"start_guest"}),
        (swap_stages.Shown(), replace(DONE, direction="unbind"), set()),
        (swap_stages.Shown(), replace(DONE, state="undone"), set()),
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


def plan(*verdicts: Verdict) -> Plan:
    checks = tuple(Check(f"c{n}", CARD, verdict, "why") for n, verdict in enumerate(verdicts))
    return Plan("bind", CARD, (CARD,), (), checks)


def situation(swap: Swap | None = None, **changes: object) -> swap_stages.Situation:
    course = Course(swap, (None, None), NOON) if swap is not None else None
    return swap_stages.Situation(course, FakeMover(), "bind", "win11", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stage", "swap", "state", "asks"),
    [
        (swap_stages.Planning(), None, ("moving", "checking"), None),
        (swap_stages.Shown(plan=plan("pass")), None, ("passed", "ready"), "plan"),
        (swap_stages.Shown(plan=plan("warn")), None, ("warned", "ready"), "plan"),
        (swap_stages.Shown(plan=plan("unknown", "warn")), None, ("unknown", "cannot tell"), "plan"),
        (swap_stages.Shown(plan=plan("unknown", "fail")), None, ("failed", "refused"), None),
        (SWAP_ASKING, None, ("unknown", "accept the risk?"), "message"),
        (swap_stages.Failed(why="no"), None, ("failed", "not begun"), None),
        (swap_stages.Beginning(consent=Consent()), None, ("moving", "starting"), None),
        (swap_stages.Shown(plan=plan()), RUNNING, ("moving", "step 2 of 2"), None),
        (swap_stages.Shown(), INTERRUPTED, ("warned", "interrupted"), None),
        (swap_stages.Shown(recovery="undo"), INTERRUPTED, ("passed", "ready"), "plan"),
        (swap_stages.Shown(recovery="finish", plan=plan()), INTERRUPTED, ("passed", "ready"),
         "plan"),
        (swap_stages.Shown(), replace(RUNNING, state="stuck"), ("failed", "stuck"), None),
        (swap_stages.Shown(), DONE, ("passed", "done in 0.0 s"), None),
        (swap_stages.Shown(), replace(DONE, state="undone"), ("warned", "undone"), None),
        (swap_stages.Shown(), replace(RUNNING, state="undoing"), ("moving", "undoing"), None),
    ],
)  # fmt: skip
def test_the_state_of_a_swap_and_what_is_asked(
    stage: swap_stages.Stage, swap: Swap | None, state: tuple[str, str], asks: str | None
) -> None:
    assert swap_stages.state(stage, situation(swap))[:2] == state
    assert swap_stages.asks(stage, swap) == asks


def test_a_runner_with_a_terminal_asks_about_its_doubts_itself() -> None:
    shown = swap_stages.Shown(plan=plan("unknown"))
    seen = situation()
    assert swap_stages.word("carry-out", shown, seen) == "show the risk"
    assert "shows the risk" in swap_stages.sentence(shown, seen)[0]
    seen.mover.needs_terminal = True  # type: ignore[misc]
    assert swap_stages.word("carry-out", shown, seen) == "bind now"
    assert swap_stages.state(shown, seen)[:2] == ("unknown", "root checks more")
    assert "risk" not in swap_stages.sentence(shown, seen)[0]


@pytest.mark.parametrize(
    ("stage", "swap", "words"),
    [
        (swap_stages.Planning(), None, ("bind now", "cancel")),
        (swap_stages.Shown(recovery="undo"), INTERRUPTED, ("undo now", "cancel")),
        (swap_stages.Shown(), RUNNING, ("bind now", "leave it running")),
        (swap_stages.Shown(), DONE, ("bind now", None)),
        (swap_stages.Shown(), INTERRUPTED, ("bind now", None)),
        (swap_stages.Shown(plan=plan("fail")), None, ("bind now", None)),
    ],
)
def test_keys_say_what_they_do_now(
    stage: swap_stages.Stage, swap: Swap | None, words: tuple[str, str | None]
) -> None:
    seen = situation(swap)
    assert tuple(swap_stages.word(key, stage, seen) for key in ("carry-out", "back")) == words


def test_the_end_of_a_swap_says_what_to_press_next() -> None:
    keys = {**KEYS, "start-next": "f7"}
    said, tone = swap_stages.sentence(swap_stages.Shown(), situation(DONE, keys=keys))
    assert (said, tone) == ("The card is ready: f7 starts win11.", "text")
    warned = replace(DONE, message="it does not sleep any more")
    said, tone = swap_stages.sentence(swap_stages.Shown(), situation(warned))
    assert (said.endswith("it does not sleep any more."), tone) == (True, "warn")


def test_what_has_been_touched() -> None:
    shown = swap_stages.Shown(plan=plan())
    assert swap_stages.note(shown, None) == "nothing has been touched yet"
    assert swap_stages.note(swap_stages.Beginning(consent=Consent()), None) == ""
    assert swap_stages.note(shown, RUNNING) == "continues if you leave or lose the connection"
    for ended in (DONE, INTERRUPTED, replace(RUNNING, state="stuck")):
        assert swap_stages.note(shown, ended) == ""


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
    said, _ = guest_stages.sentence(running, STOPPING, None, asks=False)
    assert "60 s until it can be forced off" in said
    ended, tone = guest_stages.sentence(running, OFF, None, asks=False)
    assert (ended.startswith("win11 is shut off."), tone) == (True, "good")


@pytest.mark.parametrize(
    ("after_s", "stage", "reason"),
    [
        (0, REQUESTED, "it still has 60 s to shut down"),
        (59, REQUESTED, "it still has 1 s to shut down"),
        (61, REQUESTED, None),
        (0, guest_stages.Shown(), "ask it to shut down first"),
        (0, HALF_DONE, None),
    ],
)
def test_why_a_guest_cannot_be_forced_off_yet(
    after_s: int, stage: guest_stages.Stage, reason: str | None
) -> None:
    seen = replace(STOPPING, at=NOON + timedelta(seconds=after_s))
    assert guest_stages.why_not("force", stage, seen, WIN11, None) == reason


BINDING = Course(RUNNING, (None, None), NOON)
START = Situation("start", "win11", OFF.domain, None, None, BINDING, free_card=False, at=NOON)
STARTED = replace(START, domain=WIN11, course=None)
BIND = Plan("bind", CARD, (CARD,), ())
WHOLE = GuestPlan("start", "win11", "win11", "u", "win11", ("one", "two", "three"), swap=BIND)
BOUND = replace(WHOLE, swap=None)


@pytest.mark.parametrize(
    ("stage", "seen", "state"),
    [
        (guest_stages.Planning(), START, ("moving", "checking")),
        (guest_stages.Shown(plan=WHOLE), START, ("passed", "ready")),
        (GUEST_ASKING, START, ("unknown", "accept the risk?")),
        (guest_stages.Running(plan=WHOLE, consent=Consent()), START,
         ("moving", "step 2 of 3")),
        (guest_stages.Running(plan=BOUND, consent=Consent()), STARTED, ("moving", "starting")),
        (guest_stages.Requested(plan=BOUND), STARTED, ("passed", "running")),
        (REQUESTED, STOPPING, ("moving", "60 s left")),
        (REQUESTED, replace(STOPPING, at=NOON + timedelta(seconds=61)),
         ("warned", "still running")),
        (REQUESTED, UNREADABLE, ("unknown", "cannot tell")),
        (REQUESTED, OFF, ("passed", "shut off")),
        (REQUESTED, replace(STOPPING, domain=None), ("passed", "gone")),
        (HALF_DONE, STOPPING, ("warned", "half done")),
        (guest_stages.Failed(why="no"), STOPPING, ("failed", "not done")),
    ],
)  # fmt: skip
def test_the_state_of_an_action(
    stage: guest_stages.Stage, seen: Situation, state: tuple[str, str]
) -> None:
    assert guest_stages.state(stage, seen, None, asks=False)[:2] == state


def test_a_swap_that_takes_longer_than_usual_is_marked() -> None:
    slow = BINDING._replace(late=True)
    running = guest_stages.Running(plan=WHOLE, consent=Consent())
    shown, undoing = swap_stages.Shown(), replace(RUNNING, state="undoing")
    for late, course in ((False, BINDING), (True, slow)):
        for swap in (RUNNING, undoing):
            seen = swap_stages.Situation(course._replace(swap=swap), FakeMover(), "bind", "win11")
            assert swap_stages.state(shown, seen)[3:] == ("0.0 s", late)
        guest = replace(START, course=course)
        assert guest_stages.state(running, guest, None, asks=False)[3:] == ("0.0 s", late)


TODO, REST = [None, None, None], ["noted", "noted", "noted"]


@pytest.mark.parametrize(
    ("stage", "seen", "marks"),
    [
        (guest_stages.Shown(plan=WHOLE), STARTED, TODO),
        (guest_stages.Running(plan=WHOLE, consent=Consent()), START, REST),
        (guest_stages.Running(plan=BOUND, consent=Consent()), START, ["moving", "noted", "noted"]),
        (guest_stages.Requested(plan=BOUND), START, ["passed"] * 3),
        (guest_stages.Failed(plan=WHOLE, swap_id="first", why="no"), START, REST),
        (guest_stages.Failed(plan=WHOLE, why="no"), START, TODO),
        (guest_stages.Failed(plan=BOUND, why="no"), START, ["failed", "noted", "noted"]),
        (guest_stages.Asking(plan=BOUND, swap_id="first", consent=Consent(), doubt=DOUBT), START,
         REST),
    ],
)  # fmt: skip
def test_how_far_the_steps_after_the_swap_are(
    stage: guest_stages.Stage, seen: Situation, marks: list[str | None]
) -> None:
    assert guest_stages.step_marks(stage, seen, WHOLE) == marks


def test_a_stop_waits_after_its_first_step() -> None:
    stop = replace(WHOLE, action="stop", steps=("ask", "wait"), swap=None)
    assert guest_stages.step_marks(REQUESTED, STOPPING, stop) == ["passed", "moving"]
    assert guest_stages.step_marks(REQUESTED, OFF, stop) == ["passed", "passed"]


def test_what_has_been_touched_of_a_guest() -> None:
    running = guest_stages.Running(consent=Consent())
    assert (
        guest_stages.note(guest_stages.Shown(plan=WHOLE), START) == "nothing has been touched yet"
    )
    assert guest_stages.note(running, START) == "continues if you leave"
    assert guest_stages.note(REQUESTED, OFF) == ""
    asking = guest_stages.Asking(plan=BOUND, swap_id="first", consent=Consent(), doubt=DOUBT)
    assert guest_stages.note(asking, START) == ""


def test_only_what_is_offered_is_cancelled() -> None:
    fail = replace(WHOLE, checks=plan("fail").checks)
    words = [
        guest_stages.word("back", stage, START, asks=False)
        for stage in (
            guest_stages.Planning(), guest_stages.Shown(plan=WHOLE),
            guest_stages.Shown(plan=fail), guest_stages.Running(consent=Consent()), REQUESTED,
        )
    ]  # fmt: skip
    assert words == ["cancel", "cancel", None, None, None]


def test_a_refused_action_asks_nothing() -> None:
    fail = replace(WHOLE, checks=plan("fail").checks)
    assert guest_stages.asked_about(guest_stages.Shown(plan=fail)) is None
    assert guest_stages.asked_about(guest_stages.Shown(plan=WHOLE)) == "plan"
    assert guest_stages.asked_about(GUEST_ASKING) == "message"
    assert guest_stages.state(guest_stages.Shown(plan=fail), START, None, asks=False) == State(
        "failed", "refused"
    )


CHANGE = Change("uuid", "<before/>", "<after/>", Path("/old.xml"))


@pytest.mark.parametrize(
    ("stage", "said", "tone"),
    [
        (roles_stages.Choosing(), None, None),
        (roles_stages.Saved(), None, None),
        (roles_stages.Saved(warning="No space left"),
         "The choice could not be saved: No space left. It lasts only until vfiotop exits.",
         "warn"),
        (roles_stages.Changing(name="win11"), "Changing the definition of win11 …", "strong"),
        (roles_stages.Changed(name="win11", change=CHANGE),
         "win11 lists the card now. u restores its old definition, saved in /old.xml.", "good"),
        (roles_stages.Changed(name="win11", change=replace(CHANGE, rom=("/a.rom",))),
         "win11 lists the card now. u restores its old definition, saved in /old.xml. Its <rom> "
         "/a.rom was made for the other card: check it.", "warn"),
        (roles_stages.Restored(), "The old definition is restored.", "good"),
        (roles_stages.Failed(why="no", change=CHANGE), "no", "bad"),
    ],
)  # fmt: skip
def test_what_the_roles_screen_says_of_a_stage(
    stage: roles_stages.Stage, said: str | None, tone: str | None
) -> None:
    assert (roles_stages.outcome(stage, "u") or (None, None)) == (said, tone)
    assert roles_stages.can_choose(stage) is not isinstance(stage, roles_stages.Changing)
