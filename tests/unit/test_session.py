"""What a session knows, without a screen."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from tests.ui.rig import GUESTS, INVENTORY, NOON, NVML, WIN11, Rig
from tui.model import Reading, Sample, SourceName, Swap, Unavailable
from tui.session import CARD_SOURCES, QUIET_FACTOR, Session

CARD = "0000:01:00.0"
SWAP = Swap("first", "bind", CARD, (CARD,), "running", ("one",), 0, NOON, NOON, runner_alive=False)


class FakeDisplay:
    """As much of a screen as a session knows."""

    def __init__(self) -> None:
        self.shows_cards: bool | None = True
        self.output_delay_s = 0.0


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def display(rig: Rig) -> FakeDisplay:
    """The display of a session whose samplers are not running."""
    display = FakeDisplay()
    rig.session._display = display
    return display


def take(session: Session, source: SourceName, reading: Reading) -> None:
    session.take(Sample(source, reading, NOON))


def paused(session: Session) -> set[str]:
    return {name for name, sampler in session.samplers.items() if sampler.paused}


def test_card_sources_pause_while_no_card_is_shown(rig: Rig, display: FakeDisplay) -> None:
    display.shows_cards = False
    rig.session.update_demand()
    assert paused(rig.session) == set(CARD_SOURCES)
    display.shows_cards = True
    rig.session.update_demand()
    assert paused(rig.session) == set()


def test_only_a_reading_that_differs_wakes_other_sources(rig: Rig, display: FakeDisplay) -> None:
    session = rig.session
    take(session, "pci", INVENTORY)
    take(session, "swap", SWAP)
    take(session, "guests", GUESTS)
    for sampler in session.samplers.values():
        sampler._wake.clear()
    off = replace(GUESTS, domains=(replace(WIN11, state="shut off"),))
    session.take(Sample("swap", SWAP, NOON), Sample("guests", off, NOON))
    assert not any(sampler._wake.is_set() for sampler in session.samplers.values())
    session.take(Sample("guests", off, NOON), Sample("swap", replace(SWAP, step=1), NOON))
    woken = {name for name, sampler in session.samplers.items() if sampler._wake.is_set()}
    assert woken == {"pci", "nvml"}


def test_a_card_on_another_driver_wakes_the_sources_that_read_cards(
    rig: Rig, display: FakeDisplay
) -> None:
    """Some of them are read seldom until then."""
    session = rig.session
    take(session, "pci", INVENTORY)
    functions = tuple(replace(each, driver="amdgpu") for each in INVENTORY.functions)
    for sampler in session.samplers.values():
        sampler._wake.clear()
    take(session, "pci", replace(INVENTORY, functions=functions))
    woken = {name for name, sampler in session.samplers.items() if sampler._wake.is_set()}
    assert woken == {"vitals", "nvml", "drm"}


def test_without_a_screen_nothing_is_demanded(rig: Rig) -> None:
    rig.session.update_demand()
    assert rig.demands == []


def test_quiet_mode_reads_less_often(rig: Rig, display: FakeDisplay) -> None:
    usual = rig.session.interval_s
    rig.session.set_quiet(True)
    assert rig.session.interval_s == QUIET_FACTOR * usual
    assert rig.session.late_s == 2 * QUIET_FACTOR * usual
    assert rig.session.notices == ("quiet",)
    assert rig.demands[-1].quiet


def test_a_slow_link_is_noticed(rig: Rig, display: FakeDisplay) -> None:
    rig.session.config = replace(rig.session.config, interval=1)
    display.output_delay_s = 2.0
    assert rig.session.notices == ("slow link: up to 5 s old",)


def test_an_interrupted_swap_is_offered_once(rig: Rig) -> None:
    assert not rig.session.recovery_to_offer()
    take(rig.session, "swap", SWAP)
    assert rig.session.recovery_to_offer()
    assert not rig.session.recovery_to_offer()
    take(rig.session, "swap", replace(SWAP, id="second"))
    assert rig.session.recovery_to_offer()


def test_a_stop_is_pending_until_the_guest_is_off(rig: Rig) -> None:
    session = rig.session
    take(session, "pci", INVENTORY)
    take(session, "guests", GUESTS)
    session.pending_stops[WIN11.uuid] = NOON
    take(session, "guests", Unavailable("libvirtd is not running"))
    assert session.pending_stops
    off = replace(GUESTS, domains=(replace(WIN11, state="shut off"),))
    take(session, "guests", off)
    assert not session.pending_stops


async def test_a_stalled_source_has_not_finished(rig: Rig) -> None:
    session = rig.session
    waiting = asyncio.ensure_future(session.next_change())
    await asyncio.sleep(0)
    session.take(Sample("nvml", Unavailable("no answer since 12:00:00"), NOON), finished=False)
    await asyncio.sleep(0)
    assert (session.finished["nvml"], waiting.done()) == (0, False)
    take(session, "nvml", NVML)
    await waiting
    assert session.finished["nvml"] == 1


def test_cards_are_released_within_the_context_only(rig: Rig) -> None:
    calls: list[str] = []

    class HeldCard:
        def release(self) -> bool:
            calls.append("release")
            return True

        def resume(self) -> None:
            calls.append("resume")

    rig.session.host = replace(rig.host, nvml=HeldCard())
    with rig.session.cards_released():
        calls.append("stopped")
    assert calls == ["release", "stopped", "resume"]
