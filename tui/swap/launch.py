"""Asks for a swap: starts its runner, as root and out of the reach of this terminal and of
this login, and follows what the runner writes into the journal.

A runner says in one line of JSON whether it has begun; after that the journal tells.
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
from pathlib import Path
from typing import TypedDict

from tui.host import Unsettled
from tui.host.journal.file import Entry, Journal, JournalError
from tui.host.proc.process import is_alive
from tui.model.errors import Doubtful, Refused
from tui.model.requests import SwapRequest
from tui.process import output
from tui.process.privileges import ROOT_PATH
from tui.swap.request import words

FOLLOW_S = 0.1
"""Seconds between two looks into the journal."""

START_S = 120.0
"""Seconds for a runner to take all readings and begin."""

REASON_LIMIT = 1000
"""Characters of a refusal: it may name every process that holds the card."""

ANSWER_LIMIT = 64 * 1024
"""Bytes of an answer; a character takes up to twelve in JSON."""

SETTLE_S = 3.0
"""Seconds for which the journal is watched for a swap whose answer was lost."""

ELEVATIONS: dict[str, tuple[str, ...]] = {
    "sudo": ("sudo", "--"), "doas": ("doas", "--"), "run0": ("run0", "--"),
}  # fmt: skip
"""The programs that make an ordinary user root, the usual one first; each asks on the
terminal for what it needs to know."""


class RunnerReply(TypedDict, total=False):
    """What a runner says: the id of the swap that it has begun, or why it has not, with the
    ids of the checks that the user may still accept."""

    id: str
    error: str
    doubts: list[str]


def refusal(error: Exception) -> RunnerReply:
    """A refusal as it is told."""
    doubts = list(error.checks) if isinstance(error, Doubtful) else []
    return RunnerReply(error=output.short(str(error), REASON_LIMIT), doubts=doubts)


def unfinished(entry: Entry) -> str:
    """What to do about a swap that has not come to its end."""
    if is_alive(entry.runner):
        return f"a swap of {entry.address} is under way ({entry.state})"
    return (
        f"the {entry.direction} of {entry.address} was interrupted ({entry.state}): "
        "`vfiotop recover --finish` or `vfiotop recover --undo`"
    )


# --- as root --------------------------------------------------------------------


def launch(request: SwapRequest, journal: Journal | None = None) -> str:
    """Start a runner; the id of the swap that it began. Only for root. Raises ``Refused``,
    and ``Unsettled`` where it is not known whether one began."""
    before = _entry(journal)
    runner = subprocess.Popen(  # noqa: S603
        [*_own_scope(), *_privileged("run", request)],
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
            line = runner.stdout.readline(ANSWER_LIMIT) if ready else b""
        except KeyboardInterrupt:  # an answer that is not waited for is a lost one
            line = b""
    # The pipe is closed now: a runner that has not begun yet hears so, and does not begin.
    if not line and _has_ended(runner) and not _taken_up(request, before, journal):
        raise Refused("the runner ended before it began: nothing was touched")
    return _told(line, request, before, journal)


def _has_ended(runner: subprocess.Popen[bytes]) -> bool:
    try:
        runner.wait(SETTLE_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _own_scope() -> tuple[str, ...]:
    """Where systemd is, it ends what belongs to a login when that ends (KillUserProcesses=
    of logind.conf(5)); a scope of its own belongs to none (systemd-run(1))."""
    tool = shutil.which("systemd-run", path=ROOT_PATH)
    if tool is None or not Path("/run/systemd/system").exists():  # sd_booted(3)
        return ()
    return (tool, "--scope", "--quiet", "--collect", "--slice=system.slice", "--")


def _privileged(way: str, request: SwapRequest) -> list[str]:
    """The privileged half, as a command. -I: neither the environment nor the current folder
    says where code comes from. -B: root leaves no compiled files in a user's checkout."""
    return [sys.executable, "-I", "-B", "-m", "tui.swap", way, *words(request)]


def _told(
    line: bytes, request: SwapRequest, before: Entry | None, journal: Journal | None = None
) -> str:
    """The id that a runner tells of. Raises what it tells in its place. An answer that was
    lost is looked up in the journal."""
    try:
        told = json.loads(line)
        if "error" in told:
            doubts = [str(check) for check in told.get("doubts", ())]
            raise Doubtful(str(told["error"]), doubts) if doubts else Refused(str(told["error"]))
        return str(told["id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return _looked_up(request, before, journal)


def _looked_up(request: SwapRequest, before: Entry | None, journal: Journal | None) -> str:
    """The id of the swap that the request began. Raises ``Unsettled``."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        entry = _entry(journal)
        if entry is not None and _began(request, before, entry):
            return entry.id
        if time.monotonic() > deadline:
            raise Unsettled(
                "the answer was lost and the journal tells of no such swap yet: `vfiotop recover` "
                "says whether one was begun; do not start a guest with the card before that"
            )
        time.sleep(FOLLOW_S)


def _began(request: SwapRequest, before: Entry | None, now: Entry) -> bool:
    """Whether the journal tells that a request was taken up. A recovery goes on with the
    swap that it is of, in another process."""
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
    """The program that makes an ordinary user root, ``None`` for root. Raises ``Refused``
    where there is none."""
    if os.geteuid() == 0:
        return None
    for name in [configured] if configured else ELEVATIONS:
        if shutil.which(name):
            return name
    wanted = configured or "sudo, doas or run0"
    raise Refused(f"only root may move a card, and there is no {wanted}: run it as root")


def launch_elevated(request: SwapRequest, tool: str, journal: Journal | None = None) -> str:
    """The same through ``tool``, which may ask for a password on this terminal; Ctrl-C is
    its, meanwhile. Raises as ``launch``."""
    command = [*ELEVATIONS[tool], *_privileged("launch", request)]
    output.note(f"{tool} for: vfiotop {request.text}")
    before = _entry(journal)
    with _interrupts_are_theirs():
        # The answer comes by a pipe; what the tool has to say goes to the terminal.
        asked = subprocess.Popen(command, cwd="/", stdout=subprocess.PIPE)  # noqa: S603
        assert asked.stdout is not None
        with asked.stdout:
            line = asked.stdout.readline(ANSWER_LIMIT)
            status = asked.wait()
    if not line and status > 0 and not _taken_up(request, before, journal):
        raise Refused(f"{tool} did not run it (status {status}): nothing was begun")
    return _told(line, request, before, journal)


def _taken_up(request: SwapRequest, before: Entry | None, journal: Journal | None) -> bool:
    entry = _entry(journal)
    return entry is not None and _began(request, before, entry)


@contextmanager
def _interrupts_are_theirs() -> Iterator[None]:
    # A handler, and not SIG_IGN: that would be inherited.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Launcher:
    """Has swaps of this machine run. ``configured`` is the tool for elevation that the user
    chose."""

    def __init__(self, configured: str | None = None) -> None:
        self.unavailable_reason: str | None = None
        self._tool: str | None = None
        try:  # once: a PATH may lead to a file system that does not answer
            self._tool = elevation(configured)
        except Refused as error:
            self.unavailable_reason = str(error)

    @property
    def needs_terminal(self) -> bool:
        return self._tool is not None

    def begin(self, request: SwapRequest) -> str:
        if self.unavailable_reason is not None:
            raise Refused(self.unavailable_reason)
        if self._tool is None:
            return launch(request)
        return launch_elevated(request, self._tool)


# --- following ------------------------------------------------------------------


def follow(identity: str, journal: Journal | None = None) -> Iterator[Entry]:
    """The entries of a swap as they come, until it has ended, is stuck, or its runner is
    gone. Raises ``Unsettled`` where another swap is told of before its end was seen."""
    journal = journal or Journal()
    last: Entry | None = None
    while True:
        entry = journal.read()
        if entry is None:
            return
        if entry.id != identity:
            raise Unsettled(
                "another swap has begun before the end of this one was seen: `vfiotop status` "
                "tells where the card is"
            )
        if entry != last:
            yield entry
            last = entry
        if entry.ended or entry.state in ("failed", "stuck"):
            return
        if not is_alive(entry.runner) and journal.read() == entry:
            return
        time.sleep(FOLLOW_S)
