"""Options that contradict a command are refused; all others work with every command."""

from __future__ import annotations

import pytest

from tui.cli.arguments import make_parser
from tui.cli.common import complaint
from tui.cli.families import FAMILIES
from tui.cli.main import main

OPTIONS = {
    "--demo": ["--demo", "idle"],
    "--demo-if-no-gpu": ["--demo-if-no-gpu"],
    "--root": ["--root", "host"],
    "--readonly": ["--readonly"],
    "--connect": ["--connect", "test:///default"],
    "--config": ["--config", "vfiotop.toml"],
    "--interval": ["--interval", "2"],
}

COMMANDS = (
    "", "status", "status --follow --json", "doctor", "plan bind", "plan unbind", "bind", "unbind",
    "recover", "start", "stop", "force-off", "reboot", "pause", "resume", "usb list",
    "usb lend 1-3", "usb return 1-3", "watch", "watch --keep", "metrics", "capture x", "replay x",
    "config",
)  # fmt: skip

REFUSED = {
    "watch --keep": {"--demo", "--root", "--readonly", "--connect"},
    "capture x": {"--demo"},
    "replay x": {"--demo", "--root", "--connect"},
}


PARSER = make_parser(FAMILIES)


def test_every_command_and_option_is_tried() -> None:
    assert {words.split()[0] for words in COMMANDS if words} == set(PARSER.get_default("commands"))
    known = {name for action in PARSER._actions for name in action.option_strings}
    assert set(OPTIONS) == known - {"-h", "--help", "--version"}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_is_taken_or_refused_before_and_after_the_command(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    words = command.split()
    ways = [(name, way) for name, option in OPTIONS.items()
            for way in ([*option, *words], [*words, *option])]  # fmt: skip
    for name, given in ways:
        if name not in REFUSED.get(command, ()):
            assert complaint(PARSER.parse_args(given)) is None, given
            continue
        assert main(given) == 2
        out, errors = capfd.readouterr()
        assert (out, errors.count("\n")) == ("", 1)
        assert f"{name} has no effect on `vfiotop {words[0]}" in errors
        assert errors.endswith("; leave it out\n")


@pytest.mark.parametrize("command", ["", *(c for c in COMMANDS if c and c != "watch --keep")])
def test_its_help_lists_the_options_that_it_takes(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    words = command.split()
    words = words[:2] if words[:1] in (["plan"], ["usb"]) else words[:1]
    assert main([*words, "--help"]) == 0
    text = capfd.readouterr().out
    for name in OPTIONS:
        listed = f"[{name}]" in text or f"[{name} " in text
        assert listed is (name not in REFUSED.get(command, ())), name


@pytest.mark.parametrize("command", ["replay", "capture"])
def test_a_command_that_takes_no_demo_is_not_offered_with_it(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--demo", command]) == 2
    errors = capfd.readouterr().err
    assert errors.count("\n") == 1
    assert f"“{command}” is a command, not a scenario: leave out --demo" in errors
