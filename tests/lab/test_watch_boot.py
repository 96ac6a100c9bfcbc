"""The bind at boot, by the watch's own unit on a machine that is still booting."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.lab.host import DEVICES, bind, held, node, run
from tests.lab.returns import swap
from tests.lab.swaps import CARD, HOST, JOURNAL, SOUND, VFIO, drivers, journal
from tests.lab.units import installed, show, state, systemctl
from tests.lab.units import journal as logged
from tests.lab.vm import RESULTS
from tests.lab.watches import (
    AT_BOOT,
    KEEP,
    RECORD,
    UNIT,
    installed_watch,
    memory,
    start,
    stop,
    told,
)

pytestmark = [pytest.mark.only("systemd"), pytest.mark.usefixtures("whole")]

SCREEN = "display-manager.service"

DISPLAY_MANAGER = f"""\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'readlink {DEVICES}/{CARD}/driver'
"""
"""Logs the driver that it finds."""


@pytest.mark.boots
def test_a_boot_that_binds_the_card() -> None:
    """Twice, because a boot is what finds an empty /run: with the card held, and with it free."""
    assert system_state() == "starting"
    with installed_watch(AT_BOOT), installed(SCREEN, DISPLAY_MANAGER):
        with held(node(CARD)) as process:
            boot()
            assert drivers() == HOST
            assert found_by_screen() == "nvidia"
        why = told()[0]
        assert why.startswith("not bound at boot, so the host keeps it: ")
        assert str(process.pid) in why
        assert f"{CARD}: {why}" in console()
        assert any(why in line for line in logged(UNIT))
        report = json.loads(run("vfiotop", "status", "--json"))
        assert report["watch"]["events"][0]["text"] == why

        forget()
        boot()
        assert (drivers(), found_by_screen()) == (VFIO, "vfio-pci")
        assert (journal()["state"], journal()["by"]) == ("done", "watch")

        stop()
        for address in (SOUND, CARD):
            bind(address, None)
        JOURNAL.unlink()
        assert memory()["booted"]
        start()
        assert system_state() == "starting"
        assert (drivers(), swap()) == (HOST, {})


def system_state() -> str:
    """systemctl(1), is-system-running; its exit status tells the same."""
    done = subprocess.run(
        ["systemctl", "is-system-running"], check=False, capture_output=True, text=True
    )
    return done.stdout.strip()


def boot() -> None:
    """What a boot starts in one transaction: the watch, and what is ordered after it."""
    systemctl("start", UNIT, SCREEN)
    assert (state(UNIT), state(SCREEN)) == ("active", "active")
    ready, began = (
        int(show(unit, f"{which}TimestampMonotonic"))
        for unit, which in ((UNIT, "ActiveEnter"), (SCREEN, "ExecMainStart"))
    )
    assert ready <= began


def forget() -> None:
    """Leave /run as a new boot finds it."""
    systemctl("stop", UNIT, SCREEN)
    for file in (RECORD, KEEP, JOURNAL):
        file.unlink(missing_ok=True)


def found_by_screen() -> str:
    """The driver that the display manager found last."""
    links = [line for line in logged(SCREEN) if "/drivers/" in line]
    return links[-1].rsplit("/", 1)[1]


def console() -> str:
    """What the machine's console has shown."""
    return Path(RESULTS, "kernel.log").read_text(errors="replace")
