"""A plan as lines: as drawn in the mock-ups, and within any space."""

from __future__ import annotations

import pytest

from tests.thorough import every_third
from tests.values import replace
from tui.model import Check, Holder
from widgets.glyphs import PLAIN, RICH, Glyphs
from widgets.lines import Line, width_of
from widgets.plan_lines import plan_lines, seconds, state_line, title_line
from widgets.plan_page import Mark, PlanPage, PlanStep, State, Stayer
from widgets.samples import PLAN_PAGE

CARD, SOUND = "0000:01:00.0", "0000:01:00.1"
DESK, PHONE, SMALL = (76, 20), (43, 16), (38, 11)

BLENDER = Holder(
    CARD, 5210, "blender", "/dev/nvidia0", "ada", "blender -b city.blend", "session-2.scope",
    stop="close blender, or kill 5210",
)  # fmt: skip
READER = Holder(CARD, 77, "python3", "/dev/nvidia0", "anna", ours=True)
NOT_VIABLE = Check(
    "iommu.viable", CARD, "fail", "0000:03:00.0 is another GPU on nvidia", "try another slot"
)
UNKNOWN = Check("holders", CARD, "unknown", "3 processes could not be inspected", "run it as root")
BLOCKERS = (
    Stayer("0000:03:00.0", "RTX 3060", "another GPU on nvidia"),
    Stayer("0000:05:00.0", "NVMe SM981", "used by the host (nvme)"),
)


def text(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in line).rstrip() for line in lines]


def drawn(page: PlanPage, size: tuple[int, int] = DESK, glyphs: Glyphs = RICH) -> list[str]:
    return text(plan_lines(page, *size, glyphs).lines)


def with_check(check: Check, **changes: object) -> PlanPage:
    """The sample with another verdict of one check."""
    checks = tuple(check if each.id == check.id else each for each in PLAN_PAGE.checks)
    return replace(PLAN_PAGE, checks=checks, **changes)


def running(step: int) -> PlanPage:
    """The sample while its bind is at ``step``."""

    def mark(number: int) -> Mark:
        return "passed" if number < step else "moving" if number == step else "noted"

    took = (0.0, 0.0, 0.4, 0.1, 0.0, 1.6, None, None)
    steps = tuple(
        PlanStep(each.text, mark(number), took[number] if number <= step else None)
        for number, each in enumerate(PLAN_PAGE.steps)
    )
    marks: tuple[Mark, ...] = ("moving", "passed")
    movers = tuple(
        replace(each, mark=now) for each, now in zip(PLAN_PAGE.movers, marks, strict=True)
    )
    return replace(PLAN_PAGE, asks=None, movers=movers, steps=steps)


def refused() -> PlanPage:
    return with_check(NOT_VIABLE, group=1, blockers=BLOCKERS)


def held(*holders: Holder) -> PlanPage:
    fail = Check("holders", CARD, "fail", "in use by blender (5210, /dev/nvidia0)", BLENDER.stop)
    return with_check(fail, holders=holders)


PAGES = {
    "ready": PLAN_PAGE,
    "unfolded": replace(PLAN_PAGE, unfolded=True),
    "running": running(5),
    "refused": refused(),
    "held": held(BLENDER),
    "unknown": with_check(UNKNOWN),
    "a sentence": PlanPage(("Roles", ""), State("noted", "not saved"), "Choose the card."),
    "one step": replace(
        PLAN_PAGE, movers=(), stayers=(), steps=(PlanStep("virsh -c qemu:///system destroy win11"),)
    ),
}


def test_a_plan_on_the_desk_is_whole() -> None:
    assert drawn(PLAN_PAGE) == [
        "Gives the card to vfio-pci, so that win11 can start with it. About 4 s.",
        "",
        "Moves    01:00.0  RTX 4090     nvidia         → vfio-pci",
        "         01:00.1  Audio AD102  snd_hda_intel  → vfio-pci",
        "Stays    0a:00.0  RTX 3060     drives the host's display",
        "In use   no process uses it",
        "",
        "Checks   ✓ 14 passed   ! 0   ✗ 0   ? 0                          d shows them",
        "         not busy · move needed · display stays · two GPUs · IOMMU on ·",
        "         group viable · card allowed · one GeForce guest · no SR-IOV",
        "",
        "Writes   in /sys/bus/pci",
        " 1       modprobe vfio-pci",
        " 2       echo vfio-pci > devices/0000:01:00.1/driver_override",
        " 3       echo 0000:01:00.1 > drivers/snd_hda_intel/unbind",
        " 4       echo 0000:01:00.1 > drivers_probe",
        " 5       echo vfio-pci > devices/0000:01:00.0/driver_override",
        " 6       echo 0000:01:00.0 > drivers/nvidia/unbind",
        " 7       echo 0000:01:00.0 > drivers_probe",
        " 8       wait for /dev/vfio/14",
    ]


def test_nothing_changes_place_while_it_runs() -> None:
    plan, run = drawn(PLAN_PAGE), drawn(running(5))
    assert run[2:4] == [
        "Moves    01:00.0  RTX 4090     nvidia         → vfio-pci  ◐",
        "         01:00.1  Audio AD102  snd_hda_intel  → vfio-pci  ✓",
    ]
    assert run[11:15] == [
        "Writes   in /sys/bus/pci                                                took",
        " ✓       modprobe vfio-pci                                             0.0 s",
        " ✓       echo vfio-pci > devices/0000:01:00.1/driver_override          0.0 s",
        " ✓       echo 0000:01:00.1 > drivers/snd_hda_intel/unbind              0.4 s",
    ]
    assert run[17:] == [
        " ◐       echo 0000:01:00.0 > drivers/nvidia/unbind                     1.6 s",
        " ·       echo 0000:01:00.0 > drivers_probe",
        " ·       wait for /dev/vfio/14",
    ]
    for before, now in zip(plan, run, strict=True):
        assert now[9:].startswith(before[9:].rstrip())


@pytest.mark.parametrize("size", [DESK, (116, 34), PHONE, SMALL])
def test_a_run_has_the_rows_of_its_plan(size: tuple[int, int]) -> None:
    for step in range(8):
        assert len(drawn(running(step), size)) == len(drawn(PLAN_PAGE, size))


def test_a_refused_plan_has_its_reason_once_and_no_steps() -> None:
    lines = drawn(refused())
    assert lines[6:] == [
        "",
        "Checks   ✗ 1 failed   ✓ 13 passed                               d shows them",
        "",
        "✗ The card shares IOMMU group 1 with 2 devices that stay with the host:",
        "         03:00.0  RTX 3060    another GPU on nvidia",
        "         05:00.0  NVMe SM981  used by the host (nvme)",
        "  → try another slot",
    ]
    assert not any("echo" in line for line in lines)


def test_without_known_blockers_the_reason_is_that_of_the_check() -> None:
    lines = drawn(with_check(NOT_VIABLE))
    assert lines[-2:] == ["✗ 0000:03:00.0 is another GPU on nvidia", "  → try another slot"]


def test_users_of_the_card_are_listed_with_how_to_stop_them_and_not_again() -> None:
    shared = replace(BLENDER, what="/dev/nvidiactl", shared=True)
    lines = drawn(held(BLENDER, shared))
    assert lines[5:9] == [
        "In use   by blender (5210, ada), which holds /dev/nvidia0, /dev/nvidiactl",
        "         unit     session-2.scope",
        "         command  blender -b city.blend",
        "         → close blender, or kill 5210",
    ]
    assert sum("blender (5210" in line for line in lines) == 1


def test_a_shared_node_says_in_its_check_why_it_matters() -> None:
    shared = replace(BLENDER, shared=True)
    why = "may be in use by blender (5210), through nodes shared by all NVIDIA cards"
    lines = drawn(with_check(Check("holders", CARD, "unknown", why), holders=(shared,)))
    assert f"? {why}" in lines


def test_our_own_reader_is_named_and_does_not_block() -> None:
    lines = drawn(replace(PLAN_PAGE, holders=(READER, replace(READER, what="/dev/nvidiactl"))))
    assert lines[5] == "In use   by python3 (77, anna), vfiotop's NVML reader: it exits on its own"
    assert lines[-1].endswith("wait for /dev/vfio/14")


def test_unknown_users_are_not_said_to_be_none() -> None:
    lines = drawn(with_check(UNKNOWN))
    assert "In use   ? cannot tell" in lines
    assert "? 3 processes could not be inspected" in lines
    assert "no process uses it" not in "\n".join(lines)


def test_a_function_that_is_there_already_stays() -> None:
    there = replace(PLAN_PAGE.movers[1], before="vfio-pci")
    lines = drawn(replace(PLAN_PAGE, movers=(PLAN_PAGE.movers[0], there)))
    assert lines[3] == "         01:00.1  Audio AD102  vfio-pci  stays there"


def test_all_checks_are_listed_in_place_of_their_names() -> None:
    lines = drawn(PAGES["unfolded"], (76, 40))
    assert lines[7].endswith("d hides them")
    assert lines[8] == "✓ not busy              on nvidia now"
    assert len(lines) == len(drawn(PLAN_PAGE, (76, 40))) + 14 - 4


def test_on_a_phone_what_forbids_the_plan_comes_first() -> None:
    lines = drawn(refused(), SMALL)
    assert lines[:5] == [
        "Gives the card to vfio-pci, so that",
        "win11 can start with it. About 4 s.",
        "✗ The card shares IOMMU group 1 with 2",
        "  devices that stay with the host:",
        "  03:00.0 another GPU on nvidia",
    ]
    assert drawn(held(BLENDER), (38, 9))[2].startswith("Used by blender (5210, ada)")


def test_on_a_phone_a_sign_takes_the_place_of_the_arrow() -> None:
    assert drawn(PLAN_PAGE, SMALL)[2:4] == [
        "Move 01:00.0 nvidia        → vfio-pci", "     01:00.1 snd_hda_intel → vfio-pci",
    ]  # fmt: skip
    assert drawn(running(5), SMALL)[2:4] == [
        "Move 01:00.0 nvidia        ◐ vfio-pci", "     01:00.1 snd_hda_intel ✓ vfio-pci",
    ]  # fmt: skip


def test_all_of_a_plan_must_be_seen_and_of_a_risk_its_sentence() -> None:
    whole = plan_lines(PLAN_PAGE, *SMALL)
    assert whole.needed == len(whole.lines) > SMALL[1]
    risk = replace(PLAN_PAGE, message="Risk: " + "it may hang " * 9, asks="message")
    assert plan_lines(risk, *SMALL).needed == 4
    assert plan_lines(running(1), *SMALL).needed == 0


def test_titles_and_states_get_short_whole() -> None:
    assert text([title_line(PLAN_PAGE, 40)]) == ["Bind RTX 4090 · 01:00.0 → vfio-pci"]
    assert text([title_line(PLAN_PAGE, 30)]) == ["Bind RTX 4090"]
    state = State("moving", "step 6 of 8", "6/8", "2.1 s")
    assert text([state_line(state, 80)]) == ["◐ step 6 of 8 · 2.1 s"]
    assert text([state_line(state, 45)]) == ["◐ 6/8 · 2.1 s"]
    assert text([state_line(State("passed", "ready"), 45, PLAIN)]) == ["+ ready"]


def test_seconds_over_the_usual_time_are_marked() -> None:
    state = State("moving", "step 6 of 8", "6/8", "2.1 s")
    assert [span.tone for span in state_line(state, 80)] == ["warn", "text", "text"]
    assert state_line(state._replace(late=True), 80)[-1] == ("2.1 s", "warn", "")
    page = running(5)
    for late, tone in ((False, "strong"), (True, "warn")):
        steps = tuple(replace(each, late=late and each.mark == "moving") for each in page.steps)
        rows = plan_lines(replace(page, steps=steps), *DESK).lines
        found = {span.text: span.tone for row in rows for span in row if span.text.endswith(" s")}
        assert found == {"0.0 s": "dim", "0.4 s": "dim", "0.1 s": "dim", "1.6 s": tone}


@pytest.mark.parametrize(("value", "words"), [(0.04, "0.0 s"), (12.34, "12.3 s"), (125, "125 s")])
def test_seconds(value: float, words: str) -> None:
    assert seconds(value) == words


@pytest.mark.parametrize("name", every_third(PAGES))
def test_nothing_is_wider_than_its_space(name: str) -> None:
    for width in range(34, 140):
        for height in (8, 11, 16, 20, 40):
            lines, needed = plan_lines(PAGES[name], width, height)
            assert max(map(width_of, lines)) <= width
            assert needed <= len(lines)
            assert "None" not in "\n".join(text(lines))


@pytest.mark.parametrize("name", PAGES)
def test_with_room_everything_is_on_the_screen_and_blocks_are_apart(name: str) -> None:
    lines = drawn(PAGES[name], (116, 50))
    assert len(lines) <= 50
    assert "" in lines or len(lines) == 1


@pytest.mark.parametrize("name", PAGES)
def test_the_linux_console_can_draw_it(name: str) -> None:
    for size in (DESK, SMALL):
        signs = set("".join(drawn(PAGES[name], size, PLAIN)))
        assert all(sign.isascii() or sign in "█░▄─│┬" for sign in signs)
