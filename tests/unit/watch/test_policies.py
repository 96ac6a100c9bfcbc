"""What the watch decides: from what it sees to what it wants done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from tests.unit.made import NOON, domain, snapshot, two_cards
from tui.model import (
    CardVitals,
    Domain,
    DomainState,
    Holder,
    Holders,
    HostView,
    Snapshot,
    Swap,
    Unavailable,
    Vitals,
)
from tui.model.watch import Pending, WatchMemory, WatchPolicy
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.watch import policies
from tui.watch.policies import LONG_PAUSE_S, RETRY_S, SOON_S, VAIN_LIMIT, Decision, Outcome

CARD = "0000:02:00.0"
SWAP = Swap("1", "unbind", CARD, (CARD,), "running", ("echo",), 0, NOON, NOON)
UNBIND = WatchPolicy("unbind", pause_s=30.0)
NOTHING_SEEN = WatchMemory()
GONE = Unavailable("the connection to libvirt is lost")


def win(state: DomainState = "running", name: str = "win11") -> Domain:
    return domain(name, "02:00.0", "02:00.1", state=state)


def seen(*domains: Domain, driver: str = "vfio-pci", **readings: Any) -> HostView:
    made = snapshot(two_cards(driver), domains, **readings)
    return assess(made, Choice(CARD))


RUNNING, OFF = seen(win()), seen(win("shut off"))


@dataclass
class Watching:
    """A watch that looks at one view after the other."""

    policy: WatchPolicy = UNBIND
    memory: WatchMemory = NOTHING_SEEN
    now_s: float = 100.0

    def look(self, view: HostView, after_s: float = 1.0) -> Decision:
        self.now_s += after_s
        decision = policies.observe(self.memory, view, self.now_s, self.policy)
        self.memory = decision.memory
        return decision

    def outcome(self, outcome: Outcome) -> Decision:
        decision = policies.settle(self.memory, outcome, self.now_s)
        self.memory = decision.memory
        return decision

    def restart(self) -> None:
        self.memory = policies.restarted(self.memory, self.now_s, self.policy)

    def after_an_end(self) -> Pending:
        self.look(RUNNING)
        self.look(OFF)
        assert self.memory.pending is not None
        return self.memory.pending


def texts(decision: Decision) -> list[str]:
    return [news.text for news in decision.news]


# --- a guest ends ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "after",
    [OFF, seen(), seen(win("crashed")), seen(win("shut off"), win("shut off", "linux"))],
    ids=["shut off", "undefined", "crashed", "with another"],
)
def test_the_card_returns_after_the_pause(after: HostView) -> None:
    watch = Watching()
    assert watch.look(RUNNING) == Decision(watch.memory)
    assert texts(watch.look(after)) == ["“win11” has ended: the card returns to the host in 30 s"]
    assert watch.look(after, 29.0).due is None
    due = watch.look(after, 1.0).due
    assert due is not None
    assert due.address == CARD


def test_a_crashed_guest_that_is_kept_has_not_ended() -> None:
    watch = Watching()
    watch.look(RUNNING)
    kept = seen(replace(win("crashed"), preserved=True))
    assert watch.look(kept) == Decision(watch.memory)
    assert watch.look(kept, 300.0) == Decision(watch.memory)
    assert texts(watch.look(OFF)) == ["“win11” has ended: the card returns to the host in 30 s"]


def test_it_is_carried_out_once() -> None:
    watch = Watching()
    watch.after_an_end()
    assert watch.look(OFF, 30.0).due
    assert watch.look(OFF, 30.0) == Decision(watch.memory)
    assert watch.outcome(Outcome(True)) == Decision(watch.memory)
    assert watch.memory.pending is None
    assert watch.look(OFF, 300.0) == Decision(watch.memory)


def test_without_the_policy_the_card_stays() -> None:
    watch = Watching(WatchPolicy())
    watch.look(RUNNING)
    assert watch.look(OFF) == Decision(watch.memory)
    assert watch.look(OFF, 300.0) == Decision(watch.memory)


def test_a_guest_that_was_never_seen_has_not_ended() -> None:
    watch = Watching()
    assert watch.look(OFF) == Decision(WatchMemory())
    assert watch.look(OFF, 300.0) == Decision(WatchMemory())


def test_a_card_that_libvirt_has_returned_needs_nothing() -> None:
    watch = Watching()
    watch.look(RUNNING)
    assert watch.look(seen(win("shut off"), driver="nvidia")) == Decision(watch.memory)
    assert watch.memory.pending is None


@pytest.mark.parametrize("state", ["paused", "pmsuspended", "in shutdown", "blocked", "unknown"])
def test_a_guest_that_may_run_has_not_ended(state: DomainState) -> None:
    watch = Watching()
    watch.look(RUNNING)
    watch.look(seen(win(state)), 300.0)
    assert watch.memory.pending is None
    watch.look(OFF)
    assert watch.memory.pending is not None


@pytest.mark.parametrize("source", ["guests", "pci", "swap"])
def test_what_cannot_be_read_decides_nothing(source: str) -> None:
    off = snapshot(two_cards("vfio-pci"), (win("shut off"),))
    blind = assess(replace(off, **{source: GONE}), Choice(CARD))
    watch = Watching()
    watch.look(RUNNING)
    assert watch.look(blind) == Decision(watch.memory)
    assert watch.memory.pending is None
    watch.look(OFF)
    assert watch.look(blind, 300.0).due is None
    assert watch.look(OFF).due


# --- a QEMU that is still ending -------------------------------------------------------


def taken(guest: str) -> HostView:
    """No domain runs, and a process has the card."""
    qemu = Holder(CARD, 4711, "qemu-system-x86", "/dev/vfio/2", guest=guest)
    card = CardVitals(CARD, driver="vfio-pci", enabled=1, users=Holders((qemu,)))
    return seen(win("shut off"), vitals=Vitals((card,)))


@pytest.mark.parametrize("guest", ["win11", "linux"])
def test_a_card_that_is_still_open_when_libvirt_says_the_guest_ended(guest: str) -> None:
    watch = Watching()
    watch.look(RUNNING)
    assert watch.look(taken(guest)) == Decision(watch.memory)
    assert texts(watch.look(OFF)) == ["“win11” has ended: the card returns to the host in 30 s"]


def test_its_qemu_is_found_only_after_the_return_is_announced() -> None:
    watch = Watching()
    announced = watch.after_an_end()
    assert watch.look(taken("win11"), 300.0) == Decision(watch.memory)
    assert watch.look(OFF).due == announced


def test_another_process_that_takes_the_card_cancels_it() -> None:
    watch = Watching()
    watch.after_an_end()
    assert texts(watch.look(taken("linux"))) == ["stays on vfio-pci: process 4711 uses it"]
    assert watch.memory.pending is None


# --- what cancels it ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["win11", "linux"])
def test_a_new_start_cancels_it(name: str) -> None:
    watch = Watching()
    watch.after_an_end()
    again = seen(win("shut off", "win11"), *([win(name=name)] if name != "win11" else []))
    again = again if name != "win11" else RUNNING
    assert texts(watch.look(again)) == [f"stays on vfio-pci: “{name}” was started"]
    assert watch.look(again, 300.0) == Decision(watch.memory)
    assert texts(watch.look(OFF)) == [f"“{name}” has ended: the card returns to the host in 30 s"]


def test_a_user_keeps_it() -> None:
    watch = Watching()
    pending = watch.after_an_end()
    assert policies.keep(watch.memory, "0" * 32) == Decision(watch.memory)
    kept = policies.keep(watch.memory, pending.id)
    assert texts(kept) == ["stays on vfio-pci: a user keeps it there"]
    watch.memory = kept.memory
    assert watch.look(OFF, 300.0) == Decision(watch.memory)


@pytest.mark.parametrize(
    "swap",
    [
        SWAP,
        replace(SWAP, state="done"),
        replace(SWAP, state="undone"),
        replace(SWAP, state="stuck"),
    ],
    ids=lambda swap: swap.state,
)
def test_somebodys_swap_cancels_it(swap: Swap) -> None:
    watch = Watching()
    watch.after_an_end()
    watch.look(seen(win("shut off"), swap=swap))
    assert watch.memory.pending is None
    assert watch.look(OFF, 300.0).due is None


def test_a_swap_before_it_does_not() -> None:
    bound = replace(SWAP, direction="bind", state="done")
    watch = Watching()
    watch.look(seen(win(), swap=bound))
    off = seen(win("shut off"), swap=bound)
    watch.look(off)
    assert watch.look(off, 30.0).due


def test_a_swap_of_ours_that_came_to_nothing_does_not() -> None:
    """The runner gives up what it has prepared if the watch that started it is gone."""
    watch = Watching()
    watch.after_an_end()
    given_up = replace(SWAP, state="undone", by="watch", message="the caller was gone")
    off = seen(win("shut off"), swap=given_up)
    watch.look(off)
    assert watch.look(off, 30.0).due


def test_an_interrupted_swap_is_for_the_user() -> None:
    watch = Watching()
    watch.after_an_end()
    left = replace(SWAP, runner_alive=False)
    (news,) = watch.look(seen(win("shut off"), swap=left)).news
    assert (news.kind, "was interrupted" in news.text) == ("warn", True)
    assert "vfiotop recover" in (news.fix or "")
    assert watch.look(seen(win("shut off"), swap=left), 300.0) == Decision(watch.memory)


def test_a_card_with_another_role_is_left_alone() -> None:
    watch = Watching()
    watch.after_an_end()
    other = assess(snapshot(two_cards("vfio-pci"), (win("shut off"),)), Choice("0000:01:00.0"))
    assert texts(watch.look(other)) == ["stays on vfio-pci: another card is the guest's now"]


# --- refusals -------------------------------------------------------------------------


def test_a_refusal_is_told_once_and_tried_again_a_few_times() -> None:
    watch = Watching()
    watch.after_an_end()
    assert watch.look(OFF, 30.0).due
    told = [texts(watch.outcome(Outcome(False, "QEMU has it open")))]
    for wait_s in RETRY_S:
        assert watch.look(OFF, wait_s - 1).due is None
        assert watch.look(OFF, 1.0).due
        told.append(texts(watch.outcome(Outcome(False, "QEMU has it open"))))
    assert told == [
        ["not returned yet: QEMU has it open; trying again in 10 s"],
        [], [], [],
        ["stays on vfio-pci: QEMU has it open"],
    ]  # fmt: skip
    assert watch.look(OFF, 3600.0) == Decision(watch.memory)


def test_another_reason_is_told_too() -> None:
    watch = Watching()
    watch.after_an_end()
    watch.look(OFF, 30.0)
    watch.outcome(Outcome(False, "QEMU has it open"))
    watch.look(OFF, RETRY_S[0])
    assert texts(watch.outcome(Outcome(False, "libvirt does not answer"))) == [
        "not returned yet: libvirt does not answer; trying again in 30 s"
    ]


def test_one_that_may_have_begun_is_not_tried_again() -> None:
    watch = Watching()
    watch.after_an_end()
    watch.look(OFF, 30.0)
    (news,) = watch.outcome(Outcome(True, "the reply was lost")).news
    assert (news.text, news.kind) == ("the reply was lost", "failed")
    assert watch.look(OFF, 3600.0) == Decision(watch.memory)


def test_a_start_before_the_next_try_cancels_it() -> None:
    watch = Watching()
    watch.after_an_end()
    watch.look(OFF, 30.0)
    watch.outcome(Outcome(False, "QEMU has it open"))
    assert texts(watch.look(RUNNING)) == ["stays on vfio-pci: “win11” was started"]


# --- a watch that was started again ---------------------------------------------------


def test_a_guest_that_ended_meanwhile_has_ended() -> None:
    watch = Watching()
    watch.look(RUNNING)
    watch.restart()
    assert watch.look(OFF).news


def test_a_return_ends_with_the_policy_for_it() -> None:
    """A user who changes the configuration to keep the card, and restarts the watch, keeps it."""
    watch = Watching()
    watch.after_an_end()
    watch.policy = WatchPolicy("keep")
    watch.restart()
    assert watch.memory.pending is None
    assert watch.look(OFF, 300.0) == Decision(watch.memory)


def test_a_card_that_somebody_has_moved_meanwhile_stays() -> None:
    """A user who bound it by hand after the guest had ended wants it there."""
    watch = Watching()
    watch.look(seen(win(), swap=replace(SWAP, state="done")))
    watch.restart()
    bound = seen(win("shut off"), swap=replace(SWAP, id="3", direction="bind", state="done"))
    assert watch.look(bound) == Decision(watch.memory)
    assert watch.look(bound, 300.0) == Decision(watch.memory)
    assert watch.memory.pending is None


@pytest.mark.parametrize("began", [False, True])
def test_the_journal_says_whether_it_began(began: bool) -> None:
    watch = Watching()
    watch.after_an_end()
    watch.look(OFF, 30.0)
    watch.restart()
    after = seen(win("shut off"), swap=replace(SWAP, state="done")) if began else OFF
    assert (watch.look(after, 30.0).due is not None) is not began


def test_a_return_is_not_due_before_another_pause() -> None:
    watch = Watching()
    watch.after_an_end()
    watch.now_s += 3600.0
    watch.restart()
    assert watch.look(OFF, 29.0).due is None
    assert watch.look(OFF, 1.0).due


# --- a manager that starts the guest again --------------------------------------------


def returned_and_started_again(watch: Watching, after_s: float = 5.0) -> Decision:
    """The guest ends, its card returns, and a start takes it again."""
    watch.look(OFF)
    assert watch.look(OFF, watch.policy.pause_s).due
    assert not watch.outcome(Outcome(True)).news
    return watch.look(RUNNING, after_s)


def test_a_card_does_not_go_back_and_forth_for_ever() -> None:
    watch = Watching(WatchPolicy("unbind", pause_s=0.0))
    watch.look(RUNNING)
    for _ in range(VAIN_LIMIT - 1):
        assert returned_and_started_again(watch) == Decision(watch.memory)
    (news,) = returned_and_started_again(watch).news
    assert (news.subject, news.kind) == (CARD, "warn")
    assert news.text == (
        "3 returns in a row were followed by a start within 120 s: from now on the card waits "
        "15 min"
    )
    assert "`pause`" in (news.fix or "")
    for _ in range(5):
        assert texts(watch.look(OFF)) == [
            "“win11” has ended: the card returns to the host in 900 s"
        ]
        assert watch.look(OFF, LONG_PAUSE_S - 1).due is None
        assert texts(watch.look(RUNNING)) == ["stays on vfio-pci: “win11” was started"]


def test_the_pause_is_short_again_after_a_return_that_lasts() -> None:
    watch = Watching()
    watch.look(RUNNING)
    for _ in range(VAIN_LIMIT):
        returned_and_started_again(watch)
    watch.look(OFF)
    assert watch.look(OFF, LONG_PAUSE_S).due
    watch.outcome(Outcome(True))
    assert watch.look(RUNNING, SOON_S + 1) == Decision(watch.memory)
    assert texts(watch.look(OFF)) == ["“win11” has ended: the card returns to the host in 30 s"]


def test_returns_in_vain_are_counted_in_a_row() -> None:
    watch = Watching()
    watch.look(RUNNING)
    for after_s in [5.0] * (VAIN_LIMIT - 1) + [SOON_S + 1] + [5.0] * (VAIN_LIMIT - 1):
        assert returned_and_started_again(watch, after_s) == Decision(watch.memory)


def test_a_return_is_not_in_vain_if_somebody_binds_the_card_again() -> None:
    watch = Watching()
    bound = replace(SWAP, direction="bind", state="done")
    watch.look(seen(win(), swap=bound))
    for _ in range(VAIN_LIMIT + 1):
        watch.look(seen(win("shut off"), swap=bound))
        assert watch.look(seen(win("shut off"), swap=bound), watch.policy.pause_s).due
        watch.outcome(Outcome(True))
        bound = replace(bound, id=f"{bound.id}, and the next")
        assert watch.look(seen(win(), swap=bound), 5.0) == Decision(watch.memory)


def test_a_longer_pause_of_the_user_stays() -> None:
    watch = Watching(WatchPolicy("unbind", pause_s=3600.0))
    watch.look(RUNNING)
    for _ in range(VAIN_LIMIT):
        assert returned_and_started_again(watch) == Decision(watch.memory)
    assert texts(watch.look(OFF)) == ["“win11” has ended: the card returns to the host in 3600 s"]


def test_a_watch_that_is_started_again_counts_anew() -> None:
    """A user who has changed the configuration starts it again."""
    watch = Watching()
    watch.look(RUNNING)
    for _ in range(VAIN_LIMIT):
        returned_and_started_again(watch)
    watch.restart()
    assert texts(watch.look(OFF)) == ["“win11” has ended: the card returns to the host in 30 s"]


# --- sleep, boot ----------------------------------------------------------------------


def test_the_host_stays_awake_while_a_guest_has_a_card() -> None:
    assert policies.stays_awake(RUNNING, before=False)
    assert not policies.stays_awake(OFF, before=True)
    blind = assess(snapshot(two_cards("vfio-pci"), (), guests=GONE), Choice(CARD))
    assert policies.stays_awake(blind, before=True)
    assert not policies.stays_awake(blind, before=False)
    other = seen(domain("other", state="running"))
    assert not policies.stays_awake(other, before=True)


@pytest.mark.parametrize(
    ("view", "card"),
    [
        (seen(driver="nvidia"), CARD),
        (OFF, None),
        (RUNNING, None),
        (seen(driver="nvidia", swap=replace(SWAP, state="done")), None),
        (assess(Snapshot()), None),
    ],
    ids=["with the host", "bound", "in use", "somebody moved it", "no card"],
)
def test_what_is_bound_at_boot(view: HostView, card: str | None) -> None:
    assert policies.to_bind_at_boot(view) == card


# --- any sequence ---------------------------------------------------------------------

STATES: tuple[DomainState, ...] = (
    "running", "paused", "in shutdown", "shut off", "crashed", "unknown",
)  # fmt: skip
OFF_STATES: tuple[DomainState, ...] = ("shut off", "crashed")


LATER = st.sampled_from([0.0, 1.0, 30.0, 400.0])
"""Seconds until the watch looks."""


class Host(RuleBasedStateMachine):
    """A host to which anything may happen, and a watch that looks after each event.

    Whatever it sees, it returns a card only if no guest that it can see runs with the card, no
    swap is under way or waits for its user, and once for each guest that ended. It waits longer
    while its returns are in vain.
    """

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[str, DomainState] = {"win11": "running", "linux": "shut off"}
        self.driver = "vfio-pci"
        self.swap: Swap | None = None
        self.swaps = 0
        self.blind: set[str] = set()
        self.watch = Watching()
        self.ends = 0
        self.returns = 0
        self.ran = False
        self.returned_s: float | None = None
        self.in_vain = 0
        self.look(0.0)

    @rule(name=st.sampled_from(["win11", "linux"]), state=st.sampled_from(STATES), after_s=LATER)
    def guest_changes(self, name: str, state: DomainState, after_s: float) -> None:
        others = [each for other, each in self.states.items() if other != name]
        if state in OFF_STATES or all(each in OFF_STATES for each in others):
            self.states[name] = state  # else libvirt refuses the second start
        self.look(after_s)

    @rule(source=st.sampled_from(["guests", "swap", "pci"]), after_s=LATER)
    def source_fails_or_answers_again(self, source: str, after_s: float) -> None:
        self.blind ^= {source}
        self.look(after_s)

    @rule(
        direction=st.sampled_from(["bind", "unbind"]),
        state=st.sampled_from(["running", "stuck", "undoing", "done", "undone", "failed"]),
        alive=st.booleans(),
        after_s=LATER,
    )
    def somebody_moves_the_card(
        self, direction: Any, state: Any, alive: bool, after_s: float
    ) -> None:
        self.swaps += 1
        self.swap = replace(
            SWAP, id=str(self.swaps), direction=direction, state=state, runner_alive=alive
        )
        self.look(after_s)

    @rule(driver=st.sampled_from(["vfio-pci", "nvidia"]), after_s=LATER)
    def driver_changes(self, driver: str, after_s: float) -> None:
        if all(state in OFF_STATES for state in self.states.values()):
            self.driver = driver
        self.look(after_s)

    @rule(after_s=LATER)
    def nothing_happens(self, after_s: float) -> None:
        self.look(after_s)

    @rule(state=st.sampled_from(OFF_STATES), after_s=LATER)
    def all_guests_end_and_the_pause_passes(self, state: DomainState, after_s: float) -> None:
        self.states = dict.fromkeys(self.states, state)
        self.look(1.0)
        self.look(after_s)

    @rule(after_s=st.sampled_from([1.0, SOON_S, SOON_S + 1.0]))
    def guest_ends_and_a_manager_starts_it_again(self, after_s: float) -> None:
        self.states = {"win11": "shut off", "linux": "shut off"}
        self.look(1.0)
        self.look(UNBIND.pause_s)
        if self.watch.memory.acting:
            self.runner_answers(True)
        self.states["win11"] = "running"
        self.look(after_s)

    @precondition(lambda self: self.watch.memory.acting)
    @rule(began=st.booleans())
    def runner_answers(self, began: bool) -> None:
        self.returns += began
        if began:
            self.returned_s = self.watch.now_s
        self.watch.outcome(Outcome(began, "" if began else "QEMU has it open"))

    @rule(began=st.booleans())
    def watch_is_killed_and_started_again(self, began: bool) -> None:
        if self.watch.memory.acting and began:
            self.returns += 1
            self.swaps += 1
            self.swap = replace(SWAP, id=str(self.swaps))
        self.watch.restart()
        self.returned_s, self.in_vain = None, 0
        self.look(1.0)

    @precondition(lambda self: self.watch.memory.pending is not None)
    @rule()
    def user_keeps_it(self) -> None:
        pending = self.watch.memory.pending
        assert pending is not None
        self.watch.memory = policies.keep(self.watch.memory, pending.id).memory

    def look(self, after_s: float) -> None:
        domains = [win(state, name) for name, state in self.states.items()]
        read = snapshot(two_cards(self.driver), domains)
        if self.swap is not None:
            read = replace(read, swap=self.swap)
        view = assess(replace(read, **dict.fromkeys(self.blind, GONE)), Choice(CARD))
        gpu = view.guest_gpu
        self.ran |= not self.blind and gpu is not None and gpu.owner.kind == "guest"
        before = self.watch.memory
        decision = self.watch.look(view, after_s)
        has_it = not self.blind and gpu is not None and gpu.guest_uuid is not None
        if has_it and not before.acting and self.returned_s is not None:
            bound = self.swap is not None and self.swap.direction == "bind"
            in_vain = not bound and self.watch.now_s - self.returned_s <= SOON_S
            self.in_vain = self.in_vain + 1 if in_vain else 0
            self.returned_s = None
        pending = decision.memory.pending
        if pending is not None and before.pending is None:
            pause_s = LONG_PAUSE_S if self.in_vain >= VAIN_LIMIT else UNBIND.pause_s
            assert pending.due_s == self.watch.now_s + pause_s
            assert self.ran, "a guest that never ran has not ended"
            self.ran = False
            self.ends += 1
        if decision.due is not None:
            assert not before.acting
            assert not self.blind
            assert gpu is not None
            assert gpu.owner.kind == "vfio"
            assert self.swap is None or self.swap.ended

    @invariant()
    def no_card_returns_twice(self) -> None:
        assert self.returns <= self.ends


Host.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestAnySequence = Host.TestCase
