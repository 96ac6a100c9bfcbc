"""Runs the scan (``tui.host.proc.scan``) in a process of its own, with a time limit.

A process that waits inside the kernel cannot be killed. Such a scan is abandoned, and the process
that blocked it is not inspected again as long as the scan hangs.
"""

from __future__ import annotations

import ast
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct

from tui.host import HostError
from tui.host.untrusted import clean

SILENCE_S = 5.0
"""Seconds without a sign of life after which a scan is abandoned."""

START_S = 20.0
"""Seconds until the first sign of life."""

PROCESS_S = 30.0
"""Seconds for one process: 100,000s of open files, or of mappings with long paths, take a while."""

TRIES = 5
"""Scans to start for one answer: each skips the processes that blocked the ones before it."""

ABANDONED_LIMIT = 8
"""Abandoned scans at a time."""

KILL_GRACE_S = 0.2
"""Seconds in which a process that can be killed has ended."""

ANSWER_LIMIT = 64 << 20
_PIECE = 1 << 20
_PROGRAM = Path(__file__).with_name("scan.py")


class Position(Struct, frozen=True):
    """Where a scan is: the process and the stage."""

    pid: int
    stage: int
    start: int
    name: str

    def __str__(self) -> str:
        return f"{self.name or 'process'} ({self.pid})"


class _Stalled(Exception):
    """A scan shows no sign of life; ``at`` is the process that blocks it."""

    def __init__(self, at: Position) -> None:
        super().__init__()
        self.at = at


_abandoned: list[tuple[Position, subprocess.Popen[bytes]]] = []
_lock = threading.Lock()


def scan(
    proc: Path, dev: Path, nodes: Iterable[tuple[str, int, int, str]], *,
    silent: float = SILENCE_S, seconds: float = PROCESS_S,
) -> dict[str, Any]:  # fmt: skip
    """Find who has the nodes (kind, major, minor, name), as ``processes.scan`` returns it.

    Raises ``HostError`` if that fails.
    """
    request = "".join(f"{kind} {major} {minor} {name}\n" for kind, major, minor, name in nodes)
    left_out = {at.pid: at for at in _abandoned_positions()}
    for _ in range(TRIES):
        waiting = _abandoned_positions()
        if len(waiting) >= ABANDONED_LIMIT:
            raise HostError(
                f"{len(waiting)} scans of processes hang, the first at {waiting[0]}: "
                "end that process, or what it waits for"
            )
        child = _Child([str(proc), str(dev)], request, seconds, list(left_out.values()))
        at = Position(0, 0, 0, "")
        try:
            return child.answer(silent)
        except _Stalled as stalled:
            at = stalled.at
        finally:
            if not child.end():
                with _lock:
                    _abandoned.append((at, child.process))
        if not at.pid:
            raise HostError("the scan of processes did not start; try again")
        left_out[at.pid] = at
    names = ", ".join(str(at) for at in left_out.values())
    raise HostError(f"too many processes do not answer when checked: {names}")


def _abandoned_positions() -> list[Position]:
    """Return the positions of the scans that still wait in the kernel, and reap the others."""
    with _lock:
        _abandoned[:] = [(at, process) for at, process in _abandoned if process.poll() is None]
        return [at for at, _ in _abandoned]


class _Child:
    """A running scan."""

    def __init__(
        self, places: list[str], request: str, seconds: float, left_out: list[Position]
    ) -> None:
        try:
            self._beat = os.memfd_create("vfiotop-beat")
        except OSError as error:
            raise _not_started(error) from error
        command = [
            sys.executable, "-I", "-S", "-B", str(_PROGRAM), *places, str(self._beat), str(seconds),
            *(f"{at.pid}:{max(1, at.stage)}:{at.start}" for at in left_out),
        ]  # fmt: skip
        try:
            with open(os.memfd_create("vfiotop-nodes"), "w+b") as nodes_file:  # noqa: PTH123 - no path
                nodes_file.write(request.encode())
                nodes_file.seek(0)
                # A session of its own: ctrl+C and a hangup of the terminal must reach vfiotop only.
                self.process = subprocess.Popen(  # noqa: S603
                    command, stdin=nodes_file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    cwd="/", env={}, pass_fds=[self._beat], start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            os.close(self._beat)
            raise _not_started(error) from error

    def answer(self, silent: float) -> dict[str, Any]:
        """Return what it found. Raises ``_Stalled``, and ``HostError`` if it fails."""
        assert self.process.stdout is not None
        poller = select.poll()
        poller.register(self.process.stdout, select.POLLIN)
        data, seen = bytearray(), b""
        last, patience = time.monotonic(), max(silent, START_S)
        try:
            while True:
                if poller.poll(min(silent, 0.25) * 1000):
                    piece = os.read(self.process.stdout.fileno(), _PIECE)
                    if not piece:
                        break
                    data += piece
                    if len(data) > ANSWER_LIMIT:
                        raise HostError("too many processes hold the card to list them")
                beat = os.pread(self._beat, 256, 0)
                if beat != seen:
                    seen, last, patience = beat, time.monotonic(), silent
                elif time.monotonic() - last > patience:
                    raise _Stalled(_position(seen))
        finally:
            os.close(self._beat)
            self.process.stdout.close()
        return _parsed(bytes(data), self.process.wait())

    def end(self) -> bool:
        """Kill it; return whether it has ended. A process that waits in the kernel has not."""
        self.process.kill()
        try:
            self.process.wait(KILL_GRACE_S)
        except subprocess.TimeoutExpired:
            return False
        return True


def _not_started(error: OSError) -> HostError:
    return HostError(f"the scan of processes cannot be started: {error.strerror}")


def _parsed(data: bytes, status: int) -> dict[str, Any]:
    if status:
        how = f"with exit status {status}" if status > 0 else f"by signal {-status}"
        raise HostError(f"the scan of processes ended {how}; try again")
    found: dict[str, Any] = ast.literal_eval(data.decode("ascii"))
    if "error" in found:
        raise HostError(f"no process can be seen: {found['error']}")
    return found


def _position(beat: bytes) -> Position:
    """Parse what ``heartbeat.Heartbeat`` has written."""
    try:
        _, pid, stage, start, name = beat.partition(b"\n")[0].split(b" ", 4)
        return Position(int(pid), int(stage), int(start), clean(name.decode("utf-8", "replace")))
    except ValueError:
        return Position(0, 0, 0, "")
