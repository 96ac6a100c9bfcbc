"""Which terminal the screen uses when standard streams are redirected, and the error without
one."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import pytest

from tests.attack.terminals import PROGRAM, attributes, given_back, opened, ready
from tests.attack.test_command_line import complaint, env, run
from tests.bench.terminal import Terminal
from tests.thorough import thorough

__all__ = ["env", "run"]

WAYS = {
    "stdin": ("", "</dev/null", "<&-", "</dev/tty"),
    "stdout": ("", ">/dev/tty"),
    "stderr": ("", "2>log", "2>/dev/null", "2>&-", "2>/dev/full"),
}
"""Redirections that leave a terminal on stdout."""

SHOWN = [
    "</dev/null >/dev/tty 2>log",
    *thorough(*(way for ways in WAYS.values() for way in ways if way)),
    *thorough(*(
        " ".join(filter(None, ways)) for ways in product(*WAYS.values())
        if sum(map(bool, ways)) == 2
    )),
]  # fmt: skip

NOT_SHOWN = (">log", ">/dev/null", "| cat", ">&-", ">log 2>&1", ">log </dev/null", ">/dev/full")


def redirected(ways: str, folder: Path) -> Terminal:
    return opened(("sh", "-c", f'cd "$1"; shift; exec "$@" {ways}', "-", str(folder), *PROGRAM))


@pytest.mark.parametrize("ways", SHOWN)
def test_the_screen_is_drawn_on_the_terminal_of_stdout(ways: str, tmp_path: Path) -> None:
    with redirected(ways, tmp_path) as terminal:
        before = attributes(terminal)
        ready(terminal)
        terminal.press("?")
        terminal.until(lambda text: "─ Help ──" in text)
        terminal.press("q")
        assert terminal.end() == 0
        assert given_back(terminal, before)
    log = tmp_path / "log"
    assert not log.exists() or log.read_text() == ""


@pytest.mark.parametrize("ways", NOT_SHOWN)
def test_without_a_terminal_on_stdout_the_error_says_so(ways: str, tmp_path: Path) -> None:
    script = f'cd "$1"; shift; "$@" {ways}; echo over >/dev/tty'
    with opened(("sh", "-c", script, "-", str(tmp_path), *PROGRAM)) as terminal:
        terminal.until(lambda text: "over" in text)
        printed = terminal.output().decode()
        assert "\x1b" not in printed
        if "2>&1" in ways:
            printed = (tmp_path / "log").read_text()
        assert "the screen needs a terminal, and stdout is not one" in printed
        assert "`vfiotop status` prints one reading" in printed


def test_a_terminal_that_cannot_be_read(tmp_path: Path) -> None:
    """Its name may not lead to it, as in a container: nobody could press q."""
    script = (
        "import os, sys; w = os.open('/dev/tty', os.O_WRONLY); n = os.open('/dev/null', os.O_RDWR);"
        "log = os.open('log', os.O_CREAT | os.O_RDWR);"
        "os.dup2(n, 0); os.dup2(w, 1); os.dup2(log, 2); os.ttyname = lambda _: '/nowhere';"
        "sys.argv = ['vfiotop', '--demo']; from tui.cli.main import main; sys.exit(main())"
    )
    with opened((sys.executable, "-c", f"import os; os.chdir({str(tmp_path)!r}); {script}")) as it:
        assert it.end() == 2
    printed = (tmp_path / "log").read_text()
    assert "no keys can be read from the one on stdout" in complaint(printed.encode())
