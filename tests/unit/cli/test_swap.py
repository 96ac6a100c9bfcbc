"""Following a swap: the exit code is that of the swap, even if output is lost."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

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


def test_a_question_that_was_not_printed_has_no_answer(
    host: Host, deaf: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = os.openpty()
    os.write(ours, b"y\n")
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        assert not confirm.yes("Bind it now? [y/N] ")
    os.close(ours)


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
