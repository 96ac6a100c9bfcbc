"""What is said below a card's graphs: its group, its users, what is wrong, why it is not read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.widgets.cards import GUEST, HOST, SWAP, on_host, text, unread
from tests.values import replace
from tui.model import (
    Bar,
    Blocker,
    CardReading,
    CardVitals,
    Check,
    GpuProcess,
    Metrics,
    Owner,
    PciFunction,
    Viability,
)
from widgets.card import Card
from widgets.card_facts import group_line, reason_lines, urgent
from widgets.card_lines import card_lines
from widgets.card_users import used_line, used_table, users
from widgets.lines import Line
from widgets.samples import AT


def texts(lines: list[Line]) -> list[str]:
    return [text(line) for line in lines]


# --- the group --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (96, "Group 14 ✓  moves with 01:00.1 AD102 audio   ReBAR 32 GiB   Reset flr, bus"),
        (60, "Group 14 ✓  moves with 01:00.1 AD102 audio   ReBAR 32 GiB"),
        (40, "Group 14 ✓   ReBAR 32 GiB"),
        (20, "Group 14 ✓"),
    ],
)
def test_parts_of_the_group_are_dropped_whole(width: int, expected: str) -> None:
    assert text(group_line(GUEST, width, wide=True)) == expected


def test_every_companion_is_named_with_its_kind() -> None:
    usb = PciFunction("0000:01:00.2", "10de", "1ad6", "0c0330", "USB 3.1 Host Controller")
    ucsi = PciFunction("0000:01:00.3", "10de", "1ad7", "0c8000", "USB Type-C UCSI Controller")
    gpu = replace(GUEST.gpu, companions=(*GUEST.gpu.companions, usb, ucsi))
    assert text(group_line(replace(GUEST, gpu=gpu), 96)) == (
        "Group 14 ✓  moves with 01:00.1 audio, 01:00.2 USB, 01:00.3 UCSI   ReBAR 32 GiB"
    )


def test_a_group_that_is_not_known_to_be_viable_has_no_tick() -> None:
    unknown = Viability(None, GUEST.gpu.viability.moves, reason="its group cannot be read")
    card = replace(GUEST, gpu=replace(GUEST.gpu, viability=unknown))
    assert text(group_line(card, 60)).startswith("Group 14 ?  ")
    none = replace(GUEST.gpu.function, iommu_group=None)
    blocked = Viability(False, (), reason="the IOMMU is off")
    card = replace(GUEST, gpu=replace(GUEST.gpu, function=none, viability=blocked))
    assert texts(urgent(card, 60, 1)) == ["No IOMMU group ✗ the IOMMU is off"]


@pytest.mark.parametrize(
    ("size", "family", "expected"),
    [(256 << 20, "Ampere", "ReBAR off"), (256 << 20, "Pascal", ""), (8 << 30, "Ampere",
      "ReBAR 8 GiB")],
)  # fmt: skip
def test_resizable_bar(size: int, family: str, expected: str) -> None:
    assert HOST.gpu.nvidia is not None
    function = replace(HOST.gpu.function, bars=(Bar(1, size, prefetchable=True),))
    nvidia = replace(HOST.gpu.nvidia, family=family)
    card = replace(HOST, gpu=replace(HOST.gpu, function=function, nvidia=nvidia))
    assert text(group_line(card, 60)).endswith(expected)
    assert ("ReBAR" in text(group_line(card, 60))) == bool(expected)


def test_a_rule_that_could_not_be_checked_is_named_at_the_end() -> None:
    doubt = Check("r465.family", GUEST.gpu.address, "unknown", "its device id cannot be read")
    shown = group_line(replace(GUEST, checks=(doubt,)), 90)
    assert text(shown).endswith("ReBAR 32 GiB   ? r465.family unknown")
    assert shown[-1].tone == "warn"
    assert urgent(replace(GUEST, checks=(doubt,)), 90, 1) == []


# --- what needs attention ---------------------------------------------------------


def test_an_interrupted_swap_comes_first() -> None:
    stopped = replace(SWAP, runner_alive=False, message="the runner was killed")
    card = replace(on_host(GUEST), swap=stopped)
    card = replace(card, gpu=replace(card.gpu, half_bound=True))
    assert texts(urgent(card, 60, 1)) == ["! bind stopped at step 6 of 8: the runner was killed"]
    assert texts(urgent(card, 30, 1)) == ["! bind stopped at step 6 of 8"]


def test_a_half_bound_card_names_the_keys_that_help() -> None:
    card = replace(GUEST, gpu=replace(GUEST.gpu, half_bound=True))
    assert texts(urgent(card, 60, 1)) == ["! half bound: b finishes it, u undoes it"]


def test_blockers_are_named_as_far_as_they_fit() -> None:
    reason = "used by the host (nvme)"
    blockers = tuple(Blocker(f"0000:02:00.{n}", reason) for n in range(5))
    found = Viability(False, (), blockers)
    card = replace(GUEST, gpu=replace(GUEST.gpu, viability=found))
    assert texts(urgent(card, 80, 1)) == [
        "Group 14 ✗ blocked by 5 devices: 02:00.0, 02:00.1, 02:00.2 and 2 more"
    ]
    assert texts(urgent(card, 40, 1)) == ["Group 14 ✗ blocked by 5 devices"]
    assert len(urgent(card, 40, 2)) == 2


def test_the_rules_of_the_guests_card_do_not_concern_the_hosts() -> None:
    broken = Check("r465.one-vm", None, "fail", "two guests run with a GeForce card")
    assert urgent(replace(HOST, checks=(broken,)), 60, 1) == []


def test_remarks_of_the_source_are_warnings() -> None:
    assert GUEST.gpu.reading is not None
    remarks = ("ERR! for fan.speed", "WARNING: infoROM is corrupted")
    reading = replace(GUEST.gpu.reading, remarks=remarks)
    card = replace(GUEST, gpu=replace(GUEST.gpu, reading=reading))
    assert [(text(row), row[0].tone) for row in urgent(card, 60, 1)] == [
        ("! ERR! for fan.speed (1 more)", "warn")
    ]
    assert texts(urgent(card, 20, 1)) == ["! 2 driver warnings"]


# --- why there is no reading ------------------------------------------------------


def test_sentences_are_whole_as_far_as_they_fit() -> None:
    card = unread(GUEST)
    assert texts(reason_lines(card, 90, 2)) == [
        "On vfio-pci: the host cannot read it. s starts win11 and shows its readings."
    ]
    assert texts(reason_lines(card, 43, 1)) == ["On vfio-pci: the host cannot read it."]
    assert texts(reason_lines(card, 20, 1)) == ["On vfio-pci: the …"]


@pytest.mark.parametrize(
    ("width", "said"),
    [(43, "! No guest names this card. k chooses one."), (36, "! No guest has it: k chooses one")],
)
def test_what_is_not_set_up_yet_fits_the_width(width: int, said: str) -> None:
    step = ("No guest names this card. k chooses one.", "No guest has it: k chooses one")
    card = replace(unread(GUEST), guest=None, first_step=step)
    assert texts(urgent(card, width, 1)) == [said]


def test_what_is_not_set_up_yet_has_the_last_row_below_the_four_values() -> None:
    card = replace(unread(GUEST), guest=None, first_step=("Set it up.", "Set up"))
    for each in (card, replace(GUEST, first_step=card.first_step)):
        rows = texts(card_lines(each, 43, 5))
        assert [row.split()[0] for row in rows] == ["Load", "VRAM", "Power", "Temp", "!"]
        assert len(texts(card_lines(each, 43, 4))) == 4


def test_a_card_asleep_has_its_last_figures() -> None:
    vitals = CardVitals(GUEST.gpu.address, "suspended")
    last = CardReading(GUEST.gpu.address, "nvml", Metrics(temp_c=33, power_w=20))
    card = unread(GUEST, "asleep: reading it would wake it", owner=Owner("host"), vitals=vitals)
    asleep = replace(card, last=last, last_age_s=250.0)
    assert texts(reason_lines(asleep, 60, 2)) == [
        "Asleep, not woken. Last: 33 °C, 20 W, 4 min ago."
    ]
    assert texts(reason_lines(card, 60, 2)) == ["Asleep, not woken."]


def test_a_card_that_is_read_needs_no_reason() -> None:
    assert reason_lines(GUEST, 60, 2) == []


# --- who uses it ------------------------------------------------------------------


def used(*processes: GpuProcess) -> Card:
    assert HOST.gpu.reading is not None
    reading = replace(HOST.gpu.reading, processes=processes)
    return replace(HOST, gpu=replace(HOST.gpu, reading=reading))


def test_the_largest_come_first_and_only_a_name_is_cut() -> None:
    assert text(used_line(HOST, 56)) == ("Used  firefox 484 M  obs 404 M  Xorg 273 M  gnome-shell…")
    assert text(used_line(HOST, 50)) == "Used  firefox 484 M  obs 404 M  Xorg 273 M"


def test_processes_that_were_not_seen_are_not_listed() -> None:
    card = used(GpuProcess(None, "1 process", "not seen"), GpuProcess(7, "Xorg", "graphics"))
    assert [process.name for process in users(card)] == ["Xorg"]
    assert text(used_line(card, 56)) == "Used  Xorg"


def test_the_table_counts_what_does_not_fit() -> None:
    card = used(*(GpuProcess(n, f"python{n}", "compute", 2048.0 + n, 3) for n in range(9)))
    assert texts(used_table(card, 3, 80)) == [
        "Used by                     PID    VRAM   load  what",
        "python8                       8   2.0 G    3 %  compute",
        "8 more",
    ]


def test_a_process_of_which_little_is_known() -> None:
    (_, row) = used_table(used(GpuProcess(None, "and 3 more", "not listed")), 2, 80)
    assert text(row) == "and 3 more                    –       –      –  not listed"


def test_ages_of_a_card_count_in_steps() -> None:
    card = replace(GUEST, age_s=1.0)
    assert replace(card, age_s=1.9, at=AT + timedelta(seconds=1)) == card
    assert replace(card, age_s=40.0) != card


def test_a_broken_rule_comes_before_what_is_not_set_up_and_names_the_key_where_it_fits() -> None:
    broken = Check("r465.one-vm", None, "fail", "two guests run", "shut one down")
    card = replace(GUEST, checks=(broken,), first_step=("Set it up.", "Set up"), checks_key="k")
    for width, said in (
        (60, "✗ r465.one-vm: two guests run. k shows the fix."),
        (40, "✗ r465.one-vm: two guests run"),
        (28, "✗ r465.one-vm: k shows why"),
    ):
        assert texts(urgent(card, width, 1)) == [said]
