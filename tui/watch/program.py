"""Hands events to the user's program, as JSON on its standard input."""

from __future__ import annotations

import io
import math
import os
import pwd
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from tui.host.untrusted import clean
from tui.model import Event
from tui.model.errors import VfiotopError
from tui.process.output import json_text
from tui.process.privileges import ROOT_PATH
from tui.process.scope import own_scope
from tui.report.event import as_json
from tui.watch.systemd import shutting_down

_AS_USER = Path(__file__).with_name("as_user.py")

LIMIT_S = 10.0
"""Seconds that the program gets for one event."""

KILLED_S = 1.0
"""Seconds that a killed program gets to exit. One that another process traces (ptrace(2)) stays
until the tracer waits for it."""

WAITING_LIMIT = 64
"""Events that wait for the program. When there are more, the oldest is dropped and counted."""

TASKS_LIMIT = 256
"""Processes and threads of one program and all that it starts."""

SCOPE_S = 10.0
"""Seconds that systemd gets to make the program's scope."""

SCOPE_RETRY_S = 0.05
"""Seconds before systemd is asked again for a scope that it has refused; then twice as many."""

LEFT_S = 2.0
"""Seconds after the limit at which systemd ends what the program has left behind."""

SAID_LIMIT = 300
"""Characters of a failing program's standard error that are passed on."""


class Identity(Struct, frozen=True):
    """The ordinary user as whom the program runs."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str


def identity(name: str) -> Identity:
    """The user with that name. Raises ``VfiotopError`` if there is none, and for root."""
    try:
        found = pwd.getpwnam(name)
    except KeyError as error:
        raise VfiotopError(f"there is no user “{name}” to run on_event") from error
    if found.pw_uid == 0:
        raise VfiotopError("on_event does not run as root: name another user with --event-user")
    groups = tuple(os.getgrouplist(found.pw_name, found.pw_gid))
    return Identity(found.pw_uid, found.pw_gid, groups, found.pw_name, found.pw_dir)


class _NoScope(Exception):
    """systemd-run has made no scope. Its text is what that said, after a colon."""


class EventProgram:
    """Runs ``command`` once for each event, one at a time, on a thread of its own.

    ``user`` is the user to run it as, ``None`` for the user of this process. ``complain`` gets a
    sentence when the program fails, once until it succeeds again.
    """

    def __init__(
        self,
        command: Sequence[str],
        user: Identity | None,
        host: str,
        complain: Callable[[str], object],
        limit_s: float = LIMIT_S,
    ) -> None:
        self._command = tuple(command)
        self._user = user
        self._host = host
        self._complain = complain
        self._limit_s = limit_s
        self._waiting: deque[Event] = deque()
        self._dropped = 0
        self._lock = threading.Lock()
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._failing = False
        self._ends_s = math.inf
        self._killed: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="on_event", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        """Hand over an event. Returns at once."""
        with self._lock:
            self._waiting.append(event)
            if len(self._waiting) > WAITING_LIMIT:
                self._waiting.popleft()
                self._dropped += 1
        self._wake.put(True)

    def close(self, timeout_s: float) -> None:
        """Hand over what waits, for at most ``timeout_s`` seconds, and wait for the last program to
        end: afterwards nothing would limit its time."""
        self._ends_s = time.monotonic() + timeout_s
        self._wake.put(False)
        self._thread.join(timeout_s + SCOPE_S + self._limit_s + KILLED_S)

    def _run(self) -> None:
        more = True
        while more or self._waiting:
            if more:
                more = self._wake.get()
            with self._lock:
                event = self._waiting.popleft() if self._waiting else None
                dropped, self._dropped = self._dropped, 0
            if event is not None and time.monotonic() < self._ends_s:
                self._hand_over(as_json(event, self._host, dropped))

    def _hand_over(self, event: dict[str, Any]) -> None:
        failed = self._try((json_text(event) + "\n").encode())
        if failed and not self._failing:
            self._complain(f"on_event: {self._command[0]} {failed}")
        self._failing = failed is not None

    def _try(self, line: bytes) -> str | None:
        """Run the program; returns how it failed, ``None`` if it did not."""
        if self._killed is not None and self._killed.poll() is None:
            return "was killed but has not exited yet"
        scope = self._scope()
        ends_s = time.monotonic() + SCOPE_S
        wait_s = SCOPE_RETRY_S
        while True:
            try:
                return self._run_in(scope, line, ends_s)
            except _NoScope as error:
                if time.monotonic() + wait_s >= ends_s:
                    return f"was not started: systemd made no scope for it{error}"
            if shutting_down():  # systemd makes none from then on
                return self._run_in((), line, ends_s)
            time.sleep(wait_s)
            wait_s *= 2

    def _run_in(self, scope: Sequence[str], line: bytes, ends_s: float) -> str | None:
        """Run the program in a scope, which systemd makes until ``ends_s``; returns how it failed,
        ``None`` if it did not. Raises ``_NoScope``."""
        try:
            child, errors, begun = self._start(scope)
        except (OSError, subprocess.SubprocessError) as error:
            return f"could not be started ({error})"
        with errors, begun:
            if scope and not self._has_begun(child, begun, ends_s):
                raise _NoScope(_said(errors))
            return self._end_of(child, errors, line)

    def _has_begun(self, child: subprocess.Popen[bytes], begun: io.FileIO, ends_s: float) -> bool:
        """Wait until systemd-run has become ``as_user.py``; kill it if that takes too long. The
        program must not run without its limits then: its own load may be the reason."""
        poller = select.poll()
        poller.register(begun, select.POLLIN)
        poller.poll(max(0.0, ends_s - time.monotonic()) * 1000)
        if begun.read(1):
            return True
        assert child.stdin is not None
        child.stdin.close()
        self._kill(child)
        return False

    def _end_of(self, child: subprocess.Popen[bytes], errors: io.FileIO, line: bytes) -> str | None:
        """Hand over the event and wait for the program's end; returns how it failed."""
        try:
            child.communicate(line, self._limit_s)
        except subprocess.TimeoutExpired:
            self._kill(child)
            return f"did not end within {self._limit_s:.0f} s"
        if child.returncode == 0:
            return None
        return f"ended with exit status {child.returncode}{_said(errors)}"

    def _kill(self, child: subprocess.Popen[bytes]) -> None:
        """Kill the program with all that is in its process group."""
        # Not waited for yet, so that its process group cannot be another's.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        self._killed = child
        with suppress(subprocess.TimeoutExpired):
            child.wait(KILLED_S)

    def _start(self, scope: Sequence[str]) -> tuple[subprocess.Popen[bytes], io.FileIO, io.FileIO]:
        """Start the program; returns it, what it writes to standard error, and what
        ``as_user.py`` writes when it begins.

        Standard error is a pipe of its own: a program that has root's terminal can read what root
        types, and one that has the journal's socket can shut it down. No end of a pipe blocks: the
        program may write more than fits, and leave a process behind that keeps the pipe open.
        """
        errors, said = _pipe()
        begun, begins = _pipe()
        try:
            child = subprocess.Popen(  # noqa: S603
                self._full_command(scope, begins), stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL, stderr=said, cwd="/", start_new_session=True,
                pass_fds=(begins,), **self._of_user(),
            )  # fmt: skip
        except BaseException:
            errors.close()
            begun.close()
            raise
        finally:
            os.close(said)
            os.close(begins)
        return child, errors, begun

    def _scope(self) -> Sequence[str]:
        """What puts the program into a scope, where systemd runs.

        In the service's control group a program that starts others without end would use up the
        service's TasksMax=, and the watch could start no swap. In the user's slice, the user's
        limits apply to all that the programs have left behind.
        """
        if self._user is None:
            return ()
        return own_scope(
            f"user-{self._user.uid}.slice",
            TasksMax=str(TASKS_LIMIT), RuntimeMaxSec=f"{self._limit_s + LEFT_S:.0f}",
        )  # fmt: skip

    def _full_command(self, scope: Sequence[str], begins: int) -> Sequence[str]:
        """The command, run by way of a process that becomes the user."""
        user = self._user
        if user is None:
            return self._command
        groups = ",".join(map(str, user.groups or (user.gid,)))
        become = [sys.executable, "-I", "-S", "-B", str(_AS_USER), str(begins)]
        return [*scope, *become, str(user.uid), str(user.gid), groups, *self._command]

    def _of_user(self) -> dict[str, Any]:
        user = self._user
        if user is None:
            return {}
        environment = {
            "PATH": ROOT_PATH, "HOME": user.home, "USER": user.name, "LOGNAME": user.name,
            "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        return {"env": environment, "umask": 0o077}


def _said(errors: io.FileIO) -> str:
    """What is in this pipe, after a colon; empty if nothing is."""
    said = clean((errors.read(SAID_LIMIT) or b"").decode(errors="replace"), SAID_LIMIT)
    return f": {said}" if said else ""


def _pipe() -> tuple[io.FileIO, int]:
    """A pipe whose ends do not block: the one to read from, and the other's descriptor."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    return io.FileIO(reader), writer
