"""The request to keep a card, which the watch takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui.host import HostError
from tui.host.watch.keeper import ONLY_ROOT, RecordKeeper
from tui.host.watch.record import RecordFile

PENDING = "a" * 32


def test_the_watch_takes_what_is_asked_once(tmp_path: Path) -> None:
    record = RecordFile(tmp_path / "run", owner=os.geteuid())
    RecordKeeper(record).keep(PENDING)
    assert record.take_keep() == PENDING
    assert record.take_keep() is None


def test_a_request_that_cannot_be_written_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file in the folder's place")
    with pytest.raises(HostError, match=r"run"):
        RecordKeeper(RecordFile(tmp_path / "run", owner=os.geteuid())).keep(PENDING)


@pytest.mark.parametrize(("user", "reason"), [(0, None), (1000, ONLY_ROOT)])
def test_only_root_can(user: int, reason: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert RecordKeeper().unavailable_reason == reason
