"""The code of this process, as root would run it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tui.model import Code
from tui.process import code
from tui.process.code import judge_code, swap_program
from tui.process.ownership import Part

OTHER = 1234


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that code is imported from."""
    monkeypatch.setattr(sys, "path", ["", "relative", str(tmp_path)])
    monkeypatch.setattr(sys, "executable", "/")
    monkeypatch.setattr(sys, "prefix", "/")
    monkeypatch.setattr(sys, "base_prefix", "/")
    return tmp_path


def only_root_makes_others_files() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make what others own")


def test_a_checkout_has_no_program_for_swaps_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert swap_program() is None
    (tmp_path / "swap").touch()
    assert swap_program() == str(tmp_path / "swap")
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    assert swap_program() is None


def test_a_file_deep_in_what_is_imported(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_root_makes_others_files()
    package = place / "package"
    package.mkdir()
    file = package / "module.py"
    file.touch()
    os.chown(file, OTHER, OTHER)
    monkeypatch.setattr(os, "getuid", lambda: OTHER)
    found = judge_code()
    assert (found.writers, found.who, found.path) == ("user", f"user {OTHER}", str(file))
    monkeypatch.setattr(os, "getuid", lambda: OTHER + 1)
    assert judge_code().refusal == f"root would run code that user {OTHER} can change ({file})"
    file.unlink()
    assert judge_code().writers == "root"


def test_a_folder_that_others_can_add_to(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_root_makes_others_files()
    place.chmod(0o1777)
    for user in (0, OTHER):
        monkeypatch.setattr(os, "getuid", lambda user=user: user)
        found = judge_code()
        assert (found.writers, found.who, found.path) == ("others", "everybody", str(place))


def test_what_cannot_be_looked_at_is_not_known(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: str) -> list[Part]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(code, "parts", closed)
    found = judge_code()
    assert found == Code("unknown", "/: Permission denied", user=found.user)
