"""The bind at boot: each phase ends, and whatever fails leaves the card with the host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.made import domain, snapshot, two_cards
from tests.unit.watch.test_policies import CARD, GONE, SWAP, seen, win
from tui.model import HostView, Inventory, SourceName, Swap
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.watch import boot
from tui.watch.boot import FIX, LIMIT_S, READ_S, Boot, BootDecision
from tui.watch.policies import NEEDED, Outcome

READING, ASKING, MOVING = Boot("reading"), Boot("asking", CARD), Boot("moving", CARD)
DONE = Boot("done", CARD)

AT_HOME = seen(win("shut off"), driver="nvidia")
BIND = replace(SWAP, direction="bind")


def blind(name: SourceName) -> HostView:
    read = snapshot(two_cards("nvidia"), (win("shut off"),))
    return assess(replace(read, **{name: GONE}), Choice(CARD))


def with_swap(swap: Swap) -> HostView:
    return seen(win("shut off"), driver="nvidia", swap=swap)


# --- reading --------------------------------------------------------------------------


def test_a_card_with_the_host_is_bound_as_soon_as_all_is_read() -> None:
    decision = boot.observe(READING, AT_HOME, 0.1)
    assert (decision.boot, decision.bind) == (ASKING, CARD)
    assert [news.text for news in decision.news] == ["is bound at boot"]


def test_a_card_without_a_driver_is_bound() -> None:
    decision = boot.observe(READING, seen(win("shut off"), driver=None), 0.1)  # type: ignore[arg-type]
    assert decision.bind == CARD


@pytest.mark.parametrize("name", NEEDED)
def test_it_waits_for_each_source(name: SourceName) -> None:
    assert boot.observe(READING, blind(name), 0.0) == BootDecision(READING)
    assert boot.observe(READING, blind(name), READ_S - 0.1) == BootDecision(READING)


@pytest.mark.parametrize("name", NEEDED)
def test_a_source_that_never_answers_leaves_the_card_with_the_host(name: SourceName) -> None:
    decision = boot.observe(READING, blind(name), READ_S)
    assert (decision.boot.phase, decision.bind) == ("done", None)
    (news,) = decision.news
    assert (news.kind, news.fix) == ("failed", FIX)
    assert f"{name}: {GONE.reason}" in news.text


def test_without_a_guest_card_it_says_how_to_name_one() -> None:
    decision = boot.observe(READING, assess(snapshot(Inventory(()))), 0.1)
    assert (decision.boot.phase, decision.bind) == ("done", None)
    (news,) = decision.news
    assert (news.subject, news.kind) == ("watch", "failed")
    assert "guest_gpu" in (news.fix or "")


@pytest.mark.parametrize(
    "view",
    [seen(win("shut off")), seen(win()), with_swap(replace(BIND, state="done")), with_swap(BIND)],
    ids=["bound already", "its guest runs", "moved since boot", "a swap is under way"],
)
def test_there_may_be_nothing_to_do(view: HostView) -> None:
    assert boot.observe(READING, view, 0.1) == BootDecision(Boot("done"))


# --- asking ---------------------------------------------------------------------------


def test_it_waits_for_the_answer_to_its_request() -> None:
    assert boot.observe(ASKING, AT_HOME, LIMIT_S - 0.1) == BootDecision(ASKING)


def test_what_has_begun_is_moving() -> None:
    assert boot.settle(ASKING, Outcome(True)) == BootDecision(MOVING)


def test_what_may_have_begun_is_moving_and_told() -> None:
    decision = boot.settle(ASKING, Outcome(True, "the reply was lost"))
    assert decision.boot == MOVING
    assert [(news.text, news.kind) for news in decision.news] == [("the reply was lost", "failed")]


def test_a_refusal_leaves_the_card_with_the_host() -> None:
    decision = boot.settle(ASKING, Outcome(False, "Xorg uses it"))
    assert decision.boot == DONE
    (news,) = decision.news
    assert (news.subject, news.kind, news.fix) == (CARD, "failed", FIX)
    assert "the host keeps it: Xorg uses it" in news.text


def test_a_refusal_after_the_time_limit_is_told() -> None:
    late = boot.observe(ASKING, AT_HOME, LIMIT_S).boot
    decision = boot.settle(late, Outcome(False, "Xorg uses it"))
    assert decision.boot == late
    assert ["Xorg uses it" in news.text for news in decision.news] == [True]


# --- moving ---------------------------------------------------------------------------


@pytest.mark.parametrize("view", [AT_HOME, with_swap(BIND)], ids=["not seen yet", "under way"])
def test_it_waits_for_the_end_of_the_swap(view: HostView) -> None:
    assert boot.observe(MOVING, view, LIMIT_S - 0.1) == BootDecision(MOVING)


def test_a_swap_that_is_done_needs_no_news() -> None:
    assert boot.observe(MOVING, with_swap(replace(BIND, state="done")), 9.0) == BootDecision(DONE)


@pytest.mark.parametrize(
    ("swap", "why"),
    [
        (replace(BIND, state="undone", message="vfio-pci did not take it"), "did not take it"),
        (replace(BIND, state="failed", runner_alive=False), "failed"),
        (replace(BIND, state="stuck", message="the write does not return"), "does not return"),
        (replace(BIND, runner_alive=False), "running"),
    ],
    ids=["undone", "failed", "stuck", "interrupted"],
)
def test_a_swap_that_ends_in_another_way_is_a_failure(swap: Swap, why: str) -> None:
    decision = boot.observe(MOVING, with_swap(swap), 9.0)
    assert decision.boot == DONE
    (news,) = decision.news
    assert news.kind == "failed"
    assert why in news.text


@pytest.mark.parametrize("phase", [ASKING, MOVING], ids=["asking", "moving"])
def test_the_boot_goes_on_after_the_time_limit(phase: Boot) -> None:
    decision = boot.observe(phase, AT_HOME, LIMIT_S)
    assert decision.boot == DONE
    (news,) = decision.news
    assert (news.kind, "the boot goes on" in news.text) == ("failed", True)


VIEWS = [
    AT_HOME, seen(win("shut off")), seen(win()), seen(domain("other")), with_swap(BIND),
    with_swap(replace(BIND, state="done")), with_swap(replace(BIND, state="stuck")),
    *map(blind, NEEDED), assess(snapshot(Inventory(()))),
]  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(VIEWS), st.floats(0, 30),
                       st.sampled_from([None, True, False])))
)  # fmt: skip
def test_any_boot_ends_within_the_limit_and_asks_once(
    course: list[tuple[HostView, float, bool | None]],
) -> None:
    state, waited_s, asked = READING, 0.0, 0
    for view, after_s, began in [*course, (AT_HOME, READ_S, None), (AT_HOME, LIMIT_S, None)]:
        waited_s += after_s
        decision = boot.observe(state, view, waited_s)
        asked += decision.bind is not None
        state = decision.boot
        if began is not None and state.phase == "asking":
            state = boot.settle(state, Outcome(began, "" if began else "refused")).boot
    assert state.phase == "done"
    assert asked <= 1
