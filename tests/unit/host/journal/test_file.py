"""The journal: complete or absent, owned by root, and no other file is trusted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tui.host import run_folder
from tui.host.journal.entry import Entry, JournalError, Locked, Origin, updated
from tui.host.journal.file import Journal
from tui.host.journal.format import SIZE_LIMIT, dump, parse
from tui.host.proc.process import Process

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
ENTRY = Entry(
    id=f"{1:032x}",
    boot_id=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
    direction="bind",
    address="0000:02:00.0",
    state="running",
    origins=(Origin("0000:02:00.1", "snd_hda_intel", None), Origin("0000:02:00.0", "nvidia", "x")),
    home=(),
    steps=("modprobe vfio-pci", "echo"),
    step=0,
    began_at=NOON.isoformat(),
    step_began_at=NOON.isoformat(),
    runner=Process(1, 2),
    writer=None,
    message=None,
)

TEXTS = st.text(max_size=30)
PROCESSES = st.builds(Process, st.integers(1, 1 << 22), st.integers(0, 1 << 40))
TIMES = st.datetimes(
    datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC)
).map(datetime.isoformat)  # fmt: skip
IDS = st.integers(0, (1 << 128) - 1).map(lambda number: f"{number:032x}")
ADDRESSES = st.builds("{:04x}:{:02x}:{:02x}.{}".format, st.integers(0, 0xFFFF), st.integers(0, 255),
                      st.integers(0, 31), st.integers(0, 7))  # fmt: skip
DRIVERS = st.none() | st.from_regex(r"[a-z][A-Za-z0-9_ .-]{0,20}", fullmatch=True)
ORIGINS = st.lists(
    st.builds(Origin, ADDRESSES, DRIVERS, DRIVERS, st.sampled_from([None, "auto", "on"])),
    max_size=5,
    unique_by=lambda o: o.address,
).map(tuple)
ENTRIES = st.builds(
    Entry,
    id=IDS,
    boot_id=st.uuids().map(str),
    direction=st.sampled_from(["bind", "unbind"]),
    address=ADDRESSES,
    state=st.sampled_from(["prepared", "running", "stuck", "undoing", "done", "undone", "failed"]),
    origins=ORIGINS,
    home=ORIGINS,
    steps=st.lists(TEXTS, min_size=3, max_size=5).map(tuple),
    step=st.integers(0, 3),
    began_at=TIMES,
    step_began_at=TIMES,
    runner=PROCESSES,
    writer=st.none() | PROCESSES,
    message=st.none() | TEXTS,
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "vfiotop", owner=os.geteuid())


def place(journal: Journal) -> Path:
    return journal.folder / "swap.json"


# --- as text --------------------------------------------------------------------


@given(ENTRIES)
def test_every_entry_is_read_back(entry: Entry) -> None:
    assert parse(dump(entry).encode()) == entry


@given(ENTRIES, st.data())
def test_a_torn_entry_is_no_entry(entry: Entry, data: st.DataObject) -> None:
    whole = dump(entry).encode()
    torn = whole[: data.draw(st.integers(0, len(whole.rstrip()) - 1))]
    with pytest.raises(JournalError):
        parse(torn)


@given(st.binary(max_size=200))
def test_any_bytes_are_no_entry(data: bytes) -> None:
    with pytest.raises(JournalError, match="is damaged"):
        parse(data)


@given(ANY, st.sampled_from(sorted(json.loads(dump(ENTRY)))))
def test_a_foreign_value_is_no_entry_or_another_one(value: object, key: str) -> None:
    foreign = json.dumps({**json.loads(dump(ENTRY)), key: value}).encode()
    try:
        found = parse(foreign)
    except JournalError as error:
        assert str(error).isprintable()
    else:
        assert parse(dump(found).encode()) == found


@pytest.mark.parametrize("missing", sorted(json.loads(dump(ENTRY))))
def test_an_entry_without_a_key_is_none(missing: str) -> None:
    value = json.loads(dump(ENTRY))
    del value[missing]
    with pytest.raises(JournalError):
        parse(json.dumps(value).encode())


FOREIGN = [
    ("id", "../x"), ("id", 7), ("boot_id", "x"),
    ("address", "../../.."), ("address", "0000:02:00.0/.."), ("address", "0000:02:00.0\n"),
    ("address", "0000:02:00.9"), ("address", ""),
    ("began_at", "2026-01-02T12:00:00"), ("step_began_at", "2026-01-02"), ("began_at", "now"),
    ("began_at", "0001-01-01T00:00:00+23:59"), ("began_at", "9999-12-31T23:59:00+00:00"),
    ("step_began_at", "0001-01-01T00:00:00+00:00"),
    ("step", 3), ("step", -1), ("step", True), ("step", 1e3),
    ("runner", {"pid": 1 << 23, "start": 1}), ("runner", {"pid": -1, "start": 1}),
    ("runner", {"pid": 0, "start": 0}), ("writer", {"pid": 0, "start": 0}),
    ("writer", {"pid": 1}), ("state", "gone"), ("direction", "sideways"),
    ("steps", ["x"] * 1025), ("message", "x" * 2001),
    ("origins", [{"address": "../../..", "driver": "nvidia", "override": None}]),
    ("origins", [{"address": "0000:02:00.0", "driver": "../x", "override": None}]),
    ("origins", [{"address": "0000:02:00.0", "driver": "..", "override": None}]),
    ("origins", [{"address": "0000:02:00.0", "driver": "a/b", "override": None}]),
    ("origins", [{"address": "0000:02:00.0", "driver": "", "override": None}]),
    ("origins", [{"address": "0000:02:00.0", "driver": None, "override": "x\ny"}]),
    ("origins", [{"address": "0000:02:00.0", "driver": None, "override": "\u200b"}]),
    ("origins", [{"address": "0000:02:00.0", "driver": None, "override": None}] * 2),
    ("home", [{"address": "0000:02:00.0", "driver": "/etc/passwd", "override": None}]),
    ("home", [{"address": "0000:02:00.0", "driver": None, "override": None, "power": "off"}]),
    ("home", [{"address": "0000:02:00.0", "driver": None, "override": None, "power": "auto\n"}]),
    ("origins", [{"address": "0000:02:00.0", "driver": None, "override": None, "power": True}]),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), FOREIGN)
def test_root_is_not_believed_either(key: str, value: object) -> None:
    foreign = json.dumps({**json.loads(dump(ENTRY)), key: value}).encode()
    with pytest.raises(JournalError, match="is damaged"):
        parse(foreign)


def test_an_entry_of_an_older_version_is_read() -> None:
    """It has no power/control."""
    assert '"power"' not in dump(ENTRY)
    origin = Origin("0000:02:00.0", "nvidia", None, "auto")
    newer = replace(ENTRY, origins=(origin,), home=(origin,))
    value = json.loads(dump(newer))
    for each in (*value["origins"], *value["home"]):
        assert each.pop("power") == "auto"
    older = parse(json.dumps(value).encode())
    assert older.origins == older.home == (Origin("0000:02:00.0", "nvidia", None),)
    assert (newer.host_power, older.host_power) == ({"0000:02:00.0": "auto"}, {})


def test_a_lock_that_was_removed_before_it_was_taken_locks_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that removed it held it; the next swap makes another one."""
    lock = run_folder._lock

    def removed(descriptor: int, timeout: float) -> None:
        (journal.folder / "lock").unlink()
        lock(descriptor, timeout)

    monkeypatch.setattr(run_folder, "_lock", removed)
    with pytest.raises(JournalError, match="try again"), journal.locked():
        pass
    monkeypatch.undo()
    with journal.locked():
        journal.write(ENTRY)


def test_times_are_written_in_utc() -> None:
    value = {**json.loads(dump(ENTRY)), "began_at": "2026-01-02T13:00:00+01:00"}
    assert parse(json.dumps(value).encode()).began_at == NOON.isoformat()


def test_what_would_not_be_read_is_not_written(journal: Journal) -> None:
    with journal.locked():
        journal.write(ENTRY)
        for wrong in (
            replace(ENTRY, began_at="2026-01-02T12:00:00"),
            replace(ENTRY, origins=(Origin("0000:02:00.0", "a/b", None),)),
        ):
            with pytest.raises(JournalError):
                journal.write(wrong)
        assert journal.read() == ENTRY
        journal.write(updated(ENTRY, NOON, message="x" * 5000))
        found = journal.read()
    assert found is not None
    assert found.message == "x" * 2000


@given(st.text(max_size=5000) | st.integers(1, 9).map(lambda n: "\U0001f600" * n * 1000))
def test_any_message_is_written_and_read_back(message: str) -> None:
    entry = updated(ENTRY, NOON, message=message)
    assert parse(dump(entry).encode()) == entry
    assert message.startswith(entry.message or "")


def test_a_message_with_a_name_that_is_not_utf8_is_written_and_read_back() -> None:
    entry = updated(ENTRY, NOON, message=os.fsdecode(b"\xff holds the card"))
    assert parse(dump(entry).encode()) == entry


def test_an_entry_of_ours_that_would_not_be_read_is_called_a_defect(journal: Journal) -> None:
    with journal.locked(), pytest.raises(JournalError, match="please report it"):
        journal.write(replace(ENTRY, message="x" * 2001))


def test_a_boot_that_cannot_be_identified_is_an_error(journal: Journal, tmp_path: Path) -> None:
    with journal.locked():
        journal.write(ENTRY)
    with pytest.raises(JournalError, match="boot_id cannot be read"):
        Journal(journal.folder, owner=os.geteuid(), proc=tmp_path).read()


def test_a_new_step_has_a_new_time() -> None:
    later = NOON.replace(hour=13)
    assert updated(ENTRY, later, step=1).step_began_at == later.isoformat()
    assert updated(ENTRY, later, message="waits").step_began_at == NOON.isoformat()


# --- as a file ------------------------------------------------------------------


def test_it_is_written_and_read(journal: Journal) -> None:
    assert journal.read() is None
    with journal.locked():
        journal.write(ENTRY)
        journal.write(replace(ENTRY, state="done"))
    assert journal.read() == replace(ENTRY, state="done")
    status = place(journal).stat()
    assert status.st_mode & 0o777 == 0o644
    assert sorted(path.name for path in journal.folder.iterdir()) == ["lock", "swap.json"]


def test_another_boot_has_none(journal: Journal) -> None:
    with journal.locked():
        journal.write(replace(ENTRY, boot_id="1" * 8 + "-1111" * 3 + "-" + "1" * 12))
    assert journal.read() is None


def test_a_link_in_its_place_is_not_followed(journal: Journal, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(dump(ENTRY))
    with journal.locked():
        place(journal).symlink_to(elsewhere)
        with pytest.raises(JournalError, match=r"not vfiotop's"):
            journal.read()
        journal.write(replace(ENTRY, state="done"))  # takes the link's place
    assert elsewhere.read_text() == dump(ENTRY)
    assert not place(journal).is_symlink()


def test_a_file_that_others_may_write_is_not_believed(journal: Journal) -> None:
    with journal.locked():
        journal.write(ENTRY)
    place(journal).chmod(0o666)
    with pytest.raises(JournalError, match="other users may write"):
        journal.read()


def test_a_file_of_somebody_else_is_not_believed(journal: Journal) -> None:
    with journal.locked():
        journal.write(ENTRY)
    stranger = Journal(journal.folder, owner=os.geteuid() + 1)
    with pytest.raises(JournalError, match="somebody else"):
        stranger.read()


def test_a_file_with_two_names_is_not_believed(journal: Journal) -> None:
    with journal.locked():
        journal.write(ENTRY)
    place(journal).with_name("other").hardlink_to(place(journal))
    with pytest.raises(JournalError):
        journal.read()


@pytest.mark.parametrize("what", ["fifo", "folder"])
def test_what_is_no_file_is_not_waited_for(journal: Journal, what: str) -> None:
    with journal.locked():
        if what == "fifo":
            os.mkfifo(place(journal))
        else:
            place(journal).mkdir()
    with pytest.raises(JournalError):
        journal.read()


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_that_others_may_write_to_is_refused(journal: Journal, mode: int) -> None:
    journal.folder.mkdir()
    journal.folder.chmod(mode)
    with pytest.raises(JournalError, match="other users may write"), journal.locked():
        pass


def test_a_link_in_the_folders_place_is_refused(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    journal.folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalError, match="not a folder"), journal.locked():
        pass


def test_a_link_in_the_locks_place_is_refused(journal: Journal, tmp_path: Path) -> None:
    journal.folder.mkdir(mode=0o755)
    (journal.folder / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalError), journal.locked():
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_one_at_a_time(journal: Journal) -> None:
    with journal.locked(), pytest.raises(Locked, match="another swap"), journal.locked():
        pass
    with journal.locked():
        pass


def test_who_inherits_the_lock_keeps_it(journal: Journal) -> None:
    with journal.locked() as descriptor:
        writer = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[descriptor]
        )
    with pytest.raises(Locked), journal.locked():
        pass
    writer.communicate(b"\n")
    with journal.locked():
        pass


def test_a_full_file_system_leaves_the_old_one(journal: Journal) -> None:
    with journal.locked():
        journal.write(ENTRY)
        journal.folder.joinpath("swap.json").chmod(0o644)
        broken = Journal(Path("/dev/full"), owner=os.geteuid())
        with pytest.raises(JournalError, match="cannot be written"):
            broken.write(ENTRY)
    assert journal.read() == ENTRY


def test_an_entry_is_on_the_disk_before_it_takes_the_old_ones_place(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the file is synced, then the folder that names it."""
    done: list[tuple[str, object]] = []
    sync, put = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        done.append(("synced", path.stat().st_size if path.is_file() else path))
        sync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        done.append(("renamed", target))
        return put(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", renamed)
    with journal.locked():
        journal.write(ENTRY)
    size = len(dump(ENTRY).encode())
    assert done == [
        ("synced", size), ("renamed", place(journal)), ("synced", journal.folder)
    ]  # fmt: skip


def test_no_descriptor_is_left(journal: Journal) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with journal.locked():
        journal.write(ENTRY)
    before = count()
    for _ in range(5):
        with journal.locked():
            journal.write(ENTRY)
        journal.read()
    assert count() == before


def test_an_entry_is_removed_once(journal: Journal) -> None:
    with journal.locked():
        journal.write(ENTRY)
        journal.clear()
        assert journal.read() is None
        journal.clear()


def test_the_folder_is_for_everybody_to_read_whatever_the_umask(journal: Journal) -> None:
    before = os.umask(0o077)
    try:
        with journal.locked():
            journal.write(ENTRY)
    finally:
        os.umask(before)
    assert journal.folder.stat().st_mode & 0o777 == 0o755
    assert place(journal).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("mode", [0o622, 0o660])
def test_a_lock_that_others_may_write_is_refused(journal: Journal, mode: int) -> None:
    with journal.locked():
        pass
    (journal.folder / "lock").chmod(mode)
    with pytest.raises(JournalError, match="other users may write"), journal.locked():
        pass


def test_a_folder_in_the_journals_place_is_called_none(journal: Journal) -> None:
    with journal.locked():
        place(journal).mkdir()
    with pytest.raises(JournalError, match="not a regular file"):
        journal.read()


@pytest.mark.parametrize("schema", [0, 2, "1", None, True, 1.0])
def test_another_schema_is_not_guessed_at(journal: Journal, schema: object) -> None:
    told = json.loads(dump(ENTRY))
    assert told["schema"] == 1
    with pytest.raises(JournalError, match="is damaged"):
        parse(json.dumps({**told, "schema": schema}).encode(), place(journal))


def fail(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_write_that_fails_half_way_leaves_the_old_entry_and_no_rest(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with journal.locked():
        journal.write(ENTRY)
        monkeypatch.setattr(Path, "replace", fail)
        with pytest.raises(JournalError, match="cannot be written: No space left"):
            journal.write(replace(ENTRY, state="done"))
    assert journal.read() == ENTRY
    assert sorted(path.name for path in journal.folder.iterdir()) == ["lock", "swap.json"]


def test_what_cannot_be_read_or_removed_is_reported(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with journal.locked():
        journal.write(ENTRY)
        monkeypatch.setattr(os, "read", fail)
        with pytest.raises(JournalError, match="cannot be read: No space left"):
            journal.read()
        monkeypatch.setattr(Path, "unlink", fail)
        with pytest.raises(JournalError, match="cannot be removed: No space left"):
            journal.clear()


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    lost = Journal(tmp_path / "none" / "vfiotop", owner=os.geteuid())
    with pytest.raises(JournalError, match="cannot be created: No such file"), lost.locked():
        pass


def test_more_than_an_entry_is_ever_long_is_not_read(journal: Journal) -> None:
    padded = dump(ENTRY).encode() + b" " * SIZE_LIMIT
    with pytest.raises(JournalError, match="is damaged"):
        parse(padded, place(journal))


def test_a_lock_is_waited_for(journal: Journal) -> None:
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with journal.locked():
            held.set()
            free.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(60)
    threading.Timer(0.1, free.set).start()
    with journal.locked(60.0):
        assert free.is_set()
    holder.join()


TWO_READERS = """
import sys, threading
from tui.host.journal.format import parse

entry = sys.stdin.buffer.read()

def interrupt(frame, event, argument):
    describes = event == "call" and frame.f_code.co_name == "get_class_annotations"
    if describes and frame.f_locals["obj"].__name__ == "Origin":  # a part of the entry's type
        sys.setprofile(None)
        other = threading.Thread(target=parse, args=(entry,))
        other.start()
        other.join()

sys.setprofile(interrupt)
parse(entry)
"""


def test_two_threads_may_read_their_first_entry_at_once() -> None:
    """msgspec 0.22 describes a type when it is first used, and crashes if a second thread uses it
    meanwhile. NVML's source and the journal's read it as soon as the screen starts."""
    done = subprocess.run(
        [sys.executable, "-c", TWO_READERS], input=dump(ENTRY).encode(), capture_output=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
