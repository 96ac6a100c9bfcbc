"""NVML's process, seen from outside: start it, ask it with a time limit, kill it.

``kill`` may be called from any thread, even while another one waits in ``ask``.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from tui.host import HostError, NothingToRead
from tui.host.nvml.exits import CARD_LEFT
from tui.host.nvml.reply import REPLY_LIMIT, Malformed

POLL_INTERVAL = 0.25
"""Seconds between two checks of whether an answer is still wanted."""

READ_SIZE = 1 << 16

CARDS_CHANGING = "the cards on the nvidia driver are changing"


class NvmlProcess:
    """A running child that answers each request with one line."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start ``command``. Raises ``HostError`` if that fails."""
        try:
            # A session of its own: ctrl+C and a hangup of the terminal must reach vfiotop only.
            self._process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=environment,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise HostError(f"NVML's process cannot be started: {error.strerror}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = self._process.stdin
        self._answers = self._process.stdout
        os.set_blocking(self._requests.fileno(), False)
        os.set_blocking(self._answers.fileno(), False)
        self._pipes = threading.Lock()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, seconds: float, wanted: Callable[[], bool] = lambda: True) -> bytes:
        """Return the next answer, without its newline, within ``seconds``.

        Raises ``HostError`` if none comes or the process has ended, and ``NothingToRead`` once
        ``wanted()`` is false or the process has ended because a card left. Kill the process
        then; it cannot be used again.
        """
        with self._pipes:
            if self._answers.closed:
                raise self._ended()
            try:
                self._requests.write(b"\n")
            except OSError as error:
                raise self._ended() from error
            return self._line(seconds, wanted)

    def kill(self, seconds: float = 2.0) -> bool:
        """Kill the process; return whether it has ended within ``seconds``.

        SIGKILL does not end a process while it is inside the driver: that one lives on.
        """
        self._process.kill()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        # The end of the process also ends a pending ``ask``, which releases this lock.
        with self._pipes:
            self._requests.close()
            self._answers.close()
        return True

    def _line(self, seconds: float, wanted: Callable[[], bool]) -> bytes:
        deadline = time.monotonic() + seconds
        poller = select.poll()
        poller.register(self._answers, select.POLLIN)
        line = bytearray()
        while (left := deadline - time.monotonic()) > 0:
            if poller.poll(min(left, POLL_INTERVAL) * 1000):
                part = self._answers.read(READ_SIZE)
                if not part:
                    raise self._ended()
                line += part
                if line.endswith(b"\n"):
                    return bytes(line[:-1])
                if len(line) > REPLY_LIMIT:
                    raise Malformed("too long")
            elif not wanted():
                raise NothingToRead(CARDS_CHANGING)
        raise HostError(
            f"NVML did not answer within {seconds:g} s; its process is being restarted. "
            "The kernel log may say what the driver is waiting for"
        )

    def _ended(self) -> HostError:
        """Return the reason why no answer comes any more."""
        try:
            status = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return HostError("NVML's process closed its output; it is being restarted")
        if status == CARD_LEFT:
            return NothingToRead(CARDS_CHANGING)
        how = f"with exit status {status}" if status >= 0 else f"by {_signal_name(-status)}"
        return HostError(f"NVML's process ended {how}; it is being restarted")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
