"""Frames: what is complete is read, and what is not ends the file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.host.history.frames import MAGIC, OtherVersion, contents, framed

CONTENTS = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


def read(data: bytes) -> list[bytes]:
    return [bytes(content) for content in contents(data)]


@given(CONTENTS, st.data())
def test_a_file_that_was_cut_anywhere_has_the_frames_before_that(
    written: list[bytes], data: st.DataObject
) -> None:
    frames = [framed(content) for content in written]
    whole = MAGIC + b"".join(frames)
    cut = data.draw(st.integers(0, len(whole)))
    complete = 0
    while complete < len(frames) and len(MAGIC) + len(b"".join(frames[: complete + 1])) <= cut:
        complete += 1
    assert read(whole[:cut]) == written[:complete]


@given(CONTENTS.filter(bool), st.data())
def test_a_changed_byte_is_never_believed(written: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(MAGIC + b"".join(map(framed, written)))
    at = data.draw(st.integers(len(MAGIC), len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    found = read(bytes(whole))
    assert len(found) < len(written)
    assert found == written[: len(found)]


def test_zeros_that_a_power_loss_left_end_the_file() -> None:
    assert read(MAGIC + framed(b"one") + bytes(4096)) == [b"one"]


@pytest.mark.parametrize("data", [b"vfiotop history 2\n", b"SQLite format 3\0", b"v2"])
def test_another_version_is_not_read(data: bytes) -> None:
    with pytest.raises(OtherVersion):
        read(data + framed(b"one"))
