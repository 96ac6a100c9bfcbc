"""The history of the watch, as a screen gets it."""

from __future__ import annotations

from pathlib import Path

from tests.unit.host.history.made import LOAD, folder, minute, store
from tui.host.history.source import StoredHistory


def test_without_a_folder_no_watch_keeps_one(tmp_path: Path) -> None:
    history = StoredHistory(folder(tmp_path / "disk"), folder(tmp_path / "memory"))
    assert (history.newest(), history.everything()) == (None, None)


def test_the_disk_is_read_with_everything_only(tmp_path: Path) -> None:
    store(tmp_path / "disk").write(minute(0))
    history = StoredHistory(folder(tmp_path / "disk"), folder(tmp_path / "memory"))
    newest, everything = history.newest(), history.everything()
    assert newest is not None
    assert everything is not None
    assert LOAD not in newest.keys
    assert LOAD in everything.keys
