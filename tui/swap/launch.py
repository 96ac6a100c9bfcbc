"""Asks for a swap: starts its runner, as root and out of the reach of this terminal and of
this login, and follows what the runner writes into the journal.

A runner says in one line of JSON whether it has begun; after that the journal tells.
"""

from __future__ import annotations

import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from tui.swap.consent import Doubtful, Refused
from tui.swap.journal import Entry, Journal
from tui.swap.machine import SEARCHED, alive

KEPT = frozenset({"HOME", "LANG", "LC_ALL", "TZ", "XDG_CONFIG_HOME", "XDG_STATE_HOME"})
"""What of the environment bears on the runner; nothing that says where code comes from."""

FOLLOW_S = 0.1
"""Seconds between two looks into the journal."""

START_S = 120.0
"""Seconds for a runner to take all readings and begin."""

ANSWER_LIMIT = 8192

ELEVATIONS: dict[str, tuple[str, ...]] = {
    "sudo": ("sudo", "--"), "doas": ("doas", "--"), "run0": ("run0", "--"),
}  # fmt: skip
"""The programs that make an ordinary user root, the usual one first; each asks on the
terminal for what it needs to know."""


class Told(TypedDict, total=False):
    """What a runner says: the id of the swap that it has begun, or why it has not, with the
    ids of the checks that the user may still accept."""

    id: str
    error: str
    doubts: list[str]


def refusal(error: Exception) -> Told:
    """A refusal as it is told."""
    doubts = list(error.checks) if isinstance(error, Doubtful) else []
    return Told(error=str(error), doubts=doubts)


def unfinished(entry: Entry) -> str:
    """What to do about a swap that has not come to its end."""
    if alive(entry.runner):
        return f"a swap of {entry.address} is under way ({entry.state})"
    return (
        f"the {entry.direction} of {entry.address} was interrupted ({entry.state}): "
        "`vfiotop recover --finish` or `vfiotop recover --undo`"
    )


# --- as root --------------------------------------------------------------------


def launch(arguments: Sequence[str]) -> str:
    """Start a runner with these arguments of ours; the id of the swap that it began. Only
    for root. Raises ``Refused``."""
    # It runs as root: no module is taken from the folder that somebody happens to be in.
    runner = subprocess.Popen(  # noqa: S603
        [*_own_scope(), *_program(*arguments, "--runner")],
        cwd="/",
        env={"PATH": SEARCHED, **{k: v for k, v in os.environ.items() if k in KEPT}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert runner.stdout is not None
    with runner.stdout:
        ready, _, _ = select.select([runner.stdout], [], [], START_S)
        if not ready:
            raise Refused(
                f"the runner (process {runner.pid}) has not begun after {START_S:.0f} s: the "
                "kernel may be busy with the card; `vfiotop recover` tells what it has done"
            )
        return _told(runner.stdout.readline(ANSWER_LIMIT))


def _own_scope() -> tuple[str, ...]:
    """Where systemd is, it ends what belongs to a login when that ends (KillUserProcesses=
    of logind.conf(5)); a scope of its own belongs to none (systemd-run(1))."""
    tool = shutil.which("systemd-run", path=SEARCHED)
    if tool is None or not Path("/run/systemd/system").exists():  # sd_booted(3)
        return ()
    return (tool, "--scope", "--quiet", "--collect", "--slice=system.slice", "--")


def _program(*arguments: str) -> list[str]:
    """This program, as a command for anybody."""
    return [sys.executable, "-P", "-m", "tui", *arguments]


def _told(line: bytes) -> str:
    """The id that a runner tells of. Raises what it tells in its place."""
    try:
        told = json.loads(line)
        if "error" in told:
            doubts = [str(check) for check in told.get("doubts", ())]
            raise Doubtful(str(told["error"]), doubts) if doubts else Refused(str(told["error"]))
        return str(told["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(
            "no runner has said that it began; `vfiotop recover` tells whether one has"
        ) from error


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


def launch_elevated(arguments: Sequence[str], tool: str) -> str:
    """The same through ``tool``, which may ask for a password on this terminal; Ctrl-C is
    its, meanwhile. Raises ``Refused``."""
    command = [*ELEVATIONS[tool], *_program(*arguments, "--launch")]
    sys.stderr.write(f"{tool} for: vfiotop {shlex.join(arguments)}\n")
    with _interrupts_are_theirs():
        # The answer comes by a pipe; what the tool has to say goes to the terminal.
        asked = subprocess.Popen(command, cwd="/", stdout=subprocess.PIPE)  # noqa: S603
        assert asked.stdout is not None
        with asked.stdout:
            line = asked.stdout.readline(ANSWER_LIMIT)
            status = asked.wait()
    if not line and status > 0:
        raise Refused(f"{tool} did not run it (status {status}): nothing was begun")
    return _told(line)


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
    chose, ``options`` are those of ours that bear on what a runner sees."""

    def __init__(self, configured: str | None = None, options: Sequence[str] = ()) -> None:
        self._options = tuple(options)
        self.forbidden: str | None = None
        self._tool: str | None = None
        try:  # once: a PATH may lead to a file system that does not answer
            self._tool = elevation(configured)
        except Refused as error:
            self.forbidden = str(error)

    @property
    def asks(self) -> bool:
        return self._tool is not None

    def begin(self, words: Sequence[str]) -> str:
        if self.forbidden is not None:
            raise Refused(self.forbidden)
        arguments = (*words, *self._options)
        if self._tool is None:
            return launch(arguments)
        return launch_elevated(arguments, self._tool)


# --- following ------------------------------------------------------------------


def follow(identity: str, journal: Journal | None = None) -> Iterator[Entry]:
    """The entries of a swap as they come, until it has ended, is stuck, or its runner is
    gone."""
    journal = journal or Journal()
    last: Entry | None = None
    while True:
        entry = journal.read()
        if entry is None or entry.id != identity:
            return
        if entry != last:
            yield entry
            last = entry
        if entry.ended or entry.state in ("failed", "stuck"):
            return
        if not alive(entry.runner) and journal.read() == entry:
            return
        time.sleep(FOLLOW_S)
