"""The order of the runner's steps, and what it does when one fails, on a simulated machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.made import card, inventory, snapshot, two_cards
from tui.host import HostError
from tui.host.journal.entry import Entry, JournalError, Origin
from tui.host.journal.file import Journal
from tui.host.proc.process import Process
from tui.model import (
    Direction,
    Holder,
    Holders,
    NvidiaModule,
    Plan,
    PowerControl,
    Step,
    Unavailable,
    UninspectedProcess,
    is_vfio_driver,
)
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.swap.plan import steps, with_host_drivers
from tui.swap.runner import Runner
from tui.swap.verify import SETTLE_S

CARD, SOUND = "0000:02:00.0", "0000:02:00.1"
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
BUSY = Holders((Holder(CARD, 812, "game", "/dev/nvidia1"),))


@dataclass
class FakeRunningStep:
    """Ends after it was polled ``looks`` times, and only then takes effect."""

    process: Process
    outcome: int
    looks: int
    effect: Callable[[], None]

    def result(self, seconds: float) -> int | None:
        if self.looks:
            self.looks -= 1
            return None
        self.effect()
        return self.outcome


@dataclass
class Machine:
    """Does what the kernel does with the three files of sysfs, unless told otherwise.

    ``faults`` has the errno, or the negative signal, of (kind, address); ``slow`` how often a step
    is polled before it ends; ``ignored`` are steps without effect.
    """

    drivers: dict[str, str | None]
    natural: dict[str, str]
    overrides: dict[str, str | None] = field(default_factory=dict)
    faults: dict[tuple[str, str | None], int] = field(default_factory=dict)
    slow: dict[tuple[str, str | None], int] = field(default_factory=dict)
    ignored: set[tuple[str, str | None]] = field(default_factory=set)
    held: list[Holders] = field(default_factory=list)
    leaving: set[str] = field(default_factory=set)
    done: list[tuple[str, str | None, str]] = field(default_factory=list)
    node: bool = True
    scanned: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    blind: str | None = None
    nvidia: NvidiaModule | None = None
    powers: dict[str, PowerControl] = field(default_factory=dict)

    def start(self, step: Step, lock: int) -> FakeRunningStep:
        key = step.kind, step.address
        self.done.append((step.kind, step.address, step.value))
        outcome = self.faults.get(key, 0)
        works = outcome <= 0 and key not in self.ignored
        effect = (lambda: self._take_effect(step)) if works else lambda: None
        return FakeRunningStep(Process(4711, 1), outcome, self.slow.get(key, 0), effect)

    def _take_effect(self, step: Step) -> None:
        address = step.address
        if address is None:
            return
        if step.kind == "override":
            self.overrides[address] = step.value.strip() or None
        elif step.kind == "power":
            self.powers[address] = "auto" if step.value == "auto" else "on"
        elif step.kind == "unbind":
            if address in self.powers and is_vfio_driver(self.drivers[address]):
                self.powers[address] = "on"  # vfio_pci_core_unregister_device: pm_runtime_forbid
            self.drivers[address] = None
        elif step.path is not None and step.path.endswith("/bind"):
            wanted = step.path.split("/")[-2]
            if self.overrides.get(address) in (None, wanted):  # pci_match_device
                self.drivers[address] = wanted
        elif self.drivers[address] is None:
            self.drivers[address] = self.overrides.get(address) or self.natural[address]
        if address in self.powers and is_vfio_driver(self.drivers[address]):
            self.powers[address] = "auto"  # vfio_pci_core_register_device: pm_runtime_allow

    def driver(self, address: str) -> str | None:
        return self.drivers[address]

    def override(self, address: str) -> str | None:
        return self.overrides.get(address)

    def power(self, address: str) -> PowerControl | None:
        return None if address in self.gone else self.powers.get(address)

    def removing(self, address: str) -> bool:
        return address in self.leaving

    def exists(self, path: str) -> bool:
        return self.node if path.startswith("/dev/") else Path(path).name not in self.gone

    def holders(self, addresses: Collection[str]) -> Holders | Unavailable:
        self.scanned |= set(addresses)
        return self.held.pop(0) if self.held else Holders(())

    def module(self) -> NvidiaModule | None:
        return self.nvidia

    def nvml_failure(self, address: str, seconds: float) -> str | None:
        return self.blind


class Once(set[tuple[str, str | None]]):
    """Contains its step only the first time."""

    def __contains__(self, key: object) -> bool:
        if super().__contains__(key):
            self.clear()
            return True
        return False


class Rig:
    """A runner on a machine, with a journal and a clock of its own."""

    def __init__(self, folder: Path, direction: Direction, vfio: str = "vfio-pci") -> None:
        natural = {CARD: "nvidia", SOUND: "snd_hda_intel"}
        bound: dict[str, str | None] = {SOUND: "vfio-pci", CARD: vfio}
        self.before: dict[str, str | None] = {**natural} if direction == "bind" else bound
        overrides = {} if direction == "bind" else dict(bound)
        self.machine = Machine(dict(self.before), natural, overrides)
        self.journal = Journal(folder / "vfiotop", owner=os.geteuid())
        self.time = 0.0
        self.despite_doubts = False
        self.plan = self.planned(direction)
        self.unknown = self.plan.steps
        if direction == "unbind":
            self.plan = replace(self.plan, steps=with_host_drivers(self.unknown, HOST))

    def planned(self, direction: Direction) -> Plan:
        """Return the plan from where the functions are now."""
        functions = (
            replace(f, driver=self.machine.drivers.get(f.address, f.driver))
            for f in two_cards().functions
        )
        gpu = assess(snapshot(inventory(*functions)), Choice(CARD)).gpu(CARD)
        assert gpu is not None
        moving = tuple(f.address for f in gpu.functions)
        last = self.journal.read()
        todo = steps(gpu, direction, last.host_power if last is not None else {})
        return Plan(direction, CARD, moving, todo)

    def pause(self, seconds: float) -> None:
        self.time += seconds

    def runner(self, lock: int) -> Runner:
        return Runner(
            self.machine, self.journal, lock,
            now=lambda: NOON, clock=lambda: self.time, pause=self.pause,
            despite_doubts=self.despite_doubts,
        )  # fmt: skip

    def run(self, home: tuple[Origin, ...] = ()) -> Entry:
        with self.journal.locked() as lock:
            runner = self.runner(lock)
            entry = runner.run(runner.prepare(self.plan, home), self.plan)
        assert self.journal.read() == entry
        return entry


@pytest.fixture
def bind(tmp_path: Path) -> Rig:
    return Rig(tmp_path, "bind")


@pytest.fixture
def unbind(tmp_path: Path) -> Rig:
    return Rig(tmp_path, "unbind")


@pytest.fixture(params=["bind", "unbind"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return Rig(tmp_path, request.param)


VFIO = {CARD: "vfio-pci", SOUND: "vfio-pci"}
HOST = {CARD: "nvidia", SOUND: "snd_hda_intel"}


# --- all goes well ----------------------------------------------------------------


def test_a_bind_in_its_order(bind: Rig) -> None:
    entry = bind.run()
    assert (entry.state, entry.message, entry.writer) == ("done", None, None)
    assert bind.machine.drivers == VFIO
    assert [(kind, address) for kind, address, _ in bind.machine.done] == [
        ("load", None),
        ("override", SOUND), ("unbind", SOUND), ("probe", SOUND),
        ("override", CARD), ("unbind", CARD), ("probe", CARD),
    ]  # fmt: skip
    assert [(o.address, o.driver, o.override) for o in entry.origins] == [
        (SOUND, "snd_hda_intel", None), (CARD, "nvidia", None),
    ]  # fmt: skip


def test_an_unbind_clears_what_the_bind_set(unbind: Rig) -> None:
    assert unbind.run().state == "done"
    assert unbind.machine.drivers == HOST
    assert unbind.machine.overrides == {CARD: None, SOUND: None}


def test_a_function_that_had_no_driver_has_none_again(unbind: Rig) -> None:
    unbind.machine.ignored = {("probe", SOUND)}
    unbind.plan = replace(
        unbind.plan, steps=with_host_drivers(unbind.plan.steps, {**HOST, SOUND: None})
    )
    assert unbind.run().state == "done"


def test_a_companion_of_which_nothing_is_known_may_have_none(unbind: Rig) -> None:
    unbind.machine.ignored = {("probe", SOUND)}
    unbind.plan = replace(unbind.plan, steps=unbind.unknown)
    assert unbind.run().state == "done"


def test_drivers_that_the_host_has_no_module_for_are_no_fault(unbind: Rig) -> None:
    """The probes show whether the loaded drivers suffice."""
    unbind.machine.faults[("drivers", None)] = errno.ENOENT
    assert unbind.run().state == "done"
    assert ("drivers", None) in [(kind, address) for kind, address, _ in unbind.machine.done]


def test_drivers_that_are_there_are_not_loaded(unbind: Rig) -> None:
    home = tuple(Origin(address, driver, None) for address, driver in HOST.items())
    assert unbind.run(home=home).state == "done"
    assert "drivers" not in {kind for kind, _, _ in unbind.machine.done}


def test_a_card_that_nvml_does_not_see_is_parked(unbind: Rig) -> None:
    unbind.machine.blind = "NVML does not see it"
    entry = unbind.run()
    assert entry.state == "undone"
    assert "nvidia has the card, but NVML does not see it" in (entry.message or "")
    assert unbind.machine.drivers == VFIO


# --- a step goes wrong --------------------------------------------------------------


def every_step(direction: Direction) -> Iterator[tuple[str, str | None]]:
    for address in (SOUND, CARD):
        for kind in ("override", "unbind", "probe"):
            yield kind, address
    if direction == "bind":
        yield "load", None


@pytest.mark.parametrize("faulty", list(every_step("bind")))
@pytest.mark.parametrize("fault", [errno.EBUSY, errno.ENODEV, errno.EACCES])
def test_a_bind_of_which_any_step_fails_is_undone(
    bind: Rig, faulty: tuple[str, str | None], fault: int
) -> None:
    bind.machine.faults[faulty] = fault
    entry = bind.run()
    assert entry.state in ("undone", "failed")
    if entry.state == "undone":
        assert bind.machine.drivers == bind.before
        assert not any(bind.machine.overrides.values())
    else:  # the same write failed again in the undo
        assert entry.message is not None
        assert "could not be undone" in entry.message


@pytest.mark.parametrize("faulty", [("probe", SOUND), ("probe", CARD)])
def test_a_probe_that_silently_binds_nothing_is_seen(
    either: Rig, faulty: tuple[str, str | None]
) -> None:
    probe = either.machine

    probe.ignored = Once({faulty})
    entry = either.run()
    assert entry.state == "undone"
    assert entry.message is not None
    assert "no driver" in entry.message or "none" in entry.message
    assert probe.drivers == either.before


def test_a_group_that_never_appears(bind: Rig) -> None:
    bind.machine.node = False
    entry = bind.run()
    assert (entry.state, bind.machine.drivers) == ("undone", bind.before)
    assert "/dev/vfio/2 did not appear" in (entry.message or "")


def test_a_writer_that_is_killed_leaves_it_to_the_kernel(either: Rig) -> None:
    either.machine.faults[("unbind", CARD)] = -9
    assert either.run().state == "done"


# --- holders ------------------------------------------------------------------------


@pytest.mark.parametrize("scans_before", [0, 1])
def test_who_holds_the_card_before_the_first_write(bind: Rig, scans_before: int) -> None:
    bind.machine.held = [Holders(())] * scans_before + [BUSY]
    entry = bind.run()
    assert (entry.state, entry.message) == ("undone", "in use by game (812, /dev/nvidia1)")
    assert bind.machine.done == []


def test_who_takes_the_card_between_preflight_and_unbind(bind: Rig) -> None:
    bind.machine.held = [Holders(())] * 3 + [BUSY]
    entry = bind.run()
    assert entry.state == "undone"
    assert "in use by game" in (entry.message or "")
    assert ("unbind", CARD, CARD) not in bind.machine.done
    assert bind.machine.drivers == bind.before


READER = Holder(CARD, 5, "python3", "/dev/nvidia1", "anna", ours=True)
READERS = [READER, replace(READER, what="/dev/nvidiactl", shared=True)]


@pytest.mark.parametrize("reader", READERS)
def test_our_own_readers_are_waited_for(bind: Rig, reader: Holder) -> None:
    bind.machine.held = [Holders((reader,))] * 4
    assert bind.run().state == "done"
    assert bind.machine.held == []


@pytest.mark.parametrize("version", [None, "580.105.08", "595.45.04"])
@pytest.mark.parametrize("reader", READERS)
def test_one_that_does_not_leave_is_a_holder(
    bind: Rig, reader: Holder, version: str | None
) -> None:
    """It was asked to leave, so nodes that all cards share count, too, with any driver."""
    bind.machine.nvidia = NvidiaModule(version) if version else None
    bind.machine.held = [Holders((reader,))] * 1000
    entry = bind.run()
    assert entry.state == "undone"
    assert "vfiotop's own reader 5 of anna has not released" in (entry.message or "")
    assert bind.machine.done == []
    assert SETTLE_S <= bind.time < 2 * SETTLE_S


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_that_comes_right_before_the_unbind(bind: Rig, reader: Holder) -> None:
    bind.machine.held = [Holders(())] * 3 + [Holders((reader,))]
    entry = bind.run()
    assert entry.state == "undone"
    assert "has not released" in (entry.message or "")
    assert ("unbind", CARD, CARD) not in bind.machine.done


def test_an_undo_unbinds_nothing_that_somebody_uses(unbind: Rig) -> None:
    """The card is back on the host and in use when its audio function fails."""
    unbind.machine.ignored = Once({("probe", SOUND)})
    unbind.machine.held = [Holders(())] * 4 + [BUSY] * 9
    entry = unbind.run()
    assert entry.state == "failed"
    assert "could not be undone: 0000:02:00.0: in use by game" in (entry.message or "")
    assert unbind.machine.drivers[CARD] == "nvidia"


@pytest.mark.parametrize("version", ["580.95.05", None])
def test_an_undo_does_not_try_what_modeset_holds(unbind: Rig, version: str | None) -> None:
    unbind.machine.nvidia = NvidiaModule(version, modeset=True)
    unbind.machine.ignored = Once({("probe", SOUND)})
    assert "modeset" in (unbind.run().message or "")
    assert unbind.machine.drivers[CARD] == "nvidia"


@pytest.mark.parametrize(
    "nvidia", [NvidiaModule("580.105.08", modeset=True), NvidiaModule("580.95.05", modeset=False)]
)
def test_an_undo_takes_back_what_modeset_does_not_hold(unbind: Rig, nvidia: NvidiaModule) -> None:
    """nvidia_drm releases a card cleanly from 580.105.08 on."""
    unbind.machine.nvidia = nvidia
    unbind.machine.ignored = Once({("probe", SOUND)})
    assert unbind.run().state == "undone"
    assert unbind.machine.drivers == VFIO


BLIND = [
    Unavailable("no /proc"),
    Holders((), uninspected=2),
    Holders((), unlisted_reason="processes are hidden"),
    Holders((), 1, (UninspectedProcess(7, "cat", "does not answer"),)),
]


@pytest.mark.parametrize("found", BLIND)
def test_what_cannot_be_seen_is_no_pass(bind: Rig, found: Holders | Unavailable) -> None:
    bind.machine.held = [found] * 9  # type: ignore[list-item]
    entry = bind.run()
    assert entry.state == "undone"
    words = {"no /proc", "2 processes of other users", "are hidden", "cat (7) could not be"}
    assert sum(each in (entry.message or "") for each in words) == 1
    assert bind.machine.done == []


@pytest.mark.parametrize("found", BLIND)
def test_whoever_accepted_that_goes_on(bind: Rig, found: Holders | Unavailable) -> None:
    bind.machine.held = [found] * 9  # type: ignore[list-item]
    bind.despite_doubts = True
    assert bind.run().state == "done"
    bind.machine.drivers = dict(bind.before)
    bind.machine.held = [BUSY]
    assert "in use by game" in (bind.run().message or "")


def test_a_card_that_is_taken_away_meanwhile_is_not_done(bind: Rig) -> None:
    bind.machine.ignored = {("probe", CARD)}
    bind.machine.drivers[SOUND] = "snd_hda_intel"
    assert bind.run().state in ("undone", "failed")


# --- stuck ------------------------------------------------------------------------


def test_a_write_that_does_not_return_is_stuck_and_goes_on_by_itself(bind: Rig) -> None:
    bind.machine.slow[("unbind", CARD)] = 3
    bind.machine.held = [Holders(())] * 4 + [BUSY]
    seen: list[tuple[str, str | None, Process | None]] = []
    write = bind.journal.write

    def noted(entry: Entry) -> None:
        seen.append((entry.state, entry.message, entry.writer))
        write(entry)

    bind.journal.write = noted  # type: ignore[method-assign]
    assert bind.run().state == "done"
    stuck = [each for each in seen if each[0] == "stuck"]
    assert stuck == [
        ("stuck", "the kernel does not return", Process(4711, 1)),
        ("stuck", "the kernel waits for game (812, /dev/nvidia1): close game, or run `kill 812`",
         Process(4711, 1)),
    ]  # fmt: skip
    assert bind.machine.drivers == VFIO


def test_a_reader_that_keeps_an_unbind_is_reported_as_one(bind: Rig) -> None:
    bind.machine.slow[("unbind", CARD)] = 3
    bind.machine.held = [Holders(())] * 4 + [Holders((READER,))]
    told: list[str | None] = []
    write = bind.journal.write

    def noted(entry: Entry) -> None:
        told.append(entry.message)
        write(entry)

    bind.journal.write = noted  # type: ignore[method-assign]
    assert bind.run().state == "done"
    assert any("reader 5 of anna has not released" in (message or "") for message in told)


def test_from_595_on_whoever_leaves_does_not_help(bind: Rig) -> None:
    bind.machine.slow[("unbind", CARD)] = 3
    bind.machine.held = [Holders(())] * 4 + [BUSY]
    bind.machine.nvidia = NvidiaModule("595.45.04", modeset=False)
    told: list[str | None] = []
    write = bind.journal.write

    def noted(entry: Entry) -> None:
        told.append(entry.message)
        write(entry)

    bind.journal.write = noted  # type: ignore[method-assign]
    bind.run()
    assert any("only a reboot helps" in (message or "") for message in told)


def test_a_card_that_is_still_leaving_is_not_touched(bind: Rig) -> None:
    bind.machine.leaving = {CARD}
    with bind.journal.locked() as lock, pytest.raises(HostError, match="has not released it"):
        bind.runner(lock).prepare(bind.plan)
    assert bind.machine.done == []


@pytest.mark.parametrize("left", [{CARD: "vfio-pci"}, {SOUND: "vfio-pci"}, None])
@pytest.mark.parametrize("faulty", [("probe", CARD), ("unbind", CARD), ("probe", SOUND)])
def test_an_override_that_was_left_behind_keeps_nobody_from_home(
    bind: Rig, left: dict[str, str | None] | None, faulty: tuple[str, str]
) -> None:
    """It names vfio-pci while the function is on its own driver; an undo restores both."""
    left = left or {CARD: "vfio-pci", SOUND: "vfio-pci"}
    bind.machine.overrides = dict(left)
    bind.machine.ignored = Once({faulty})
    entry = bind.run()
    assert (entry.state, bind.machine.drivers) == ("undone", bind.before), entry.message
    kept = {address: value for address, value in bind.machine.overrides.items() if value}
    assert kept == left


def test_an_undo_leaves_a_card_alone_that_is_leaving(bind: Rig) -> None:
    with bind.journal.locked() as lock:
        runner = bind.runner(lock)
        entry = runner.prepare(bind.plan)
        bind.machine.drivers[CARD] = None
        bind.machine.leaving = {CARD}
        bind.machine.drivers[SOUND] = "vfio-pci"
        entry = runner.undo(entry, "interrupted")
    assert entry.state == "failed"
    assert {address for _, address, _ in bind.machine.done} == {SOUND}
    assert bind.machine.drivers[SOUND] == "snd_hda_intel"


# --- the journal --------------------------------------------------------------------


class Full(Journal):
    """Has no space left after ``room`` entries."""

    def __init__(self, journal: Journal, room: int) -> None:
        super().__init__(journal.folder, owner=os.geteuid())
        self.room = room

    def write(self, entry: Entry) -> None:
        self.room -= 1
        if self.room < 0:
            raise JournalError("swap.json cannot be written: No space left on device")
        super().write(entry)


@pytest.mark.parametrize("slow", [0, 2])
@pytest.mark.parametrize("room", range(30))
def test_a_journal_without_room_leaves_a_host_that_is_whole(
    bind: Rig, room: int, slow: int
) -> None:
    bind.machine.slow = dict.fromkeys(every_step("bind"), slow)
    full = Full(bind.journal, room)
    with full.locked() as lock:
        runner = Runner(bind.machine, full, lock, now=lambda: NOON, pause=bind.pause,
                        clock=lambda: bind.time)  # fmt: skip
        try:
            entry = runner.run(runner.prepare(bind.plan), bind.plan)
        except JournalError:
            assert bind.machine.done == []  # it was not even prepared
            return
    assert entry.state in ("done", "undone")
    assert bind.machine.drivers == (VFIO if entry.state == "done" else bind.before)


# --- interrupted --------------------------------------------------------------------


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the runner runs after it."""


@pytest.mark.parametrize("way", ["finish", "undo"])
@pytest.mark.parametrize("writes", range(22))
def test_a_runner_that_dies_between_any_two_entries_is_recovered(
    either: Rig, writes: int, way: str
) -> None:
    """The kernel finishes a write that began; the entry that could not be written is lost."""
    write, left = either.journal.write, [writes]

    def dying(entry: Entry) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        write(entry)

    either.journal.write = dying  # type: ignore[method-assign]
    try:
        with either.journal.locked() as lock:
            runner = either.runner(lock)
            runner.run(runner.prepare(either.plan), either.plan)
    except Killed:
        pass
    either.journal.write = write  # type: ignore[method-assign]
    entry = either.journal.read()
    if entry is None:
        assert either.machine.drivers == either.before
        return
    if entry.ended:
        return
    with either.journal.locked() as lock:
        runner = either.runner(lock)
        if way == "undo":
            entry = runner.undo(entry, "recover")
            assert (entry.state, either.machine.drivers) == ("undone", either.before)
            return
        plan = seen_now(either)
        entry = runner.run(runner.resume(entry, plan), plan)
    wanted = VFIO if either.plan.direction == "bind" else HOST
    assert (entry.state, either.machine.drivers) == ("done", wanted)


def seen_now(rig: Rig) -> Plan:
    """Return the plan for what is left to do."""
    gpu, sound = card("02:00", 2, boot_vga=False)
    functions = []
    for function in (gpu, sound):
        functions.append(type(function)(
            address=function.address, vendor=function.vendor, device=function.device,
            class_code=function.class_code, name=function.name, iommu_group=2,
            driver=rig.machine.drivers[function.address],
        ))  # fmt: skip
    pci = inventory(*card("01:00", 1, boot_vga=True), *functions)
    seen = assess(snapshot(pci), Choice(CARD)).gpu(CARD)
    assert seen is not None
    direction = rig.plan.direction
    left = steps(seen, direction)
    return Plan(
        direction,
        CARD,
        rig.plan.moves,
        with_host_drivers(left, HOST) if direction == "unbind" else left,
    )


# --- who asked, and what is not there -----------------------------------------------


def test_a_swap_that_nobody_waits_for_is_not_begun(bind: Rig) -> None:
    with bind.journal.locked() as lock:
        runner = bind.runner(lock)
        entry = runner.cancel(runner.prepare(bind.plan), "nobody waits")
    assert (entry.state, entry.message, bind.machine.done) == ("undone", "nobody waits", [])


def test_a_card_that_is_off_the_bus_is_not_given_back(bind: Rig) -> None:
    bind.machine.faults[("unbind", CARD)] = errno.ENODEV
    bind.machine.gone = {CARD}
    entry = bind.run()
    assert entry.state == "undone"
    assert bind.machine.drivers[SOUND] == HOST[SOUND]
    assert ("override", CARD, "\n") not in bind.machine.done


def test_what_functions_were_at_home_is_kept_for_each(bind: Rig) -> None:
    other = Origin("0000:03:00.0", "nvidia", None)
    old = Origin(CARD, "nouveau", None)
    entry = bind.run(home=(other, old))
    assert entry.host_drivers == {"0000:03:00.0": "nvidia", **HOST}


def test_a_card_that_was_found_without_a_driver_has_no_home_there(bind: Rig) -> None:
    bind.machine.drivers[CARD] = bind.machine.drivers[SOUND] = None
    bind.plan = bind.planned("bind")
    known = (Origin(CARD, "nvidia", None),)
    assert bind.run(home=known).host_drivers == {CARD: "nvidia", SOUND: None}
    bind.machine.drivers = {CARD: None, SOUND: "snd_hda_intel"}
    bind.plan = bind.planned("bind")
    assert bind.run().host_drivers == {SOUND: "snd_hda_intel"}


def test_what_is_at_home_may_be_in_use_while_the_rest_follows(unbind: Rig) -> None:
    """The desktop took the card as soon as it was back; its audio is still on vfio-pci."""
    unbind.machine.drivers[CARD] = "nvidia"
    unbind.plan = unbind.planned("unbind")
    assert unbind.run().state == "done"
    assert unbind.machine.scanned == {SOUND}


# --- drivers of VFIO's besides vfio-pci, and stubs -----------------------------------

VARIANTS = [
    "nvgrace-gpu-vfio-pci", "nvgrace_gpu_vfio_pci", "mlx5_vfio_pci", "hisi_acc_vfio_pci",
    "pds_vfio_pci", "xe-vfio-pci", "vfio-pci-zdev",
]  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_card_leaves_a_variant_driver_of_vfio(tmp_path: Path, variant: str) -> None:
    rig = Rig(tmp_path, "unbind", variant)
    entry = rig.run()
    assert (entry.state, entry.message) == ("done", None)
    assert rig.machine.drivers == HOST
    assert ("unbind", CARD, CARD) in rig.machine.done
    assert rig.machine.overrides == {CARD: None, SOUND: None}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_card_that_a_variant_takes_again_is_not_with_the_host(
    tmp_path: Path, variant: str
) -> None:
    """As if the kernel command line gave the variant the card's ids."""
    rig = Rig(tmp_path, "unbind", variant)
    rig.plan = replace(rig.plan, steps=rig.unknown)
    rig.machine.natural[CARD] = variant
    entry = rig.run()
    assert entry.state == "undone"
    assert "no host driver took" in (entry.message or "")
    assert rig.machine.drivers == rig.before


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_unbind_from_a_variant_that_fails_gives_it_back(tmp_path: Path, variant: str) -> None:
    rig = Rig(tmp_path, "unbind", variant)
    rig.machine.blind = "NVML does not see it"
    assert rig.run().state == "undone"
    assert rig.machine.drivers == rig.before
    assert rig.machine.overrides == rig.before


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_bind_leaves_what_a_variant_has(tmp_path: Path, variant: str) -> None:
    """It is on VFIO already, and a guest may rely on the variant."""
    rig = Rig(tmp_path, "bind")
    rig.machine.drivers[CARD] = variant
    rig.plan = rig.planned("bind")
    entry = rig.run()
    assert entry.state == "done"
    assert rig.machine.drivers == {SOUND: "vfio-pci", CARD: variant}
    assert entry.host_drivers == {SOUND: "snd_hda_intel"}


def test_a_stub_is_left_for_the_host_and_is_no_home(tmp_path: Path) -> None:
    """Nobody can use a function on a stub driver: an unbind returns it to the host."""
    rig = Rig(tmp_path, "unbind", "pci-stub")
    assert rig.run().state == "done"
    assert rig.machine.drivers == HOST
    back = Rig(tmp_path / "bind", "bind")
    (tmp_path / "bind").mkdir()
    back.machine.drivers[SOUND] = "pci-stub"
    back.plan = back.planned("bind")
    entry = back.run()
    assert (entry.state, back.machine.drivers) == ("done", VFIO)
    assert entry.host_drivers == {CARD: "nvidia"}
    back.plan = back.planned("unbind")
    back.plan = replace(back.plan, steps=with_host_drivers(back.plan.steps, entry.host_drivers))
    assert back.run(home=entry.home).state == "done"
    assert back.machine.drivers == HOST


# --- whether a card may sleep ---------------------------------------------------------

Powers = dict[str, PowerControl]
POWERS: list[Powers] = [
    {CARD: "auto", SOUND: "auto"}, {CARD: "auto", SOUND: "on"}, {CARD: "on", SOUND: "on"},
]  # fmt: skip


def bound(rig: Rig, powers: Powers) -> Entry:
    """Bind the card, and record that in the journal."""
    rig.machine.powers = dict(powers)
    entry = rig.run()
    assert entry.state == "done"
    rig.plan = rig.planned("unbind")
    return entry


@pytest.mark.parametrize("powers", POWERS)
def test_a_card_that_slept_when_idle_does_so_again(bind: Rig, powers: Powers) -> None:
    """Across two swaps: the second one finds in the journal what the first one recorded."""
    bound(bind, powers)
    entry = bind.run(home=_home(bind))
    assert (entry.state, entry.message) == ("done", None)
    assert bind.machine.drivers == HOST
    assert bind.machine.powers == powers
    assert entry.host_power == powers


def _home(rig: Rig) -> tuple[Origin, ...]:
    last = rig.journal.read()
    assert last is not None
    return last.home


def test_it_is_restored_when_the_host_has_the_card_again(bind: Rig) -> None:
    bound(bind, POWERS[0])
    bind.machine.done.clear()
    bind.run(home=_home(bind))
    kinds = [(kind, address) for kind, address, _ in bind.machine.done]
    assert kinds[-2:] == [("power", CARD), ("power", SOUND)]
    assert "/sys/bus/pci/devices/0000:02:00.0/power/control" in {s.path for s in bind.plan.steps}


def test_what_is_right_already_is_not_written(bind: Rig) -> None:
    bound(bind, {CARD: "on", SOUND: "auto"})
    bind.machine.done.clear()
    bind.run(home=_home(bind))
    assert [a for kind, a, _ in bind.machine.done if kind == "power"] == [SOUND]


@pytest.mark.parametrize("faulty", list(every_step("bind")))
def test_an_undo_restores_it_too(bind: Rig, faulty: tuple[str, str | None]) -> None:
    bind.machine.powers = dict(POWERS[0])
    bind.machine.faults[faulty] = errno.EBUSY
    if bind.run().state == "undone":
        assert bind.machine.powers == POWERS[0]


@pytest.mark.parametrize("fault", [errno.EIO, errno.EACCES, -9])
def test_a_card_that_is_home_is_not_taken_back_for_it(bind: Rig, fault: int) -> None:
    bound(bind, POWERS[0])
    bind.machine.faults[("power", CARD)] = fault
    bind.machine.ignored.add(("power", CARD))
    entry = bind.run(home=_home(bind))
    assert (entry.state, bind.machine.drivers) == ("done", HOST)
    assert "runtime power management of 0000:02:00.0 was not restored" in (entry.message or "")
    assert bind.machine.powers == {CARD: "on", SOUND: "auto"}


def test_a_runner_that_died_before_it_is_finished(bind: Rig) -> None:
    """The functions are back on the host by then: none is left to move."""
    bound(bind, POWERS[0])
    write = bind.journal.write

    def dying(entry: Entry) -> None:
        if entry.steps[entry.step : entry.step + 1] == (bind.plan.steps[-3].text,):
            raise Killed
        write(entry)

    assert bind.plan.steps[-3].kind == "power"
    bind.journal.write = dying  # type: ignore[method-assign]
    with pytest.raises(Killed):
        bind.run(home=_home(bind))
    bind.journal.write = write  # type: ignore[method-assign]
    assert bind.machine.powers == {CARD: "on", SOUND: "on"}
    left = bind.journal.read()
    assert left is not None
    bind.plan = bind.planned("unbind")
    with bind.journal.locked() as lock:
        runner = bind.runner(lock)
        entry = runner.run(runner.resume(left, bind.plan), bind.plan)
    assert (entry.state, bind.machine.powers) == ("done", POWERS[0])


def test_where_no_journal_tells_it_is_left_as_it_is(unbind: Rig) -> None:
    """As after a boot with vfio-pci.ids=."""
    unbind.machine.powers = {CARD: "auto", SOUND: "auto"}
    assert unbind.run().state == "done"
    assert unbind.machine.powers == {CARD: "on", SOUND: "on"}


# --- what the journal cannot hold -----------------------------------------------------


@pytest.mark.parametrize("odd", ["a/b", "x" * 200, "f\u00fcr", "two\nlines", "..", "\ufffd"])
def test_an_override_that_is_no_name_is_reported_before_anything_is_done(
    bind: Rig, odd: str
) -> None:
    """Any root process may have written it, and an undo could not replay it."""
    bind.machine.overrides[SOUND] = odd
    with bind.journal.locked() as lock, pytest.raises(HostError) as told:
        bind.runner(lock).prepare(bind.plan)
    assert f"echo > /sys/bus/pci/devices/{SOUND}/driver_override" in str(told.value)
    assert str(told.value).isprintable()
    assert (bind.machine.done, bind.journal.read()) == ([], None)


@pytest.mark.parametrize("text", ["x" * 5000, "\U0001f600" * 5000, "\udcff" * 5000, "\x00\x1b[31m"])
def test_a_message_of_any_length_is_journaled_and_read(bind: Rig, text: str) -> None:
    bind.machine.held = [Unavailable(text)] * 9  # type: ignore[list-item]
    entry = bind.run()
    assert (entry.state, entry.message) == ("undone", text[:2000])


def test_a_long_reason_to_undo_keeps_the_swap_to_be_recovered(bind: Rig) -> None:
    with bind.journal.locked() as lock:
        runner = bind.runner(lock)
        entry = runner.prepare(bind.plan)
        bind.machine.leaving = {CARD}
        entry = runner.undo(entry, "x" * 5000)
    assert entry.state == "failed"
    assert bind.journal.read() == entry
    with bind.journal.locked() as lock:
        bind.machine.leaving = set()
        assert bind.runner(lock).undo(entry, "recover").state == "undone"
