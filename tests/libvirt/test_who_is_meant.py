"""The command line on a real libvirtd: the right guest ends, and the outcome is reported."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from tests.libvirt import proxy as wire
from tests.libvirt.daemon import Daemon, tiny
from tests.libvirt.proxy import Proxy, proxied
from tests.libvirt.test_lost_answers import BRIEF, OFF, PAUSED, RUNNING, SHORT, state_of
from tests.thorough import thorough
from tui import config
from tui.cli import main as cli
from tui.cli.exits import DONE, FAILED, STUCK
from tui.host import HostError
from tui.host.journal.file import Journal
from tui.host.libvirt import connection
from tui.host.libvirt.control import LibvirtControl
from tui.host.libvirt.operation import Timeouts

LOOK_ALIKE = "gaming\u200b"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No user configuration, and short timeouts."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(connection, "KEEPALIVE_S", 1)
    monkeypatch.setattr(connection, "KEEPALIVE_COUNT", 1)
    # The tests' daemon has its own socket, which root refuses to use.
    monkeypatch.setattr(config, "why_not_as_root", lambda _uri: None)


@pytest.fixture
def proxy(libvirtd: Daemon) -> Iterator[Proxy]:
    with proxied(libvirtd.socket) as made:
        yield made


def patient(monkeypatch: pytest.MonkeyPatch, patience: Timeouts) -> None:
    monkeypatch.setattr("tui.host.libvirt.control.Timeouts", lambda: patience)


def test_advice_is_for_the_libvirt_that_was_meant(
    proxy: Proxy, virsh: libvirt.virConnect, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    """Also with a configured URI: without it, another guest of that name would be affected."""
    patient(monkeypatch, SHORT)
    vm = virsh.defineXML(tiny("vm"))
    named = tmp_path / "other.toml"
    named.write_text(f'connect = "{proxy.uri}"')
    proxy.swallow.add(wire.RESUME)
    assert cli.main(["start", "vm", "--yes", "--config", str(named)]) == STUCK
    resume, end = capfd.readouterr().err.split("`")[1::2]
    for command, state in ((resume, RUNNING), (end, OFF)):
        assert cli.main([*shlex.split(command)[1:], "--yes"]) == DONE
        assert state_of(vm) == state


@pytest.mark.parametrize("by", ["name", "uuid"])
@pytest.mark.parametrize("which", [LOOK_ALIKE, *thorough("gaming")])
def test_the_right_one_of_two_is_forced_off(
    libvirtd: Daemon, virsh: libvirt.virConnect, by: str, which: str
) -> None:
    pair = {name: virsh.createXML(tiny(name)) for name in ("gaming", LOOK_ALIKE)}
    typed = which if by == "name" else pair[which].UUIDString()
    assert cli.main(["force-off", typed, "--yes", "--connect", libvirtd.uri]) == DONE
    assert [left.name() for left in virsh.listAllDomains()] == [
        name for name in pair if name != which
    ]  # fmt: skip


def test_a_name_that_only_looks_right_ends_nobody(
    libvirtd: Daemon, virsh: libvirt.virConnect, capfd: pytest.CaptureFixture[str]
) -> None:
    vm = virsh.createXML(tiny(LOOK_ALIKE))
    assert cli.main(["force-off", "gaming", "--yes", "--connect", libvirtd.uri]) == FAILED
    told = capfd.readouterr().err
    assert f"“gaming\\u200b” ({vm.UUIDString()})" in told
    assert told.isascii() or "\u200b" not in told
    assert state_of(vm) == RUNNING


def test_a_name_that_is_the_uuid_of_another_ends_nobody(
    libvirtd: Daemon, virsh: libvirt.virConnect, capfd: pytest.CaptureFixture[str]
) -> None:
    victim = virsh.createXML(tiny("victim"))
    # Without the agent's socket: its path would contain such a name twice.
    xml = re.sub("<channel.*</channel>", "", tiny(victim.UUIDString()))
    other = virsh.createXML(xml)
    for typed, code in ((victim.UUIDString(), FAILED), (f"{{{victim.UUIDString()}}}", DONE)):
        assert state_of(other) == RUNNING
        assert cli.main(["pause", typed, "--yes", "--connect", libvirtd.uri]) == code
    assert (state_of(victim), state_of(other)) == (PAUSED, RUNNING)
    assert "in braces" in capfd.readouterr().err


def test_status_tells_them_apart(
    libvirtd: Daemon, virsh: libvirt.virConnect, capfd: pytest.CaptureFixture[str]
) -> None:
    uuids = {name: virsh.defineXML(tiny(name)).UUIDString() for name in ("gaming", LOOK_ALIKE)}
    assert cli.main(["status", "--json", "--connect", libvirtd.uri]) == DONE
    told = {guest["uuid"]: guest["name"] for guest in json.loads(capfd.readouterr().out)["guests"]}
    assert told == {uuids["gaming"]: "gaming", uuids[LOOK_ALIKE]: "gaming\\u200b"}


@pytest.mark.parametrize("name", ["'; $(touch x); '", "-f", *thorough("7", "a b")])
def test_what_is_shown_to_be_copied_names_it(
    libvirtd: Daemon, virsh: libvirt.virConnect, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    """The words of a step in a plan, passed to vfiotop and to libvirt as a shell would."""
    vm = virsh.defineXML(tiny(name))
    uuid = vm.UUIDString()
    assert cli.main(["start", f"{{{uuid}}}", "--dry-run", "--connect", libvirtd.uri]) == DONE
    (step,) = (line for line in capfd.readouterr().out.splitlines() if "--paused" in line)
    words = shlex.split(step)
    assert words[1:6] == ["virsh", "-c", libvirtd.uri, "start", "--paused"]
    assert words[6:] in ([name], [uuid])
    assert cli.main(["start", words[6], "--yes", "--connect", libvirtd.uri]) == DONE
    assert state_of(vm) == RUNNING


def test_a_domain_that_got_another_name_since_is_left_alone(
    libvirtd: Daemon, virsh: libvirt.virConnect, tmp_path: Path
) -> None:
    vm = virsh.defineXML(tiny("gaming"))
    uuid = vm.UUIDString()
    vm.undefine()
    other = virsh.createXML(tiny("other").replace("<memory", f"<uuid>{uuid}</uuid><memory", 1))
    control = LibvirtControl(libvirtd.uri, Journal(tmp_path / "journal"))
    with pytest.raises(HostError, match="with the UUID of “gaming” is now called “other”"):
        control.act("force-off", uuid, "gaming")
    assert state_of(other) == RUNNING


# --- what came of it ----------------------------------------------------------------------


def test_a_lost_answer_is_no_failure(
    proxy: Proxy, virsh: libvirt.virConnect, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    patient(monkeypatch, SHORT)
    vm = virsh.createXML(tiny("vm"))
    proxy.lose(wire.SUSPEND, "close")
    assert cli.main(["pause", "vm", "--yes", "--connect", proxy.uri]) == DONE
    assert capfd.readouterr().out == "vm: paused\n"
    assert state_of(vm) == PAUSED


def test_a_start_that_ends_half_way_says_how_it_goes_on(
    proxy: Proxy, virsh: libvirt.virConnect, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    patient(monkeypatch, SHORT)
    vm = virsh.defineXML(tiny("my vm"))
    proxy.swallow.add(wire.RESUME)
    assert cli.main(["start", "my vm", "--yes", "--connect", proxy.uri]) == STUCK
    told = capfd.readouterr().err
    assert "“my vm” was started and is left paused" in told
    assert told.count("\n") == 1
    resume, end = told.split("`")[1::2]
    for command, state in ((resume, RUNNING), (end, OFF)):
        words = shlex.split(command)
        assert words[0] == "vfiotop"
        assert cli.main([*words[1:], "--yes"]) == DONE
        assert state_of(vm) == state


def test_what_is_not_known_yet_is_reported(
    proxy: Proxy, virsh: libvirt.virConnect, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    patient(monkeypatch, BRIEF)
    virsh.createXML(tiny("vm"))
    proxy.lose(wire.DESTROY, "close")
    proxy.shut_after = True
    assert cli.main(["force-off", "vm", "--yes", "--connect", proxy.uri]) == STUCK
    told = capfd.readouterr()
    assert "cannot tell yet whether “vm” was forced off" in told.err
    assert "status` shows when libvirt responds again" in told.err
    assert told.out == ""


def test_a_libvirt_that_goes_away_while_a_stop_is_waited_for(
    proxy: Proxy, virsh: libvirt.virConnect, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr("tui.cli.guest_stop.STOP_S", 3.0)
    monkeypatch.setattr("tui.cli.guest_stop.SILENT_S", 1.0)
    vm = virsh.createXML(tiny("vm"))
    proxy.lose(wire.SHUTDOWN, "close")
    proxy.deaf_after = True
    assert cli.main(["stop", "vm", "--yes", "--connect", proxy.uri]) == STUCK
    assert "but libvirt does not answer" in capfd.readouterr().err
    assert state_of(vm) == RUNNING


def test_a_guest_that_does_not_shut_down(
    libvirtd: Daemon, virsh: libvirt.virConnect, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr("tui.cli.guest_stop.STOP_S", 1.0)
    virsh.createXML(tiny("my vm"))
    assert cli.main(["stop", "my vm", "--yes", "--connect", libvirtd.uri]) == FAILED
    (command,) = capfd.readouterr().err.split("`")[1::2]
    assert cli.main([*shlex.split(command)[1:], "--yes"]) == DONE
    assert virsh.listAllDomains() == []
