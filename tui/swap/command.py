"""A swap as a command: the part that runs it, in a session of its own, and the part that
asks for it and follows.

The runner is this same program, started by ``launch``: it takes the lock, checks everything
anew under it, and goes on when whoever asked is gone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from tui.host import Host, HostError
from tui.model import Direction, Plan
from tui.once import NoSuchCard, plan_once
from tui.rules.roles import Choice
from tui.swap.journal import Entry, Journal, JournalError
from tui.swap.machine import SEARCHED, RealMachine, alive
from tui.swap.plan import homeward
from tui.swap.preflight import NEEDED
from tui.swap.runner import Runner

KEPT = frozenset({"HOME", "LANG", "LC_ALL", "TZ", "XDG_CONFIG_HOME", "XDG_STATE_HOME"})
"""What of the environment bears on the runner; nothing that says where code comes from."""

FOLLOW_S = 0.1
"""Seconds between two looks into the journal."""


WRITE_S = 5.0
"""Seconds that the last write of a runner that is gone gets to return."""


UNDO_NEEDS = {"swap.movable", "guest.inactive", "privilege"}
"""The checks of an undo; who holds a function is looked at right before it is moved."""

START_S = 120.0
"""Seconds for a runner to take all readings and begin."""


class Refused(Exception):
    """The swap was not begun, and nothing was touched: why and what to do."""


class Unfinished(Refused):
    """There is a swap of this boot that has to be finished or undone first."""


# --- the runner -----------------------------------------------------------------


def run_swap(
    host: Host,
    choice: Choice,
    direction: Direction,
    address: str | None,
    *,
    despite_doubts: bool,
    begun: Callable[[Entry], None],
    journal: Journal | None = None,
) -> Entry:
    """Swap a GPU on this machine; the journal's entry in the end. Calls ``begun`` when the
    first step is near. Raises ``Refused``, ``JournalError``, ``HostError``."""
    here(host)
    journal = journal or Journal()
    with journal.locked() as lock:
        last = journal.read()
        if last is not None and not last.ended:
            raise Unfinished(unfinished(last))
        try:
            plan = plan_once(host, choice, direction, address)
        except NoSuchCard as error:
            raise Refused(str(error)) from error
        refuse(plan, despite_doubts=despite_doubts)
        host.close()
        home = last.home if last is not None and last.address == plan.address else ()
        runner = Runner(RealMachine(), journal, lock, despite_doubts=despite_doubts)
        entry = runner.prepare(plan, home)
        begun(entry)
        return runner.run(entry, _homeward(plan, entry.host_drivers))


def run_recover(
    host: Host,
    choice: Choice,
    *,
    finish: bool,
    despite_doubts: bool,
    begun: Callable[[Entry], None],
    journal: Journal | None = None,
) -> Entry:
    """Finish or undo the swap that was interrupted; the journal's entry in the end. Raises
    as ``run_swap``."""
    here(host)
    journal = journal or Journal()
    with journal.locked(WRITE_S) as lock:
        last = journal.read()
        if last is None or last.ended:
            raise Refused("there is nothing to recover")
        try:
            plan = plan_once(host, choice, last.direction, last.address)
        except NoSuchCard as error:
            raise Refused(str(error)) from error
        host.close()
        _refuse_recovery(plan, finish=finish, despite_doubts=despite_doubts)
        runner = Runner(RealMachine(), journal, lock, despite_doubts=despite_doubts)
        entry = runner.resume(last, plan)
        begun(entry)
        if not finish:
            return runner.undo(entry, "undone by recover")
        return runner.run(entry, _homeward(plan, last.host_drivers))


def _refuse_recovery(plan: Plan, *, finish: bool, despite_doubts: bool) -> None:
    """To finish needs all that a swap needs, but that there is something left to do; to undo
    needs that nobody has come to use the card meanwhile."""
    needed = UNDO_NEEDS if not finish else {check.id for check in plan.checks} - {NEEDED}
    kept = tuple(check for check in plan.checks if check.id in needed)
    refuse(replace(plan, checks=kept), despite_doubts=despite_doubts)


def here(host: Host) -> None:
    """Raise ``Refused`` but on the machine itself and for root: nothing else is moved."""
    if host.banner is not None or host.readonly:
        raise Refused("this host is only looked at: no card is moved")
    if not host.inspector.readiness([]).root:
        raise Refused("only root may move a card: run it again with sudo, doas or run0")


def refuse(plan: Plan, *, despite_doubts: bool) -> None:
    """Raise ``Refused`` where the plan may not be carried out."""
    if plan.refusals:
        worst = plan.refusals[0]
        raise Refused(f"{worst.why}{f': {worst.mend}' if worst.mend else ''} ({worst.id})")
    if plan.doubts and not despite_doubts:
        doubt = plan.doubts[0]
        raise Refused(
            f"not known whether it is safe: {doubt.why} ({doubt.id}); "
            f"{doubt.mend or 'look yourself'}, or go on with --despite-doubts: a card that is "
            "in use may hang until a reboot"
        )


def unfinished(entry: Entry) -> str:
    """What to do about a swap that has not come to its end."""
    if alive(entry.runner):
        return f"a swap of {entry.address} is under way ({entry.state})"
    return (
        f"the {entry.direction} of {entry.address} was interrupted ({entry.state}): "
        "`vfiotop recover --finish` or `vfiotop recover --undo`"
    )


def _homeward(plan: Plan, home: Mapping[str, str | None]) -> Plan:
    """An unbind has to give each function the driver that the bind before took from it."""
    if plan.direction == "bind":
        return plan
    return replace(plan, steps=homeward(plan.steps, home))


def serve(run: Callable[[Callable[[Entry], None]], Entry]) -> int:
    """Be the runner: tell the one who asked, in a line of JSON, what began or why nothing
    did. What happens after that is in the journal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def begun(entry: Entry) -> None:
        _tell({"id": entry.id})

    try:
        run(begun)
    except (Refused, JournalError, HostError) as error:
        _tell({"error": str(error)})
        return 1
    return 0


def _tell(what: dict[str, str]) -> None:
    try:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.close()
    except OSError:  # whoever asked is gone
        pass


# --- who asks for it ------------------------------------------------------------


def launch(arguments: Sequence[str]) -> str:
    """Start a runner with these arguments of ours, out of the reach of this terminal; the
    id of the swap that it began. Raises ``Refused``."""
    # It runs as root: no module is taken from the folder that somebody happens to be in.
    runner = subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-m", "tui", *arguments, "--runner"],
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
        line = runner.stdout.readline(4096)
    try:
        told = json.loads(line)
        if "error" in told:
            raise Refused(str(told["error"]))
        return str(told["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise Refused("the runner ended before it began; nothing was touched") from error


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
