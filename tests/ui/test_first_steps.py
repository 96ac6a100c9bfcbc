"""What is not set up yet: one line in the first panel, and the next step above the checks."""

from __future__ import annotations

import pytest

from tests.demo import HeldClock
from tests.ui.rig import (
    GUESTS,
    INVENTORY,
    PHONE,
    WIDE,
    WIN11,
    Rig,
    all_read,
    at_home,
    text_of,
    until,
)
from tests.values import replace
from tui.app import VfiotopApp
from tui.config import Config
from tui.host import HostError
from tui.host.demo.host import demo_host
from tui.model import Inventory
from tui.rules.libvirt_uri import START
from tui.screens.first_step_words import WORDS
from tui.session import Session
from widgets.doctor_panel import DoctorPanel

NO_LIBVIRT = HostError(f"libvirtd is not running: {START}")
OFF = "IOMMU is off. d shows how to turn it on."


def no_iommu(rig: Rig) -> None:
    at_home(rig)
    assert isinstance(rig.pci.reading, Inventory)
    functions = tuple(replace(f, iommu_group=None) for f in rig.pci.reading.functions)
    rig.pci.reading = replace(INVENTORY, functions=functions, iommu_kind=None, groups=())
    rig.guests.reading = NO_LIBVIRT


def no_libvirt(rig: Rig) -> None:
    rig.guests.reading = NO_LIBVIRT


def nobody_names_it(rig: Rig) -> None:
    rig.guests.reading = replace(GUESTS, domains=(replace(WIN11, hostdevs=()),))


def no_guest(rig: Rig) -> None:
    rig.guests.reading = replace(GUESTS, domains=())


def two_name_it(rig: Rig) -> None:
    off = replace(WIN11, state="shut off")
    other = replace(off, name="games", uuid="77aa")
    rig.guests.reading = replace(GUESTS, domains=(other, off))


def rows_of_the_first_panel(rig: Rig) -> list[str]:
    """Its rows below the title, without its frame."""
    rows = rig.text().splitlines()[2:]
    half = rig.app.size.width // 2 if rig.app.size.width > 45 else rig.app.size.width
    return [row[:half].strip("│ ") for row in rows]


@pytest.mark.parametrize("size", [WIDE, PHONE])
@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        (no_iommu, OFF),
        (no_libvirt, "libvirt does not answer. d shows why."),
        (no_guest, "No guest is defined. d shows what to do."),
        (nobody_names_it, "No guest names this card. w chooses one."),
        (two_name_it, "Several guests name this card."),
    ],
)
async def test_the_first_panel_says_what_is_missing_below_the_four_values(
    size: tuple[int, int], lacking: object, said: str
) -> None:
    rig = Rig()
    lacking(rig)  # type: ignore[operator]
    async with rig.running(size) as pilot:
        brief = "Which guest? w chooses one"
        await until(pilot, lambda: said in rig.text() or brief in rig.text())
        rows = rows_of_the_first_panel(rig)
        assert [row.split()[0] for row in rows[:4]] == ["Load", "VRAM", "Power", "Temp"]
        assert sum(row.startswith("! ") for row in rows[4:]) == 1


async def test_a_host_that_is_set_up_says_nothing() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await until(pilot, lambda: "RTX 4090" in rig.text())
        told = [
            text.partition("{key}")[0]
            for _, long, brief in WORDS.values()
            for text in (long, brief)
        ]
        assert [text for text in told if text in rig.text()] == []


async def test_a_libvirt_that_answered_before_is_not_a_step() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        rig.guests.put(NO_LIBVIRT)
        await until(pilot, lambda: "is not running" in rig.text())
        assert "libvirt does not answer" not in rig.text()


@pytest.mark.parametrize("size", [WIDE, PHONE])
async def test_the_doctor_begins_with_the_next_step(size: tuple[int, int]) -> None:
    app = VfiotopApp(Session(demo_host("fresh", clock=HeldClock()), Config(interval=3600)))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: all_read(app.session.live.snapshot))
        await until(pilot, lambda: OFF in text_of(app))
        await pilot.press("d")
        await until(pilot, lambda: "Next: the IOMMU is off" in text_of(app))
        lines = ["".join(s.text for s in row) for row in app.screen.query_one(DoctorPanel).lines]
        first = next(text for text in lines if text.strip()[:1].isalpha())
        assert first.strip().startswith("Next: ")
        words = " ".join(" ".join(lines).split())
        assert "→ turn on the IOMMU (AMD-Vi) in the firmware" in words
        assert "Then: reboot, libvirt, a guest with the card, roles" in words


async def test_the_doctor_of_a_host_that_is_set_up_begins_with_the_checks() -> None:
    rig = Rig()
    at_home(rig)
    async with rig.running() as pilot:
        await pilot.press("d")
        await until(pilot, lambda: "✗ 0" in rig.text())
        assert "Next:" not in rig.text()


async def test_a_single_step_is_not_said_beside_its_check() -> None:
    app = VfiotopApp(Session(demo_host("bad-acs", clock=HeldClock()), Config(interval=3600)))
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: all_read(app.session.live.snapshot))
        await pilot.press("d")
        await until(pilot, lambda: "✗ 2 fail" in text_of(app))
        assert "Next:" not in text_of(app)


def test_what_is_said_fits_a_phone_of_36_columns() -> None:
    for command, long, brief in WORDS.values():
        assert command in ("doctor", "roles")
        assert len(brief.format(key="w")) + len("! ") <= 34
        assert len(long.format(key="w")) > len(brief.format(key="w"))
