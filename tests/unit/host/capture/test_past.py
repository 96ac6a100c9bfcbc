"""The history of the watch in a capture: what is kept of it, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tests.unit.captured import CARD, domain, tower
from tests.unit.host.capture import towers
from tests.unit.host.capture.test_redact import host_with, plain
from tests.unit.host.history.made import BOOT_ID, GUEST, LOAD, WAIT, folder, minute, store
from tui.host.capture import past
from tui.host.capture.archive import FOLDER, unpack
from tui.host.capture.bundle import capture
from tui.host.capture.memory import MemoryTree, Nodes
from tui.host.capture.standins import Personal, StandIns
from tui.host.confined import Confined
from tui.host.history.entry import Entry, StoredEvent, StoredSwap, decoded
from tui.host.history.folder import ON_DISK
from tui.host.history.frames import contents
from tui.host.history.recording import entries_in
from tui.host.tree import PlainTree

SWAP = StoredSwap("0123456789abcdef0123456789abcdef", "bind", CARD, "done", 30.0, 40.0)


def event(subject: str, text: str, fix: str | None = None) -> StoredEvent:
    return StoredEvent(30.0, subject, text, "note", "external", fix)


def kept_in(place: Path, entries: Sequence[Entry]) -> None:
    """Have a captured host in ``place`` keep these entries."""
    kept = store(place / "history")
    for entry in entries:
        kept.write(entry)
    kept.close()


def captured(nodes: Nodes, events: Sequence[StoredEvent], *, redact: bool = True) -> MemoryTree:
    """The capture of a host with these files and a history with these events."""
    entries = [minute(0, events=tuple(events), swaps=(SWAP,)), minute(1)]
    host = MemoryTree({**nodes, **past.files(entries)}, "host")
    return MemoryTree(unpack(capture(host, "", redact=redact).archive), "x").subroot(FOLDER)


def events_of(root: MemoryTree) -> list[StoredEvent]:
    return [event for entry in entries_in(root / "history") for event in entry.events]


def text_of(root: MemoryTree, page: str) -> str:
    found = root.read(page)
    assert found is not None
    return found.decode()


# --- what is kept -------------------------------------------------------------------


def test_readings_events_and_swaps_are_in_it() -> None:
    nodes = host_with({"domains/win.xml": domain("win11", GUEST)}).subroot("")._nodes
    events = [event("win11", "started"), event(CARD, "nvidia → vfio-pci, with 1 companion")]
    root = captured(nodes, events)
    found = entries_in(root / "history")
    assert events_of(root) == events
    assert [set(block.owners) for block in found[0].blocks] == [
        {LOAD.owner, "00000000-0000-4000-8000-000000000001"}
    ] * 2, "the guest has the stand-in that its definition has"
    assert "00000000-0000-4000-8000-000000000001" in text_of(root, "domains/win.xml")
    assert found[0].blocks[0].owners[LOAD.owner] == minute(0).blocks[0].owners[LOAD.owner]
    assert found[0].swaps[0].id != SWAP.id
    assert "The history has readings, 2 events, 1 swap." in text_of(root, "REDACTED")


def test_a_host_without_a_history_says_nothing_of_it() -> None:
    made = capture(host_with({}), "")
    assert made.history is None
    assert b"history has" not in plain(made.archive)
    assert "history" not in made.unread


def test_what_is_no_history_of_ours_is_left_out() -> None:
    made = capture(host_with({"history/00000001.history": "password of annegret"}), "")
    assert (made.history, b"annegret" in plain(made.archive)) == (None, False)


def test_a_history_that_cannot_be_read_is_told() -> None:
    made = capture(host_with({"history": "a file"}), "")
    assert made.history is None
    assert made.unread["history"] == "Not a directory"


def test_the_history_of_this_machine_is_read_from_its_own_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISK", "MEMORY"):
        kept_in(tmp_path / name, [minute(0, events=(event("win11", f"on {name}"),))])
        monkeypatch.setattr(past, name, tmp_path / name / "history")
    monkeypatch.setattr(past, "RunFolder", folder)
    found = past.history(PlainTree("/"))
    assert [event.text for entry in found for event in entry.events] == ["on DISK", "on MEMORY"]


def test_of_too_much_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [minute(number) for number in range(9)]
    monkeypatch.setattr(past, "LIMIT", 3 * len(past.files(entries[:1])["history/00000001.history"]))
    assert past.newest(entries) == entries[-3:]


def test_its_files_are_no_larger_than_those_of_a_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [minute(number) for number in range(9)]
    monkeypatch.setattr(past, "ON_DISK", ON_DISK._replace(segment_limit=1000))
    made = past.files(entries)
    assert len(made) > 1
    assert max(map(len, made.values())) <= 1000
    assert [decoded(each) for data in made.values() for each in contents(data)] == entries


# --- what is not told ----------------------------------------------------------------


def test_nothing_of_a_full_host_is_told(tmp_path: Path) -> None:
    user, guest = towers.USER, f"{towers.USER}s box"
    events = (
        event(guest, "started"),
        event(CARD, f"in use by {guest}", f"`virsh shutdown '{guest}'`"),
        event(CARD, f"unbind undone: cannot open '/home/{user}/vm/a b.qcow2' on {towers.HOST}"),
        event("1-3", f"plugged in: {user}s telephone"),
        event("1-3", f"unplugged: Bettinas stick, lent to {guest}"),
        event("1-3", f"{user}s telephone lent to {guest}"),
        event("1-3", f"Bettinas stick returned by {guest}"),
        event("libvirt", f"no answer from qemu+ssh://{towers.IPV4}/system, {towers.IPV6}"),
        event("net", f"{towers.MAC} {towers.UUID} password={towers.PASSWORD}"),
    )
    root = towers.full(tmp_path / "host")
    kept_in(root, [minute(0, events=events)])
    made = capture(Confined(str(root)), "")
    loaded = MemoryTree(unpack(made.archive), "x").subroot(FOLDER)
    told = events_of(loaded)
    texts, name = [each.text for each in told], told[0].subject
    domains = [text_of(loaded, f"domains/{file}") for file in loaded.names("domains")]
    assert [xml for xml in domains if f"<name>{name}</name>" in xml]
    assert texts[:2] == ["started", f"in use by {name}"]
    assert told[1].fix == f"`virsh shutdown '{name}'`"
    assert texts[2] == "unbind undone: cannot open 'path-1' on host-1"
    assert texts[4].endswith(f", lent to {name}")
    everything = b"".join(d for d in past_files(loaded)).lower()
    for thing in (user, "bettina", towers.HOST, towers.IPV4, towers.IPV6, towers.MAC, towers.UUID,
                  towers.PASSWORD, BOOT_ID, "qcow2"):  # fmt: skip
        assert thing.lower().encode() not in everything


def past_files(root: MemoryTree) -> list[bytes]:
    files = root / "history"
    return [files.read(name, ON_DISK.segment_limit) or b"" for name in files.names()]


def test_words_of_ours_stay_and_so_do_places_of_every_system() -> None:
    texts = (
        "no answer from qemu:///system: it is /run/libvirt/libvirt-sock",
        "read/write of /dev/vfio/17, /etc/modprobe.d/vfio.conf and /sys/bus/pci: 5/8, a / b",
        "violates r465.one-vm: “win11” runs",
    )
    (entry,) = past.redacted([minute(0, events=tuple(event("x", t) for t in texts))], StandIns())
    assert [each.text for each in entry.events] == [*texts]


def test_places_of_a_user_s_go() -> None:
    texts = {
        "cannot open /srv/my.iso: gone": "cannot open path-1: gone",
        "cannot open “/srv/my secret.iso”": "cannot open “path-2”",
        "(qemu+ssh://anne@box/system).": "(path-3).",
        "uses /dev/mapper/vg-games and /run/media/x/STICK": "uses path-4 and path-5",
    }
    (entry,) = past.redacted([minute(0, events=tuple(event("x", t) for t in texts))], StandIns())
    assert [each.text for each in entry.events] == [*texts.values()]


def test_an_unredacted_one_has_all_but_secrets(tmp_path: Path) -> None:
    root = tower(tmp_path / "host")
    kept_in(root, [minute(0, events=(event("annes box", "token=ghp_1 of anne"),))])
    made = capture(Confined(str(root)), "", redact=False)
    (found,) = events_of(MemoryTree(unpack(made.archive), "x").subroot(FOLDER))
    assert (found.subject, found.text) == ("annes box", "token=removed of anne")


def test_half_a_name_at_the_end_of_a_text_goes() -> None:
    stand_ins = StandIns(Personal(users=["annegret"]))
    entries = [minute(0, events=(event("annegr…", "cannot open the disk of anneg…"),))]
    (found,) = past.redacted(entries, stand_ins)[0].events
    assert (found.subject, found.text) == ("…", "cannot open the disk of …")


NAME = st.from_regex(r"[a-z]{3}[0-9][a-z]{2,6}q", fullmatch=True)
WORDS = st.sampled_from(
    ["started", "in use by", "/home", "lent to", "(pid 12)", "“", "=", "@", "-"]
)
TEXTS = st.lists(WORDS | st.just("{}"), min_size=1, max_size=8).map(" ".join)
GLUED = st.lists(WORDS | st.just("{}"), min_size=1, max_size=8).map("".join)


@examples(50)
@given(
    user=NAME,
    host=NAME,
    guest=st.from_regex(r"[a-z]{0,3}\{\}[a-z ]{0,3}", fullmatch=True),
    subject=st.sampled_from([CARD, "1-3.2", "{}", "libvirt", "x {} y"]),
    text=TEXTS | GLUED,
    fix=st.none() | TEXTS,
    series=st.uuids().map(str),
)
def test_no_private_name_is_told(
    user: str, host: str, guest: str, subject: str, text: str, fix: str | None, series: str
) -> None:
    files = {
        "proc/sys/kernel/hostname": f"{host}\n",
        "etc/passwd": f"{user}:x:1000:1000::{towers.HOME}/{user}:/bin/sh\n",
        "domains/1.xml": domain(guest.replace("{}", user), series),
    }
    names = (user, host, user.upper(), guest.replace("{}", user))
    told = [[each and each.replace("{}", name) for each in (subject, text, fix)] for name in names]
    events = [event(subject or "", text or "", fix) for subject, text, fix in told]
    key = WAIT._replace(owner=series)
    entries = [minute(0, boot_id=series, series=(key,), events=tuple(events))]
    root = MemoryTree({**host_with(files)._nodes, **past.files(entries)}, "host")
    everything = plain(capture(root, "").archive)
    for thing in (user, host, series):
        assert thing.encode() not in everything


SHORT = st.from_regex(r"[a-z]{2}q", fullmatch=True)


@examples(50)
@given(user=SHORT, text=TEXTS)
def test_a_short_name_is_not_told_as_a_word_or_in_a_guest_s_name(user: str, text: str) -> None:
    stand_ins = StandIns(Personal(users=[user]))
    events = (event(f"x{user}x", "started"), event(CARD, text.replace("{}", user)),
              event(CARD, text.replace("{}", f"x{user}x")), event(CARD, f"“y{user}y” runs"),
              event("1-3", f"a mouse lent to z{user}z"))  # fmt: skip
    (entry,) = past.redacted([minute(0, events=events)], stand_ins)
    assert [e for e in entry.events if user in f"{e.subject} {e.text}"] == []


def test_a_history_that_cannot_be_redacted_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(entries: Sequence[Entry], stand_ins: StandIns) -> list[Entry]:
        raise IndexError

    monkeypatch.setattr(past, "redacted", fails)
    files = past.files([minute(0, events=(event("annes box", "started"),))])
    made = capture(MemoryTree({**host_with({})._nodes, **files}, "host"), "")
    assert made.history is None
    assert made.unread["history"] == "it cannot be redacted: IndexError"
    assert b"annes box" not in plain(made.archive)
