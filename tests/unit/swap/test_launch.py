"""The caller of a swap: elevation, replies of a runner, and lost replies."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.host.journal.test_file import ENTRY
from tui.host import HostError, Unsettled
from tui.host.journal.file import Journal
from tui.host.journal.format import dump
from tui.host.proc.process import Process
from tui.model import Code
from tui.model.errors import Doubtful, Refused
from tui.model.requests import SwapRequest
from tui.swap import launch
from tui.swap.launch import elevation, launch_elevated, refusal_reply
from tui.swap.launcher import Launcher
from tui.swap.request import parse


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is the whole PATH of an ordinary user."""
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
    assert not Launcher().needs_terminal
    assert Launcher().unavailable_reason is None


def test_the_first_tool_that_is_there(tools: Path) -> None:
    tool(tools, "run0")
    assert elevation(None) == "run0"
    tool(tools, "doas")
    assert elevation(None) == "doas"
    assert elevation("run0") == "run0"
    assert Launcher().needs_terminal


@pytest.mark.parametrize(
    ("configured", "words"), [(None, "sudo, doas, run0 or pkexec"), ("doas", "doas")]
)
def test_no_tool_is_a_refusal(tools: Path, configured: str | None, words: str) -> None:
    with pytest.raises(Refused, match=f"there is no {words}: run it as root"):
        elevation(configured)
    assert words in (Launcher(configured).unavailable_reason or "")


REQUEST = SwapRequest("bind", "0000:02:00.0")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "vfiotop", owner=os.getuid())
    with journal.locked():
        return journal


def test_the_request_goes_through_the_tool_and_the_answer_comes_back(tools: Path) -> None:
    tool(tools, "doas", f'echo "$@" >{tools}/asked; echo \'{{"id": "7"}}\'')
    assert Launcher("doas", lambda: Code("root")).begin(REQUEST) == "7"
    asked = (tools / "asked").read_text().split()
    assert asked[0] == "--"
    assert asked[2:7] == ["-I", "-B", "-m", "tui.swap", "launch"]
    assert parse(asked[7:]) == REQUEST


def test_the_tool_that_asks_for_the_password_is_named_and_ctrl_c_is_the_tools(
    tools: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tool(tools, "doas", f'kill -INT {os.getpid()}; echo \'{{"id": "7"}}\'')
    before = signal.getsignal(signal.SIGINT)
    assert launch_elevated(REQUEST, "doas") == "7"
    assert capfd.readouterr().err == f"doas for: vfiotop bind {REQUEST.address}\n"
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize(
    "error", [Refused("held"), Doubtful("who knows", ["holders"]), HostError("no libvirt")]
)
def test_a_refusal_comes_back_as_what_it_was(tools: Path, error: Exception) -> None:
    tool(tools, "doas", f"echo '{json.dumps(refusal_reply(error))}'; exit 1")
    with pytest.raises(Refused, match=str(error)) as caught:
        launch_elevated(REQUEST, "doas")
    assert isinstance(caught.value, Doubtful) == isinstance(error, Doubtful)
    assert getattr(caught.value, "checks", ()) == getattr(error, "checks", ())


@pytest.mark.parametrize("each", ["close holder, or run `kill 4194304`; ", "\U0001f4a3"])
def test_a_refusal_that_names_very_many_is_cut(tools: Path, journal: Journal, each: str) -> None:
    """A truncated refusal would count as a lost reply."""
    told = refusal_reply(Doubtful(f"in use by {each * 1000}", [f"{'x' * 40}:unknown"] * 32))
    (tools / "answer").write_text(json.dumps(told) + "\n")
    tool(tools, "doas", f"/bin/cat {tools}/answer; exit 1")
    with pytest.raises(Doubtful, match=r"^in use by .*…$"):
        launch_elevated(REQUEST, "doas", journal)


def test_a_tool_that_fails_without_a_word_began_nothing(tools: Path, journal: Journal) -> None:
    tool(tools, "doas", "exit 1")
    with pytest.raises(
        Refused, match=r"doas did not start the runner \(exit status 1\); nothing was changed"
    ):
        launch_elevated(REQUEST, "doas", journal)


LOST = [
    "kill -9 $$", "echo '[1'", "echo '{}'", "echo '[]'", "exit 0", "echo '\"'",
    "echo '\"an error\"'", "echo '[\"error\"]'", "echo '{\"id\": 7}'", "echo '{\"error\": null}'",
]  # fmt: skip
"""A tool that is killed, and replies that are malformed."""


@pytest.mark.parametrize("script", LOST)
def test_a_lost_answer_is_not_a_refusal(
    tools: Path, journal: Journal, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "LOST_REPLY_S", 0.0)
    tool(tools, "doas", script)
    with pytest.raises(Unsettled, match="the journal has no such swap yet"):
        launch_elevated(REQUEST, "doas", journal)


@pytest.mark.parametrize("script", [*LOST, "exit 1"])
def test_a_lost_answer_is_looked_up_in_the_journal(
    tools: Path, journal: Journal, tmp_path: Path, script: str
) -> None:
    (tmp_path / "entry").write_text(dump(replace(ENTRY, id=REQUEST.identity)))
    tool(tools, "doas", f"/bin/cp {tmp_path}/entry {journal.folder}/swap.json; {script}")
    assert launch_elevated(REQUEST, "doas", journal) == REQUEST.identity


def test_a_recovery_that_was_taken_up_has_another_runner(
    tools: Path, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "LOST_REPLY_S", 0.0)
    journal.write(ENTRY)
    request = SwapRequest("undo", swap=ENTRY.id)
    tool(tools, "doas", "exit 0")
    with pytest.raises(Unsettled):
        launch_elevated(request, "doas", journal)
    (tmp_path / "entry").write_text(dump(replace(ENTRY, runner=Process(3, 4))))
    tool(tools, "doas", f"/bin/cp {tmp_path}/entry {journal.folder}/swap.json; exit 0")
    assert launch_elevated(request, "doas", journal) == ENTRY.id


def test_the_end_of_a_swap_that_another_one_has_followed_is_not_known(journal: Journal) -> None:
    """The follower was stopped meanwhile, as by Ctrl-Z."""
    journal.write(ENTRY)
    entries = launch.follow(ENTRY.id, journal)
    assert next(entries) == ENTRY
    journal.write(replace(ENTRY, id=f"{2:032x}"))
    with pytest.raises(Unsettled, match="another swap began"):
        next(entries)


# --- the runner itself --------------------------------------------------------------


class Runner:
    """A shell script in place of the runner, and its processes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started: list[subprocess.Popen[bytes]] = []
        self._script = ""
        real = subprocess.Popen

        def popen(*given: Any, **named: Any) -> subprocess.Popen[bytes]:
            self.started.append(real(*given, **named))
            return self.started[-1]

        monkeypatch.setattr(launch, "own_scope", lambda slice: ())
        monkeypatch.setattr(launch, "_privileged_command", lambda way, request: self._command())
        monkeypatch.setattr(subprocess, "Popen", popen)

    def _command(self) -> list[str]:
        return ["/bin/sh", "-c", self._script]

    def __call__(self, script: str) -> None:
        self._script = script

    def end(self) -> None:
        for process in self.started:
            process.wait(60)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    runner = Runner(monkeypatch)
    yield runner
    runner.end()


def test_what_the_runner_says_is_the_answer(runner: Runner, journal: Journal) -> None:
    runner('echo \'{"id": "7"}\'; exec sleep 0')
    assert launch.launch(REQUEST, journal) == "7"
    runner(f"echo '{json.dumps(refusal_reply(Refused('held')))}'; exit 1")
    with pytest.raises(Refused, match="held"):
        launch.launch(REQUEST, journal)


def test_a_runner_that_ends_without_a_word_began_nothing(runner: Runner, journal: Journal) -> None:
    runner("exit 1")
    with pytest.raises(Refused, match="exited before it started anything; nothing was changed"):
        launch.launch(REQUEST, journal)


def test_a_runner_that_ends_without_a_word_and_has_begun_is_found(
    runner: Runner, journal: Journal, tmp_path: Path
) -> None:
    (tmp_path / "entry").write_text(dump(replace(ENTRY, id=REQUEST.identity)))
    runner(f"/bin/cp {tmp_path}/entry {journal.folder}/swap.json; exit 1")
    assert launch.launch(REQUEST, journal) == REQUEST.identity


def test_a_runner_that_says_nothing_may_have_begun(
    runner: Runner, journal: Journal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(launch, "START_S", 0.0)
    monkeypatch.setattr(launch, "LOST_REPLY_S", 0.0)
    os.mkfifo(tmp_path / "fifo")
    runner(f"read word <{tmp_path}/fifo")
    with pytest.raises(Unsettled, match="no such swap yet"):
        launch.launch(REQUEST, journal)
    (tmp_path / "fifo").write_text("go on\n")
    assert runner.started[0].wait(60) == 0


# --- what root is going to run --------------------------------------------------------


def judged(code: Code) -> Launcher:
    return Launcher("doas", lambda: code)


def test_code_that_this_user_can_change_is_said_once(
    tools: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tool(tools, "doas", 'echo \'{"id": "7"}\'')
    launcher = judged(Code("user", "player", "/srv/vfiotop"))
    assert [launcher.begin(REQUEST) for _ in range(2)] == ["7", "7"]
    said = capfd.readouterr().err
    assert said.count("doas runs code that player can change (/srv/vfiotop): a package or") == 1
    judged(Code("root")).begin(REQUEST)
    assert capfd.readouterr().err == f"doas for: vfiotop bind {REQUEST.address}\n"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (Code("others", "group games", "/srv"), "code that group games can change (/srv)"),
        (Code("unknown", "/srv: Permission denied"), "cannot tell who can change the code"),
    ],
)
def test_code_that_others_can_change_is_not_given_to_root(
    tools: Path, code: Code, why: str
) -> None:
    tool(tools, "doas", f"echo asked >{tools}/asked")
    with pytest.raises(Refused, match=re.escape(why)):
        judged(code).begin(REQUEST)
    assert not (tools / "asked").exists()


def test_an_installation_is_launched_by_a_program_that_can_do_nothing_else(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "swap_program", lambda: "/usr/local/lib/vfiotop/swap")
    tool(tools, "pkexec", f'echo "$@" >{tools}/asked; echo \'{{"id": "7"}}\'')
    assert Launcher("pkexec", lambda: Code("root")).begin(REQUEST) == "7"
    program, *words = (tools / "asked").read_text().split()
    assert program == "/usr/local/lib/vfiotop/swap"
    assert parse(words) == REQUEST


def test_a_launcher_that_may_not_asks_nobody(tools: Path) -> None:
    with pytest.raises(Refused, match="run it as root"):
        Launcher().begin(REQUEST)
