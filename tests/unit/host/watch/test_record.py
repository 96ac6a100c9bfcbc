"""The record of the watch: complete or absent, owned by root, and no other file is trusted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.host.journal.test_file import ADDRESSES, ANY, IDS, PROCESSES, TEXTS
from tui.host.proc.process import this_process
from tui.host.watch.record import (
    KEEP,
    NAME,
    RECORDED_EVENTS,
    SIZE_LIMIT,
    Record,
    RecordedEvent,
    RecordError,
    RecordFile,
)
from tui.model.bounded import TEXT_LIMIT
from tui.model.watch import Pending, WatchMemory, WatchPolicy

BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
CARD = "0000:02:00.0"
PENDING = Pending(f"{1:032x}", CARD, "win11", 1030.0)
RECORD = Record(
    boot_id=BOOT_ID,
    process=this_process(),
    policy=WatchPolicy("unbind"),
    file="/etc/vfiotop/config.toml",
    stays_awake=True,
    memory=WatchMemory(address=CARD, guest="win11", pending=PENDING),
    events=(RecordedEvent(1000.0, CARD, "“win11” has ended", fix="`vfiotop unbind`"),),
)

SECONDS = st.floats(0, 1e9)
UUIDS = st.uuids().map(str)
EVENTS = st.builds(
    RecordedEvent, SECONDS, TEXTS, TEXTS, st.sampled_from(["note", "warn", "failed", "done"]),
    fix=st.none() | TEXTS,
)  # fmt: skip
RETURNS = st.builds(
    Pending, IDS, ADDRESSES, TEXTS, SECONDS, st.integers(0, 9), st.none() | TEXTS, st.none() | TEXTS
)
RECORDS = st.builds(
    Record,
    boot_id=st.just(BOOT_ID),
    process=PROCESSES,
    acts=st.booleans(),
    policy=st.builds(
        WatchPolicy, st.sampled_from(["keep", "unbind"]), st.sampled_from(["keep", "bind"]),
        st.floats(0, 3600),
    ),
    file=st.none() | TEXTS,
    stays_awake=st.booleans(),
    memory=st.builds(
        WatchMemory, st.booleans(), st.none() | ADDRESSES, st.none() | UUIDS, TEXTS,
        st.none() | TEXTS, st.none() | RETURNS, st.booleans(), st.none() | SECONDS,
        st.integers(0, 9),
    ),
    events=st.lists(EVENTS, max_size=4).map(tuple),
)  # fmt: skip

one_folder = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def file(tmp_path: Path) -> RecordFile:
    made = RecordFile(tmp_path / "vfiotop", owner=os.geteuid())
    made.files.make()
    return made


def put(file: RecordFile, content: str | bytes, name: str = NAME) -> Path:
    place = file.files.path / name
    place.write_bytes(content if isinstance(content, bytes) else content.encode())
    place.chmod(0o644)
    return place


def written(file: RecordFile, record: Record = RECORD) -> dict[str, object]:
    file.write(record)
    found = json.loads((file.files.path / NAME).read_text())
    assert isinstance(found, dict)
    return found


# --- as text --------------------------------------------------------------------------


@one_folder
@given(RECORDS)
def test_every_record_is_read_back(file: RecordFile, record: Record) -> None:
    file.write(record)
    assert file.read() == record


@one_folder
@given(st.binary(max_size=200))
def test_any_bytes_are_no_record(file: RecordFile, data: bytes) -> None:
    put(file, data)
    with pytest.raises(RecordError, match="is damaged"):
        file.read()


@one_folder
@given(st.data())
def test_a_torn_record_is_none(file: RecordFile, data: st.DataObject) -> None:
    file.write(RECORD)
    whole = (file.files.path / NAME).read_bytes()
    put(file, whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(RecordError, match="is damaged"):
        file.read()


@one_folder
@given(ANY, st.sampled_from(sorted(json.loads(msgspec.json.encode(RECORD)))))
def test_a_foreign_value_is_no_record_or_another_one(
    file: RecordFile, value: object, key: str
) -> None:
    put(file, json.dumps({**written(file), key: value}))
    try:
        found = file.read()
    except RecordError as error:
        assert str(error).isprintable()
    else:
        if found is not None:
            file.write(found)
            assert file.read() == found


@pytest.mark.parametrize("missing", ["boot_id", "process"])
def test_a_record_without_a_key_is_none(file: RecordFile, missing: str) -> None:
    value = written(file)
    del value[missing]
    put(file, json.dumps(value))
    with pytest.raises(RecordError, match="is damaged"):
        file.read()


FOREIGN = [
    ("schema", 2), ("schema", "1"), ("boot_id", "x"), ("boot_id", f"{BOOT_ID}\n"),
    ("process", {"pid": 0, "start": 0}), ("process", {"pid": 1 << 23, "start": 1}),
    ("process", {"pid": 1}), ("process", None), ("acts", "yes"), ("stays_awake", 1),
    ("file", 7), ("file", "x" * (TEXT_LIMIT + 1)),
    ("policy", {"after_stop": "force-off"}), ("policy", {"at_boot": "unbind"}),
    ("policy", {"pause_s": -1}), ("policy", {"pause_s": 1e9}), ("policy", {"pause_s": None}),
    ("memory", {"address": "../../.."}), ("memory", {"address": f"{CARD}\n"}),
    ("memory", {"user": "win11"}), ("memory", {"acting": None}),
    ("memory", {"pending": {"id": "1", "address": CARD, "guest": "x", "due_s": 1}}),
    ("memory", {"pending": {"id": "0" * 32, "address": "/", "guest": "x", "due_s": 1}}),
    ("memory", {"pending": {"id": "0" * 32, "address": CARD, "guest": "x", "due_s": -1}}),
    ("memory", {"pending": {"id": "0" * 32, "address": CARD, "guest": "x", "due_s": 1e300}}),
    ("memory", {"pending": {"id": "0" * 32, "address": CARD, "guest": "x"}}),
    ("events", [{"at_s": -1, "subject": "x", "text": "x"}]),
    ("events", [{"at_s": 1, "subject": "x", "text": "x", "kind": "fatal"}]),
    ("events", [{"at_s": 1, "subject": "x", "text": "x", "by": "root"}]),
    ("events", [{"at_s": 1, "subject": "x", "text": "x" * (TEXT_LIMIT + 1)}]),
    ("events", [{"at_s": 1, "subject": "x", "text": "x"}] * (RECORDED_EVENTS + 1)),
    ("events", {}),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), FOREIGN)
def test_a_value_beyond_its_limits_is_refused(file: RecordFile, key: str, value: object) -> None:
    put(file, json.dumps({**written(file), key: value}))
    with pytest.raises(RecordError, match="is damaged"):
        file.read()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "-0.1"])
def test_a_time_that_is_no_number_of_seconds(file: RecordFile, number: str) -> None:
    text = json.dumps({**written(file), "events": [{"at_s": 7.25, "subject": "x", "text": "x"}]})
    put(file, text.replace("7.25", number))
    with pytest.raises(RecordError, match="is damaged"):
        file.read()


@pytest.mark.parametrize("content", ["[" * 100_000, '{"memory":' * 20_000])
def test_nesting_ends_in_an_error(file: RecordFile, content: str) -> None:
    put(file, content[:SIZE_LIMIT])
    with pytest.raises(RecordError, match="is damaged"):
        file.read()


def test_more_events_than_fit_are_dropped(file: RecordFile) -> None:
    events = tuple(RecordedEvent(float(n), CARD, str(n)) for n in range(RECORDED_EVENTS + 9))
    file.write(replace(RECORD, events=events))
    found = file.read()
    assert found is not None
    assert found.events == events[:RECORDED_EVENTS]


def test_of_long_events_the_newest_are_kept(file: RecordFile) -> None:
    text = "\U0001f600" * TEXT_LIMIT
    events = tuple(RecordedEvent(float(n), text, text, fix=text) for n in range(RECORDED_EVENTS))
    file.write(replace(RECORD, events=events))
    found = file.read()
    assert found is not None
    assert 0 < len(found.events) < RECORDED_EVENTS
    assert replace(found, events=()) == replace(RECORD, events=())
    assert found.events == events[: len(found.events)]


# --- as a file ------------------------------------------------------------------------


def test_none_is_none(file: RecordFile, tmp_path: Path) -> None:
    assert file.read() is None
    assert RecordFile(tmp_path / "nowhere", owner=os.geteuid()).read() is None
    assert file.version() is None


def test_one_of_another_boot_is_none(file: RecordFile) -> None:
    file.write(replace(RECORD, boot_id="1" * 8 + "-1111" * 3 + "-" + "1" * 12))
    assert file.read() is None


def test_everybody_may_read_it_and_a_new_one_has_another_version(file: RecordFile) -> None:
    file.write(RECORD)
    place = file.files.path / NAME
    assert place.stat().st_mode & 0o777 == 0o644
    before = file.version()
    file.write(RECORD)
    assert file.version() != before
    assert [*file.files.path.iterdir()] == [place]


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_can_write_is_refused(file: RecordFile, mode: int) -> None:
    file.write(RECORD)
    (file.files.path / NAME).chmod(mode)
    with pytest.raises(RecordError, match="is not vfiotop's"):
        file.read()


def test_a_file_of_another_owner_is_refused(file: RecordFile) -> None:
    file.write(RECORD)
    with pytest.raises(RecordError, match="belongs to somebody else"):
        RecordFile(file.files.path, owner=os.geteuid() + 1).read()


@pytest.mark.parametrize("name", [NAME, KEEP])
@pytest.mark.parametrize("kind", ["a FIFO", "a link", "a hard link", "a folder", "a dangling link"])
def test_what_is_no_regular_file_of_its_own_is_refused(
    file: RecordFile, tmp_path: Path, kind: str, name: str
) -> None:
    file.write(RECORD)
    real = tmp_path / "real"
    (file.files.path / NAME).rename(real)
    place = file.files.path / name
    if kind == "a FIFO":
        os.mkfifo(place)
    elif kind == "a link":
        place.symlink_to(real)
    elif kind == "a hard link":
        place.hardlink_to(real)
    elif kind == "a folder":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / "nowhere")
    if name == KEEP:
        assert file.take_keep() is None
        return
    with pytest.raises(RecordError, match="is not vfiotop's"):
        file.read()


def test_one_that_is_too_long_is_refused(file: RecordFile) -> None:
    put(file, b" " * (SIZE_LIMIT + 1))
    with pytest.raises(RecordError, match="too long"):
        file.read()


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_nothing_is_written_to_a_folder_of_others(file: RecordFile, mode: int) -> None:
    file.files.path.chmod(mode)
    with pytest.raises(RecordError, match="other users may write"):
        file.write(RECORD)
    with pytest.raises(RecordError, match="other users may write"):
        file.request_keep(PENDING.id)
    assert [*file.files.path.iterdir()] == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "nowhere" / "vfiotop", owner=os.geteuid())
    with pytest.raises(RecordError, match="cannot be written"):
        file.write(RECORD)


# --- keeping a card -------------------------------------------------------------------


def test_a_request_to_keep_is_taken_once(file: RecordFile) -> None:
    assert file.take_keep() is None
    file.request_keep(PENDING.id)
    assert file.take_keep() == PENDING.id
    assert file.take_keep() is None


@pytest.mark.parametrize("content", [b"", b"\xff" * 32, b"0" * 4096, b"\x1b[2J\n"])
def test_a_request_of_anything_else_cancels_nothing(file: RecordFile, content: bytes) -> None:
    place = put(file, content, KEEP)
    assert file.take_keep() != PENDING.id
    assert not place.exists()


def test_a_request_of_another_user_is_left_alone(file: RecordFile) -> None:
    file.request_keep(PENDING.id)
    (file.files.path / KEEP).chmod(0o666)
    assert file.take_keep() is None
