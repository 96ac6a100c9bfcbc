"""Who asks for a swap: elevation, and what a runner answers."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tui.host import HostError
from tui.swap.consent import Doubtful, Refused
from tui.swap.launch import (
    Launcher,
    elevation,
    launch_elevated,
    refusal,
)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, of an ordinary user."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return tmp_path


def tool(folder: Path, name: str, script: str = "") -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_root_needs_no_elevation(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert elevation(None) is None
    assert not Launcher().asks
    assert Launcher().forbidden is None


def test_the_first_tool_that_is_there(tools: Path) -> None:
    tool(tools, "run0")
    assert elevation(None) == "run0"
    tool(tools, "doas")
    assert elevation(None) == "doas"
    assert elevation("run0") == "run0"
    assert Launcher().asks


@pytest.mark.parametrize(("configured", "words"), [(None, "sudo, doas or run0"), ("doas", "doas")])
def test_no_tool_is_a_refusal(tools: Path, configured: str | None, words: str) -> None:
    with pytest.raises(Refused, match=f"there is no {words}: run it as root"):
        elevation(configured)
    assert words in (Launcher(configured).forbidden or "")


def test_the_request_goes_through_the_tool_and_the_answer_comes_back(tools: Path) -> None:
    tool(tools, "doas", f'echo "$@" >{tools}/asked; echo \'{{"id": "7"}}\'')
    launcher = Launcher("doas", ["--connect", "qemu:///session"])
    assert launcher.begin(["bind", "0000:02:00.0"]) == "7"
    asked = (tools / "asked").read_text().split()
    assert asked[0] == "--"
    assert asked[2:5] == ["-P", "-m", "tui"]
    assert asked[5:] == ["bind", "0000:02:00.0", "--connect", "qemu:///session", "--launch"]


@pytest.mark.parametrize(
    "error", [Refused("held"), Doubtful("who knows", ["holders"]), HostError("no libvirt")]
)
def test_a_refusal_comes_back_as_what_it_was(tools: Path, error: Exception) -> None:
    tool(tools, "doas", f"echo '{json.dumps(refusal(error))}'; exit 1")
    with pytest.raises(Refused, match=str(error)) as caught:
        launch_elevated(["bind"], "doas")
    assert isinstance(caught.value, Doubtful) == isinstance(error, Doubtful)
    assert getattr(caught.value, "checks", ()) == getattr(error, "checks", ())


SILENT = "no runner has said that it began"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 1", "doas did not run it \\(status 1\\): nothing was begun"),
        ("kill -9 $$", SILENT),
        ("echo '[1'", SILENT),
        ("echo '{}'", SILENT),
        ("echo '[]'", SILENT),
    ],
)
def test_a_tool_that_says_nothing_that_makes_sense(tools: Path, script: str, words: str) -> None:
    tool(tools, "doas", script)
    with pytest.raises(Refused, match=words):
        launch_elevated(["bind"], "doas")
