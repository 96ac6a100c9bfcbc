"""Programs that report events line by line: journalctl -f, and libvirt's events."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.host import PATIENCE, URI


class Followed:
    """A running program, and the lines that it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._pipe = process.stdout.fileno()
        self._rest = b""
        self.lines: list[str] = []
        self._read = 0

    def until(self, words: str, patience: float = PATIENCE) -> str:
        """Wait for the next line that contains the given words, and return it. Lines before it
        count as read; those after it do not."""
        deadline = time.monotonic() + patience
        while True:
            while self._read < len(self.lines):
                self._read += 1
                if words in self.lines[self._read - 1]:
                    return self.lines[self._read - 1]
            left = deadline - time.monotonic()
            assert left > 0, f"no {words!r} in {self.lines}"
            self._receive(left)

    def _receive(self, patience: float) -> None:
        if select.select([self._pipe], [], [], patience)[0]:
            data = os.read(self._pipe, 1 << 16)
            assert data, f"it has ended: {self.lines}"
            *whole, self._rest = (self._rest + data).split(b"\n")
            self.lines += [line.decode(errors="replace") for line in whole]


@contextmanager
def followed(*command: str) -> Iterator[Followed]:
    """Follow a program for the duration of the test, then end it."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        yield Followed(process)
    finally:
        process.kill()
        process.wait(PATIENCE)
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def domain_events() -> Iterator[Followed]:
    """libvirt's events from now on, as lines: ``vm: stopped, crashed``, ``vm: reboot``. They end
    when libvirtd does."""
    with followed(sys.executable, "-I", "-c", _EVENTS, URI) as events:
        events.until("listens")
        yield events


# A process of its own: libvirt's event loop belongs to a whole process.
_EVENTS = """
import sys
import libvirt

EVENT = "VIR_DOMAIN_EVENT_"
REASONS = ("DEFINED", "UNDEFINED", "STARTED", "SUSPENDED", "RESUMED", "STOPPED", "SHUTDOWN",
           "PMSUSPENDED", "CRASHED")

def named(prefix, value):
    return next(name.removeprefix(prefix).lower() for name in vars(libvirt)
                if name.startswith(prefix) and getattr(libvirt, name) == value)

def lifecycle(_connection, domain, event, detail, _opaque):
    kind = REASONS[event]
    print(f"{domain.name()}: {kind.lower()}, {named(f'{EVENT}{kind}_', detail)}", flush=True)

def reboot(_connection, domain, _opaque):
    print(f"{domain.name()}: reboot", flush=True)

libvirt.virEventRegisterDefaultImpl()
connection = libvirt.openReadOnly(sys.argv[1])
register = connection.domainEventRegisterAny
register(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle, None)
register(None, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, reboot, None)
print("listens", flush=True)
while connection.isAlive():
    libvirt.virEventRunDefaultImpl()
"""
