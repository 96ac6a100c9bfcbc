"""The screen, on a pty in the lab, while something external changes the host."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.host import (
    bind,
    driver,
    family,
    guest_with,
    held,
    holds,
    is_nvml,
    kernel_log,
    link,
    node,
    run,
    slot,
    thread_states,
    unbinding,
    until,
    virsh,
)
from tests.lab.pace import slowness
from tests.lab.screens import both_with_the_host, free_for_a_guest, nvml_reads_both, owned, shows
from tests.lab.terminal import Terminal, terminal
from tests.lab.vm import RESULTS

pytestmark = pytest.mark.only("two-slots")

CARD, SOUND = slot(2), slot(2, 1)

Move = Callable[[str | None], None]
"""Bind both functions of the card, or with ``None`` return them to the host."""


@pytest.fixture(scope="module")
def screen() -> Iterator[Terminal]:
    """A screen that learns of changes from events only: its next regular reading is an hour
    away."""
    with terminal("vfiotop", "--interval", "3600") as opened:
        opened.until(nvml_reads_both)
        yield opened


@pytest.fixture
def ticking() -> Iterator[Terminal]:
    """The usual screen."""
    with terminal("vfiotop") as opened:
        opened.until(nvml_reads_both)
        yield opened


# --- external binds --------------------------------------------------------------


def by_hand(name: str | None) -> None:
    for address in (SOUND, CARD):
        bind(address, name)


def by_virsh(name: str | None) -> None:
    command = "nodedev-reattach" if name is None else "nodedev-detach"
    for address in (SOUND, CARD):
        virsh(command, "pci_" + address.replace(":", "_").replace(".", "_"))


def by_driverctl(name: str | None) -> None:
    command = ("unset-override",) if name is None else ("set-override",)
    for address in (SOUND, CARD):
        run("driverctl", "--nosave", *command, address, *([name] if name else []))


@pytest.mark.parametrize("move", [by_hand, by_virsh, by_driverctl])
def test_an_external_bind_is_soon_on_the_screen(
    screen: Terminal, move: Move, capsys: pytest.CaptureFixture[str]
) -> None:
    delays = []
    for name, drivers, seen in (
        ("vfio-pci", ("vfio-pci", "vfio-pci"), free_for_a_guest),
        (None, ("nvidia", "snd_hda_intel"), both_with_the_host),
    ):
        move(name)
        done = time.monotonic()
        assert (driver(CARD), driver(SOUND)) == drivers
        delays.append(screen.until(seen) - done)
    screen.until(nvml_reads_both)
    pace = slowness()
    with capsys.disabled():
        print(f"\n{move.__name__}: on the screen after {delays[0]:.2f} s, back {delays[1]:.2f} s, "
              f"on a machine that is {pace:.0f} times as slow")  # fmt: skip


# --- a guest --------------------------------------------------------------------


@pytest.mark.usefixtures("with_the_host")
def test_a_running_guest_has_the_card(screen: Terminal, tmp_path: Path) -> None:
    by_hand("vfio-pci")
    screen.until(free_for_a_guest)
    with guest_with(tmp_path, CARD, SOUND) as guest:
        screen.until(owned(f"◆ in {guest}"))
        screen.until(shows("● running"))
        (owner,) = [card["owner"] for card in status()["gpus"] if card["address"] == CARD]
        assert owner == f"guest:{guest}"
        group = f"/dev/vfio/{link(CARD, 'iommu_group')}"
        ours = holds(family(screen.process.pid))
        assert group not in {node for nodes in ours.values() for node in nodes}
    screen.until(free_for_a_guest)


def status() -> dict[str, Any]:
    report: dict[str, Any] = json.loads(run("vfiotop", "status", "--json"))
    return report


# --- a card that is held ----------------------------------------------------------


def test_only_the_process_of_nvml_holds_a_card(screen: Terminal) -> None:
    screen.until(nvml_reads_both)
    ours = family(screen.process.pid)
    (nvml,) = filter(is_nvml, ours)
    both = {"/dev/nvidiactl", node(slot(1)), node(CARD)}
    until(lambda: holds(ours) == {nvml: both})
    by_hand("vfio-pci")
    screen.until(free_for_a_guest)
    one = {"/dev/nvidiactl", node(slot(1))}
    until(lambda: list(holds(family(screen.process.pid)).values()) == [one])
    by_hand(None)
    screen.until(nvml_reads_both)


@pytest.mark.usefixtures("with_the_host")
def test_a_foreign_unbind_that_hangs(ticking: Terminal) -> None:
    said = len(kernel_log())
    with held(node(CARD)):
        writer = unbinding(CARD)
        ticking.until(owned("◐ moving"))
        ticking.until(owned("✗ stuck"))
        assert writer.hangs()
        is_alive(ticking)
        (line,) = [line for line in kernel_log()[said:] if "non-zero usage count" in line]
        picture = ticking.picture("vfiotop in the lab, and its kernel's log", ["", line])
        Path(RESULTS, "lab-stuck.svg").write_text(picture, encoding="utf-8")
    ticking.until(owned("– no driver"))
    ticking.until(shows("no longer stuck"))
    assert writer.wait() == 0
    bind(CARD, None)
    ticking.until(nvml_reads_both)


def is_alive(screen: Terminal) -> None:
    """It answers keys, and none of its threads is in uninterruptible sleep."""
    screen.press("g")
    screen.until(lambda text: "Guest GPU ·" not in text)
    screen.press("\x1b")
    screen.until(shows("Guest GPU ·"))
    ours = family(screen.process.pid)
    until(lambda: "D" not in thread_states(ours).values())
    card = node(CARD)
    until(lambda: card not in {held for nodes in holds(ours).values() for held in nodes})


@pytest.mark.wreck
def test_a_hang_that_does_not_end(ticking: Terminal) -> None:
    """As from driver 595 on: libvirt's detach hangs, its other calls answer."""
    Path("/sys/module/nvidia/parameters/unrecoverable").write_text("1")
    with held(node(CARD)):
        writer = unbinding(CARD)
        ticking.until(owned("✗ stuck"))
    is_alive(ticking)
    assert owned("✗ stuck")(ticking.text())
    assert writer.hangs()  # several turns of the driver's loop later
    assert status()["host"]["libvirt"]["error"] is None
    ticking.press("q")
    assert ticking.process.wait(60) == 0
    writer.abandon()
