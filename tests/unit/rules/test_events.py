"""The events between two views."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import (
    NOON,
    SATA,
    card,
    domain,
    function,
    guests,
    inventory,
    snapshot,
    two_cards,
)
from tui.model import (
    NOT_READ_YET,
    CardReading,
    CardVitals,
    Domain,
    HostView,
    NvmlReading,
    Removal,
    Snapshot,
    Swap,
    Unavailable,
    Vitals,
)
from tui.rules.card_checks import SLEEP_FAILED
from tui.rules.events import changes
from tui.rules.view import assess

HOST, GUEST, SOUND = "0000:01:00.0", "0000:02:00.0", "0000:02:00.1"
DESK = snapshot(two_cards(), (domain("win11", "02:00.0"),))


def event_rows(before: Snapshot, after: Snapshot) -> list[tuple[str, str, str]]:
    events = changes(assess(before), assess(after), NOON)
    assert all(event.at == NOON and event.by != "vfiotop" for event in events)
    return [(event.subject, event.text, event.kind) for event in events]


def test_nothing_happened() -> None:
    view = assess(DESK)
    assert changes(view, view, NOON) == ()
    assert changes(assess(DESK), assess(replace(DESK)), NOON) == ()


def test_a_first_reading_is_no_news() -> None:
    assert changes(HostView(), assess(DESK), NOON) == ()
    seen = Snapshot()
    for name in ("facts", "pci", "vitals", "nvml", "guests"):
        after = replace(seen, **{name: getattr(DESK, name)})
        assert event_rows(seen, after) == [], name
        seen = after


def test_a_card_and_its_audio_move_together() -> None:
    bound = replace(DESK, pci=two_cards("vfio-pci"))
    assert event_rows(DESK, bound) == [(GUEST, "nvidia → vfio-pci, with 1 companion", "change")]


def test_a_companion_that_does_something_else_is_distinguished() -> None:
    gpu, sound = card("01:00", 1)
    before = snapshot(inventory(gpu, sound))
    after = snapshot(inventory(replace(gpu, driver="vfio-pci"), replace(sound, driver=None)))
    assert event_rows(before, after) == [
        (HOST, "nvidia → vfio-pci", "change"),
        ("0000:01:00.1", "snd_hda_intel → no driver", "warn"),
    ]


def test_a_removal_that_hangs_and_ends() -> None:
    def unbound(removal: Removal | None) -> Snapshot:
        vitals = Vitals((CardVitals(GUEST, driver=None, removal=removal),))
        return replace(DESK, pci=two_cards(None), vitals=vitals)

    under_way, stuck = Removal("nvidia", NOON), Removal("nvidia", NOON, stuck=True)
    assert event_rows(unbound(None), unbound(under_way)) == []
    ((subject, text, kind),) = event_rows(unbound(under_way), unbound(stuck))
    assert (subject, kind) == (GUEST, "failed")
    assert re.fullmatch(r"stuck since \d\d:00:00: nvidia does not release the card.*", text)
    assert event_rows(unbound(stuck), unbound(None)) == [(GUEST, "no longer stuck", "done")]
    silent = replace(unbound(None), vitals=Unavailable("no answer since 12:00:00"))
    assert "no longer stuck" not in {text for _, text, _ in event_rows(unbound(stuck), silent)}
    assert [str(gpu.owner) for gpu in assess(silent).gpus if gpu.address == GUEST] == ["unknown"]


def test_what_helps_against_a_hang_depends_on_the_driver() -> None:
    vitals = Vitals((CardVitals(GUEST, removal=Removal("nvidia", NOON, stuck=True)),))
    hung = replace(DESK, pci=two_cards(None), vitals=vitals)
    for version, words in (("590.48.01", "end that process"), ("595.45", "only a reboot"),
                           (None, "end that process")):  # fmt: skip
        (card,) = [
            gpu for gpu in assess(replace(hung, nvml=NvmlReading(version, ()))).gpus
            if gpu.address == GUEST
        ]  # fmt: skip
        assert words in (card.no_reading or "")


def test_a_device_without_a_card_moves_too() -> None:
    def host(driver: str | None, *unreadable: str) -> Snapshot:
        return snapshot(inventory(function("05:00.0", SATA, driver=driver, unreadable=unreadable)))

    assert event_rows(host("ahci"), host(None)) == [("0000:05:00.0", "ahci → no driver", "warn")]
    assert event_rows(host(None), host("ahci")) == [("0000:05:00.0", "no driver → ahci", "change")]
    assert event_rows(host("ahci"), host(None, "driver")) == [
        ("0000:05:00.0", "ahci → unreadable driver", "warn")
    ]


def test_hot_plug() -> None:
    alone = snapshot(inventory(*card("01:00", 1)))
    both = snapshot(inventory(*card("01:00", 1), *card("02:00", 2)))
    name = "AD102 [GeForce RTX 4090]"
    assert event_rows(alone, both) == [(GUEST, f"appeared: {name}, with 1 companion", "note")]
    assert event_rows(both, alone) == [(GUEST, f"gone: {name}, with 1 companion", "warn")]


def states(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    was, now = domain("vm"), domain("vm")
    return event_rows(
        replace(DESK, guests=guests(replace(was, **before))),
        replace(DESK, guests=guests(replace(now, **after))),
    )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("shut off", "running", [("started", "done")]),
        ("shut off", "paused", [("started", "done"), ("paused", "warn")]),
        ("crashed", "running", [("started", "done")]),
        ("running", "shut off", [("stopped", "note")]),
        ("running", "in shutdown", [("shutting down", "note")]),
        ("in shutdown", "shut off", [("stopped", "note")]),
        ("running", "crashed", [("crashed", "failed")]),
        ("running", "paused", [("paused", "warn")]),
        ("paused", "running", [("resumed", "done")]),
        ("pmsuspended", "running", [("resumed", "done")]),
        ("running", "blocked", []),
        ("running", "unknown", [("state unknown", "warn")]),
        ("unknown", "running", []),
    ],
)
def test_what_a_domain_does(before: str, after: str, expected: list[tuple[str, str]]) -> None:
    found = states({"state": before}, {"state": after})
    assert found == [("vm", *event) for event in expected]


def test_a_crash_that_keeps_the_guest_and_its_end() -> None:
    """libvirt keeps the QEMU of a guest whose <on_crash> is preserve."""
    kept = {"state": "crashed", "preserved": True}
    assert states({"state": "running"}, kept) == [("vm", "crashed", "failed")]
    assert states(kept, {"state": "shut off"}) == [("vm", "stopped", "note")]


def test_the_agent() -> None:
    running = {"state": "running", "agent": False}
    assert states(running, running | {"agent": True}) == [("vm", "guest agent connected", "done")]
    assert states(running | {"agent": True}, running) == [
        ("vm", "guest agent disconnected", "warn")
    ]
    assert states(running | {"agent": None}, running) == []
    assert states(running | {"agent": True}, {"state": "shut off"}) == [("vm", "stopped", "note")]


def test_a_definition_that_cannot_be_read() -> None:
    assert states({}, {"problem": "no XML"}) == [("vm", "no XML", "warn")]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (domain("nas"), "defined"),
        (domain("nas", state="running"), "started"),
        (domain("nas", state="running", persistent=False), "started"),
    ],
)
def test_domains_come(change: Domain, text: str) -> None:
    more = replace(DESK, guests=guests(domain("win11", "02:00.0"), change))
    assert [(s, t) for s, t, _ in event_rows(DESK, more)] == [("nas", text)]


@pytest.mark.parametrize(("persistent", "text"), [(True, "undefined"), (False, "stopped")])
def test_domains_go(persistent: bool, text: str) -> None:
    before = replace(DESK, guests=guests(domain("nas", state="running", persistent=persistent)))
    assert [(s, t) for s, t, _ in event_rows(before, replace(DESK, guests=guests()))] == [
        ("nas", text)
    ]


def test_rates_are_no_news() -> None:
    assert states({"state": "running", "cpu_pct": 1.0}, {"state": "running", "cpu_pct": 9.0}) == []


def test_a_guest_takes_the_card_and_releases_it() -> None:
    idle = replace(DESK, pci=two_cards("vfio-pci"))
    busy = replace(idle, guests=guests(domain("win11", "02:00.0", state="running")))
    assert event_rows(idle, busy) == [
        (GUEST, "in use by win11", "change"),
        ("win11", "started", "done"),
    ]
    assert event_rows(busy, idle) == [
        (GUEST, "released by win11", "change"),
        ("win11", "stopped", "note"),
    ]


def test_libvirt_goes_and_comes_back_without_a_word_on_its_domains() -> None:
    busy = replace(
        DESK, pci=two_cards("vfio-pci"), guests=guests(domain("win11", "02:00.0", state="running"))
    )
    away = replace(busy, guests=Unavailable("libvirtd does not answer"))
    assert event_rows(busy, away) == [("libvirt", "libvirtd does not answer", "warn")]
    assert event_rows(away, replace(away, guests=Unavailable("refused"))) == [
        ("libvirt", "refused", "warn")
    ]
    assert event_rows(away, busy) == [("libvirt", "answers again", "done")]


def test_a_source_that_fails_at_first_has_not_changed() -> None:
    first = replace(DESK, guests=NOT_READ_YET)
    assert event_rows(first, replace(DESK, guests=Unavailable("refused"))) == []
    assert event_rows(DESK, replace(DESK, guests=Unavailable("refused"))) == [
        ("libvirt", "refused", "warn")
    ]


def test_pci_goes_and_comes_back_without_a_word_on_its_devices() -> None:
    away = replace(DESK, pci=Unavailable("sysfs is gone"))
    assert event_rows(DESK, away) == [("PCI", "sysfs is gone", "warn")]
    assert event_rows(away, replace(DESK, pci=two_cards("vfio-pci"))) == [
        ("PCI", "answers again", "done")
    ]


def nvml(*addresses: str, lost: str | None = None) -> NvmlReading:
    return NvmlReading("580", tuple(CardReading(a, "nvml", lost=lost) for a in addresses))


def test_a_card_is_lost_and_found() -> None:
    fine = snapshot(inventory(*card("01:00", 1)), nvml=nvml(HOST))
    lost = replace(fine, nvml=nvml(HOST, lost="fell off the bus"))
    unlisted = replace(fine, nvml=nvml())
    assert event_rows(fine, lost) == [(HOST, "fell off the bus", "failed")]
    assert event_rows(lost, fine) == [(HOST, "NVML reads it again", "done")]
    assert event_rows(fine, unlisted) == [(HOST, "NVML does not list this card", "failed")]
    assert event_rows(unlisted, fine) == [(HOST, "NVML reads it again", "done")]


def test_a_card_that_goes_to_vfio_is_not_lost() -> None:
    fine = snapshot(inventory(*card("01:00", 1)), nvml=nvml(HOST))
    bound = replace(fine, pci=inventory(*card("01:00", 1, "vfio-pci")), nvml=nvml())
    assert event_rows(fine, bound) == [(HOST, "nvidia → vfio-pci, with 1 companion", "change")]


def test_sleep() -> None:
    def vitals(status: str | None) -> Vitals:
        return Vitals((CardVitals(HOST, status),))

    awake = snapshot(inventory(*card("01:00", 1)), vitals=vitals("active"), nvml=nvml(HOST))
    released = Unavailable("released idle cards", expected=True)
    asleep = replace(awake, vitals=vitals("suspended"), nvml=released)
    assert event_rows(awake, asleep) == [(HOST, "asleep", "note")]
    assert event_rows(asleep, awake) == [(HOST, "awake", "note")]
    assert event_rows(asleep, replace(awake, vitals=vitals(None))) == []


def sleeps(*statuses: str) -> list[tuple[str, str, str]]:
    """The events of a card on nvidia that goes through these states and is read while awake."""
    taken = [
        snapshot(
            inventory(*card("01:00", 1), *card("02:00", 2)),
            vitals=Vitals((CardVitals(HOST, status),)),
            nvml=nvml(HOST, GUEST) if status == "active" else nvml(GUEST),
        )
        for status in statuses
    ]
    return [each for one, two in pairwise(taken) for each in event_rows(one, two)]


def test_what_lies_between_awake_and_asleep_is_no_event() -> None:
    asleep, awake = (HOST, "asleep", "note"), (HOST, "awake", "note")
    assert sleeps("active", "suspending", "suspended") == [asleep]
    assert sleeps("suspended", "resuming", "active") == [awake]
    assert sleeps("active", "suspending", "active") == []
    assert sleeps("active", "unsupported", "active") == []


def test_a_card_whose_power_management_fails_is_not_awake() -> None:
    (failed,) = sleeps("suspended", "error")
    assert failed == (HOST, SLEEP_FAILED, "failed")
    assert sleeps("active", "suspending", "error", "active") == [failed, (HOST, "awake", "note")]


def test_a_card_that_is_left_alone_is_not_lost() -> None:
    read = snapshot(inventory(*card("01:00", 1)), nvml=nvml(HOST))
    for alone in (
        replace(nvml(), released_idle=(HOST,)),
        replace(nvml(), reserved_for_guest=(HOST,)),
    ):
        assert event_rows(read, replace(read, nvml=alone)) == []
        assert event_rows(replace(read, nvml=alone), read) == []


def test_nvml_fails_while_a_card_could_be_read() -> None:
    fine = snapshot(inventory(*card("01:00", 1)), nvml=nvml(HOST))
    dead = replace(fine, nvml=Unavailable("the NVML process ended"))
    assert event_rows(fine, dead) == [("NVML", "the NVML process ended", "warn")]
    assert event_rows(dead, fine) == [("NVML", "answers again", "done")]


# --- the swap -----------------------------------------------------------------

SWAP = Swap("1", "bind", GUEST, (GUEST, SOUND), "running", ("modprobe", "echo"), 0, NOON, NOON)
LATER = NOON + timedelta(seconds=4)


def by_us(before: Snapshot, after: Snapshot) -> list[tuple[str, str, str]]:
    events = changes(assess(before), assess(after), NOON)
    assert all(event.by == "vfiotop" for event in events)
    return [(event.subject, event.text, event.kind) for event in events]


def test_what_the_watch_moves_is_its_doing() -> None:
    runs = replace(DESK, swap=replace(SWAP, by="watch"))
    bound = replace(runs, pci=two_cards("vfio-pci"))
    events = changes(assess(runs), assess(bound), NOON)
    assert [(event.subject, event.by) for event in events] == [(GUEST, "watch")]


def test_a_swap_from_its_beginning_to_its_end() -> None:
    runs = replace(DESK, swap=SWAP)
    assert by_us(DESK, runs) == [(GUEST, "bind began", "note")]
    further = replace(runs, swap=replace(SWAP, step=1, step_began_at=LATER))
    assert by_us(runs, further) == []
    bound = replace(further, pci=two_cards("vfio-pci"))
    assert by_us(further, bound) == [(GUEST, "nvidia → vfio-pci, with 1 companion", "change")]
    done = replace(bound, swap=replace(SWAP, state="done", step=1, step_began_at=LATER))
    assert by_us(bound, done) == [(GUEST, "bind done in 4.0 s", "done")]
    assert event_rows(done, replace(done, pci=two_cards("nvidia")))[0][1].startswith(
        "vfio-pci → nvidia"
    )


@pytest.mark.parametrize(
    ("change", "event"),
    [
        ({"state": "undone", "message": "held"}, ("bind undone: held", "warn")),
        ({"runner_alive": False}, ("bind interrupted", "failed")),
        (
            {"state": "failed", "runner_alive": False, "message": "m"},
            ("bind interrupted: m", "failed"),
        ),
    ],
)
def test_a_swap_that_does_not_end_well(change: dict[str, Any], event: tuple[str, str]) -> None:
    after = replace(DESK, swap=replace(SWAP, **change))
    assert by_us(replace(DESK, swap=SWAP), after) == [(GUEST, *event)]


def test_a_swap_that_is_stuck_and_goes_on() -> None:
    runs, stuck = replace(DESK, swap=SWAP), replace(DESK, swap=replace(SWAP, state="stuck"))
    ((subject, text, kind),) = by_us(runs, stuck)
    assert (subject, text.split(" since")[0], kind) == (GUEST, "stuck", "failed")
    assert by_us(stuck, runs) == [(GUEST, "no longer stuck", "done")]


def test_a_recovery_goes_on_with_the_same_swap() -> None:
    left = replace(DESK, swap=replace(SWAP, runner_alive=False))
    assert by_us(left, replace(DESK, swap=SWAP)) == [(GUEST, "bind continues", "note")]


def test_a_swap_that_was_there_before_is_no_news() -> None:
    unread = replace(DESK, swap=NOT_READ_YET)
    assert event_rows(unread, replace(DESK, swap=replace(SWAP, state="done"))) == []


def test_what_nobody_did_has_its_own_cause() -> None:
    away = replace(DESK, guests=Unavailable("libvirtd does not answer"))
    lost = snapshot(inventory(*card("01:00", 1)), nvml=nvml(HOST, lost="fell off the bus"))
    fine = replace(lost, nvml=nvml(HOST))
    bound = replace(DESK, pci=two_cards("vfio-pci"))
    for before, after, cause in (
        (DESK, away, "host"), (fine, lost, "card"), (DESK, bound, "external")
    ):  # fmt: skip
        (event,) = changes(assess(before), assess(after), NOON)
        assert event.by == cause
