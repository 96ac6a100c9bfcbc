"""Starts the runner of a swap and follows it.

The runner is root's, and independent of this terminal and this login. It replies in one line of
JSON whether it has begun; after that its progress is in the journal.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypedDict

from msgspec import convert

from tui.config import ELEVATIONS
from tui.host import Unsettled
from tui.host.journal.entry import Entry, JournalError
from tui.host.journal.file import Journal
from tui.host.proc.process import is_alive
from tui.model.errors import Doubtful, Refused
from tui.model.requests import SwapRequest
from tui.process import output
from tui.process.code import swap_program
from tui.process.privileges import ROOT_PATH
from tui.process.scope import own_scope
from tui.swap.request import words

POLL_S = 0.1
"""Seconds between two reads of the journal."""

START_S = 120.0
"""Seconds that a runner gets to take its readings and begin."""

REASON_LIMIT = 1000
"""Characters of a refusal, which may name every process that holds the card."""

REPLY_LIMIT = 64 * 1024
"""Bytes of a reply; a character takes up to twelve in JSON."""

LOST_REPLY_S = 3.0
"""Seconds to watch the journal for a swap whose reply was lost."""

ELEVATION_COMMANDS: dict[str, tuple[str, ...]] = {
    name: (name,) if name == "pkexec" else (name, "--") for name in ELEVATIONS
}
"""How each of them runs a command. Each may prompt on the terminal."""


class RunnerReply(TypedDict, total=False):
    """A runner's reply: the id of the swap that it began, or why it did not.

    ``doubts`` are the checks that the user may still accept.
    """

    id: str
    error: str
    doubts: list[str]


def refusal_reply(error: Exception) -> RunnerReply:
    """Turn a refusal into a reply."""
    doubts = list(error.checks) if isinstance(error, Doubtful) else []
    return RunnerReply(error=output.short(str(error), REASON_LIMIT), doubts=doubts)


def describe_unfinished(entry: Entry) -> str:
    """Say what to do about a swap that has not ended."""
    if is_alive(entry.runner):
        return f"a swap of {entry.address} is under way ({entry.state})"
    return (
        f"the {entry.direction} of {entry.address} was interrupted ({entry.state}): "
        "`vfiotop recover --finish` or `vfiotop recover --undo`"
    )


# --- as root --------------------------------------------------------------------


def launch(request: SwapRequest, journal: Journal | None = None) -> str:
    """Start a runner as root; returns the id of the swap that it began.

    It runs out of the login session, whose processes systemd may kill at logout
    (KillUserProcesses= of logind.conf(5)): a scope of its own belongs to no session.
    Raises ``Refused``, and ``Unsettled`` if it is unknown whether a swap began.
    """
    before = _entry(journal)
    runner = subprocess.Popen(  # noqa: S603
        [*own_scope("system.slice"), *_privileged_command("run", request)],
        cwd="/",
        env={"PATH": ROOT_PATH, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert runner.stdout is not None
    with runner.stdout:
        try:
            ready, _, _ = select.select([runner.stdout], [], [], START_S)
            line = runner.stdout.readline(REPLY_LIMIT) if ready else b""
        except KeyboardInterrupt:  # a reply that we do not wait for is a lost one
            line = b""
    # The pipe is closed now, so a runner that has not begun will not begin.
    if not line and _has_ended(runner) and not _taken_up(request, before, journal):
        raise Refused("the runner exited before it started anything; nothing was changed")
    return _parse_reply(line, request, before, journal)


def _has_ended(runner: subprocess.Popen[bytes]) -> bool:
    try:
        runner.wait(LOST_REPLY_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _privileged_command(way: str, request: SwapRequest) -> list[str]:
    """Return the command line of the privileged half.

    An installation has a program that can only launch, for a rule in sudoers(5) to allow.
    -I: neither the environment nor the current folder decides where code comes from. -B: root
    leaves no compiled files in a user's checkout.
    """
    program = swap_program()
    if way == "launch" and program is not None:
        return [program, *words(request)]
    return [sys.executable, "-I", "-B", "-m", "tui.swap", way, *words(request)]


def _parse_reply(
    line: bytes, request: SwapRequest, before: Entry | None, journal: Journal | None = None
) -> str:
    """Return the id in a runner's reply, or look a lost reply up in the journal.

    Raises ``Refused`` or ``Doubtful`` if that is the reply, and ``Unsettled``.
    """
    try:
        reply = convert(json.loads(line), RunnerReply)
        if "error" not in reply:
            return reply["id"]
    except (ValueError, KeyError, RecursionError):
        return _look_up(request, before, journal)
    doubts = reply.get("doubts")
    raise Doubtful(reply["error"], doubts) if doubts else Refused(reply["error"])


def _look_up(request: SwapRequest, before: Entry | None, journal: Journal | None) -> str:
    """Find the id of the swap that the request began. Raises ``Unsettled``."""
    deadline = time.monotonic() + LOST_REPLY_S
    while True:
        entry = _entry(journal)
        if entry is not None and _began(request, before, entry):
            return entry.id
        if time.monotonic() > deadline:
            raise Unsettled(
                "the reply was lost, and the journal has no such swap yet: `vfiotop recover` "
                "shows whether one began. Do not start a guest with the card before that"
            )
        time.sleep(POLL_S)


def _began(request: SwapRequest, before: Entry | None, now: Entry) -> bool:
    """Whether the journal shows that a request began.

    A recovery continues the swap that it names, in another process.
    """
    if not request.recovers:
        return now.id == request.identity
    return now.id == request.swap and (before is None or now.runner != before.runner)


def _entry(journal: Journal | None) -> Entry | None:
    try:
        return (journal or Journal()).read()
    except JournalError:
        return None


# --- as anybody -----------------------------------------------------------------


def elevation(configured: str | None) -> str | None:
    """Return the program that makes an ordinary user root, or ``None`` if we are root.

    Raises ``Refused`` if there is none.
    """
    if os.geteuid() == 0:
        return None
    for name in [configured] if configured else ELEVATIONS:
        if shutil.which(name):
            return name
    wanted = configured or "sudo, doas, run0 or pkexec"
    raise Refused(f"only root may move a card, and there is no {wanted}: run it as root")


def launch_elevated(request: SwapRequest, tool: str, journal: Journal | None = None) -> str:
    """Launch through ``tool``, which may prompt for a password on this terminal.

    Ctrl-C goes to ``tool`` meanwhile. Raises as ``launch`` does.
    """
    command = [*ELEVATION_COMMANDS[tool], *_privileged_command("launch", request)]
    output.note(f"{tool} for: vfiotop {request.text}")
    before = _entry(journal)
    with _interrupts_ignored():
        # The reply comes through a pipe; the tool itself writes to the terminal.
        child = subprocess.Popen(command, cwd="/", stdout=subprocess.PIPE)  # noqa: S603
        assert child.stdout is not None
        with child.stdout:
            line = child.stdout.readline(REPLY_LIMIT)
            status = child.wait()
    if not line and status > 0 and not _taken_up(request, before, journal):
        raise Refused(
            f"{tool} did not start the runner (exit status {status}); nothing was changed"
        )
    return _parse_reply(line, request, before, journal)


def _taken_up(request: SwapRequest, before: Entry | None, journal: Journal | None) -> bool:
    entry = _entry(journal)
    return entry is not None and _began(request, before, entry)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    # A handler and not SIG_IGN, which the child would inherit.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# --- following ------------------------------------------------------------------


def follow(identity: str, journal: Journal | None = None) -> Iterator[Entry]:
    """Yield the entries of a swap until it has ended or is stuck, or its runner is gone.

    Raises ``Unsettled`` if another swap is in the journal before this one's end was seen.
    """
    journal = journal or Journal()
    last: Entry | None = None
    while True:
        entry = journal.read()
        if entry is None:
            return
        if entry.id != identity:
            raise Unsettled(
                "another swap began before the end of this one was seen: `vfiotop status` "
                "shows where the card is"
            )
        if entry != last:
            yield entry
            last = entry
        if entry.ended or entry.state in ("failed", "stuck"):
            return
        if not is_alive(entry.runner) and journal.read() == entry:
            return
        time.sleep(POLL_S)
