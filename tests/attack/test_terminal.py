"""The terminal is restored however the program ends, and its input can do no harm."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.attack.asking import PROMPT
from tests.attack.terminals import (
    CHANGED,
    PROGRAM,
    attributes,
    drawn_since,
    ended_by,
    environment,
    given_back,
    left_over,
    opened,
    reads_lines,
    ready,
    send,
)
from tests.bench.terminal import Terminal
from tests.thorough import thorough

CAUGHT = (
    "TERM", "HUP", "RTMAX",
    *thorough("INT", "QUIT", "USR1", "ALRM", "ABRT", "XCPU", "PWR"),
)  # fmt: skip


@pytest.fixture
def screen() -> Iterator[Terminal]:
    with opened() as terminal:
        ready(terminal)
        yield terminal


def whole(text: str) -> bool:
    return text.count("╯") == 5 and "q quit" in text


# --- signals ---


@pytest.mark.parametrize("name", CAUGHT)
def test_a_signal_restores_the_terminal(name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    with opened() as terminal:
        before = attributes(terminal)
        ready(terminal)
        assert not reads_lines(terminal)
        send(terminal, number)
        assert ended_by(terminal, number)
        assert given_back(terminal, before)
        assert "Traceback" not in terminal.text()


MOMENTS = (
    "tui.sampler:Readers.start_first",
    "tui.terminal.tty:Tty.take",
    "tui.app:VfiotopApp.on_mount",
    "tui.app:VfiotopApp.on_unmount",
    *thorough(
        "tui.app:VfiotopApp.__init__",
        "tui.app:VfiotopApp.on_load",
        "tui.terminal.driver:TerminalDriver.start_application_mode",
    ),
)


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_ends_the_program_at_any_moment_of_its_start(moment: str) -> None:
    with opened((*CHANGED, "killed-at", moment, "SIGINT")) as terminal:
        before = attributes(terminal)
        if moment.endswith("on_unmount"):  # the last one
            ready(terminal)
            terminal.press("q")
        ended = terminal.end()
        # At the very last moment it may have ended already.
        assert ended == -signal.SIGINT or (ended == 0 and moment.endswith("on_unmount"))
        assert given_back(terminal, before)
        assert "Traceback" not in terminal.output().decode()


def test_it_opens_on_a_slow_machine() -> None:
    """However long its imports take, no two threads import Textual at the same time."""
    with opened((sys.executable, "-m", "tests.attack.slow")) as terminal:
        ready(terminal)
        terminal.press("q")
        assert terminal.end() == 0


def test_a_signal_ends_a_program_whose_event_loop_hangs() -> None:
    with opened((*CHANGED, "hung")) as terminal:
        before = attributes(terminal)
        ready(terminal)
        terminal.press("?")
        terminal.quiet(0.5)
        send(terminal, signal.SIGTERM)
        assert ended_by(terminal, signal.SIGTERM)
        assert given_back(terminal, before)


def test_a_signal_ends_a_program_whose_terminal_accepts_nothing() -> None:
    with opened(rate=100.0) as terminal:
        before = attributes(terminal)
        terminal.next_piece(0.0)
        send(terminal, signal.SIGTERM)
        assert terminal.process.wait(60) == -signal.SIGTERM
        assert attributes(terminal) == before
        terminal.hurry()  # the line holds 4 KiB
        assert terminal.end() == -signal.SIGTERM
        assert left_over(terminal.output()) == {}


@pytest.mark.parametrize("ignored", [True, *thorough(False)])
def test_a_hangup_ends_the_program(ignored: bool) -> None:
    command = ("sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *PROGRAM) if ignored else PROGRAM
    with opened(command) as terminal:
        ready(terminal)
        os.close(terminal._pty)
        terminal._pty = -1
        assert terminal.process.wait(60) == -signal.SIGHUP


# --- stopped and continued ---


def cooked(terminal: Terminal, before: list[object]) -> None:
    """Do what a shell does with the terminal of a stopped job."""
    termios.tcsetattr(terminal._pty, termios.TCSANOW, before)  # type: ignore[arg-type]


@pytest.mark.parametrize("stopped", [True, *thorough(False)])
def test_the_screen_is_complete_after_sigcont(stopped: bool) -> None:
    with opened() as terminal:
        before = attributes(terminal)
        ready(terminal)
        raw = attributes(terminal)
        if stopped:
            send(terminal, signal.SIGSTOP)
            os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED)
            cooked(terminal, before)
        at = time.monotonic()
        send(terminal, signal.SIGCONT)
        terminal.next_piece(at)
        until(terminal, lambda: whole(drawn_since(terminal, at)))
        assert attributes(terminal) == raw
        terminal.press("q")
        assert terminal.end() == 0
        assert given_back(terminal, before)


def until(terminal: Terminal, seen: object) -> None:
    """Wait until ``seen`` holds; checks again whenever something has been written since before the
    last check. Fails if the program writes on and on."""
    assert callable(seen)
    end = time.monotonic() + FOREVER_S
    while time.monotonic() < end:
        written = terminal.written
        if seen():
            return
        terminal.more_than(written)
    raise TimeoutError(f"it writes and writes, and never what is waited for\n{terminal.text()}")


FOREVER_S = 120.0
"""Seconds after which a user gives up."""


@pytest.fixture
def shell() -> Iterator[Terminal]:
    with opened(("bash", "--norc", "--noprofile", "-i"), environment(PS1="at $ ")) as terminal:
        terminal.until(lambda text: "at $" in text)
        yield terminal
        if terminal.process.poll() is None:
            terminal.press("\x03\nkill -9 %1; exit\n")
            terminal.end()


def command(shell: Terminal, line: str, seen: str) -> None:
    at = shell.press(f"{line}\n")
    until(shell, lambda: seen in shell.output(at).decode(errors="replace"))


def test_ctrl_z_suspends_and_fg_resumes(shell: Terminal) -> None:
    shell.press(" ".join(PROGRAM) + "\n")
    ready(shell)
    at = shell.press("\x1a")
    until(shell, lambda: b"Stopped" in shell.output(at))
    assert left_over(shell.output().split(b"Stopped")[0]) == {}
    command(shell, "stty -a", " echo ")
    assert b" icanon" in shell.output(at)
    at = shell.press("fg\n")
    until(shell, lambda: whole(drawn_since(shell, at)))
    at = shell.press("q")
    until(shell, lambda: b"at $" in shell.output(at))
    command(shell, "echo status $?", "status 0")
    assert left_over(shell.output()) in ({}, {"2004": "h"})  # which bash itself turns on


def test_a_program_started_in_the_background_waits(shell: Terminal) -> None:
    at = shell.press(f"stty tostop; {' '.join(PROGRAM)} &\n")
    command(shell, "until jobs | grep Stopped; do read -t 0.1 x <> <(:); done", "Stopped")
    assert b"1049" not in shell.output(at)
    at = shell.press("fg\n")
    until(shell, lambda: whole(drawn_since(shell, at)))
    at = shell.press("q")
    until(shell, lambda: b"at $" in shell.output(at))
    command(shell, "stty -a", " echo ")
    assert left_over(shell.output()) in ({}, {"2004": "h"})


def test_repeated_signals_are_handled_once(screen: Terminal) -> None:
    before = resident_kib(screen)
    for _ in range(20_000):
        send(screen, signal.SIGWINCH)
        send(screen, signal.SIGCONT)
    until_it_listens(screen)
    assert resident_kib(screen) - before < 20_000
    screen.press("q")
    assert screen.end() == 0
    assert left_over(screen.output()) == {}


def test_in_the_background_the_terminal_is_left_alone(shell: Terminal) -> None:
    command(shell, "set -b; echo notify $((1 + 0))", "notify 1")
    shell.press(" ".join(PROGRAM) + "\n")
    ready(shell)
    pid = child_of(shell.process.pid)
    at = stopped(shell, lambda: os.kill(pid, signal.SIGSTOP))
    # On a line of its own: the terminal's answer to the screen's last query goes to the shell.
    at = stopped(shell, lambda: shell.press("\nbg\n"))
    command(shell, "stty -a", " echo ")
    assert b"1049" not in shell.output(at)
    at = shell.press("kill %1\n")
    until(shell, lambda: b"Terminated" in shell.output(at))
    assert b"1049h" not in shell.output(at)
    command(shell, "stty -a", " echo ")
    assert left_over(shell.output()) in ({}, {"2004": "h"})


def stopped(shell: Terminal, act: Callable[[], object]) -> float:
    """Do something, wait until the shell reports that its job has stopped, and return the time at
    which it was done."""
    at = time.monotonic()
    act()
    until(shell, lambda: b"Stopped" in shell.output(at))
    return at


def child_of(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


# --- while somebody else asks for a password ---


@pytest.fixture
def asked() -> Iterator[Terminal]:
    """At the prompt of the elevation tool."""
    with opened((*CHANGED, "asking")) as terminal:
        ready(terminal)
        terminal.press("b")
        # The frame offers the key once all of the plan has been on the screen.
        terminal.until(
            lambda text: re.search("╰─ nothing has been .* y bind now ", text) is not None
        )
        terminal.press("y")
        terminal.until(lambda text: PROMPT.strip() in text)
        yield terminal


@pytest.mark.parametrize("name", ["HUP", *thorough("TERM", "USR1")])
def test_a_signal_writes_nothing_over_a_password_prompt(asked: Terminal, name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    send(asked, number)
    assert ended_by(asked, number)
    _, _, after = asked.output().partition(PROMPT.encode())
    assert b"\x1b" not in after
    assert reads_lines(asked)
    assert left_over(asked.output()) == {}


def test_ctrl_c_at_a_password_prompt_goes_to_the_tool(asked: Terminal) -> None:
    at = asked.press("\x03")
    until(asked, lambda: "did not start the runner" in drawn_since(asked, at))
    asked.press("q")
    assert asked.end() == 0
    assert reads_lines(asked)


def test_a_password_goes_to_the_tool(asked: Terminal) -> None:
    at = asked.press("secret\n")
    until(asked, lambda: b"1049h" in asked.output(at))
    assert b"secret" not in asked.output()
    assert b"thanks" in asked.output(at)
    asked.press("q")
    assert asked.end() == 0
    assert left_over(asked.output()) == {}


# --- what comes from the terminal ---

NINES = "9" * 5000

HARMLESS = (
    "\x1b[<0;9999;9999M", "\x1b[<35;9999;1M", "\x1b[<255;3;3M", "\x1b[<66;500;500M",
    "\x1b[200~qby\x1b[201~", "\x1b[99999999999;99999u", "\x1b[55296u", "\x1b[97;1;55296u",
    "\x1b[97;1:3u", "\x1b[98:66;1:x;u", f"\x1b[{NINES}u", f"\x1b[97;{NINES}u",
    f"\x1b[97;1;{NINES}u", f"\x1b[27;5;{NINES}~", "\x1b[98;1A", "\x1b[<0;99999999999;9M",
    "\x1b[<0;0;0M", "\x1b[<0;-5;-5M", f"\x1b[<{NINES};1;1m", "\x1b[M\x20\x20\x20",
    "\x1b[48;0;0;0;0t", "\x1b[48;99999;99999;9;9t", "\x1b[48;-1;-1;0;0t",
    f"\x1b[48;{NINES};1;1;1t", "\x1b[0;0R", f"\x1b[{NINES};{NINES}R", "\x1b[?2048;1$y",
    "\x1b[?2048;2$y", "\x1b[?2026;9$y", "\x1b[?62;22c", "\x1b[>1;10;0c", "\x1b[0n",
    "\x1b[?997;1n", "\x1b[8;1;1t", "\x1b[?1u", "\x1b[x", "\x1b]11;rgb:ffff/ffff/ffff\x07",
    "\x1b]52;c;cWJ1eQ==\x1b\\", "\x1bP>|xterm(390)\x1b\\", "\x1b_Gi=1;OK\x1b\\", "\x1b^bad\x1b\\",
    "\x1bXbad\x1b\\", "\x9bquby\x18", "\x1b[12\x1a", "\x1b[é9b", "\x1b(b\x18",
)  # fmt: skip
"""Unknown sequences; their letters are keys that open a screen, or quit."""


def typed(terminal: Terminal, data: bytes) -> None:
    """Send bytes, as many at a time as the pty accepts."""
    os.set_blocking(terminal._pty, True)
    view = memoryview(data)
    with terminal.writing:
        while view:
            view = view[os.write(terminal._pty, view[:4096]) :]


def is_overview(terminal: Terminal) -> bool:
    """Whether the overview is still shown, tested by a key that changes something there."""
    at = terminal.press("z")
    until(terminal, lambda: "quiet" in terminal.text().splitlines()[0])
    terminal.press("z")
    until(terminal, lambda: "quiet" not in terminal.text().splitlines()[0])
    until(terminal, lambda: whole(terminal.text()))  # the footer says so first
    return at > 0


def test_no_terminal_report_ends_the_program_or_counts_as_keys(screen: Terminal) -> None:
    for sequence in HARMLESS:
        typed(screen, sequence.encode("utf-8", "surrogatepass"))
    typed(screen, b"\xff\xfe\xed\xa0\x80\xc0\x80\xf8\x88\x80\x80\x80\x80")
    assert is_overview(screen)
    screen.press("q")
    assert screen.end() == 0


@pytest.mark.parametrize("begins", ["\x1b[", *thorough("\x1b]0;", "\x1b[200~")])
def test_an_endless_sequence_takes_neither_memory_nor_the_keyboard(
    screen: Terminal, begins: str
) -> None:
    before = resident_kib(screen)
    typed(screen, begins.encode() + b"1" * 150_000)
    until_it_listens(screen)
    assert resident_kib(screen) - before < 20_000
    screen.press("q")
    assert screen.end() == 0


def until_it_listens(terminal: Terminal) -> None:
    """Press keys until there is a response; a puzzled user presses escape too."""
    for _ in range(30):
        for key in ("?", "\x1b"):
            at = terminal.press(key)
            with contextlib.suppress(TimeoutError):
                terminal.until(lambda text: "─ Help ──" in text, 2.0, since=at)
                return
    raise AssertionError("it does not listen any more")


def resident_kib(terminal: Terminal) -> int:
    for line in Path(f"/proc/{terminal.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("it has ended")


@pytest.mark.parametrize(("what", "key"), [("failing", "?"), *thorough(("deaf", "!"))])
def test_an_unexpected_error_ends_the_program_with_one_line(what: str, key: str) -> None:
    with opened((*CHANGED, what)) as terminal:
        before = attributes(terminal)
        ready(terminal)
        terminal.press(key)
        assert terminal.end() == 1
        assert given_back(terminal, before)
        _, _, told = terminal.output().rpartition(b"\x1b[?25h")
        assert told.count(b"\n") == 1
        assert b"vfiotop: " in told
        assert b"on purpose" in told


@pytest.mark.parametrize(
    ("columns", "rows"), [(0, 0), *thorough((65535, 65535), (1, 1), (65535, 1))]
)
def test_any_terminal_size_is_drawn(screen: Terminal, columns: int, rows: int) -> None:
    before = resident_kib(screen)
    screen.resize(max(columns, 1), max(rows, 1)) if columns else None
    size = struct.pack("HHHH", rows, columns, 0, 0)
    fcntl.ioctl(screen._pty, termios.TIOCSWINSZ, size)
    screen.quiet(0.5)
    assert screen.process.poll() is None
    assert resident_kib(screen) - before < 400_000
    screen.press("q")
    assert screen.end() == 0


# --- keys that pile up ---


def test_a_key_held_down_does_not_delay_quitting(screen: Terminal) -> None:
    """The Tabs of 5 seconds at 100 a second, which pile up while the program is stopped."""
    send(screen, signal.SIGSTOP)
    typed(screen, b"\t" * 500 + b"q")
    send(screen, signal.SIGCONT)
    assert screen.end() == 0


@pytest.mark.thorough  # an endless sequence stands for it
def test_many_keys_take_no_memory(screen: Terminal) -> None:
    before = resident_kib(screen)
    typed(screen, b"j" * 200_000)
    until_it_listens(screen)
    assert resident_kib(screen) - before < 20_000
    screen.press("q")
    assert screen.end() == 0


def test_text_typed_fast_arrives_completely(screen: Terminal) -> None:
    text = "quiet queue qqqqqqqq 0000:01:0"
    typed(screen, f"/{text}".encode())
    until(screen, lambda: text in screen.text())
    typed(screen, f"\x1b[200~ {text}\x1b[201~".encode())
    until(screen, lambda: f"{text} {text}" in screen.text())


# --- surroundings ---

NOBODY = 61_234
"""A user id that nobody has, so that no other process counts against its limit."""


def without_threads(processes: int) -> list[str]:
    """A command that runs the program as a user who may have only so many processes. If root starts
    it, it keeps the capability to read all files: the interpreter may be in root's home."""
    limit = ["prlimit", f"--nproc={processes}"]
    if os.geteuid() != 0:
        return limit
    caps = "-all,+dac_read_search"
    return [
        *limit, "setpriv", "--reuid", str(NOBODY), "--clear-groups", f"--inh-caps={caps}",
        f"--ambient-caps={caps}", f"--bounding-set={caps}",
    ]  # fmt: skip


@pytest.mark.parametrize("processes", [8, *thorough(1, 2, 4, 12, 13, 14)])
def test_without_threads_it_says_so_in_one_line(processes: int) -> None:
    with opened((*without_threads(processes), *PROGRAM)) as terminal:
        before = attributes(terminal)
        assert terminal.end() == 1
        assert given_back(terminal, before)
        said = terminal.output().rpartition(b"\x1b[?25h")[2]
        assert said.count(b"\n") == 1
        assert b"start new thread" in said or b"ulimit -u" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [("LC_ALL", "C"),
     *thorough(
         ("COLUMNS", NINES), ("ESCDELAY", NINES), ("LC_ALL", "POSIX"),
         ("LC_ALL", "xx_XX.ISO-8859-1"), ("PYTHONUTF8", "0"), ("PYTHONIOENCODING", "ascii"),
         ("LINES", "0"))],
)  # fmt: skip
def test_surroundings_that_say_nothing_of_the_terminal(name: str, value: str) -> None:
    kept = environment(PYTHONCOERCECLOCALE="0")
    kept.pop("LC_ALL")
    with opened(env={**kept, name: value}) as terminal:
        terminal.until(whole)
        terminal.press("q")
        assert terminal.end() == 0


def test_a_locale_of_another_encoding_is_refused_in_one_line(tmp_path: Path) -> None:
    subprocess.run(
        ["localedef", "--no-archive", "-i", "en_US", "-f", "ISO-8859-1", str(tmp_path / "en_US")],
        check=False, capture_output=True,
    )  # fmt: skip
    if not (tmp_path / "en_US" / "LC_CTYPE").exists():
        pytest.skip("the sources of locales are not installed")
    with opened(env=environment(LOCPATH=str(tmp_path), LC_ALL="en_US")) as terminal:
        assert terminal.end() == 2
        assert b"\x1b" not in terminal.output()
        assert terminal.output().count(b"\n") == 1
        assert b"LC_ALL=C.UTF-8" in terminal.output()
