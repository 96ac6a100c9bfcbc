"""A real guest with a real qemu-ga, queried through a real libvirtd. ``python -m tests.lab``
names this file, because it boots the lab's kernel."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import libvirt
import libvirt_qemu
import pytest

from tests.lab.guest import definition, make
from tests.lab.kernel import kernel
from tests.libvirt.daemon import Daemon, daemon, operator
from tui.host import NothingToRead
from tui.host.agent.source import AgentSource
from tui.host.calls import CallLog
from tui.model import Demand, GuestReport

BOOT_S = 90.0

EVERY = 5.0

KILL = (
    "for each in /proc/[0-9]*; do read -r _ name _ <$each/stat; case $name in '(yes)' | '(sleep)')"
    " kill -9 ${each#/proc/} ;; esac; done"
)
"""Kills what a bad nvidia-smi left behind in the guest."""


class Play:
    """The guest, the source that queries it, and a way to run commands in it."""

    def __init__(self, uri: str, domain: libvirt.virDomain) -> None:
        self.domain, self.uuid = domain, domain.UUIDString()
        self.uri, self.now, self.calls = uri, 0.0, CallLog()
        self.source = self.fresh()

    def fresh(self) -> AgentSource:
        """A source that knows nothing about the guest yet. The test holds its clock, and so
        decides when a reading is due."""
        self.source = AgentSource(
            self.uri, every=EVERY, calls=self.calls, clock=lambda: self.now + time.monotonic()
        )
        self.source.set_demand(Demand(guests=(self.uuid,)))
        return self.source

    def says(self) -> GuestReport:
        said = self.source.read().of(self.uuid)
        assert said is not None
        return said

    def later(self, seconds: float = 400.0) -> GuestReport:
        self.now += seconds
        return self.says()

    def run(self, script: str) -> str:
        """Run a shell script through the agent, and return its output."""
        words = {"path": "/bin/sh", "arg": ["-c", script], "capture-output": True}
        pid = self._tell("guest-exec", words)["pid"]
        while not (ended := self._tell("guest-exec-status", {"pid": pid}))["exited"]:
            pass
        return base64.b64decode(str(ended.get("out-data", ""))).decode()

    def _tell(self, command: str, arguments: dict[str, object]) -> dict[str, object]:
        text = json.dumps({"execute": command, "arguments": arguments})
        answer = json.loads(libvirt_qemu.qemuAgentCommand(self.domain, text, 20, 0))
        found = answer["return"]
        assert isinstance(found, dict)
        return found

    def mode(self, name: str) -> None:
        self.run(f"echo {name} >/tmp/mode; : >/tmp/asked")


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[Daemon]:
    with daemon() as started:
        yield started


@pytest.fixture(scope="module")
def booted(libvirtd: Daemon) -> Iterator[libvirt.virDomain]:
    folder = Path(libvirtd.folder, "guest")
    folder.mkdir()
    with operator(libvirtd.uri) as connection:
        domain = connection.createXML(definition("player", *make(kernel(), folder)))
        _await_agent(domain)
        yield domain
        domain.destroy()


def _await_agent(domain: libvirt.virDomain) -> None:
    deadline = time.monotonic() + BOOT_S
    while True:
        try:
            libvirt_qemu.qemuAgentCommand(domain, '{"execute": "guest-ping"}', 5, 0)
        except libvirt.libvirtError:
            assert time.monotonic() < deadline, "the guest's agent does not answer"
            time.sleep(0.2)  # no event for it: libvirt's comes before the agent answers
        else:
            return


@pytest.fixture
def play(libvirtd: Daemon, booted: libvirt.virDomain) -> Iterator[Play]:
    _await_agent(booted)
    play = Play(libvirtd.uri, booted)
    play.mode("")
    yield play
    play.source.close()


def test_a_guest_tells_of_its_card(play: Play) -> None:
    said = play.says()
    assert (said.problem, said.driver_version) == (None, "572.83")
    (card,) = said.cards
    assert (card.vendor, card.device, card.subsystem) == ("10de", "2684", "10de:16f3")
    assert card.name == "NVIDIA GeForce RTX 4090"
    metrics = card.metrics
    assert (metrics.util_pct, metrics.power_w, metrics.fan_pct) == (97, 386.41, None)
    assert (metrics.mem_used_mib, metrics.mem_total_mib) == (9120, 24564)
    assert metrics.throttle == ("power cap",)
    # The field that this nvidia-smi does not know costs one process, once.
    assert len(play.run("cat /tmp/asked").splitlines()) == 2


def test_what_it_costs(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play.says()
    before, asked = play.calls.last_minute()["agent"], play.run("cat /tmp/asked")
    for _ in range(3):
        play.says()
    assert play.calls.last_minute()["agent"] == before, "it was asked before it was due"
    began = time.monotonic()
    play.later()
    took = time.monotonic() - began
    # A start, and a poll when it should have ended; a busy machine needs more polls.
    assert play.calls.last_minute()["agent"] - before <= 8
    assert len(play.run("cat /tmp/asked").splitlines()) == len(asked.splitlines()) + 1
    assert "nvidia" not in play.run("echo /tmp/* /proc/[0-9]*/cmdline"), "something was left"
    with capsys.disabled():
        print(f" [one reading of an emulated guest: {took * 1000:.0f} ms]", end="")


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("no-driver", "cannot reach the NVIDIA driver"),
        ("escape", "failed with exit status 1: [2J]0;title"),
        ("large", "far more than was requested"),
        ("hang", "does not exit within 5 s"),
    ],
)
def test_an_nvidia_smi_that_fails_or_lies_costs_a_sentence(
    play: Play, mode: str, words: str
) -> None:
    play.mode(mode)
    said = play.says()
    assert said.problem is not None
    assert words in said.problem
    assert (said.cards, said.driver_version) == ((), None)
    play.run(KILL)
    play.mode("")
    assert play.later().problem is None


def test_numbers_that_no_card_has_are_not_believed(play: Play) -> None:
    play.mode("lies")
    (card,) = play.says().cards
    metrics = card.metrics
    assert (metrics.util_pct, metrics.power_w, metrics.mem_used_mib) == (None, None, None)
    assert (metrics.mem_total_mib, metrics.temp_c) == (24564, 67)
    assert card.name == "Model, [bold]X[/bold]"


def test_a_decimal_comma(play: Play) -> None:
    play.mode("comma")
    assert play.says().cards[0].metrics.power_w == 386.41


def test_an_agent_that_hangs_holds_up_one_reading_and_no_more(play: Play) -> None:
    play.run("(sleep 1; kill -STOP $PPID; sleep 15; kill -CONT $PPID) >/dev/null 2>&1 &")
    deadline = time.monotonic() + BOOT_S
    while (said := play.later()).problem is None:
        assert time.monotonic() < deadline, "the agent was not stopped"
    assert "does not respond" in said.problem
    before = play.calls.last_minute()["agent"]
    assert play.says() == said
    assert play.calls.last_minute()["agent"] == before, "it was asked again at once"


def test_in_quiet_mode_it_is_left_alone(play: Play) -> None:
    play.source.set_demand(Demand(guests=(play.uuid,), quiet=True))
    with pytest.raises(NothingToRead, match="quiet"):
        play.says()
    assert play.calls.last_minute()["agent"] == 0


def test_a_gigabyte_and_more_is_never_read(play: Play) -> None:
    """Runs last: libvirt itself then gives up on the agent until the guest is started again."""
    play.mode("flood")
    before = resident_mib()
    assert "does not exit within 5 s" in (play.says().problem or "")
    play.run(KILL)
    said = play.later()
    assert said.problem is not None
    assert len(said.problem) < 300
    assert resident_mib() - before < 40


def resident_mib() -> float:
    """This process's memory, from /proc/self/statm (proc(5)): libvirt accepts up to 10 MiB from
    an agent."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / (1 << 20)
