"""The terminal, its writer and its reader, on a pty."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual import events
from textual.message import Message

from tui.process.signals import TERMINATING
from tui.terminal.reader import Reader
from tui.terminal.tty import DEFAULT_SIZE, LEAVE, MAX_SIZE, Tty, enter, shows_utf8
from tui.terminal.writer import QUEUE_SIZE, Writer

PATIENCE = 60.0


class Line:
    """A pty: ``ours`` is the program's end, ``theirs`` the terminal's."""

    def __init__(self) -> None:
        self.theirs, self.ours = pty.openpty()
        self.tty = Tty(self.ours, self.ours)

    def resize(self, columns: int, rows: int) -> None:
        termios.tcsetwinsize(self.ours, (rows, columns))

    def hang_up(self) -> None:
        if self.theirs >= 0:
            os.close(self.theirs)
            self.theirs = -1


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.hang_up()
    os.close(made.ours)


@pytest.mark.parametrize(
    ("reported", "drawn"),
    [((120, 40), (120, 40)), ((0, 0), DEFAULT_SIZE), ((65535, 65535), MAX_SIZE), ((1, 1), (1, 1))],
)
def test_an_absurd_size_is_clamped(
    line: Line, reported: tuple[int, int], drawn: tuple[int, int]
) -> None:
    line.resize(*reported)
    assert line.tty.size == drawn


def test_without_a_terminal_the_size_is_the_default() -> None:
    with Path(os.devnull).open() as nothing:
        tty = Tty(nothing.fileno(), nothing.fileno())
        assert tty.size == DEFAULT_SIZE
        tty.take()
        tty.give_back()


def test_give_back_restores_the_attributes(line: Line) -> None:
    before = termios.tcgetattr(line.ours)
    line.tty.take()
    line.tty.take()  # again, as after SIGCONT: the first state is the one to go back to
    assert termios.tcgetattr(line.ours) != before
    line.tty.give_back()
    assert termios.tcgetattr(line.ours) == before
    assert not line.tty.taken


def test_give_back_at_once_resets_the_modes_and_only_once(line: Line) -> None:
    before = termios.tcgetattr(line.ours)
    line.tty.take()
    line.tty.give_back_at_once()
    line.tty.give_back_at_once()
    assert termios.tcgetattr(line.ours) == before
    os.write(line.ours, b"$ ")
    assert read_until(line.theirs, b"$ ").decode() == f"\x18{LEAVE}$ "


def test_every_mode_that_is_set_is_reset() -> None:
    on = {"1049", "1000", "1003", "1015", "1006", "1004", "2004"}
    for mode in on:
        assert f"\x1b[?{mode}h" in enter()
        assert f"\x1b[?{mode}l" in LEAVE
    for mode in ("25", "7"):
        assert f"\x1b[?{mode}l" in enter()
        assert f"\x1b[?{mode}h" in LEAVE
    assert enter().count("\x1b[") == len(on) + 3  # kitty's keys, too
    assert "\x1b[<u" in LEAVE


@pytest.mark.parametrize(
    ("encoding", "shows"),
    [("UTF-8", True), ("utf8", True), ("ANSI_X3.4-1968", True), ("US-ASCII", True),
     ("ISO-8859-1", False), ("KOI8-R", False), ("GB18030", False), ("nonsense", False),
     ("", False)],
)  # fmt: skip
def test_which_locales_show_utf8(encoding: str, shows: bool) -> None:
    assert shows_utf8(encoding) is shows


def test_every_terminating_signal_that_can_be_caught_is_handled() -> None:
    for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "VTALRM", "PROF", "IO",
                 "PWR", "ABRT", "TRAP", "XCPU", "XFSZ", "PIPE", "RTMIN", "RTMAX"):  # fmt: skip
        assert signal.Signals[f"SIG{name}"] in TERMINATING, name
    for name in ("KILL", "STOP", "TSTP", "CONT", "CHLD", "WINCH", "URG", "TTIN", "TTOU", "SEGV"):
        assert signal.Signals[f"SIG{name}"] not in TERMINATING, name


ENDED_BY = """
import signal, sys, threading
from tui.process.signals import end_by
signal.signal(signal.SIGUSR2, lambda *_: None)
if sys.argv[1] == "thread":
    thread = threading.Thread(target=end_by, args=(signal.SIGUSR2,))
    thread.start()
    thread.join()
end_by(signal.SIGUSR2)
"""


@pytest.mark.parametrize("where", ["main", "thread"])
def test_a_process_dies_by_the_signal_from_any_thread(where: str) -> None:
    done = subprocess.run([sys.executable, "-c", ENDED_BY, where], check=False, timeout=PATIENCE)
    assert done.returncode == -signal.SIGUSR2


# --- out ---


def read_until(descriptor: int, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        data += os.read(descriptor, 4096)
    return data


def test_text_is_written_in_order_as_utf8(line: Line) -> None:
    writer = Writer(line.tty)
    writer.start()
    for text in ("─", "語", "end"):
        writer.write(text)
    assert read_until(line.theirs, b"end") == "─語end".encode()
    writer.finish(PATIENCE)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_terminal_that_accepts_nothing_does_not_block_forever(line: Line, blocking: bool) -> None:
    os.set_blocking(line.ours, blocking)
    writer = Writer(line.tty)
    writer.start()
    for _ in range(QUEUE_SIZE // 2):
        writer.write("x" * 100_000)
    writer.finish(0.05)
    for _ in range(3 * QUEUE_SIZE):  # dropped
        writer.write("x")


def test_a_lost_terminal_is_reported_once_and_discards_output(line: Line) -> None:
    lost = threading.Semaphore(0)
    writer = Writer(line.tty, lost.release)
    writer.start()
    line.hang_up()
    for _ in range(3 * QUEUE_SIZE):
        writer.write("x")
    assert lost.acquire(timeout=PATIENCE)
    writer.finish(PATIENCE)
    assert not lost.acquire(blocking=False)


class Lent(Tty):
    """A terminal on which we are a background process."""

    foreground = False


def test_in_the_background_only_the_closing_text_is_written(line: Line) -> None:
    writer = Writer(Lent(line.ours, line.ours))
    writer.start()
    writer.write("a frame")
    writer.finish(PATIENCE, "given back")
    assert os.read(line.theirs, 4096) == b"given back"


def test_a_writer_that_was_never_started_can_finish(line: Line) -> None:
    writer = Writer(line.tty)
    writer.finish(PATIENCE)
    writer.write("x")


# --- in ---


class Heard:
    """Records what a reader reports."""

    def __init__(self, line: Line) -> None:
        self.found: list[Message] = []
        self.lost: list[Exception | None] = []
        self.came = threading.Semaphore(0)
        self.ended = threading.Event()
        self.reader = Reader(line.tty, self._on_event, self._lost)
        line.tty.take()
        self.reader.start()

    def _on_event(self, event: Message) -> None:
        if isinstance(event, events.Key) and event.character == "!":
            raise ZeroDivisionError("on purpose")
        self.found.append(event)
        self.came.release()

    def _lost(self, error: Exception | None) -> None:
        self.lost.append(error)
        self.ended.set()

    def keys(self, count: int) -> list[str]:
        for _ in range(count):
            assert self.came.acquire(timeout=PATIENCE)
        return [event.key for event in self.found if isinstance(event, events.Key)]


def test_nothing_is_read_before_begin(line: Line) -> None:
    heard = Heard(line)
    os.write(line.theirs, "j語\x1b".encode())
    heard.reader.begin()
    assert heard.keys(3) == ["j", "語", "escape"]
    heard.reader.stop()
    assert heard.lost == []


def test_invalid_utf8_gives_no_keys(line: Line) -> None:
    heard = Heard(line)
    heard.reader.begin()
    os.write(line.theirs, b"j\xff\xc0\x80\xed\xa0\x80\xe8\xaa")
    os.write(line.theirs, b"\x9ek")
    assert heard.keys(3) == ["j", "語", "k"]
    heard.reader.stop()


def test_what_can_be_read_is_read_before_a_timeout(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.terminal.input.ESCAPE_TIMEOUT_S", 0.0)
    found: list[Message] = []
    ended = threading.Event()

    def take(event: Message) -> None:
        found.append(event)
        if len(found) == 1:  # the thread has read "j\x1b" and is late for the rest
            os.write(line.theirs, b"[A")
            assert select.select([line.ours], [], [], PATIENCE)[0]
        else:
            ended.set()

    line.tty.take()
    reader = Reader(line.tty, take, lambda _: None)
    reader.start()
    os.write(line.theirs, b"j\x1b")
    reader.begin()
    assert ended.wait(PATIENCE)
    reader.stop()
    assert [event.key for event in found if isinstance(event, events.Key)] == ["j", "up"]


def test_a_lost_terminal_is_reported(line: Line) -> None:
    heard = Heard(line)
    heard.reader.begin()
    line.hang_up()
    assert heard.ended.wait(PATIENCE)
    assert heard.lost == [None]
    heard.reader.stop()


def test_an_unexpected_error_is_reported(line: Line) -> None:
    heard = Heard(line)
    heard.reader.begin()
    os.write(line.theirs, b"!")
    assert heard.ended.wait(PATIENCE)
    assert isinstance(heard.lost[0], ZeroDivisionError)
    heard.reader.stop()
