"""What systemd offers a service: readiness, watchdog, sleep inhibition, and whether the host is
booting or shutting down.

Without systemd each of these does nothing.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tui.process.output import printable
from tui.process.privileges import ROOT_PATH
from tui.process.scope import systemd_runs

ASK_S = 5.0
"""Seconds that systemctl gets to answer."""

RETRY_S = 60.0
"""Seconds to the next try after systemd-inhibit has ended by itself, as it does without logind."""

CONSOLE = Path("/dev/console")


def notify(*lines: str) -> bool:
    """Tell the service manager (sd_notify(3)), if it asked for that. Never blocks; returns whether
    it was told. Any user may write to its socket, and so keep it full for a while."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place:
        return False
    address = "\0" + place[1:] if place.startswith("@") else place
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            channel.sendto("\n".join(lines).encode(), address)
    except OSError:
        return False
    return True


class Manager:
    """The service manager, told how the watch is doing: when it is ready, what it is about to do,
    and that it is alive, as often as the watchdog wants."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        wanted = watchdog_s()
        self._every_s = None if wanted is None else wanted / 3
        self._alive_s = now_s()
        self._status = ""
        self._ready = False

    def tell(self, status: str, ready: bool) -> None:
        """Report what has changed since the last report, and that the watch is alive if that is
        due."""
        now_s, lines = self._now_s(), []
        if ready and not self._ready:
            lines.append("READY=1")
        if status != self._status:
            # systemd 252 drops the whole message if its text ends with a backslash.
            lines.append(f"STATUS={printable(status).rstrip(chr(92))}")
        due = self._every_s is not None and now_s - self._alive_s >= self._every_s
        if due:
            lines.append("WATCHDOG=1")
        if lines and notify(*lines):
            self._ready, self._status = self._ready or ready, status
            self._alive_s = now_s if due else self._alive_s


def watchdog_s() -> float | None:
    """Seconds within which the service manager wants to hear from this process
    (sd_watchdog_enabled(3)); ``None`` if it does not."""
    try:
        wanted = int(os.environ["WATCHDOG_USEC"]) / 1e6
        mine = int(os.environ.get("WATCHDOG_PID", os.getpid())) == os.getpid()
    except (KeyError, ValueError):
        return None
    return wanted if mine and wanted > 0 else None


def in_journal() -> bool:
    """Whether standard output goes to systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        status = os.fstat(1)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def booting() -> bool:
    """Whether the host is still starting."""
    return _system_state() in (b"initializing", b"starting")


def shutting_down() -> bool:
    """Whether the host is shutting down."""
    return _system_state() == b"stopping"


def _system_state() -> bytes:
    """What ``systemctl is-system-running`` prints (systemctl(1)); empty if that cannot be told."""
    tool = shutil.which("systemctl", path=ROOT_PATH)
    if tool is None or not systemd_runs():
        return b""
    try:
        done = subprocess.run(  # noqa: S603
            [tool, "is-system-running"], stdin=subprocess.DEVNULL, capture_output=True,
            timeout=ASK_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return b""
    return done.stdout.strip()


def tell_console(text: str, place: Path = CONSOLE) -> None:
    """Write a line to the console, for whoever watches the host boot. Never blocks."""
    with suppress(OSError):
        console = os.open(place, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(console, f"\r\n{printable(text)}\r\n".encode())
        finally:
            os.close(console)


class Inhibitor:
    """Keeps logind from letting the host sleep, while held.

    systemd-inhibit(1) takes the lock and runs cat, which ends when this process closes its pipe or
    dies. So the lock never outlives this process.
    """

    def __init__(
        self, tool: str | None = None, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._tool = tool or shutil.which("systemd-inhibit", path=ROOT_PATH)
        self._now_s = now_s
        self._holder: subprocess.Popen[bytes] | None = None
        self._next_try_s = 0.0

    def hold(self, why: str) -> bool:
        """Keep the host awake. Returns whether something holds the lock now, as far as can be
        told at once."""
        if self._holder is not None:
            if self._holder.poll() is None:
                return True
            self.release()
            self._next_try_s = self._now_s() + RETRY_S
        if self._tool is None or self._now_s() < self._next_try_s:
            return False
        command = [
            self._tool, "--what=sleep", "--mode=block", "--who=vfiotop", f"--why={why}", "cat",
        ]  # fmt: skip
        with suppress(OSError):
            self._holder = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        return self._holder is not None

    def release(self) -> None:
        """Let the host sleep again."""
        holder, self._holder = self._holder, None
        if holder is None or holder.stdin is None:
            return
        holder.stdin.close()
        try:
            holder.wait(ASK_S)
        except subprocess.TimeoutExpired:
            holder.kill()
            holder.wait()
