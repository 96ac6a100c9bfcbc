"""Never in the way: an idle card is released and left asleep, NVML does not run without a card,
and from driver 595 on the guest's card is not held at all."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.lab.calls import touched, traced
from tests.lab.host import (
    DEVICES,
    LOOK,
    attribute,
    bind,
    driver,
    family,
    held,
    holds,
    is_nvml,
    kernel_log,
    modprobe,
    node,
    run,
    slot,
    unbind,
    unbinding,
    until,
    write,
)
from tests.lab.screens import owned, reads
from tests.lab.terminal import Terminal, terminal
from tests.lab.vm import RESULTS

pytestmark = pytest.mark.only("usb-c")

CARD, OTHER = slot(2), slot(1)
FUNCTIONS = [slot(2, number) for number in range(4)]
COMPANIONS = FUNCTIONS[1:3]
"""The functions that have a driver."""

MINUTE = 60.0
TICKS = 20
"""Minimum readings per minute; a real machine takes 60, the lab is slow."""

QUIET = 3.0
"""Seconds in which several readings would have started NVML."""

NO_LOAD = f"{CARD} util 0\n{CARD} enc 0\n{CARD} dec 0\n{CARD} process none\n"

HARMLESS = {"power/runtime_status", "power/control", "power_state", "driver"}
"""Attributes that may be read of a sleeping card: the kernel answers them from memory, without
waking the card (drivers/base/power/sysfs.c, drivers/pci/pci-sysfs.c)."""

IN_THE_WAY = "non-zero usage count"


@pytest.fixture(scope="module")
def screen() -> Iterator[Terminal]:
    """The usual screen; NVML reports that nothing uses the guest's card."""
    control = Path("/run/lab/nvml")  # of nvml_stand_in.c
    control.write_text(NO_LOAD)
    with terminal("vfiotop") as opened:
        opened.until(reads(2))
        yield opened
    control.unlink()


def sleeps_on_the_screen(text: str) -> bool:
    return owned("● on host, asleep")(text) and "Asleep, not woken." in text


def status() -> dict[str, dict[str, Any]]:
    """What ``vfiotop status`` reports for each card."""
    return {
        card["address"]: card for card in json.loads(run("vfiotop", "status", "--json"))["gpus"]
    }


# --- a card that may sleep --------------------------------------------------------


@pytest.fixture
def may_sleep() -> Iterator[None]:
    """Turn on runtime power management for the card and idle its companions: an awake one keeps
    its GPU awake (the kernel's drivers/pci/quirks.c, quirk_gpu_hda). It may be off on all
    functions, because vfio-pci leaves it off."""
    for address in COMPANIONS:
        unbind(address)
    before = {address: attribute(address, "power/control") for address in FUNCTIONS}
    for address in FUNCTIONS:
        control(address, "auto")
    yield
    for address, was in before.items():
        control(address, was)
    for address in COMPANIONS:
        bind(address, None)


def control(address: str, word: str) -> None:
    write(DEVICES / address / "power/control", word)


def sleeps() -> bool:
    return attribute(CARD, "power/runtime_status") == "suspended"


def awake_ms() -> int:
    """How long the card has been awake since the machine started."""
    return int(attribute(CARD, "power/runtime_active_time"))


@pytest.mark.usefixtures("may_sleep")
def test_an_idle_card_is_released_and_left_asleep(
    screen: Terminal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    falls_asleep(screen)
    awake, shown = awake_ms(), screen.written
    calls = calls_of_a_minute(screen, tmp_path / "calls")
    assert (awake_ms(), sleeps()) == (awake, True)
    assert screen.written > shown
    with capsys.disabled():
        print("\n" + tell(calls))
    looked_at = {path.removeprefix(f"/sys/bus/pci/devices/{CARD}/") for _, path in calls}
    assert looked_at <= HARMLESS
    assert calls["openat", f"/sys/bus/pci/devices/{CARD}/power/runtime_status"] >= TICKS

    told = status()[CARD]  # a program that starts now does not wake the card either
    assert (told["runtime_status"], told["metrics"]) == ("suspended", None)
    assert (awake_ms(), sleeps()) == (awake, True)

    # The card does wake if something wakes it, so none of the above did.
    (DEVICES / CARD / "config").read_bytes()
    until(lambda: awake_ms() > awake)
    with held(node(CARD)):
        screen.until(reads(2))
    falls_asleep(screen)


def falls_asleep(screen: Terminal) -> None:
    """NVML releases the card, the kernel suspends it, and the screen says so."""
    until(sleeps)
    screen.until(sleeps_on_the_screen)
    screen.until(reads(1))
    assert "does not list" not in screen.text()
    nodes = holds(family(screen.process.pid)).values()
    assert list(nodes) == [{"/dev/nvidiactl", node(OTHER)}]


def calls_of_a_minute(screen: Terminal, log: Path) -> Counter[tuple[str, str]]:
    """The calls of all our processes that name the card, its functions or its node; the card
    must not wake in the meantime."""
    states = set()
    with traced(family(screen.process.pid), log):
        ends = time.monotonic() + MINUTE
        while time.monotonic() < ends:
            states.add(attribute(CARD, "power/runtime_status"))
            time.sleep(LOOK)
    assert states == {"suspended"}
    lines = log.read_text().splitlines()
    return touched(lines, CARD.removesuffix("0")) + touched(lines, node(CARD))


def tell(calls: Counter[tuple[str, str]]) -> str:
    """The calls as a list, which is also saved."""
    lines = [f"{count:5}  {call:10}  {path}" for (call, path), count in sorted(calls.items())]
    text = "\n".join((f"calls that name {CARD} in {MINUTE:.0f} s while it sleeps:", *lines, ""))
    Path(RESULTS, "lab-idle-calls.txt").write_text(text, encoding="utf-8")
    return text


# --- no card, and cards that must not be held ------------------------------------


def nvml_processes() -> set[int]:
    """The NVML children of every vfiotop."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                if is_nvml(int(entry.name)):
                    found.add(int(entry.name))
    return found


def without_cards() -> None:
    """Unbind both cards, so that their reader ends."""
    for address in (CARD, OTHER):
        if driver(address) is not None:
            unbind(address)
    until(lambda: not nvml_processes())


@pytest.fixture
def with_cards() -> Iterator[None]:
    """Return both cards to the host, on the driver they had."""
    yield
    without_cards()
    modprobe("-r", "nvidia")
    modprobe("nvidia")
    run("udevadm", "settle")
    assert (driver(OTHER), driver(CARD)) == ("nvidia", "nvidia")


@pytest.mark.usefixtures("with_cards")
def test_without_a_card_no_nvml_runs(screen: Terminal) -> None:
    screen.until(reads(2))
    without_cards()
    screen.until(owned("– no driver", 2))
    ends = time.monotonic() + QUIET
    while time.monotonic() < ends:
        assert not nvml_processes()
        time.sleep(LOOK)


@pytest.mark.usefixtures("with_cards")
def test_from_driver_595_on_the_guests_card_is_not_held(screen: Terminal) -> None:
    without_cards()
    modprobe("-r", "nvidia")
    modprobe("nvidia", "version=595.45.04")
    screen.until(leaves_the_guests_card_alone)
    ours = {"/dev/nvidiactl", node(OTHER)}
    assert list(holds(family(screen.process.pid)).values()) == [ours]

    told = status()
    assert (told[OTHER]["source"], told[OTHER]["metrics"]["temp_c"] > 0) == ("nvml", True)
    assert (told[CARD]["source"], told[CARD]["metrics"]) == (None, None)
    assert told[CARD]["no_reading"].startswith("not read while the host has it")

    said = len(kernel_log())
    with unrecoverable_driver():
        assert unbinding(CARD).wait() == 0
    assert not [line for line in kernel_log()[said:] if IN_THE_WAY in line]
    screen.until(owned("– no driver"))
    bind(CARD, None)
    screen.until(leaves_the_guests_card_alone)


@contextmanager
def unrecoverable_driver() -> Iterator[None]:
    """A driver of 595 or later. The screen holds the host's card, so this must end before the
    screen does."""
    parameter = Path("/sys/module/nvidia/parameters/unrecoverable")
    parameter.write_text("1")
    try:
        yield
    finally:
        parameter.write_text("0")


def leaves_the_guests_card_alone(text: str) -> bool:
    return reads(1)(text) and "Not read while the host has it" in text
