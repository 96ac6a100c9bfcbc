"""Events of PCI functions reach the sampler, and the next reading shows the change."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pyudev

from tui.host.pci.source import PciSource
from tui.host.pci.udev import listen
from tui.host.uses import usb

SYSTEM_PYTHON = "/usr/bin/python3"
HAS_TESTBED = (
    shutil.which("umockdev-wrapper") is not None
    and subprocess.run(
        [SYSTEM_PYTHON, "-c", "import gi; gi.require_version('UMockdev', '1.0')"],
        stderr=subprocess.DEVNULL, check=False,
    ).returncode == 0
)  # fmt: skip
needs_testbed = pytest.mark.skipif(
    not HAS_TESTBED, reason="umockdev and its GObject introspection are not installed"
)

HERE = Path(__file__).parent
PATIENCE = 60.0

CARD, SOUND = "0000:01:00.0", "0000:01:00.1"


class Child:
    """A process that gets and answers lines of JSON."""

    def __init__(self, *command: str, **environment: str) -> None:
        self._process = subprocess.Popen(
            ["umockdev-wrapper", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=HERE.parents[1], env=os.environ | environment,
        )  # fmt: skip
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def tell(self, *words: object) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        return json.loads(self._lines.get(timeout=PATIENCE))

    def silent(self) -> bool:
        return self._lines.empty()

    def end_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.end_input()
        try:
            self._process.wait(PATIENCE)  # the testbed removes its directory
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            self._process.stdout.close()


class World:
    """A testbed with a card and its sound function, and the sampler that reads it."""

    def __init__(self, bed: Child, watcher: Child) -> None:
        self.bed = bed
        self.watcher = watcher

    def shows(self, began: float, what: str, **drivers: str | None) -> None:
        """Assert that the next reading, which only an event triggers, has these drivers."""
        reading = self.watcher.answer()
        late = reading["at"] - began
        print(f"{what}: on hand {1000 * late:.1f} ms after it happened")
        assert reading["drivers"] == drivers


@pytest.fixture(params=["udev", "kernel"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with Child(SYSTEM_PYTHON, str(HERE / "testbed.py")) as bed:
        root = bed.answer()
        bed.tell("add", CARD, "0x030000")
        bed.tell("add", SOUND, "0x040300")
        watch = (sys.executable, "-m", "tests.udev.watcher", request.param)
        with Child(*watch, UMOCKDEV_DIR=root) as watcher:
            assert watcher.answer()["drivers"] == {CARD: None, SOUND: None}
            yield World(bed, watcher)


@needs_testbed
def test_whatever_happens_to_a_function_is_read_at_once(world: World) -> None:
    bed = world.bed
    began = bed.tell("driver", CARD, "nvidia")
    world.shows(began, "bind", **{CARD: "nvidia", SOUND: None})
    began = bed.tell("driver", CARD, None)
    world.shows(began, "unbind", **{CARD: None, SOUND: None})
    began = bed.tell("driver", CARD, "vfio-pci")
    world.shows(began, "bind", **{CARD: "vfio-pci", SOUND: None})
    began = bed.tell("remove", SOUND)
    world.shows(began, "remove", **{CARD: "vfio-pci"})
    began = bed.tell("add", "0000:02:00.0", "0x030000")
    world.shows(began, "add", **{CARD: "vfio-pci", "0000:02:00.0": None})


@needs_testbed
def test_children_that_a_driver_makes_are_heard(world: World) -> None:
    began = world.bed.tell("child", "drm", "card0", CARD)
    world.shows(began, "drm child", **{CARD: None, SOUND: None})
    began = world.bed.tell("child", "sound", "card0", SOUND)
    world.shows(began, "sound child", **{CARD: None, SOUND: None})


@needs_testbed
def test_other_devices_are_not(world: World) -> None:
    world.bed.tell("child", "usb", "1-1", CARD)
    world.bed.tell("child", "block", "sda", CARD)
    began = world.bed.tell("driver", CARD, "nvidia")
    # Events arrive in order. If one of the first two got through, there would be a reading
    # without the driver before this one, or another one after it.
    world.shows(began, "bind", **{CARD: "nvidia", SOUND: None})
    began = world.bed.tell("driver", CARD, None)
    world.shows(began, "unbind", **{CARD: None, SOUND: None})
    assert world.watcher.silent()


@needs_testbed
def test_the_listener_ends_when_the_source_is_closed(world: World) -> None:
    world.watcher.end_input()
    assert world.watcher.answer() == {"listening": False}


# --- without a testbed --------------------------------------------------------


class Event(NamedTuple):
    """What is read of an event."""

    subsystem: str
    action: str


class Events:
    """Stands in for a pyudev.Monitor.

    Each byte of a socket is an event, ``!`` one that the kernel could not deliver.
    """

    def __init__(self) -> None:
        self.kernel, self._socket = socket.socketpair()
        self.subsystems: list[str] = []

    def filter_by(self, subsystem: str) -> None:
        self.subsystems.append(subsystem)

    def start(self) -> None:
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def poll(self, timeout: float) -> Event | None:
        assert timeout == 0
        try:
            event = self._socket.recv(1)
        except BlockingIOError:
            return None
        if event == b"!":
            raise OSError(errno.ENOBUFS, "No buffer space available")
        return Event("usb", "add" if event == b"a" else "bind")


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[Events]:
    made = Events()
    monkeypatch.setattr(pyudev.Monitor, "from_netlink", lambda *_: made)
    with made.kernel, made._socket:
        yield made


def listeners() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "udev"]


def test_a_burst_wakes_once(events: Events) -> None:
    events.kernel.sendall(b"e" * 200)
    wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
    stop = listen(lambda: wakes.put(None))
    wakes.get(timeout=PATIENCE)
    events.kernel.sendall(b"e")
    wakes.get(timeout=PATIENCE)
    (listener,) = listeners()
    stop()
    listener.join(PATIENCE)
    assert wakes.empty()
    assert listeners() == []
    assert events.subsystems == ["pci", "drm", "sound", "vfio-dev"]


def test_lost_events_wake_too(events: Events) -> None:
    wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
    stop = listen(lambda: wakes.put(None))
    events.kernel.sendall(b"!")
    wakes.get(timeout=PATIENCE)
    events.kernel.sendall(b"e")
    wakes.get(timeout=PATIENCE)
    (listener,) = listeners()
    stop()
    listener.join(PATIENCE)


def test_events_that_are_not_wanted_wake_nobody(events: Events) -> None:
    """A USB device that was added is of no use before it is bound."""
    wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
    seen: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    def wanted(subsystem: str, action: str) -> bool:
        seen.put((subsystem, action))
        return usb.is_usable(subsystem, action)

    stop = listen(lambda: wakes.put(None), usb.SUBSYSTEMS, wanted)
    events.kernel.sendall(b"a")
    assert seen.get(timeout=PATIENCE) == ("usb", "add")
    events.kernel.sendall(b"b")
    wakes.get(timeout=PATIENCE)
    assert seen.get(timeout=PATIENCE) == ("usb", "bind")
    (listener,) = listeners()
    stop()
    listener.join(PATIENCE)
    assert wakes.empty()
    assert events.subsystems == ["usb", "block", "net"]


def _no_library() -> None:
    raise ImportError("No library named udev")


def test_a_host_without_libudev_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyudev, "Context", _no_library)
    with pytest.raises(OSError, match="No library named udev"):
        listen(lambda: None)
    for source in (PciSource(), usb.UsbSource()):
        source.watch(lambda: None)
        source.close()


def test_a_host_without_netlink_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no netlink")

    monkeypatch.setattr(pyudev.Monitor, "from_netlink", refuse)
    for source in (PciSource(), usb.UsbSource()):
        source.watch(lambda: None)
        source.close()
