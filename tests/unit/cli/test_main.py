"""The command line as a shell sees it: output, errors in one line, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hosts_layout import lay_out
from tui.cli.main import main

HOSTS = Path(__file__).parents[2] / "hosts"


@dataclass(frozen=True)
class Ended:
    """A run of the program."""

    returncode: int
    stdout: str
    stderr: str


Program = Callable[..., Ended]
"""The program without the user's configuration: its arguments, then how it ended."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.fixture
def program(home: Path, capfd: pytest.CaptureFixture[str]) -> Program:
    """In this process, which is faster than a new one."""

    def run(*arguments: str) -> Ended:
        capfd.readouterr()
        return Ended(main(arguments), *capfd.readouterr())

    return run


@pytest.fixture
def started(home: Path) -> Program:
    """In a process of its own."""

    def run(*arguments: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "tui", *arguments],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


def captured(tmp_path: Path, name: str) -> str:
    return str(lay_out(json.loads((HOSTS / f"{name}.json").read_text()), tmp_path / name))


def test_help_names_the_commands_and_options(program: Program) -> None:
    result = program("--help")
    assert result.returncode == 0
    for word in ("status", "--demo", "--root", "--readonly", "--connect", "--interval"):
        assert word in result.stdout


def test_version(started: Program) -> None:
    assert started("--version").stdout.startswith("vfiotop 0.")


def test_the_exit_code_is_that_of_the_process(started: Program) -> None:
    assert started("status", "--demo", "gaming").returncode == 0
    wrong = started("fly")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "`vfiotop status` prints one reading"),
        (["--demo"], 2, "needs a terminal"),
        (["fly"], 2, "fly"),
        (["--demo", "nowhere"], 2, "gaming"),
        (["--demo", "gaming", "--root", "x"], 2, "cannot be used together"),
        (["status", "--interval", "0"], 2, "--interval: the interval must be"),
        (["status", "--interval", "soon"], 2, "--interval: the interval must be"),
        (["status", "--config", "missing.toml"], 2, "missing.toml: there is no such file"),
        (["status", "--root", "missing"], 1, "missing"),
        (["status", "--root", __file__], 1, "test_main.py"),
        (["plan"], 2, "direction"),
        (["plan", "fly"], 2, "fly"),
        (["plan", "bind", "01:00", "--demo", "idle"], 2, "01:00"),
        (["plan", "bind", "99:00.0", "--demo", "idle"], 1, "the GPUs are 0000:01:00.0"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(
    program: Program, arguments: list[str], code: int, words: str
) -> None:
    result = program(*arguments)
    assert result.returncode == code
    assert result.stdout == ""
    assert result.stderr.startswith("vfiotop: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr


def test_the_scenarios_are_listed(program: Program) -> None:
    result = program("--demo", "list")
    assert result.returncode == 0
    names = [line.split()[0] for line in result.stdout.splitlines()]
    for name in ("gaming", "desk", "idle", "bad-acs", "identical", "laptop", "lost"):
        assert name in names


def test_status_of_a_captured_host(program: Program, tmp_path: Path) -> None:
    root = captured(tmp_path, "21-z390-rtx2070-uhd630")
    result = program("status", "--json", "--root", root)
    assert result.returncode == 0
    assert result.stderr == ""
    status = json.loads(result.stdout)
    assert status["schema"] == 1
    assert status["viability"]["0000:01:00.0"]["viable"] is True
    assert {gpu["address"] for gpu in status["gpus"]} == {"0000:00:02.0", "0000:01:00.0"}


def test_status_of_a_demo_as_text(program: Program) -> None:
    result = program("status", "--demo", "gaming")
    assert result.returncode == 0
    assert "guest:win11" in result.stdout


def test_options_stand_before_or_after_the_command(program: Program) -> None:
    before = program("--demo", "idle", "status", "--json")
    after = program("status", "--json", "--demo", "idle")
    owners = [[gpu["owner"] for gpu in json.loads(r.stdout)["gpus"]] for r in (before, after)]
    assert owners[0] == owners[1]
    assert "vfio" in owners[0]


def test_an_unreachable_libvirt_is_an_error_in_its_field(program: Program) -> None:
    """For root, any URI that is not local is wrong usage."""
    result = program("status", "--json", "--connect", "nonsense:///")
    if os.geteuid() == 0:
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.startswith("vfiotop: --connect: nonsense:/// is not a local libvirt")
        return
    assert result.returncode == 0
    libvirt = json.loads(result.stdout)["host"]["libvirt"]
    assert libvirt["uri"] == "nonsense:///"
    assert libvirt["version"] is None
    assert libvirt["error"]


@pytest.mark.usefixtures("home")
def test_a_closed_pipe_prints_no_traceback() -> None:
    script = f"{sys.executable} -m tui status --json --demo gaming | head -c 10"
    result = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in result.stderr


def test_rules_and_model_load_neither_the_screen_nor_the_backends() -> None:
    script = (
        "import sys, tui.model, tui.rules.view, tui.report.status_json;"
        "print([m for m in ('textual', 'libvirt', 'pyudev', 'pynvml') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.strip() == "[]"


def test_a_plan_says_what_it_would_write(program: Program) -> None:
    result = program("plan", "unbind", "--demo", "idle")
    assert "echo > /sys/bus/pci/devices/0000:01:00.0/driver_override" in result.stdout
    assert "Ready: no check forbids it" in result.stdout
    assert result.returncode == 0


def test_a_plan_that_is_refused(program: Program, tmp_path: Path) -> None:
    root = captured(tmp_path, "15-fujitsu-c236-matrox-pilot")  # its only card
    nobody = program("plan", "bind", "--root", root)
    assert nobody.returncode == 1
    assert "no card is chosen for the guest: name one of" in nobody.stderr
    result = program("plan", "bind", "02:00.0", "--root", root, "--json")
    plan = json.loads(result.stdout)
    assert result.returncode == 1
    assert (plan["schema"], plan["direction"], plan["allowed"]) == (1, "bind", False)
    assert {"kind", "value", "path", "limit_s", "text"} <= set(plan["steps"][0])
    assert "fail" in {check["verdict"] for check in plan["checks"]}


@pytest.mark.parametrize(("scenario", "code"), [("desk", 0), ("bad-acs", 1), ("fresh", 1)])
def test_doctor(program: Program, scenario: str, code: int) -> None:
    text = program("doctor", "--demo", scenario)
    assert (text.returncode, text.stderr) == (code, "")
    assert "r465.family" in text.stdout
    # A single step is what the first check says.
    assert text.stdout.startswith("Next: ") is (scenario == "fresh")
    result = program("doctor", "--json", "--demo", scenario)
    printed = json.loads(result.stdout)
    assert (result.returncode, printed["schema"]) == (code, 1)
    assert {"group", "id", "subject", "verdict", "why", "fix"} <= set(printed["checks"][0])
    status = json.loads(program("status", "--json", "--demo", scenario).stdout)
    assert [c["id"] for c in status["checks"]] == [c["id"] for c in printed["checks"]]
