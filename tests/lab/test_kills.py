"""SIGKILL to the runner and the writer at every step of a swap: afterwards the host is
consistent, or one recovery makes it so. And a card that is grabbed at the last moment."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.lab.host import PATIENCE, bind, node, override_of, sound_node
from tests.lab.swaps import CARD, HOST, SOUND, VFIO, drivers, vfiotop
from tests.thorough import thorough
from tui.host.journal.entry import Entry, JournalError
from tui.host.journal.file import Journal
from tui.host.pci.source import PciSource
from tui.host.proc.process import is_alive
from tui.model import Direction, Plan, Snapshot
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.swap.command import LAST_WRITE_S, ignore_hangup
from tui.swap.machine import RealMachine
from tui.swap.plan import steps, with_host_drivers
from tui.swap.runner import Runner

pytestmark = pytest.mark.only("two-slots-2")

ENDS = {"bind": VFIO, "unbind": HOST}
STEPS = {"bind": 8, "unbind": 8}


def planned(direction: Direction) -> Plan:
    """The plan for the rest, from the kernel's files as they are now."""
    gpu = assess(Snapshot(pci=PciSource().read()), Choice(CARD)).gpu(CARD)
    assert gpu is not None
    left = steps(gpu, direction)
    known = with_host_drivers(left, HOST) if direction == "unbind" else left
    return Plan(direction, CARD, tuple(f.address for f in gpu.functions), known)


RUNNERS: set[int] = set()
"""Runners that a test started and has not seen end."""


def started(plan: Plan) -> int:
    """Start a runner in a process of its own; returns its pid."""
    pid = os.fork()
    if pid:
        RUNNERS.add(pid)
        return pid
    with suppress(BaseException):
        os.setsid()
        ignore_hangup()
        journal = Journal()
        with journal.locked() as lock:
            runner = Runner(RealMachine(), journal, lock)
            runner.run(runner.prepare(plan), plan)
    os._exit(0)


def entry() -> Entry | None:
    with suppress(JournalError):
        return Journal().read()
    return None


def awaited(runner: int, seen: Callable[[Entry], bool]) -> Entry | None:
    """The first journal entry with ``seen`` true; ``None`` if the runner ends without one."""
    deadline = time.monotonic() + PATIENCE
    while True:
        assert time.monotonic() < deadline, entry()
        now = entry()
        if now is not None and now.runner.pid == runner:
            if seen(now):
                return now
            if now.ended or now.state == "failed":
                return None


def ended(pid: int) -> None:
    os.waitpid(pid, 0)
    RUNNERS.discard(pid)


@pytest.fixture(autouse=True)
def whole(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for runner in tuple(RUNNERS):  # left by a test that failed
        os.kill(runner, signal.SIGKILL)
        ended(runner)
    if request.node.get_closest_marker("wreck"):
        return
    for address in (SOUND, CARD):
        bind(address, None)
    assert drivers() == HOST
    (Journal().folder / "swap.json").unlink(missing_ok=True)


def begin(direction: Direction) -> dict[str, str | None]:
    if direction == "unbind":
        for address in (SOUND, CARD):
            bind(address, "vfio-pci")
    return drivers()


def recovered(finish: bool, before: dict[str, str | None]) -> str:
    """Run one recovery as the command does; returns its outcome."""
    journal = Journal()
    left = entry()
    if left is None or left.ended:
        return "whole"
    with journal.locked(LAST_WRITE_S) as lock:
        runner = Runner(RealMachine(), journal, lock)
        plan = planned(left.direction)
        left = runner.resume(left, plan)
        if finish:
            done = runner.run(left, plan)
            assert (done.state, drivers()) == ("done", ENDS[left.direction]), done
        else:
            done = runner.undo(left, "undone by recover")
            assert (done.state, drivers()) == ("undone", before), done
    return done.state


def moments(direction: Direction, way: str) -> Iterator[tuple[int, bool, bool]]:
    """(step, in its write or before it, finish or undo): every combination, or ``in turn``
    each step once."""
    for index in range(STEPS[direction]):
        if way == "in turn":
            yield index, index % 2 == 1, index // 2 % 2 == 0
        else:
            yield from ((index, writing, way == "finish") for writing in (False, True))


@pytest.mark.parametrize(
    "way",
    ["in turn", *thorough("finish", "undo")],
)
@pytest.mark.parametrize("direction", ["bind", "unbind"])
def test_a_runner_killed_at_any_step(
    direction: Direction, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[str] = []
    for index, writing, finish in moments(direction, way):
        before = begin(direction)
        runner = started(planned(direction))
        at = awaited(
            runner,
            lambda e, i=index, w=writing: (  # type: ignore[misc]
                e.state == "running" and e.step == i and (e.writer is not None) == w
            ),
        )
        os.kill(runner, signal.SIGKILL)
        ended(runner)
        where = "in the write" if writing else "before it"
        step = at.steps[at.step] if at else "not met"
        end = recovered(finish, before)
        rows.append(f"{direction:<7} {index + 1}  {where:<12}  {end:<7} {step}")
        for address in (SOUND, CARD):
            bind(address, None)
        (Journal().folder / "swap.json").unlink(missing_ok=True)
    with capsys.disabled():
        print("", *rows, sep="\n")


@pytest.mark.parametrize("direction", ["bind", "unbind"])
def test_signals_of_a_lost_terminal_stop_nothing(direction: Direction) -> None:
    """SIGHUP and SIGINT to the runner and each writer, at every step that is long enough to be
    met."""
    begin(direction)
    runner = started(planned(direction))
    seen: set[int] = set()
    while (
        at := awaited(runner, lambda e: e.step not in seen and e.state == "running")
    ) is not None:
        seen.add(at.step)
        for process in (at.runner, at.writer):
            for number in (signal.SIGHUP, signal.SIGINT):
                with suppress(ProcessLookupError):
                    if process is not None:
                        os.kill(process.pid, number)
    ended(runner)
    end = entry()
    assert end is not None
    assert (end.state, drivers()) == ("done", ENDS[direction])
    assert len(seen) > len(end.steps) // 2


@pytest.mark.parametrize("direction", ["bind", *thorough("unbind")])
def test_a_writer_killed_at_any_step(direction: Direction) -> None:
    """The kernel finishes what it began, or nothing began; the runner reads which."""
    for index in range(STEPS[direction]):
        before = begin(direction)
        runner = started(planned(direction))
        at = awaited(runner, lambda e, i=index: e.step == i and e.writer is not None)  # type: ignore[misc]
        if at is not None and at.writer is not None:
            with suppress(ProcessLookupError):
                os.kill(at.writer.pid, signal.SIGKILL)
        ended(runner)
        end = entry()
        assert end is not None
        assert end.state in ("done", "undone"), end
        assert drivers() == (ENDS[direction] if end.state == "done" else before)
        for address in (SOUND, CARD):
            bind(address, None)
        (Journal().folder / "swap.json").unlink(missing_ok=True)


# --- a card that is grabbed at the last moment ----------------------------------------


def impatient(plan: Plan) -> Plan:
    """A swap that counts as stuck after two seconds."""
    return replace(plan, steps=tuple(replace(s, limit_s=2.0) if s.kind == "unbind" else s
                                     for s in plan.steps))  # fmt: skip


@contextmanager
def taken(runner: int, address: str, name: str) -> Iterator[None]:
    """A node is opened after the last check and before the write."""
    at = awaited(runner, lambda e: e.steps[e.step].startswith(f"echo {address} >")
                 and "/unbind" in e.steps[e.step] and e.writer is not None)  # fmt: skip
    assert at is not None
    descriptor = os.open(name, os.O_RDWR)
    try:
        yield
    finally:
        os.close(descriptor)


def waits(entry: Entry) -> bool:
    """Whether the swap is stuck and names the holder."""
    return entry.state == "stuck" and "waits for" in (entry.message or "")


@pytest.mark.parametrize("address", [CARD, SOUND], ids=["card", "sound"])
def test_a_grabbed_card_is_stuck_until_it_is_released(address: str) -> None:
    name = node(CARD) if address == CARD else sound_node(SOUND)
    runner = started(impatient(planned("bind")))
    with taken(runner, address, name):
        stuck = awaited(runner, waits)
        assert stuck is not None
        assert f"({os.getpid()}, {name})" in (stuck.message or "")
        said = vfiotop("bind", "--yes", code=3)
        assert "under way (stuck)" in said
        assert vfiotop("recover", code=3) == said  # the swap continues on its own
    ended(runner)
    end = entry()
    assert end is not None
    assert (end.state, drivers()) == ("done", VFIO)


def test_two_swaps_at_once() -> None:
    runner = started(planned("bind"))
    assert awaited(runner, lambda e: e.state == "running") is not None
    with pytest.raises(JournalError, match="another swap"), Journal().locked():
        pass
    ended(runner)
    assert drivers() == VFIO
    assert override_of(CARD) == "vfio-pci"


@pytest.mark.only("eight-gpus")
@pytest.mark.wreck
def test_a_card_that_never_comes_free() -> None:
    """As from driver 595 on: nothing more is written, and every screen says so."""
    parameter = Path("/sys/module/nvidia/parameters/unrecoverable")
    parameter.write_text("1")
    runner = started(impatient(planned("bind")))
    with taken(runner, CARD, node(CARD)):
        assert awaited(runner, waits) is not None
    os.kill(runner, signal.SIGKILL)
    ended(runner)
    left = entry()
    assert left is not None
    assert left.writer is not None
    assert is_alive(left.writer)
    with pytest.raises(JournalError, match="its writes has not returned"), Journal().locked():
        pass
    assert "interrupted (stuck)" in vfiotop("recover", code=3)
    assert "has not returned" in vfiotop("recover", "--undo", "--yes", code=3)
