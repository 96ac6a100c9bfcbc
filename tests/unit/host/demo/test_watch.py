"""The evening on the simulated host: the guest ends, and its watch returns the card."""

from __future__ import annotations

import pytest

from tests.demo import HeldClock
from tui.host import Host, NothingToRead
from tui.host.demo.host import demo_host
from tui.host.demo.scenarios import EVENING_S, FIRST, FIRST_AUDIO
from tui.model import Domain, Event, PciFunction, Watch

PAUSE_S = 30.0


def evening(seconds: float = 0) -> tuple[Host, HeldClock]:
    """The host at a time, and its clock."""
    clock = HeldClock()
    host = demo_host("evening", clock=clock)
    clock.advance(seconds)
    return host, clock


def watch(host: Host) -> Watch:
    return host.watch.read()


def told(host: Host) -> list[str]:
    return [event.text for event in watch(host).events]


def drivers(host: Host) -> list[str | None]:
    functions: tuple[PciFunction, ...] = host.pci.read().functions
    return [f.driver for f in functions if f.address in (FIRST, FIRST_AUDIO)]


def win11(host: Host) -> Domain:
    return next(each for each in host.guests.read().domains if each.name == "win11")


def test_it_keeps_the_host_awake_while_the_guest_runs() -> None:
    host, clock = evening()
    assert watch(host).policy.after_stop == "unbind"
    assert (watch(host).pending, watch(host).stays_awake) == (None, True)
    clock.advance(EVENING_S)
    assert not watch(host).stays_awake


def test_the_card_returns_after_the_pause_by_watch() -> None:
    host, clock = evening(EVENING_S)
    pending = watch(host).pending
    assert pending is not None
    assert (pending.address, pending.guest) == (FIRST, "win11")
    assert pending.left_s(clock.now()) == PAUSE_S
    clock.advance(PAUSE_S - 1)
    with pytest.raises(NothingToRead):
        host.swap.read()
    clock.advance(2)
    assert watch(host).pending is None
    assert (host.swap.read().direction, host.swap.read().by) == ("unbind", "watch")
    clock.advance(10)
    assert drivers(host) == ["nvidia", "snd_hda_intel"]
    assert told(host) == ["“win11” has ended: the card returns to the host in 30 s"]
    reading = host.nvml.read().of(FIRST)
    assert reading is not None and reading.processes == ()


def test_a_user_keeps_it() -> None:
    host, clock = evening(EVENING_S + 3)
    pending = watch(host).pending
    assert pending is not None and host.keeper.unavailable_reason is None
    woken: list[bool] = []
    host.watch.watch(lambda: woken.append(True))
    host.keeper.keep("another")
    assert watch(host).pending == pending
    host.keeper.keep(pending.id)
    assert woken and watch(host).pending is None
    clock.advance(PAUSE_S)
    assert drivers(host) == ["vfio-pci", "vfio-pci"]
    last: Event = watch(host).events[0]
    assert (last.text, last.by) == ("stays on vfio-pci: a user keeps it there", "watch")


def test_a_new_start_cancels_it_and_the_next_end_announces_it_again() -> None:
    host, clock = evening(EVENING_S + 3)
    host.control.start(win11(host).uuid, lambda _: None)
    assert watch(host).pending is None
    assert told(host)[0] == "stays on vfio-pci: “win11” was started"
    clock.advance(PAUSE_S + 5)
    assert drivers(host) == ["vfio-pci", "vfio-pci"]
    host.control.act("stop", win11(host).uuid)
    clock.advance(5)
    assert watch(host).pending is not None


def test_a_second_view_of_the_machine_shows_the_same_watch() -> None:
    host, clock = evening(EVENING_S)
    assert host.reopen is not None
    again = host.reopen()
    assert watch(again) == watch(host)
    clock.advance(PAUSE_S + 1)
    assert host.swap.read() == again.swap.read()


def test_other_scenarios_have_no_watch() -> None:
    host = demo_host("gaming", clock=HeldClock())
    with pytest.raises(NothingToRead):
        host.watch.read()


def test_read_only_it_goes_on_and_nobody_cancels_it() -> None:
    host, _ = evening(EVENING_S)
    seen = host.as_readonly()
    assert seen.keeper.unavailable_reason == "this host is read-only"
    assert watch(seen).pending is not None
