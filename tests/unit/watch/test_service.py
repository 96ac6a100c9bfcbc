"""The watch's loop, on a host that the test controls."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.ui.rig import all_read
from tests.unit.made import NOON, idle, two_cards
from tests.unit.rules.usb_made import lent_as, usb
from tests.unit.watch.rig import CARD, PATIENCE, POLICY, Rig, win
from tui.host import HostError, Unsettled
from tui.host.watch.record import NAME, RecordFile
from tui.model import Swap, UsbReading, Vitals
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent
from tui.rules.usb_attempts import LIMIT, WINDOW
from tui.rules.usb_attempts import RETRY_S as TRY_AGAIN_S
from tui.watch.boot import LIMIT_S, READ_S
from tui.watch.policies import RETRY_S

BIND = Swap("1", "bind", CARD, (CARD,), "running", ("echo",), 0, NOON, NOON)
AT_BOOT = replace(POLICY, at_boot="bind")


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "run")


@pytest.fixture
def at_home(tmp_path: Path) -> Rig:
    """The card is with the host, and the watch is to bind it at boot."""
    rig = Rig(tmp_path / "run", AT_BOOT)
    rig.pci.reading = two_cards("nvidia")
    rig.vitals.reading = Vitals(idle(two_cards("nvidia")))
    return rig


# --- a return -------------------------------------------------------------------------


def test_the_card_returns_after_its_guest_has_ended(rig: Rig) -> None:
    with rig.watching():
        event = rig.guest_runs_and_ends()
        assert (event.subject, event.by) == (CARD, "watch")
        rig.later(29.0)
        assert rig.mover.requests.empty()
        rig.later(1.0)
        request = rig.begins()
        rig.mover.answers.put("first")
        assert (request.action, request.address, request.by) == ("unbind", CARD, "watch")
        assert request.consent == Consent()
        rig.until(lambda: rig.status == "waiting for a guest with the card")
        rig.later(3600.0)
        assert rig.mover.requests.empty()
    assert rig.plans == 1


def test_the_plan_leaves_the_sources_of_the_watch_open(rig: Rig) -> None:
    """Reading for a plan closes the sources that it has read."""
    with rig.watching():
        for _ in range(2):
            rig.guest_runs_and_ends()
            rig.later(30.0)
            rig.begins()
            rig.mover.answers.put("first")
            rig.until(lambda: rig.status == "waiting for a guest with the card")


def test_what_it_will_do_is_written_before_a_return_begins(rig: Rig) -> None:
    with rig.watching():
        rig.guest_runs_and_ends()
        rig.later(30.0)
        rig.begins()
        memory = rig.written().memory
        assert memory.acting and memory.pending is not None
        assert memory.pending.address == CARD
        rig.mover.answers.put("first")


@pytest.mark.parametrize(
    "refusal",
    [
        Refused("QEMU has it open"),
        HostError("QEMU has it open"),
        Doubtful("QEMU has it open", ["x"]),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_refusal_is_told_and_tried_again(rig: Rig, refusal: Exception) -> None:
    with rig.watching():
        rig.guest_runs_and_ends()
        rig.later(30.0)
        rig.begins()
        rig.mover.answers.put(refusal)
        assert rig.outlet.next("not returned yet").kind == "warn"
        rig.later(RETRY_S[0])
        assert rig.begins().consent == Consent()
        rig.mover.answers.put("first")


def test_a_plan_that_is_refused_begins_nothing(rig: Rig) -> None:
    rig.inspector.found = HostError("/proc cannot be read")
    with rig.watching():
        rig.guest_runs_and_ends()
        rig.later(30.0)
        assert "/proc cannot be read" in rig.outlet.next("not returned yet").text
        assert rig.mover.requests.empty()


def test_a_reason_of_any_length_fits_into_the_record(rig: Rig) -> None:
    with rig.watching():
        rig.guest_runs_and_ends()
        rig.later(30.0)
        rig.begins()
        rig.mover.answers.put(Refused("QEMU has it open; " * 1000))
        rig.outlet.next("not returned yet")
        rig.look()
        pending = rig.written().memory.pending
        assert pending is not None
        assert (pending.reason or "").startswith("QEMU has it open; QEMU")


@pytest.mark.parametrize("text", ["x" * 9999, "\udcff\ud800"])
def test_no_event_makes_the_record_unusable(rig: Rig, text: str) -> None:
    """What is read back decides whether a bind at boot has been tried already."""
    with rig.watching():
        rig.control.problem = text
        replug(rig)
        rig.outlet.next("not attached again")
        rig.look()
        assert rig.written().events[0].text.startswith("Pad not attached again")


def test_one_that_may_have_begun_is_not_tried_again(rig: Rig) -> None:
    with rig.watching():
        rig.guest_runs_and_ends()
        rig.later(30.0)
        rig.begins()
        rig.mover.answers.put(Unsettled("the reply was lost"))
        assert rig.outlet.next("the reply was lost").kind == "failed"
        rig.later(3600.0)
        assert rig.mover.requests.empty()


def test_a_defect_in_a_swap_is_told_and_the_watch_goes_on(rig: Rig) -> None:
    with rig.watching():
        rig.guest_runs_and_ends()
        rig.later(30.0)
        rig.begins()
        rig.mover.answers.put(ZeroDivisionError("on purpose"))
        assert "please report it" in rig.outlet.next("vfiotop failed here").text
        rig.guest_runs_and_ends()


def test_without_a_thread_for_it_a_return_is_tried_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    with rig.watching():
        rig.guest_runs_and_ends()
        monkeypatch.setattr(threading, "Thread", NoThread)
        rig.now_s += 30.0
        rig.facts.put(rig.facts.reading)
        assert "can't start new thread" in rig.outlet.next("not returned yet").text
        monkeypatch.undo()


# --- what cancels it ------------------------------------------------------------------


def test_a_user_keeps_the_card(rig: Rig) -> None:
    with rig.watching():
        rig.guest_runs_and_ends()
        rig.look()
        pending = rig.written().memory.pending
        assert pending is not None
        rig.record.request_keep("0" * 32)
        rig.look()
        assert rig.written().memory.pending == pending
        rig.record.request_keep(pending.id)
        rig.look()
        rig.outlet.next("a user keeps it there")
        rig.later(3600.0)
        assert rig.mover.requests.empty()
        assert rig.written().memory.pending is None
    assert not (rig.record.files.path / "watch.keep").exists()


def test_a_new_start_cancels_it(rig: Rig) -> None:
    with rig.watching():
        rig.guest_runs_and_ends()
        rig.guest_is(win())
        rig.outlet.next("“win11” was started")
        rig.later(3600.0)
        assert rig.mover.requests.empty()


def test_without_the_right_to_act_it_only_tells(rig: Rig) -> None:
    with rig.watching(acts=False):
        rig.until(lambda: all_read(rig.session.live.snapshot))
        rig.guest_is(win())
        assert rig.outlet.next("").subject == "win11"
        rig.until(lambda: "has the card" in rig.status)
        rig.guest_is(win("shut off"))
        rig.until(lambda: "waiting" in rig.status)
        rig.later(3600.0)
        assert rig.mover.requests.empty()
        assert not rig.keeper.held
    assert not rig.record.files.path.exists()


# --- a watch that is started again ----------------------------------------------------


def test_a_watch_that_is_started_again_goes_on(rig: Rig) -> None:
    with rig.watching():
        rig.guest_runs_and_ends()
        rig.look()
    before = rig.written()
    with rig.watching():
        rig.look()
        assert rig.written().memory.pending == before.memory.pending
        assert rig.written().events == before.events
        assert not [event for event in rig.outlet.waiting() if "has ended: the" in event.text]
        rig.later(30.0)
        rig.begins()
        rig.mover.answers.put("first")


def test_a_guest_that_ended_meanwhile_has_ended(rig: Rig) -> None:
    with rig.watching():
        rig.guest_is(win())
        rig.until(lambda: "has the card" in rig.status)
    rig.guests.reading = replace(rig.guests.reading, domains=(win("shut off"),))  # type: ignore[type-var]
    with rig.watching():
        rig.outlet.next("has ended: the card returns")


@pytest.mark.parametrize("content", ["", "{}", "[" * 1000])
def test_a_damaged_record_is_written_anew(rig: Rig, content: str) -> None:
    rig.record.files.make()
    rig.record.files.write(NAME, content)
    with rig.watching():
        rig.look()
        assert rig.written().process.pid == os.getpid()


# --- what goes wrong ------------------------------------------------------------------


class FullFolder(RecordFile):
    """A record on a file system without room."""

    full = True

    def write(self, record: object) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super().write(record)  # type: ignore[arg-type]


def test_a_full_run_is_told_once_and_the_watch_goes_on(rig: Rig, tmp_path: Path) -> None:
    rig.record = FullFolder(tmp_path / "full", owner=os.geteuid())
    with rig.watching():
        rig.outlet.next("screens cannot show the watch")
        rig.guest_runs_and_ends()
        rig.later(30.0)
        rig.begins()
        rig.mover.answers.put("first")
        rig.look()
        assert not [event for event in rig.outlet.waiting() if "screens" in event.text]
        rig.record.full = False
        rig.look()
        assert rig.written().events


def test_a_source_that_hangs_decides_nothing_and_holds_up_nothing(rig: Rig) -> None:
    with rig.watching():
        rig.guest_runs_and_ends()
        rig.session.stall_after_s = 0.0
        while rig.guests.entered.acquire(blocking=False):
            pass
        rig.guests.hold()
        assert rig.guests.entered.acquire(timeout=PATIENCE)
        rig.outlet.next("no answer since")
        rig.later(3600.0)
        assert rig.mover.requests.empty()
        rig.guests.release()
        rig.begins()
        rig.mover.answers.put("first")


def test_the_record_says_that_it_was_stopped(rig: Rig) -> None:
    with rig.watching():
        rig.look()
        assert not rig.written().stopped
    assert rig.written().stopped


def test_stop_ends_it_while_a_swap_is_asked_for(rig: Rig) -> None:
    with rig.watching():
        rig.guest_runs_and_ends()
        rig.later(30.0)
        rig.begins()
    rig.mover.answers.put("first")
    assert rig.written().memory.acting


# --- sleep ----------------------------------------------------------------------------


def test_the_host_stays_awake_while_a_guest_has_a_card(rig: Rig) -> None:
    with rig.watching():
        rig.look()
        assert not rig.keeper.held
        rig.guest_is(win())
        rig.until(lambda: rig.keeper.held)
        rig.look()
        assert rig.written().stays_awake
        rig.guest_is(win("shut off"))
        rig.until(lambda: not rig.keeper.held)
        rig.guest_is(win())
        rig.until(lambda: rig.keeper.held)
    assert not rig.keeper.held


def test_without_an_inhibitor_it_does_not_claim_one(rig: Rig) -> None:
    rig.keeper.works = False
    with rig.watching():
        rig.guest_is(win())
        rig.until(lambda: "has the card" in rig.status)
        assert not rig.written().stays_awake


# --- USB ------------------------------------------------------------------------------

PAD = usb("1-3", 7, "045e:02ea", serial="30", name="Pad")


def replug(rig: Rig) -> None:
    """A pad that was lent to a running guest is plugged in again."""
    rig.usb.reading = UsbReading((PAD,))
    rig.guest_is(replace(win(), usb=(lent_as(PAD),)))
    rig.until(lambda: "has the card" in rig.status)
    rig.usb.put(UsbReading((replace(PAD, number=8),)))


def test_a_lent_device_that_was_replugged_is_attached_again(rig: Rig) -> None:
    with rig.watching():
        replug(rig)
        assert rig.control.lent.get(timeout=PATIENCE).number == 8
        event = rig.outlet.next("Pad attached again")
        assert (event.subject, event.by, event.kind) == ("1-3", "watch", "done")


def test_what_keeps_a_device_from_being_attached_is_told_and_tried_again(rig: Rig) -> None:
    rig.control.problem = "libvirt refuses it"
    with rig.watching():
        replug(rig)
        event = rig.outlet.next("Pad not attached again: libvirt refuses it; trying again in 5 s")
        assert event.kind == "warn"
        rig.control.problem = None
        rig.later(TRY_AGAIN_S[0] - 1)
        assert rig.control.attempts.qsize() == 1
        rig.later(1)
        rig.outlet.next("Pad attached again")


def test_one_that_came_back_as_something_else_is_for_the_user(rig: Rig) -> None:
    with rig.watching():
        replug(rig)
        rig.outlet.next("Pad attached again")
        rig.usb.put(UsbReading((replace(PAD, number=9, functions=("0301",)),)))
        event = rig.outlet.next("Pad not attached again: it has functions that it did not have")
        assert event.kind == "failed" and "trying again" not in event.text


def taken(rig: Rig, reading: UsbReading) -> bool:
    return rig.session.live.snapshot.usb == reading


def test_a_device_that_flaps_is_told_once(rig: Rig) -> None:
    with rig.watching():
        replug(rig)
        for number in range(9, 19):
            plugged = UsbReading((replace(PAD, number=number),))
            rig.usb.put(plugged)
            rig.until(partial(taken, rig, plugged))
        event = rig.outlet.next("comes and goes")
        assert (event.subject, event.kind) == ("1-3", "warn")
        assert (
            event.text
            == "Pad comes and goes: it is attached once it has stayed plugged in for 60 s"
        )
        rig.look()
        assert not [event for event in rig.outlet.waiting() if "comes and goes" in event.text]
        waiting = [rig.control.lent.get().number for _ in range(rig.control.lent.qsize())]
        assert len(waiting) <= LIMIT and 18 not in waiting
        rig.later(WINDOW.total_seconds())
        while rig.control.lent.get(timeout=PATIENCE).number != 18:
            pass


def test_without_the_right_to_act_it_attaches_nothing(rig: Rig) -> None:
    with rig.watching(acts=False):
        replug(rig)
        rig.look()
        rig.look()
        assert rig.control.lent.empty()


# --- boot -----------------------------------------------------------------------------


def ready(rig: Rig) -> bool:
    return bool(rig.told) and rig.told[-1][1]


def test_the_card_is_bound_before_the_boot_goes_on(at_home: Rig) -> None:
    with at_home.watching(booting=lambda: True):
        request = at_home.begins()
        assert (request.action, request.address, request.by) == ("bind", CARD, "watch")
        assert request.consent == Consent()
        assert at_home.written().memory.booted
        at_home.mover.answers.put("first")
        at_home.swap.put(BIND)
        at_home.look()
        assert not ready(at_home)
        at_home.swap.put(replace(BIND, state="done"))
        at_home.until(lambda: ready(at_home))
    assert at_home.alarms == []


def test_a_bind_that_is_refused_lets_the_boot_go_on_and_is_on_the_console(at_home: Rig) -> None:
    with at_home.watching(booting=lambda: True):
        at_home.begins()
        at_home.mover.answers.put(Refused("Xorg uses it"))
        at_home.until(lambda: ready(at_home))
        assert at_home.outlet.next("not bound at boot").kind == "failed"
    (alarm,) = at_home.alarms
    assert "Xorg uses it" in alarm


@pytest.mark.parametrize("limit_s", [READ_S, LIMIT_S])
def test_the_boot_goes_on_after_the_time_limit(at_home: Rig, limit_s: float) -> None:
    if limit_s == READ_S:
        at_home.guests.reading = HostError("libvirtd is not running")
    with at_home.watching(booting=lambda: True):
        if limit_s == LIMIT_S:
            at_home.begins()
        at_home.look()
        assert not ready(at_home)
        at_home.later(limit_s)
        at_home.until(lambda: ready(at_home))
    assert len(at_home.alarms) == 1
    at_home.mover.answers.put("first")


@pytest.mark.parametrize("why", ["not at boot", "not wanted", "done before"])
def test_nothing_is_bound_otherwise(at_home: Rig, why: str) -> None:
    if why == "done before":
        with at_home.watching(booting=lambda: True):
            at_home.begins()
    if why == "not wanted":
        at_home.config = POLICY
    with at_home.watching(booting=lambda: why != "not at boot"):
        at_home.until(lambda: ready(at_home))
        assert at_home.told[-1][1]
        at_home.look()
        assert at_home.mover.requests.empty()


def test_the_memory_is_kept_for_this_boot_only(rig: Rig, tmp_path: Path) -> None:
    with rig.watching():
        rig.guest_runs_and_ends()
        rig.look()
    proc = tmp_path / "proc/sys/kernel/random"
    proc.mkdir(parents=True)
    (proc / "boot_id").write_text("1" * 8 + "-1111" * 3 + "-" + "1" * 12)
    rig.record = RecordFile(rig.record.files.path, os.geteuid(), tmp_path / "proc")
    with rig.watching():
        rig.look()
        assert rig.written().memory.pending is None


# --- the history ------------------------------------------------------------------------


def test_cards_are_read_for_a_history_alone(rig: Rig) -> None:
    with rig.watching():
        rig.look()
    assert [demand.shown for demand in rig.demands] == [False] * len(rig.demands) != []
    rig.demands.clear()
    with rig.watching(remember=lambda: None):
        rig.look()
    assert [demand.shown for demand in rig.demands] == [True] * len(rig.demands) != []


def test_what_is_wrong_with_the_history_is_an_event(rig: Rig) -> None:
    problems = ["history: the disk is full"]
    with rig.watching(remember=lambda: problems.pop() if problems else None):
        event = rig.outlet.next("the disk is full")
        assert (event.subject, event.kind, event.by) == ("watch", "warn", "watch")
