"""The watch as an administrator runs it: the unit that `make install` installs, hardened as it is,
with a configuration in /etc; and what it says and does. In topologies with systemd only."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab.follow import Followed, followed
from tests.lab.host import DEVICES, LOOK, PATIENCE, bind, until, virsh
from tests.lab.swaps import CARD, HOST, SOUND, drivers, journal
from tests.lab.units import VFIOTOP, installed, state, systemctl
from tests.lab.vm import PROJECT, WATCH_UNIT

UNIT = Path(WATCH_UNIT).name
CONFIG = Path("/etc/vfiotop/config.toml")
RECORD = Path("/run/vfiotop/watch.json")
KEEP = Path("/run/vfiotop/watch.keep")

AFTER_STOP = 'after_stop = "unbind"'
AT_BOOT = 'at_boot = "bind"'

# --- the unit -----------------------------------------------------------------------


def unit_text() -> str:
    """The unit, with this project's program.

    When a unit ends, systemd removes its private /tmp. A swap that goes on would lose a project
    that is mounted there.
    """
    text = (PROJECT / WATCH_UNIT).read_text().replace("@LIB@/vfiotop", VFIOTOP)
    temporary = PROJECT.is_relative_to("/tmp")
    return text.replace("PrivateTmp=yes", "PrivateTmp=no") if temporary else text


def configure(*watch: str) -> None:
    """Write the configuration, with these lines in its table ``[watch]``. A watch reads it when it
    starts."""
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text("\n".join((f'guest_gpu = "{CARD}"', "[watch]", *watch, "")))


@contextmanager
def installed_watch(*watch: str, drop_ins: Sequence[str] = ()) -> Iterator[None]:
    """The unit with a configuration, for the duration of the test; it is not started. The next
    watch knows nothing of what this one has seen."""
    configure(*watch)
    try:
        with installed(UNIT, unit_text(), *drop_ins):
            yield
    finally:
        for file in (CONFIG, RECORD, KEEP):
            file.unlink(missing_ok=True)


@contextmanager
def watching(*watch: str, drop_ins: Sequence[str] = ()) -> Iterator[None]:
    """The same, and start it."""
    with installed_watch(*watch, drop_ins=drop_ins):
        start()
        yield


def start() -> None:
    """Start it; it is ready when this returns."""
    systemctl("start", UNIT)
    assert state(UNIT) == "active"


def stop() -> None:
    """Stop it. A return that has begun goes on."""
    systemctl("stop", UNIT)


def booting(folder: Path) -> str:
    """A drop-in for a watch that takes the machine for one that still boots."""
    tool = folder / "systemctl"
    tool.write_text("#!/bin/sh\necho starting\n")
    tool.chmod(0o755)
    return f"[Service]\nBindReadOnlyPaths={tool}:/usr/bin/systemctl\n"


# --- what it says -------------------------------------------------------------------


def record() -> dict[str, Any]:
    """Its record; empty if there is none yet."""
    try:
        found: dict[str, Any] = json.loads(RECORD.read_text())
    except FileNotFoundError:
        return {}
    return found


def memory() -> dict[str, Any]:
    """What it has seen of the card, as it says in its record."""
    found: dict[str, Any] = record().get("memory", {})
    return found


def pending() -> dict[str, Any] | None:
    """The return that is to come or is being asked for."""
    found: dict[str, Any] | None = memory().get("pending")
    return found


def told() -> list[str]:
    """The texts of its own events, newest first."""
    return [event["text"] for event in record().get("events", ())]


def await_user(name: str) -> None:
    """Wait until it has seen a running guest with the card."""
    uuid = virsh("domuuid", name).strip()
    until(lambda: memory().get("user") == uuid)


def await_pending() -> dict[str, Any]:
    """Wait until it has announced a return, and return what it says about it."""
    until(lambda: pending() is not None)
    found = pending()
    assert found is not None
    return found


def await_told(words: str) -> str:
    """Wait until its newest event has these words, and return its text."""
    until(lambda: any(words in text for text in told()[:1]))
    return told()[0]


# --- what it does -------------------------------------------------------------------


def lend() -> None:
    """Bind the card to vfio-pci as the kernel does it, which is quicker than a swap."""
    for address in (CARD, SOUND):
        bind(address, "vfio-pci")


def await_return() -> dict[str, Any]:
    """Wait until the card is back on its host drivers and the swap has ended, and return the
    swap's journal."""
    deadline = time.monotonic() + PATIENCE
    while drivers() != HOST or journal()["state"] == "running":
        assert time.monotonic() < deadline, record()
        time.sleep(LOOK)
    return journal()


class Moves:
    """The drivers that the kernel binds the card to, as its events tell."""

    def __init__(self, events: Followed) -> None:
        self._events = events

    def seen(self) -> list[str]:
        """The drivers so far, in order."""
        (DEVICES / CARD / "uevent").write_text("change")  # a mark: events come in order
        self._events.until("ACTION=change")
        events = "\n".join(self._events.lines).split("\n\n")
        bound = [event for event in events if {"ACTION=bind", OF_CARD} <= {*event.splitlines()}]
        return [name for event in bound for name in re.findall(r"^DRIVER=(.*)$", event, re.M)]


OF_CARD = f"PCI_SLOT_NAME={CARD}"


@contextmanager
def followed_moves() -> Iterator[Moves]:
    """Follow what the kernel binds the card to, from now on."""
    with followed(
        "udevadm", "monitor", "--kernel", "--property", "--subsystem-match=pci"
    ) as events:
        events.until("KERNEL - ")
        yield Moves(events)
