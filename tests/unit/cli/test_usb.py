"""``vfiotop usb``: what it prints, what it asks, and how it ends."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.ui.rig import WIN11
from tests.unit.guest.test_usb_plan import PAD, Bench, having
from tests.unit.rules.usb_made import keyboard, lent_as
from tui.cli import usb as command
from tui.cli.exits import DONE, FAILED, STUCK, USAGE, UsageError
from tui.cli.main import main
from tui.config import Config
from tui.host import HostError, Unsettled
from tui.model import UsbRule

KEYS = keyboard("1-1")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def run(bench: Bench, action: str, device: str, *, yes: bool = True, doubts: bool = False,
        dry_run: bool = False) -> int:  # fmt: skip
    words = argparse.Namespace(
        action=action, device=device, domain="win11", yes=yes, despite_doubts=doubts,
        dry_run=dry_run,
    )  # fmt: skip
    return command.run(bench.host(), Config(), words)


def test_the_list_as_text_and_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--demo", "gaming", "usb", "list"]) == DONE
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("1-1    046d:c31c  Logitech USB Keyboard ")
    assert lines[0].endswith("  in use       the host has no other keyboard")
    assert main(["usb", "list", "--json", "--demo", "gaming"]) == DONE
    told = json.loads(capfd.readouterr().out)
    assert [each["port"] for each in told["usb"]] == ["1-1", "1-2", "1-3", "1-4.1", "1-4.2"]
    assert told["usb"][3]["attached"][0]["what"] == "is mounted at /media/backup"


def test_status_has_the_same_list(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--demo", "gaming", "usb", "list", "--json"]) == DONE
    listed = json.loads(capfd.readouterr().out)["usb"]
    assert main(["--demo", "gaming", "status", "--json"]) == DONE
    assert json.loads(capfd.readouterr().out)["usb"] == listed


def test_a_lent_device_that_is_unplugged_is_listed(capfd: pytest.CaptureFixture[str]) -> None:
    bench = Bench(domains=(replace(WIN11, usb=(lent_as(PAD),)),))
    words = argparse.Namespace(action="list", json=False)
    assert command.run(bench.host(), Config(), words) == DONE
    (line,) = capfd.readouterr().out.splitlines()
    assert line == (
        "1-0.7  045e:02ea  045e:02ea  lent, unplugged  “win11” gets it again when it is plugged in"
    )
    assert run(bench, "return", "1-0.7") == DONE


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("046D:c52b", UsbRule("046d", "c52b")),
        ("046d:c52b:A:1 b", UsbRule("046d", "c52b", "A:1 b")),
        ("1-3", UsbRule(port="1-3")),
        ("2-1.4.2", UsbRule(port="2-1.4.2")),
    ],
)
def test_a_device_is_named_by_its_ids_or_its_port(text: str, rule: UsbRule) -> None:
    assert command.parse_device(text) == rule


@pytest.mark.parametrize("text", ["", "usb1", "0-1", "1-", "46d:c52b", "046d:c52b:", "1-3;x"])
def test_what_names_no_device(text: str) -> None:
    with pytest.raises(UsageError, match="vendor:product"):
        command.parse_device(text)


def test_without_a_command_the_usage_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--demo", "gaming", "usb"]) == USAGE
    assert "`vfiotop usb list`" in capfd.readouterr().err


def test_a_device_is_lent_and_returned(capfd: pytest.CaptureFixture[str]) -> None:
    bench = Bench(PAD)
    assert run(bench, "lend", "1-3") == DONE
    bench.put(PAD, domains=(having(PAD),))
    assert run(bench, "return", "045e:02ea:30") == DONE
    told = capfd.readouterr().out
    assert told == f"{PAD.name}: lent to win11\n{PAD.name}: returned by win11\n"
    assert [what for what, _ in bench.control.asked] == ["lend 7", "return 7"]


def test_a_plan_alone_changes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    bench = Bench(PAD, KEYS)
    assert run(bench, "lend", "1-3", dry_run=True) == DONE
    assert "Ready: no check forbids it." in capfd.readouterr().out
    assert run(bench, "lend", "1-1", dry_run=True) == DONE
    assert "Asks first: the host has no other keyboard." in capfd.readouterr().out
    assert run(bench, "return", "1-3", dry_run=True) == FAILED
    assert bench.control.asked == []


def test_yes_does_not_lend_what_the_host_would_miss(capfd: pytest.CaptureFixture[str]) -> None:
    bench = Bench(KEYS)
    assert run(bench, "lend", "1-1") == FAILED
    told = capfd.readouterr().err
    assert "the host has no other keyboard (usb.keyboard)" in told
    assert "--despite-doubts" in told
    assert bench.control.asked == []
    assert run(bench, "lend", "1-1", doubts=True) == DONE


def test_a_script_is_not_asked_and_has_not_agreed(capfd: pytest.CaptureFixture[str]) -> None:
    bench = Bench(PAD)
    assert run(bench, "lend", "1-3", yes=False) == FAILED
    assert "nothing was touched" in capfd.readouterr().err
    assert bench.control.asked == []


def test_failures_have_their_exit_codes(capfd: pytest.CaptureFixture[str]) -> None:
    bench = Bench(PAD)
    bench.control.answer = HostError("no free USB port")
    assert run(bench, "lend", "1-3") == FAILED
    bench.control.answer = Unsettled("cannot tell yet")
    assert run(bench, "lend", "1-3") == STUCK
    bench.control.unavailable_reason = "this host is read-only"
    assert run(bench, "lend", "1-3") == FAILED
    told = capfd.readouterr().err.splitlines()
    assert told[0] == "vfiotop: no free USB port"
    assert told[1].startswith("vfiotop: cannot tell yet. `vfiotop usb list` shows it")
    assert told[2] == "vfiotop: this host is read-only"
