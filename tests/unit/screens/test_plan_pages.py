"""The parts of a plan's page: from the plan, the journal and the last readings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.demo import HeldClock
from tests.ui.rig import GUEST_AUDIO, GUEST_CARD, HOST_CARD, NOON, VITALS
from tests.values import replace
from tui.guest.planning import guest_plan_once
from tui.host.demo.host import SCENARIOS, demo_host
from tui.model import (
    Check,
    Direction,
    GuestAction,
    HostView,
    Inventory,
    PciFunction,
    Snapshot,
    Swap,
    SwapState,
)
from tui.once import examine_once
from tui.rules.doctor import all_checks, examine
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.screens.plan_pages import (
    Course,
    blockers,
    carried_out,
    course,
    movers,
    stayers,
    undo_movers,
    with_guest_plan,
    with_swap,
)
from tui.swap.planning import plan_once
from tui.swap_times import SwapTimes
from widgets.check_names import NAMES
from widgets.plan_lines import plan_lines
from widgets.plan_page import PlanPage, State

CARD, SOUND = GUEST_CARD.address, GUEST_AUDIO.address
STEPS = (
    "modprobe vfio-pci",
    f"echo {SOUND} > /sys/bus/pci/drivers/snd_hda_intel/unbind",
    f"echo {SOUND} > /sys/bus/pci/drivers_probe",
    f"echo {CARD} > /sys/bus/pci/drivers/nvidia/unbind",
    f"echo {CARD} > /sys/bus/pci/drivers_probe",
    "wait for /dev/vfio/14",
)
SWAP = Swap(
    "first", "bind", CARD, (CARD, SOUND), "running", STEPS, 0, NOON, NOON,
    drivers=("nvidia", "snd_hda_intel"),
)  # fmt: skip
EMPTY = PlanPage(("Bind", ""), State("passed", "ready"), "…")


def functions(card: str | None, sound: str | None) -> dict[str, PciFunction]:
    return {CARD: replace(GUEST_CARD, driver=card), SOUND: replace(GUEST_AUDIO, driver=sound)}


def at(step: int, **changes: object) -> Swap:
    began = NOON + timedelta(seconds=step)
    return replace(SWAP, step=step, step_began_at=began, **changes)


def seen(swap: Swap, seconds: float = 60) -> Course:
    return Course(swap, (None,) * len(swap.steps), NOON + timedelta(seconds=seconds))


# --- what moves -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "drivers", "words"),
    [
        ("bind", ("nvidia", "snd_hda_intel"),
         [("nvidia", "vfio-pci"), ("snd_hda_intel", "vfio-pci")]),
        ("bind", ("nvidia", "vfio-pci"), [("nvidia", "vfio-pci"), ("vfio-pci", "vfio-pci")]),
        ("bind", (None, "nvgrace_gpu_vfio_pci"),
         [("no driver", "vfio-pci"), ("nvgrace_gpu_vfio_pci", "nvgrace_gpu_vfio_pci")]),
        ("unbind", ("vfio-pci", "vfio-pci"),
         [("vfio-pci", "host driver"), ("vfio-pci", "host driver")]),
        ("unbind", ("vfio-pci", "snd_hda_intel"),
         [("vfio-pci", "host driver"), ("snd_hda_intel", "snd_hda_intel")]),
    ],
)  # fmt: skip
def test_drivers_before_and_after(
    direction: Direction, drivers: tuple[str | None, str | None], words: list[tuple[str, str]]
) -> None:
    rows = movers((CARD, SOUND), direction, functions(*drivers), None)
    assert [(row.before, row.after) for row in rows] == words
    assert [row.name for row in rows] == ["RTX 4090", "Audio AD102"]


@pytest.mark.parametrize(
    ("swap", "marks"),
    [
        (at(0), [None, None]),
        (at(1), [None, "moving"]),
        (at(3), ["moving", "passed"]),
        (at(5), ["passed", "passed"]),
        (at(3, state="stuck"), ["failed", "passed"]),
        (at(3, runner_alive=False), ["warned", "passed"]),
        (at(3, state="undoing"), ["moving", "moving"]),
        (at(3, state="undone"), [None, None]),
        (at(5, state="done"), ["passed", "passed"]),
    ],
)
def test_how_far_each_function_is(swap: Swap, marks: list[str | None]) -> None:
    rows = movers(swap.moves, "bind", functions(None, "vfio-pci"), swap)
    assert [row.mark for row in rows] == marks
    assert [row.before for row in rows] == ["nvidia", "snd_hda_intel"]


def test_an_unbind_names_the_host_driver_once_it_has_the_card() -> None:
    home = replace(SWAP, direction="unbind", drivers=("vfio-pci", "vfio-pci"), step=4)
    first, second = movers(home.moves, "unbind", functions("nvidia", "vfio-pci"), home)
    assert (first.before, first.after) == ("vfio-pci", "nvidia")
    assert (second.before, second.after) == ("vfio-pci", "host driver")


def test_an_undo_goes_from_where_the_functions_are_to_where_they_were() -> None:
    rows = undo_movers(at(4), functions(None, "vfio-pci"))
    assert [(row.before, row.after) for row in rows] == [
        ("no driver", "nvidia"), ("vfio-pci", "snd_hda_intel"),
    ]  # fmt: skip
    (row, _) = undo_movers(replace(SWAP, drivers=(None, "snd_hda_intel")), functions(None, None))
    assert (row.before, row.after) == ("no driver", "no driver")
    (row, _) = undo_movers(replace(SWAP, drivers=()), functions(None, None))
    assert (row.before, row.after) == ("no driver", "as before")


def test_a_function_that_is_gone_keeps_its_row() -> None:
    (row,) = movers((CARD,), "bind", {}, replace(SWAP, drivers=()))
    assert (row.address, row.name, row.before, row.after) == (CARD, "", "no driver", "vfio-pci")


def test_the_hosts_card_stays() -> None:
    inventory = Inventory((GUEST_CARD, GUEST_AUDIO, HOST_CARD), "amd", (14, 20))
    view = assess(Snapshot(pci=inventory, vitals=VITALS))
    (row,) = stayers(view, (CARD, SOUND))
    assert (row.address, row.why) == (HOST_CARD.address, "drives the host's display")
    assert stayers(view, (HOST_CARD.address,)) == ()
    assert blockers(None, {}) == ()


# --- the steps --------------------------------------------------------------------------------

ENDS: tuple[tuple[SwapState, bool, list[str]], ...] = (
    ("running", True, ["passed", "passed", "moving", "noted", "noted", "noted"]),
    ("stuck", True, ["passed", "passed", "failed", "noted", "noted", "noted"]),
    ("running", False, ["passed", "passed", "warned", "noted", "noted", "noted"]),
    ("undoing", True, ["passed", "passed", "noted", "noted", "noted", "noted"]),
    ("undone", True, ["passed", "passed", "noted", "noted", "noted", "noted"]),
    ("done", True, ["passed"] * 6),
)


@pytest.mark.parametrize(("state", "alive", "marks"), ENDS)
def test_how_far_each_step_is(state: SwapState, alive: bool, marks: list[str]) -> None:
    steps = carried_out(seen(at(2, state=state, runner_alive=alive)))
    assert [step.mark for step in steps] == marks
    assert tuple(step.text for step in steps) == STEPS


def test_seconds_come_from_the_entries_that_were_seen() -> None:
    times = SwapTimes()
    for step in range(3):
        times.see(at(step))
    now = course(at(2), times, NOON + timedelta(seconds=4.5))
    assert [step.seconds for step in carried_out(now)] == [1.0, 1.0, 2.5, None, None, None]
    assert now.elapsed_s == 4.5
    assert replace_state(now, "done").elapsed_s == 2.0


def replace_state(now: Course, state: SwapState) -> Course:
    return now._replace(swap=replace(now.swap, state=state))


# --- on the simulated host ------------------------------------------------------------------

ACTIONS: tuple[GuestAction, ...] = ("start", "stop", "reboot", "pause", "resume", "force-off")
DIRECTIONS: tuple[Direction, ...] = ("bind", "unbind")


def view_of(scenario: str) -> HostView:
    return examine_once(demo_host(scenario, clock=HeldClock()), Choice()).view


def plans(scenario: str) -> list[PlanPage]:
    """The pages of all plans of a scenario."""
    view = view_of(scenario)
    pages = []
    for direction in DIRECTIONS:
        plan = plan_once(demo_host(scenario, clock=HeldClock()), Choice(), direction, None)
        pages.append(with_swap(EMPTY, direction, plan, None, view))
    for action in ACTIONS if view.guest is not None else ():
        made, _ = guest_plan_once(demo_host(scenario, clock=HeldClock()), Choice(), action)
        pages.append(with_guest_plan(EMPTY, made, None, [None] * len(made.steps), view))
    return pages


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_check_of_a_plan_and_of_the_doctor_has_a_name(scenario: str) -> None:
    found = {check.id for page in plans(scenario) for check in page.checks}
    readings = examine_once(demo_host(scenario, clock=HeldClock()), Choice())
    found |= {check.id for check in all_checks(examine(readings))}
    assert found <= set(NAMES)


def test_no_plan_of_the_desk_scrolls_on_80_by_24() -> None:
    for page in plans("desk"):
        assert len(plan_lines(page, 76, 20).lines) <= 20


def test_a_refused_plan_shows_what_blocks_the_group() -> None:
    bind = plans("bad-acs")[0]
    assert bind.refused
    assert bind.group == 1
    assert [each.address for each in bind.blockers] == [
        "0000:03:00.0", "0000:03:00.1", "0000:05:00.0", "0000:06:00.0",
    ]  # fmt: skip
    assert not any("echo" in span.text for row in plan_lines(bind, 76, 20).lines for span in row)


def test_a_start_keeps_the_steps_and_checks_of_its_swap() -> None:
    made, _ = guest_plan_once(demo_host("desk", clock=HeldClock()), Choice(), "start")
    assert made.swap is not None
    view = view_of("desk")
    swap = replace(SWAP, steps=made.swap.texts, step=2)
    page = with_guest_plan(EMPTY, made, seen(swap), ["noted"] * 3, view)
    assert [step.text for step in page.steps] == list(made.texts)
    assert [step.mark for step in page.steps][:3] == ["passed", "passed", "moving"]
    assert page.checks == made.checks
    assert Check("swap.movable", CARD, "pass", "on nvidia now") in page.checks
