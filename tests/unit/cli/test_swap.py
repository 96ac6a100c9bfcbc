"""Following a swap: the exit code is that of the swap, even if output is lost."""

from __future__ import annotations

import argparse
import os
import termios
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import pytest
from msgspec.structs import replace

from tests.unit.host.journal.test_file import ENTRY
from tui.cli import bind, confirm
from tui.host import Host
from tui.host.demo.host import demo_host
from tui.host.journal.entry import Entry
from tui.model import Plan
from tui.model.requests import SwapRequest
from tui.process import output
from tui.process.crash import OutcomeUnknown
from tui.process.output import Channel
from tui.swap import launch

PLAN = Plan("bind", ENTRY.address, (), ())
YES = argparse.Namespace(yes=True, despite_doubts=False)
RUNNING = replace(ENTRY, state="running", message="a\x1b[31m\nb")


@dataclass
class Begins:
    """A mover that begins every request."""

    needs_terminal: bool = False
    unavailable_reason: str | None = None
    begun: list[SwapRequest] = field(default_factory=list)

    def begin(self, request: SwapRequest) -> str:
        self.begun.append(request)
        return request.identity


@dataclass
class Followed:
    """Yields a swap's journal entries, then raises ``wrong`` if it is set."""

    entries: list[Entry]
    wrong: Exception | None = None
    seen: int = 0

    def follow(self, _identity: str) -> Iterator[Entry]:
        for entry in self.entries:
            self.seen += 1
            yield entry
        if self.wrong is not None:
            raise self.wrong


@pytest.fixture
def host() -> Host:
    return replace(demo_host("desk"), banner=None, mover=Begins())


def followed(
    monkeypatch: pytest.MonkeyPatch, *states: str, wrong: Exception | None = None
) -> Followed:
    entries = [replace(RUNNING, state=state, step=n) for n, state in enumerate(states)]
    swap = Followed(entries, wrong)
    monkeypatch.setattr(launch, "follow", swap.follow)
    return swap


@pytest.fixture(params=["full", "gone"])
def deaf(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    """A stdout that accepts nothing: a full disk, or a pipe without a reader."""
    if request.param == "full":
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, descriptor = os.pipe()
        os.close(reader)
    channel = Channel(descriptor)
    monkeypatch.setattr(output, "STDOUT", channel)
    yield channel
    os.close(descriptor)


@pytest.mark.parametrize(("end", "code"), [("done", 0), ("undone", 1), ("stuck", 3), ("failed", 3)])
def test_a_swap_is_followed_to_its_end_even_if_output_is_lost(
    host: Host, deaf: Channel, monkeypatch: pytest.MonkeyPatch, end: str, code: int
) -> None:
    swap = followed(monkeypatch, "prepared", "running", "running", end)
    assert bind.carry_out(host, PLAN, YES) == code
    assert swap.seen == 4
    assert deaf.lost is not None


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, TextIO]]:
    """A terminal at which somebody has typed y ahead: the person's end, and standard input."""
    ours, theirs = os.openpty()
    modes = termios.tcgetattr(theirs)
    modes[3] &= ~termios.ECHO  # the echo would come between what is written
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    os.write(ours, b"y\n")
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        yield ours, terminal
    os.close(ours)


def shown_at(ours: int) -> bytes:
    """All that was written to a terminal whose other end is closed."""
    shown = b""
    with suppress(OSError):  # EIO at its end
        while more := os.read(ours, 4096):
            shown += more
    return shown.replace(b"\r", b"")


def test_a_question_that_was_not_printed_has_no_answer(
    at_terminal: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, terminal = at_terminal
    gone = Channel(terminal.fileno())
    monkeypatch.setattr(output, "STDOUT", gone)
    assert confirm.yes("Bind it now? [y/N] ")
    os.write(ours, b"y\n")
    gone.lost = OSError()
    assert not confirm.yes("Bind it now? [y/N] ")


def test_a_question_is_not_asked_in_a_file(
    at_terminal: tuple[int, TextIO], deaf: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes to the terminal with the plan, or is not asked."""
    assert confirm.why_not_confirmed("the plan", "Bind it", ()) == confirm.UNASKED
    ours, terminal = at_terminal
    monkeypatch.setattr(output, "STDERR", Channel(terminal.fileno()))
    assert confirm.why_not_confirmed("the plan", "Bind it", ()) is None
    terminal.close()
    assert shown_at(ours).endswith(b"the plan\n\nBind it now? [y/N] ")


def test_a_script_is_told_how_to_agree(
    host: Host, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asking = argparse.Namespace(yes=False, despite_doubts=False)
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        assert bind.swap(host, PLAN, asking) == 1
    assert "--yes" in capfd.readouterr().err


def test_a_message_stays_on_its_line(
    host: Host, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    followed(monkeypatch, "running", "done")
    assert bind.carry_out(host, PLAN, YES) == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith(r"a\x1b[31m\nb")


def test_an_unexpected_error_while_following_leaves_the_outcome_unknown(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed(monkeypatch, "running", wrong=KeyError("a defect"))
    with pytest.raises(OutcomeUnknown):
        bind.carry_out(host, PLAN, YES)


@pytest.mark.parametrize("begun", [False, True])
def test_ctrl_c_says_that_the_swap_continues_only_if_it_has_begun(
    host: Host, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], begun: bool
) -> None:
    def interrupted(_identity: str) -> Iterator[Entry]:
        if begun:
            yield RUNNING
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "follow", interrupted)
    assert bind.carry_out(host, PLAN, YES) == 3
    assert ("the swap continues without this command" in capfd.readouterr().err) == begun
