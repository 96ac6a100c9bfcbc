"""The parser: options in any order, and errors that say what to type."""

from __future__ import annotations

from itertools import permutations

import pytest

from tui.cli.arguments import make_parser
from tui.cli.families import FAMILIES
from tui.cli.main import main

WITH_ADDRESS = ("plan", "bind", "unbind")
FOR_GUESTS = ("start", "stop", "reboot", "pause", "resume", "force-off")


def in_every_order(*parts: tuple[str, ...]) -> list[list[str]]:
    """The arguments with their parts in every order."""
    return [[word for part in order for word in part] for order in permutations(parts)]


@pytest.mark.parametrize("command", WITH_ADDRESS)
def test_an_address_may_stand_anywhere_after_the_command(command: str) -> None:
    option = ("--json",) if command == "plan" else ("--yes",)
    for words in in_every_order(("00:02.0",), ("--demo", "laptop"), option):
        direction = ["bind"] if command == "plan" else []
        given = make_parser(FAMILIES).parse_args([command, *direction, *words])
        assert (given.address, given.demo) == ("00:02.0", "laptop"), words


def test_a_direction_may_follow_options() -> None:
    for words in in_every_order(("--demo", "laptop"), ("--json",), ("bind", "00:02.0")):
        given = make_parser(FAMILIES).parse_args(["plan", *words])
        assert (given.direction, given.address, given.demo) == ("bind", "00:02.0", "laptop")


@pytest.mark.parametrize("command", FOR_GUESTS)
def test_a_domain_may_stand_anywhere_after_the_command(command: str) -> None:
    for words in in_every_order(("win11",), ("--demo", "idle"), ("--yes",)):
        given = make_parser(FAMILIES).parse_args([command, *words])
        assert (given.domain, given.demo, given.yes) == ("win11", "idle", True), words
    given = make_parser(FAMILIES).parse_args([command, "--yes", "--", "-odd"])
    assert given.domain == "-odd"


def complaint(capfd: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that wrong usage prints."""
    assert main(words) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


def test_a_plan_without_a_direction_says_what_to_type(capfd: pytest.CaptureFixture[str]) -> None:
    for words in (("plan",), ("plan", "--demo"), ("--demo", "idle", "plan", "--json")):
        said = complaint(capfd, *words)
        assert "plan needs a direction: `vfiotop plan bind` or `vfiotop plan unbind`" in said


@pytest.mark.parametrize("command", ["status", "plan", "bind", "recover", "start"])
def test_wrong_usage_of_a_command_names_its_own_help(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    said = complaint(capfd, command, "--bogus")
    assert "--bogus" in said
    assert f"see `vfiotop {command} --help`" in said
    assert "see `vfiotop plan unbind --help`" in complaint(capfd, "plan", "unbind", "--bogus")


@pytest.mark.parametrize(
    "command", ["status", "doctor", "config", *WITH_ADDRESS, "recover", *FOR_GUESTS]
)
def test_a_command_is_not_a_scenario(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    said = complaint(capfd, "--demo", command)
    assert f"“{command}” is a command, not a scenario" in said
    assert f"`vfiotop {command}{' bind' if command == 'plan' else ''} --demo`" in said


@pytest.mark.parametrize(
    ("words", "typed"),
    [(("plan", "--demo", "bind"), "bind"), (("plan", "bind", "--demo", "00:02.0"), "00:02.0"),
     (("unbind", "--yes", "--demo", "00:02.0"), "00:02.0"),
     (("start", "--demo", "win11"), "win11")],
)  # fmt: skip
def test_a_scenario_left_out_before_an_argument(
    words: tuple[str, ...], typed: str, capfd: pytest.CaptureFixture[str]
) -> None:
    said = complaint(capfd, *words)
    assert f"“{typed}” is not a scenario: put --demo last, or name one of gaming, desk" in said
