"""The part of a swap that runs as root: refusals, order of work, and replies to the caller."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.ui.rig import Rig as Sources
from tests.ui.rig import at_home
from tests.unit.swap.test_runner import FakeRunningStep, Full, Machine
from tui.host import HostError
from tui.host.journal.entry import Entry, JournalError
from tui.host.journal.file import Journal
from tui.host.proc.process import Process
from tui.model import Guests, Holder, Holders, HostDev, Inventory, PciFunction, Readiness, Step
from tui.model.errors import Doubtful, Refused, Unfinished
from tui.model.requests import Consent, SwapRequest
from tui.swap import command
from tui.swap.command import CallerGone
from tui.swap.verify import StepFailed

CARD, SOUND = "0000:01:00.0", "0000:01:00.1"
HOME: dict[str, str | None] = {CARD: "nvidia", SOUND: "snd_hda_intel"}
LENT: dict[str, str | None] = dict.fromkeys(HOME, "vfio-pci")
NOBODY = Process(1 << 22, 1)
"""A process that has exited: no pid is that high."""
UNSEEN = Holders((), uninspected=3)


class Closing(Machine):
    """Takes no step before this process has released the card."""

    nvml_closed: Callable[[], bool] = staticmethod(lambda: True)

    def start(self, step: Step, lock: int) -> FakeRunningStep:
        assert self.nvml_closed(), "a step was taken while our own readers were there"
        return super().start(step, lock)


@dataclass
class Bench:
    """A host, its kernel and its journal, and what the caller was told."""

    folder: Path
    sources: Sources = field(default_factory=Sources)
    heard: list[str] = field(default_factory=list)
    closed: bool = False
    deaf: bool = False

    def __post_init__(self) -> None:
        natural = {address: str(driver) for address, driver in HOME.items()}
        self.machine = Closing(dict(HOME), natural)
        self.machine.nvml_closed = lambda: self.closed
        self.journal = Journal(self.folder / "vfiotop", owner=os.geteuid())
        self.begun: Callable[[Entry], None] = self.hear
        at_home(self.sources)

    def moved(self) -> None:
        """Make the readings follow the kernel."""
        drivers = self.machine.drivers
        self.sources.pci.reading = replace(
            self.inventory,
            functions=tuple(
                replace(f, driver=drivers.get(f.address, f.driver))
                for f in self.inventory.functions
            ),
        )

    @property
    def inventory(self) -> Inventory:
        found = self.sources.pci.reading
        assert isinstance(found, Inventory)
        return found

    def run(self, request: SwapRequest, journal: Journal | None = None) -> Entry:
        self.moved()
        self.closed = False
        host = self.sources.reopen()
        close = host.nvml.close

        def closing() -> None:
            self.closed = True
            close()

        host.nvml.close = closing  # type: ignore[method-assign]
        return command.run(host, request, self.begun, journal or self.journal, self.machine)

    def hear(self, entry: Entry) -> None:
        if self.deaf:
            raise CallerGone("whoever asked had given up")
        self.heard.append(entry.id)

    @property
    def steps(self) -> list[str]:
        return [kind for kind, *_ in self.machine.done]

    def interrupted(self, at: int = 3) -> Entry:
        """Return a bind whose runner was killed before the step ``at``."""
        waits = iter(range(at))

        class Killed(BaseException):
            """Kills the runner: no step is undone after it."""

        start = self.machine.start

        def until_then(step: Step, lock: int) -> FakeRunningStep:
            if next(waits, None) is None:
                raise Killed
            return start(step, lock)

        self.machine.start = until_then  # type: ignore[method-assign]
        with pytest.raises(Killed):
            self.run(SwapRequest("bind", CARD))
        del self.machine.start
        entry = self.journal.read()
        assert entry is not None
        left = replace(entry, runner=NOBODY, writer=None)
        with self.journal.locked():
            self.journal.write(left)
        self.heard.clear()
        self.machine.done.clear()
        return left


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("tui.swap.verify.BETWEEN_SCANS_S", 0.0)
    bench = Bench(tmp_path)
    yield bench
    bench.sources.free()


def refused(
    bench: Bench, request: SwapRequest, words: str, kind: type[Exception] = Refused
) -> None:
    before = (dict(bench.machine.drivers), bench.journal.read())
    with pytest.raises(kind, match=words):
        bench.run(request)
    assert (bench.steps, bench.heard) == ([], [])
    assert (bench.machine.drivers, bench.journal.read()) == before


# --- a swap -----------------------------------------------------------------------


def test_a_bind_and_the_way_back(bench: Bench) -> None:
    there = SwapRequest("bind", CARD)
    entry = bench.run(there)
    assert (entry.state, entry.id, bench.heard) == ("done", there.identity, [there.identity])
    assert bench.machine.drivers == LENT
    assert bench.journal.read() == entry
    back = SwapRequest("unbind", CARD)
    assert bench.run(back).state == "done"
    assert bench.machine.drivers == HOME
    assert bench.heard == [there.identity, back.identity]


@pytest.mark.parametrize("managed", [True, False])
def test_a_neighbour_that_libvirt_moves_is_not_in_the_way_of_a_start(
    bench: Bench, managed: bool
) -> None:
    """A guest that names the neighbour does not stop a start.

    The runner sees it, as the plan of the start did. libvirt moves a managed neighbour at the
    start; an unmanaged one is left alone.
    """
    beside = PciFunction(
        "0000:03:00.0", "1912", "0014", "070002", "Serial controller", driver="serial",
        iommu_group=14,
    )  # fmt: skip
    found = bench.inventory
    functions = tuple(sorted((*found.functions, beside), key=lambda f: f.address))
    bench.sources.pci.reading = replace(found, functions=functions)
    guests = bench.sources.guests.reading
    assert isinstance(guests, Guests)
    names = HostDev(beside.address, managed=managed)
    domains = tuple(replace(d, hostdevs=(*d.hostdevs, names)) for d in guests.domains)
    bench.sources.guests.reading = replace(guests, domains=domains)
    if not managed:
        refused(bench, SwapRequest("bind", CARD), "0000:03:00.0 is used by the host \\(serial\\)")
        return
    assert bench.run(SwapRequest("bind", CARD)).state == "done"
    assert bench.machine.drivers == LENT
    assert not [done for done in bench.machine.done if beside.address in str(done)]


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_card_that_comes_home_to_another_driver_is_not_home(
    bench: Bench, interrupted: bool
) -> None:
    """The journal of the bind has the driver, even if the way back was interrupted."""
    there = bench.run(SwapRequest("bind", CARD))
    bench.machine.natural[CARD] = "nouveau"
    request = SwapRequest("unbind", CARD)
    if interrupted:
        on_vfio = tuple(replace(o, driver="vfio-pci", override="vfio-pci") for o in there.origins)
        half = replace(
            there,
            id="1" * 32,
            direction="unbind",
            state="running",
            runner=NOBODY,
            origins=on_vfio,
        )
        with bench.journal.locked():
            bench.journal.write(half)
        request = SwapRequest("finish", swap=half.id)
    entry = bench.run(request)
    assert (entry.state, bench.machine.drivers) == ("undone", LENT)
    assert "nouveau" in (entry.message or "")


def test_what_may_not_be_done_is_not_begun(bench: Bench) -> None:
    bench.sources.inspector.found = Holders((Holder(CARD, 812, "game", "/dev/nvidia1"),))
    refused(bench, SwapRequest("bind", CARD), "game")


def test_a_card_that_is_not_there(bench: Bench) -> None:
    refused(bench, SwapRequest("bind", "0000:07:00.0"), "0000:07:00.0|07:00.0")


def test_another_plan_than_the_one_that_was_shown(bench: Bench) -> None:
    request = SwapRequest("bind", CARD, consent=Consent(plan="0" * 16))
    refused(bench, request, "review it again")


def test_a_request_is_carried_out_once(bench: Bench) -> None:
    request = SwapRequest("bind", CARD)
    bench.run(request)
    bench.machine.done.clear()
    bench.heard.clear()
    bench.machine.drivers.update(HOME)
    refused(bench, request, "already been executed")


def test_before_a_swap_that_was_interrupted_nothing_else_is_begun(bench: Bench) -> None:
    bench.interrupted()
    refused(bench, SwapRequest("unbind", CARD), "recover", Unfinished)


def test_a_swap_of_which_nobody_hears_is_not_begun(bench: Bench) -> None:
    bench.deaf = True
    entry = bench.run(SwapRequest("bind", CARD))
    assert (entry.state, entry.message, bench.steps) == (
        "undone", "whoever asked had given up", [],
    )  # fmt: skip
    assert bench.machine.drivers == HOME


@pytest.mark.parametrize(
    ("change", "words"),
    [({"banner": "A captured host"}, "read-only"), ({"readonly": True}, "read-only")],
)
def test_only_this_machine_is_changed(bench: Bench, change: dict[str, object], words: str) -> None:
    host = replace(bench.sources.reopen(), **change)
    for request in (SwapRequest("bind", CARD), SwapRequest("undo", swap="0" * 32)):
        with pytest.raises(Refused, match=words):
            command.run(host, request, bench.begun, bench.journal, bench.machine)
    assert bench.steps == []


def test_only_root_moves_a_card(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = Readiness(root=False, vfio_pci=True, nvidia=None)
    monkeypatch.setattr(bench.sources.inspector, "readiness", lambda gpus: nobody)
    refused(bench, SwapRequest("bind", CARD), "only root")


# --- doubts -----------------------------------------------------------------------

RISK = frozenset({command.UNSEEN_HOLDERS})


def test_a_doubt_is_asked_about_and_nothing_is_begun(bench: Bench) -> None:
    bench.sources.inspector.found = UNSEEN
    refused(bench, SwapRequest("bind", CARD), "holders", Doubtful)
    other = Consent(accepted=frozenset({"nvidia.release:unknown"}))
    refused(bench, SwapRequest("bind", CARD, consent=other), "holders", Doubtful)


@pytest.mark.parametrize("consent", [Consent(accepted=RISK), Consent(everything=True)])
def test_a_doubt_that_was_accepted_counts_in_the_scans_too(bench: Bench, consent: Consent) -> None:
    bench.sources.inspector.found = UNSEEN
    bench.machine.held = [UNSEEN] * 20
    assert bench.run(SwapRequest("bind", CARD, consent=consent)).state == "done"


def test_a_doubt_that_comes_later_was_not_accepted(bench: Bench) -> None:
    """Accepting a plan without doubts does not accept a later doubt."""
    bench.machine.held = [UNSEEN] * 20
    entry = bench.run(SwapRequest("bind", CARD, consent=Consent(accepted=RISK)))
    assert (entry.state, bench.machine.drivers) == ("undone", HOME)


# --- recovery ---------------------------------------------------------------------


def test_what_was_interrupted_is_finished(bench: Bench) -> None:
    left = bench.interrupted()
    entry = bench.run(SwapRequest("finish", swap=left.id))
    assert (entry.state, entry.id, bench.heard) == ("done", left.id, [left.id])
    assert bench.machine.drivers == LENT


def test_what_was_interrupted_is_undone(bench: Bench) -> None:
    left = bench.interrupted()
    entry = bench.run(SwapRequest("undo", swap=left.id))
    assert (entry.state, entry.message, bench.heard) == ("undone", "undone by recover", [left.id])
    assert bench.machine.drivers == HOME


@pytest.mark.parametrize("action", ["finish", "undo"])
def test_only_the_swap_that_was_meant_is_recovered(bench: Bench, action: str) -> None:
    request = SwapRequest(action, swap="0" * 32)  # type: ignore[arg-type]
    refused(bench, request, "nothing to recover")
    bench.interrupted()
    refused(bench, request, "nothing to recover")


def test_what_has_ended_is_not_recovered(bench: Bench) -> None:
    done = bench.run(SwapRequest("bind", CARD))
    bench.machine.done.clear()
    bench.heard.clear()
    refused(bench, SwapRequest("undo", swap=done.id), "nothing to recover")


def lost(bench: Bench) -> None:
    """The card has fallen off the bus."""
    rest = tuple(f for f in bench.inventory.functions if f.address not in HOME)
    bench.sources.pci.reading = replace(bench.inventory, functions=rest)


def test_a_card_that_is_gone_cannot_be_finished_and_is_undone(bench: Bench) -> None:
    left = bench.interrupted()
    lost(bench)
    bench.machine.gone = {CARD}
    refused(bench, SwapRequest("finish", swap=left.id), "01:00.0")
    assert bench.run(SwapRequest("undo", swap=left.id)).state in ("undone", "failed")
    assert bench.heard == [left.id]


def test_one_that_is_only_not_read_is_left_alone(bench: Bench) -> None:
    left = bench.interrupted()
    lost(bench)
    refused(bench, SwapRequest("undo", swap=left.id), "01:00.0")


def test_a_doubt_stops_a_recovery_too(bench: Bench) -> None:
    left = bench.interrupted()
    bench.sources.inspector.found = UNSEEN
    refused(bench, SwapRequest("finish", swap=left.id), "holders", Doubtful)


def test_an_undo_without_room_tells_in_the_end(bench: Bench) -> None:
    left = bench.interrupted()
    told: list[bool] = []
    heard = bench.begun

    def begun(entry: Entry) -> None:
        told.append(bench.machine.drivers == HOME)
        heard(entry)

    bench.begun = begun
    bench.run(SwapRequest("undo", swap=left.id), Full(bench.journal, 0))
    assert told == [True]


def test_an_undo_that_is_followed_tells_first(bench: Bench) -> None:
    left = bench.interrupted()
    told: list[bool] = []

    def begun(entry: Entry) -> None:
        told.append(bench.machine.drivers == HOME)

    bench.begun = begun
    bench.run(SwapRequest("undo", swap=left.id))
    assert told == [False]


# --- what the caller is told ------------------------------------------------------


def served(
    carry_out: Callable[[Callable[[Entry], None]], Entry], *, listens: bool = True
) -> tuple[int, str]:
    """Return the exit status of a runner, and what the caller has read, if anybody read."""
    before = [signal.getsignal(n) for n in (signal.SIGHUP, signal.SIGINT)]
    reads, writes = os.pipe()
    if not listens:
        os.close(reads)
    out, sys.stdout = sys.stdout, os.fdopen(writes, "w")
    try:
        status = command.serve(carry_out)
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.close()
    finally:
        sys.stdout = out
        for number, handler in zip((signal.SIGHUP, signal.SIGINT), before, strict=True):
            signal.signal(number, handler)
    if not listens:
        return status, ""
    with os.fdopen(reads) as file:
        return status, file.read()


def test_the_begin_is_reported_in_one_line_while_the_swap_goes_on(bench: Bench) -> None:
    def carry_out(begun: Callable[[Entry], None]) -> Entry:
        bench.begun = begun
        entry = bench.run(SwapRequest("bind", CARD))
        assert sys.stdout.closed  # the reader gets the line and end of file
        assert signal.getsignal(signal.SIGHUP) == signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        return entry

    status, told = served(carry_out)
    found = bench.journal.read()
    assert found is not None
    assert (status, told) == (0, json.dumps({"id": found.id}) + "\n")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Refused("the host has no such card"), "the host has no such card"),
        (JournalError("/run is full"), "/run is full"),
        (HostError("libvirt is silent"), "libvirt is silent"),
        (ZeroDivisionError("x"), "ZeroDivisionError"),
        (StepFailed("never seen here"), "please report it"),
    ],
)
def test_why_nothing_began_is_reported_in_one_line(error: Exception, words: str) -> None:
    def carry_out(begun: Callable[[Entry], None]) -> Entry:
        raise error

    status, told = served(carry_out)
    (line,) = told.splitlines()
    assert status == 1
    assert words in json.loads(line)["error"]


def test_a_defect_after_the_begin_is_reported_to_nobody(bench: Bench) -> None:
    def carry_out(begun: Callable[[Entry], None]) -> Entry:
        bench.begun = begun
        bench.run(SwapRequest("bind", CARD))
        raise ZeroDivisionError

    status, told = served(carry_out)
    assert (status, len(told.splitlines())) == (1, 1)


def test_nothing_begins_where_nobody_reads(bench: Bench) -> None:
    def carry_out(begun: Callable[[Entry], None]) -> Entry:
        bench.begun = begun
        entry = bench.run(SwapRequest("bind", CARD))
        assert entry.state == "undone"
        return entry

    assert served(carry_out, listens=False) == (0, "")
    assert bench.machine.drivers == HOME


def test_a_recovery_of_which_nobody_hears_is_still_to_be_made(bench: Bench) -> None:
    left = bench.interrupted()

    def carry_out(begun: Callable[[Entry], None]) -> Entry:
        bench.begun = begun
        return bench.run(SwapRequest("finish", swap=left.id))

    assert served(carry_out, listens=False) == (1, "")
    found = bench.journal.read()
    assert found is not None
    assert not found.ended
