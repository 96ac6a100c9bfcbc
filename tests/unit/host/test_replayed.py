"""The host of a recording: its readings and its clock are those of the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests import recordings
from tests.recordings import BOOTED, END_S, EVENTS, GUEST, GUEST_NAME, SWAP
from tests.unit.captured import CARD, HOST_CARD
from tui.host import HostError, NothingToRead
from tui.host.history.entry import Entry, StoredEvent, block
from tui.host.replayed import BARE_LIMIT, UNREAD, replayed
from tui.model import HostView, Metrics
from tui.model.past import MINUTES, Bucket, SeriesKey
from tui.once import view_once
from tui.rules.roles import Choice

END = BOOTED + timedelta(seconds=END_S + 1)


@pytest.mark.parametrize("make", [recordings.recorded, recordings.bug_report])
def test_a_capture_s_host_stands_at_the_end_of_its_recording(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    host = replayed(str(make(tmp_path / "host"))).host
    assert host.now() == END
    assert (host.kind, host.readonly) == ("captured", True)
    assert host.banner == f"Recorded {END.astimezone():%Y-%m-%d %H:%M}"
    assert host.mover.unavailable_reason and host.control.unavailable_reason
    (domain,) = host.guests.read().domains
    assert (domain.cpu_pct, [(v.number, v.wait_ms) for v in domain.vcpu_times]) == (63, [(2, 3.0)])
    (card,) = host.nvml.read().cards
    assert (card.address, card.metrics) == (HOST_CARD, Metrics(util_pct=37, temp_c=54))
    with pytest.raises(NothingToRead, match=UNREAD):
        host.drm.read()
    assert host.history is not None
    past = host.history.everything()
    assert past is not None and host.history.newest() is past
    assert [event.text for event in past.events] == [
        "NVRM: Xid 79, the card has fallen off the bus", "started",
    ]  # fmt: skip
    assert past.buckets(SeriesKey(HOST_CARD, "load"), MINUTES)
    again = host.opened_again()
    assert (again.now(), again.guests.read()) == (END, host.guests.read())


def seen(path: Path) -> HostView:
    host, card, guest = replayed(str(path))
    return view_once(host, Choice(card, guest))


def test_a_card_in_the_guest_has_what_the_guest_reported_of_it(tmp_path: Path) -> None:
    view = seen(recordings.recorded(tmp_path / "host"))
    assert view.guest_gpu is not None and view.guest_gpu.reading is not None
    assert view.guest_gpu.owner.guest == GUEST_NAME
    reading = view.guest_gpu.reading
    assert (reading.source, reading.reported_at) == ("guest-agent", END)
    assert reading.metrics == Metrics(util_pct=91, mem_used_mib=9216)


def test_a_card_that_was_not_read_at_the_end_says_so(tmp_path: Path) -> None:
    root = recordings.host(tmp_path / "host", driver="nvidia")
    entries = [
        entry if entry.at_s < END_S - 300 else recordings.without(entry, CARD)
        for entry in recordings.entries()
    ]
    recordings.keep(root / "history", entries)
    gpus = {gpu.address: gpu.reading for gpu in seen(root).gpus}
    found = gpus[CARD]
    assert found is not None and (found.problem, found.metrics) == (UNREAD, Metrics())
    other = gpus[HOST_CARD]
    assert other is not None and (other.problem, other.metrics.util_pct) == (None, 37)


def test_without_any_reading_at_the_end_cards_say_so(tmp_path: Path) -> None:
    root = recordings.host(tmp_path / "host", driver="nvidia")
    event = recordings.entries()[-1]
    recordings.keep(root / "history", [recordings.without(event, CARD, HOST_CARD)])
    assert {gpu.no_reading for gpu in seen(root).gpus} == {UNREAD}


# --- a history without its host ---------------------------------------------------------


def test_a_history_alone_has_the_cards_and_the_guest_that_it_names(tmp_path: Path) -> None:
    folder = recordings.keep(tmp_path / "history", recordings.entries())
    host, card, guest = replayed(str(folder))
    assert (card, guest) == (SWAP.address, GUEST)
    assert host.history is not None
    past = host.history.everything()
    assert past is not None and len(past.events) == len(EVENTS)
    view = view_once(host, Choice(card, guest))
    assert [gpu.address for gpu in view.gpus] == [CARD, HOST_CARD], "the guest's first"
    assert {gpu.owner.kind for gpu in view.gpus} == {"unknown"}
    assert [gpu.reading and gpu.reading.metrics.util_pct for gpu in view.gpus] == [91, 37]
    assert view.guest is not None
    domain = view.guest.domain
    assert (domain.name, domain.state, domain.cpu_pct) == (GUEST_NAME, "running", 63)
    assert domain.problem == "its definition is not in the history"
    assert [check.id for check in view.checks if check.verdict in ("pass", "fail")] == []
    assert host.mover.unavailable_reason and host.control.unavailable_reason
    assert (host.kind, host.readonly) == ("captured", True)
    guests = host.guests.read()
    assert (guests.readonly, guests.captured) == (True, True)


def test_a_guest_whose_name_is_not_certain_has_its_uuid(tmp_path: Path) -> None:
    events = (*EVENTS, StoredEvent(700.0, "debian", "stopped"))
    folder = recordings.keep(tmp_path / "history", recordings.entries(events))
    (domain,) = replayed(str(folder)).host.guests.read().domains
    assert domain.name == GUEST


def test_no_more_cards_than_any_host_has_are_shown(tmp_path: Path) -> None:
    cards = {SeriesKey(f"0000:{bus:02x}:00.0", "load"): 1.0 for bus in range(256)}
    blocks = (block(60, {key: {0: Bucket(1, value, value)} for key, value in cards.items()}),)
    entry = Entry(recordings.BOOT_ID, BOOTED.timestamp(), 60.0, blocks)
    host = replayed(str(recordings.keep(tmp_path / "history", [entry]))).host
    assert len(host.pci.read().gpus) == BARE_LIMIT


# --- what is refused --------------------------------------------------------------------


def why_not(path: Path | str) -> str:
    with pytest.raises(HostError) as refused:
        replayed(str(path))
    return str(refused.value)


def test_a_capture_without_a_history_is_refused(tmp_path: Path) -> None:
    root = recordings.host(tmp_path / "a host")
    told = why_not(root)
    assert f"{root} has no history: the watch of that host kept none" in told
    assert f"`vfiotop --root '{root}'` shows the host" in told


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "has no history that this version"),
        (b"vfiotop history 1\n" + bytes(99), "has no history that this version"),
        (b"vfiotop history 7\n", "has no history that this version"),
        (b"", "has a history that cannot be read: Not a directory"),
    ],
    ids=["an empty folder", "noise", "another version", "a file"],
)
def test_a_history_that_cannot_be_read_is_refused(
    tmp_path: Path, data: bytes | None, why: str
) -> None:
    root = recordings.host(tmp_path / "host")
    if data == b"":
        (root / "history").touch()
    else:
        (root / "history").mkdir()
        if data is not None:
            (root / "history/00000001.history").write_bytes(data)
    told = why_not(root)
    assert why in told and "`vfiotop --root " in told


def test_other_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a bug report")
    (tmp_path / "00000001.history").write_bytes(b"noise")
    for place, why in (
        (tmp_path / "missing", "there is no "), (tmp_path / "text", "nor a usable archive"),
        (tmp_path, "has no history that this version"), ("a\0b", "cannot be read"),
        ("/dev/null", "is not a directory"),
    ):  # fmt: skip
        told = why_not(place)
        assert why in told
        assert "replay expects a capture that has a history" in told
        assert told.isprintable()
