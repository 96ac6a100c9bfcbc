"""The words that put a command into a scope, where systemd runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.process import scope


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """systemd-run, on a host where systemd runs."""
    made = tmp_path / "systemd-run"
    made.touch(mode=0o755)
    monkeypatch.setattr(scope, "ROOT_PATH", str(tmp_path))
    monkeypatch.setattr(scope, "_RUNS", tmp_path)
    return made


def test_a_scope_with_limits(tool: Path) -> None:
    assert scope.own_scope("user-7.slice", TasksMax="256") == (
        str(tool), "--scope", "--quiet", "--collect", "--slice=user-7.slice",
        "--property=TasksMax=256", "--",
    )  # fmt: skip


def test_without_systemd_there_is_none(tool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "_RUNS", tool / "missing")
    assert scope.own_scope("system.slice") == ()


def test_without_systemd_run_there_is_none(tool: Path) -> None:
    tool.unlink()
    assert scope.own_scope("system.slice") == ()
