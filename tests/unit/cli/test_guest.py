"""The commands for the guest: messages and exit codes when something goes wrong."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.ui.rig import FakeControl, FakeInspector, Held
from tests.unit.made import domain, guests, two_cards
from tui.cli import guest as cli_guest
from tui.cli import guest_action
from tui.cli.exits import DONE, FAILED, STUCK
from tui.config import Config
from tui.host import Host, HostError, Unsettled
from tui.host.demo.host import demo_host
from tui.model import (
    Domain,
    DomainState,
    GuestAction,
    GuestPlan,
    Guests,
    HostFacts,
    HostView,
    NvmlReading,
    Plan,
    Vitals,
)
from tui.model.requests import Consent
from tui.rules.roles import Choice

VM = domain("my vm", state="running", uuid="4dea22b3-1d52-d8f3-2516-782e98ab3fa0")


class Control(FakeControl):
    """Sets ``begun`` when an action begins, which ends when ``free`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()

    def act(self, action: GuestAction, uuid: str, name: str | None = None) -> None:
        self.begun.set()
        super().act(action, uuid)


@pytest.fixture
def control() -> Iterator[Control]:
    made = Control()
    yield made
    made.free.set()


def run(
    action: GuestAction,
    control: FakeControl,
    vm: Domain = VM,
    then: Guests | HostError | None = None,
) -> int:
    """Run the command on ``vm``; once the action is done libvirt reports ``then``."""

    def host() -> Host:
        reading = then if then is not None and control.asked else guests(vm)
        return Host(
            Held(HostFacts("atlas", "6.12")), Held(two_cards()), Held(Vitals(())),
            Held(NvmlReading("580.95", ())), Held(reading), inspector=FakeInspector(),
            control=control, reopen=host,
        )  # fmt: skip

    words = argparse.Namespace(
        command=action, domain="my vm", yes=True, dry_run=False, despite_doubts=True, connect=None
    )
    return cli_guest.run(host(), Config(), words)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("action", "was", "left", "offers"),
    [
        ("pause", "running", None, ["status", "resume 'my vm'", "force-off 'my vm'"]),
        ("resume", "paused", "paused", ["resume 'my vm'", "force-off 'my vm'"]),
        ("force-off", "running", None, ["status"]),
        ("reboot", "running", None, ["status"]),
        ("resume", "paused", "running", ["status", "stop 'my vm'"]),
    ],
)
def test_an_unsettled_action_exits_with_3_and_says_what_to_do(
    control: Control, capfd: pytest.CaptureFixture[str],
    action: GuestAction, was: DomainState, left: DomainState | None, offers: list[str],
) -> None:  # fmt: skip
    control.answer = Unsettled("libvirt's answer was lost", left)
    vm = domain("my vm", state=was, uuid=VM.uuid)
    assert run(action, control, vm) == STUCK
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("vfiotop: libvirt's answer was lost. ")
    assert printed.err.count("\n") == 1
    assert printed.err.split("`")[1::2] == [f"vfiotop {offer}" for offer in offers]


def test_a_failed_action_exits_with_1(control: Control, capfd: pytest.CaptureFixture[str]) -> None:
    control.answer = HostError("libvirt could not pause it")
    assert run("pause", control) == FAILED
    assert "could not pause" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_does_not_interrupt_an_action(
    control: Control, capfd: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    control.free.clear()
    before = signal.getsignal(number)

    def interrupt() -> None:
        control.begun.wait(60)
        os.kill(os.getpid(), number)

    def free(message: str, code: int) -> int:
        said.append(message)
        control.free.set()
        return code

    said: list[str] = []
    threading.Thread(target=interrupt).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tui.cli.guest_action.fail", free)
        assert run("pause", control) == DONE
    assert said == ["my vm: waiting for libvirt; press Ctrl-C again to stop waiting"]
    assert capfd.readouterr().out == "my vm: paused\n"
    assert signal.getsignal(number) == before


def test_the_second_signal_stops_waiting(
    control: Control, capfd: pytest.CaptureFixture[str]
) -> None:
    control.free.clear()

    def interrupt() -> None:
        control.begun.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    def again(message: str, code: int) -> int:
        said.append(message)
        if len(said) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return code

    said: list[str] = []
    threading.Thread(target=interrupt).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tui.cli.guest_action.fail", again)
        assert run("pause", control) == STUCK
    assert "cannot tell yet whether the pause took effect" in said[1]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("begins", [False, True])
def test_a_signal_at_the_start_of_an_action(
    control: Control, monkeypatch: pytest.MonkeyPatch, begins: bool
) -> None:
    """Before it has begun, nothing is done. Afterwards it is waited for."""

    class Interrupted(threading.Thread):
        def start(self) -> None:
            if begins:
                super().start()
                control.begun.wait(60)
            raise KeyboardInterrupt

    others = SimpleNamespace(Thread=Interrupted, Event=threading.Event, Lock=threading.Lock)
    monkeypatch.setattr("tui.cli.guest_action.threading", others)
    if begins:
        assert run("pause", control) == DONE
    else:
        with pytest.raises(KeyboardInterrupt):
            run("pause", control)
    assert control.begun.is_set() is begins


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyboardInterrupt(), True),
        (HostError("libvirt could not start it"), True),
        (Unsettled("libvirt's answer was lost"), False),  # its own words say what to do
    ],
)
def test_a_start_that_fails_after_its_swap_says_where_the_card_is(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    error: BaseException, told: bool,
) -> None:  # fmt: skip
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("tui.cli.bind.carry_out", lambda *_: DONE)
    monkeypatch.setattr(guest_action, "run_to_end", fails)
    swap = Plan("bind", "0000:01:00.0", ("0000:01:00.0",), ())
    plan = GuestPlan("start", "my vm", "my vm", VM.uuid, "'my vm'", ("start it",), swap=swap)
    asked = guest_action.GuestCommand(demo_host("idle"), Choice(), argparse.Namespace())
    with pytest.raises(type(error)):
        guest_action._carry_out(asked, plan, HostView(), Consent())
    words = "0000:01:00.0 is on vfio-pci now: `vfiotop unbind 0000:01:00.0` gives it back.\n"
    assert capfd.readouterr().err == (words if told else "")


class Interrupting(Control):
    """Sends the signal itself, right before the action ends."""

    def act(self, action: GuestAction, uuid: str, name: str | None = None) -> None:
        super().act(action, uuid, name)
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_at_the_moment_of_the_answer_loses_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for _ in range(20):
        assert run("pause", Interrupting()) == DONE
        assert capfd.readouterr().out == "my vm: paused\n"


@pytest.mark.parametrize(
    ("reading", "code", "words"),
    [
        (guests(domain("my vm", uuid=VM.uuid)), DONE, "my vm: shut off\n"),
        (guests(), DONE, "my vm: shut off\n"),
        (guests(VM), FAILED, "still running after 1 s"),
        (guests(domain("my vm", uuid=VM.uuid, state="unknown")), STUCK, "libvirt does not answer"),
        (HostError("libvirtd is not running"), STUCK, "libvirt does not answer"),
        # A domain of the same name with another UUID is another guest.
        (guests(domain("my vm", state="running", uuid="other")), DONE, "my vm: shut off\n"),
    ],
)
def test_the_end_of_a_stop(
    control: Control, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    reading: Guests | HostError, code: int, words: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("tui.cli.guest_stop.STOP_S", 20 if code == DONE else 1)
    monkeypatch.setattr("tui.cli.guest_stop.POLL_S", 0.01)
    assert run("stop", control, then=reading) == code
    printed = capfd.readouterr()
    assert words in printed.out + printed.err
