"""The simulated host is believable, and reads the same for the same clock."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.demo import HeldClock
from tests.values import replace
from tui.guest.planning import guest_plan_once
from tui.host import Host, HostError, NothingToRead
from tui.host.demo.clock import RealClock
from tui.host.demo.host import SCENARIOS, UnknownScenario, demo_host
from tui.host.demo.scenarios import SCENARIOS as MACHINES
from tui.host.demo.scenarios import STUTTERS
from tui.model import (
    WAIT_HIGH_MS,
    WAIT_LOW_MS,
    CardReading,
    GuestCpus,
    Guests,
    Inventory,
    NvmlReading,
    Snapshot,
    Unavailable,
    Vitals,
)
from tui.model.requests import SwapRequest
from tui.rules import memory_checks
from tui.rules.guest_readings import demand
from tui.rules.roles import Choice
from tui.rules.view import assess

PATIENCE = 60.0
GUEST_CARD, HOST_CARD = "0000:01:00.0", "0000:0a:00.0"

ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
HEX4, HEX6 = re.compile(r"[0-9a-f]{4}"), re.compile(r"[0-9a-f]{6}")

scenarios = pytest.mark.parametrize("scenario", SCENARIOS)


def at(scenario: str, seconds: float, seed: int = 1) -> Host:
    """The host of a scenario at a time."""
    clock = HeldClock()
    clock.advance(seconds)
    return demo_host(scenario, seed=seed, clock=clock)


def snapshot(host: Host) -> Snapshot:
    try:
        nvml = host.nvml.read()
    except HostError:
        nvml = NvmlReading(None, ())
    guests: Guests | Unavailable
    try:
        guests = host.guests.read()
    except HostError as error:
        guests = Unavailable(str(error))
    return Snapshot(host.facts.read(), host.pci.read(), host.vitals.read(), nvml, guests=guests)


def inventory(scenario: str, seconds: float = 0) -> Inventory:
    return at(scenario, seconds).pci.read()


def card(host: Host, address: str) -> CardReading | None:
    return host.nvml.read().of(address)


# --- every scenario -----------------------------------------------------------


@scenarios
def test_functions_are_what_sysfs_could_show(scenario: str) -> None:
    functions = inventory(scenario).functions
    addresses = [f.address for f in functions]
    assert addresses == sorted(set(addresses))
    assert [a for a in addresses if not ADDRESS.fullmatch(a)] == []
    for f in functions:
        assert HEX4.fullmatch(f.vendor) and HEX4.fullmatch(f.device)
        assert HEX6.fullmatch(f.class_code)
        assert f.name and f.vendor_name
        assert (f.boot_vga is None) == (not f.class_code.startswith("0300"))
        assert f.numa_node is None and f.unreadable == ()


@scenarios
def test_one_card_drives_the_display(scenario: str) -> None:
    gpus = inventory(scenario).gpus
    assert len(gpus) >= 2
    assert [f.boot_vga for f in gpus].count(True) == 1


@scenarios
def test_groups_are_those_of_the_functions(scenario: str) -> None:
    read = inventory(scenario)
    assert read.groups == tuple(
        sorted({f.iommu_group for f in read.functions if f.iommu_group is not None})
    )
    assert (read.iommu_kind in ("amd", "intel")) == bool(read.groups)


@scenarios
def test_vitals_are_those_of_the_gpus(scenario: str) -> None:
    host = at(scenario, 0)
    cards = host.vitals.read().cards
    assert [(c.address, c.driver) for c in cards] == [
        (f.address, f.driver) for f in host.pci.read().gpus
    ]
    assert all(c.link is None for c in cards if c.runtime_status == "suspended")


@scenarios
def test_sysfs_and_nvml_agree_on_the_link(scenario: str) -> None:
    host = at(scenario, 0)
    vitals = host.vitals.read()
    for reading in host.nvml.read().cards:
        seen = vitals.of(reading.address)
        assert seen is not None and seen.link is not None
        read = (reading.metrics.pcie_gen, reading.metrics.pcie_width)
        assert read == (seen.link.generation, seen.link.width)


@scenarios
def test_nvml_reads_the_cards_on_nvidia_that_are_awake(scenario: str) -> None:
    host = at(scenario, 0)
    vitals = host.vitals.read().cards
    expected = [c.address for c in vitals if c.driver == "nvidia" and c.runtime_status == "active"]
    assert [c.address for c in host.nvml.read().cards] == expected != []


@scenarios
def test_only_the_first_function_of_a_bus_is_reset_with_it(scenario: str) -> None:
    """The kernel offers that to a function that is alone on its bus when it is found."""
    functions = at(scenario, 0).pci.read().functions
    alone = [f.address for f in functions if "bus" in (f.reset_methods or ())]
    assert alone
    assert {address[-1] for address in alone} == {"0"}
    assert not [address for address in alone if address.startswith("0000:00:")]


def test_a_fresh_host_has_neither_iommu_nor_libvirt() -> None:
    host = at("fresh", 0)
    assert host.pci.read().isolating == ()
    with pytest.raises(HostError, match="libvirtd is not running"):
        host.guests.read()


@pytest.mark.parametrize("scenario", sorted({*SCENARIOS} - {"fresh"}))
def test_hostdevs_are_functions_of_the_host(scenario: str) -> None:
    host = at(scenario, 0)
    drivers = {f.address: f.driver for f in host.pci.read().functions}
    domains = host.guests.read().domains
    assert [d.name for d in domains] == sorted(d.name for d in domains)
    assert len({d.uuid for d in domains}) == len(domains)
    named = [(d, address) for d in domains for address in d.addresses]
    assert named
    for domain, address in named:
        assert address in drivers
        assert not domain.active or drivers[address] == "vfio-pci"


@scenarios
def test_the_banner_says_that_it_is_simulated(scenario: str) -> None:
    assert at(scenario, 0).banner == f"Simulated host: {scenario}"


@scenarios
def test_equal_clocks_read_the_same(scenario: str) -> None:
    assert snapshot(at(scenario, 33.3)) == snapshot(at(scenario, 33.3))


@scenarios
def test_time_and_seed_change_the_readings(scenario: str) -> None:
    assert at(scenario, 10).nvml.read() != at(scenario, 15).nvml.read()
    assert at(scenario, 10, seed=2).nvml.read() != at(scenario, 10).nvml.read()


def test_hosts_made_at_different_times_on_one_clock_read_the_same() -> None:
    clock = HeldClock()
    early = demo_host("gaming", clock=clock)
    clock.advance(71.77)
    assert snapshot(early) == snapshot(demo_host("gaming", clock=clock))


# --- values stay within a card's limits ---------------------------------------


def numbers(reading: CardReading) -> Iterator[tuple[float, float, float]]:
    """(lowest, value, highest) of what an NVML reading of a healthy card gives."""
    m = reading.metrics
    assert m.mem_total_mib and m.power_limit_w and m.temp_c and m.power_w
    assert m.util_pct is not None and m.mem_used_mib is not None
    assert m.enc_pct is not None and m.dec_pct is not None
    assert m.clock_mhz and m.mem_clock_mhz and m.pcie_gen and m.pcie_gen_max
    yield 0, m.util_pct, 100
    yield 0, m.enc_pct, 100
    yield 0, m.dec_pct, 100
    yield 1, m.mem_used_mib, m.mem_total_mib
    yield 25, m.temp_c, 95
    yield 0, m.fan_pct or 0, 100
    yield 5, m.power_w, m.power_limit_w
    yield 200, m.clock_mhz, 3000
    yield 400, m.mem_clock_mhz, 12000
    yield 1, m.pcie_gen, m.pcie_gen_max


@given(
    st.sampled_from(sorted(SCENARIOS)),
    st.floats(0, 10 * 24 * 3600, allow_nan=False),
    st.integers(0, 2**31),
)
def test_readings_stay_within_bounds(scenario: str, seconds: float, seed: int) -> None:
    taken = snapshot(at(scenario, seconds, seed))
    assert isinstance(taken.nvml, NvmlReading)
    for reading in taken.nvml.cards:
        if reading.lost is None:
            assert [n for n in numbers(reading) if not n[0] <= n[1] <= n[2]] == []
            used = reading.metrics.mem_used_mib or 0
            assert sum(p.memory_mib or 0 for p in reading.processes or ()) < used
    for domain in taken.guests.domains if isinstance(taken.guests, Guests) else ():
        assert (domain.cpu_pct is None) == (not domain.active)
        if domain.active:
            assert 0 <= (domain.cpu_pct or 0) <= 100
            assert 0 < (domain.memory_used_mib or 0) < (domain.memory_mib or 0)
            assert min(domain.disk_read_bps or 0, domain.net_rx_bps or 0) >= 0
            assert domain.started_at is not None


@given(st.floats(0, 5000, allow_nan=False))
def test_numbers_have_the_precision_of_nvidia_smi(seconds: float) -> None:
    reading = card(at("gaming", seconds), HOST_CARD)
    assert reading is not None
    m = reading.metrics
    whole = (m.util_pct, m.temp_c, m.fan_pct, m.clock_mhz, m.mem_clock_mhz, m.mem_used_mib)
    assert all(isinstance(value, int) for value in whole)
    assert m.power_w is not None and m.power_w == round(m.power_w, 1)


@given(st.floats(0, 5000, allow_nan=False))
def test_temperature_and_memory_move_slowly(seconds: float) -> None:
    one, two = (card(at("crowd", seconds + later), GUEST_CARD) for later in (0, 1))
    assert one is not None and two is not None
    assert abs((one.metrics.temp_c or 0) - (two.metrics.temp_c or 0)) <= 8
    assert abs((one.metrics.mem_used_mib or 0) - (two.metrics.mem_used_mib or 0)) <= 150


# --- what each scenario shows ------------------------------------------


def test_gaming_has_the_card_in_the_guest() -> None:
    view = assess(snapshot(at("gaming", 5)))
    assert [(g.role, g.address, str(g.owner)) for g in view.gpus] == [
        ("guest", GUEST_CARD, "guest:win11"),
        ("host", HOST_CARD, "host"),
    ]
    assert view.gpus[0].reading is None and view.gpus[0].viability.viable
    guest = view.guest
    assert guest is not None and guest.domain.state == "running" and guest.domain.agent


def test_gaming_streams_at_times() -> None:
    encoding = {}
    for seconds in (30, 250):
        reading = card(at("gaming", seconds), HOST_CARD)
        assert reading is not None and reading.processes is not None
        running = "obs" in [p.name for p in reading.processes]
        encoding[seconds] = ((reading.metrics.enc_pct or 0) > 0, running)
    assert encoding == {30: (True, True), 250: (False, False)}


def test_desk_reads_both_cards_and_the_guest_is_off() -> None:
    view = assess(snapshot(at("desk", 5)))
    assert [str(g.owner) for g in view.gpus] == ["host", "host"]
    loads = [g.reading.metrics.util_pct for g in view.gpus if g.reading]
    assert loads[0] == 0 and loads[1]
    assert view.guest is not None and not view.guest.domain.active


def test_idle_has_a_sleeping_card_on_vfio() -> None:
    view = assess(snapshot(at("idle", 5)))
    assert (str(view.gpus[0].owner), view.gpus[0].asleep) == ("vfio", True)


def test_bad_acs_has_blockers_of_all_kinds() -> None:
    view = assess(snapshot(at("bad-acs", 5)))
    guest, host = view.gpus
    drivers = {f.address: f.driver for f in inventory("bad-acs").functions}
    blocking = {drivers[b.address] for b in guest.viability.blockers}
    assert guest.function.iommu_group == host.function.iommu_group
    assert blocking == {"nvidia", "snd_hda_intel", "nvme", "ixgbe"}


def test_identical_cards_differ_in_address_only() -> None:
    one, two = inventory("identical").gpus
    assert (one.vendor, one.device, one.name) == (two.vendor, two.device, two.name)
    assert (one.driver, two.driver) == ("vfio-pci", "nvidia")


def test_the_laptop_card_sleeps_at_times_and_is_not_read_then() -> None:
    awake, asleep = at("laptop", 5), at("laptop", 50)
    assert card(awake, GUEST_CARD) is not None
    with pytest.raises(HostError, match="asleep"):
        asleep.nvml.read()
    vitals = asleep.vitals.read().of(GUEST_CARD)
    assert vitals is not None and (vitals.runtime_status, vitals.power_state) == (
        "suspended",
        "D3cold",
    )
    assert [g.driver for g in asleep.pci.read().gpus] == ["i915", "nvidia"]


def test_crowd_is_large() -> None:
    taken = snapshot(at("crowd", 0))
    assert isinstance(taken.pci, Inventory) and isinstance(taken.guests, Guests)
    sizes = (
        len(taken.pci.gpus),
        len(taken.pci.functions),
        len(taken.pci.groups),
        len(taken.guests.domains),
    )
    assert sizes == (8, 256, 96, 100)


# --- a card falls off the bus -------------------------------------------------


def card_state(host: Host) -> tuple[str, ...]:
    """What each source reports about the card of ``lost``."""
    reading = card(host, GUEST_CARD)
    vitals: Vitals = host.vitals.read()
    functions = host.pci.read().functions
    return (
        "unlisted" if reading is None else "read" if reading.lost is None else "lost",
        "gone" if vitals.of(GUEST_CARD) is None else "there",
        str(sum(f.slot == "0000:01:00" for f in functions)),
    )


def test_lost_card_fails_goes_and_comes_back_again_and_again() -> None:
    clock = HeldClock()
    host = demo_host("lost", clock=clock)
    timeline = {}
    for seconds in (0, 19, 20, 39, 40, 69, 70, 119, 120, 140):
        clock.advance(seconds - clock.seconds())
        timeline[seconds] = card_state(host)
    up, lost, gone = ("read", "there", "2"), ("lost", "there", "2"), ("unlisted", "gone", "0")
    assert timeline == {
        0: up, 19: up, 20: lost, 39: lost, 40: gone, 69: gone, 70: up, 119: up, 120: lost, 140: gone
    }  # fmt: skip


def test_bus_events_wake_when_the_inventory_changes() -> None:
    clock = HeldClock()
    host = demo_host("lost", clock=clock)
    woken: list[tuple[float, int]] = []
    host.pci.watch(lambda: woken.append((clock.seconds(), len(host.pci.read().functions))))
    clock.advance(150)
    changes = [now for now, before in zip(woken[1:], woken, strict=False) if now[1] != before[1]]
    assert [seconds for seconds, _ in changes] == [40, 70, 140]
    host.close()
    clock.advance(150)
    assert len(woken) == len([w for w in woken if w[0] <= 150])


def test_domain_events_wake_when_a_domain_starts_or_stops() -> None:
    clock = HeldClock()
    host = demo_host("gaming", clock=clock)
    seen: list[tuple[float, str]] = []

    def wake() -> None:
        ci = next(d for d in host.guests.read().domains if d.name == "fedora-ci")
        seen.append((clock.seconds(), ci.state))

    host.guests.watch(wake)
    clock.advance(44.9)
    assert seen == []
    clock.advance(100)
    assert seen == [(45, "running"), (135, "shut off")]


def test_an_unchanged_inventory_wakes_nobody() -> None:
    clock = HeldClock()
    host = demo_host("gaming", clock=clock)
    woken: list[float] = []
    host.pci.watch(lambda: woken.append(clock.seconds()))
    clock.advance(3600)
    assert woken == []


# --- clocks -------------------------------------------------------------------


def test_the_held_clock_stands_still_until_advanced() -> None:
    clock = HeldClock()
    began = clock.now()
    assert (clock.seconds(), clock.now()) == (0, began)
    clock.advance(1.5)
    assert (clock.now() - began).total_seconds() == clock.seconds() == 1.5
    assert began.tzinfo is not None


def test_the_held_clock_calls_in_order_and_skips_cancelled_calls() -> None:
    clock = HeldClock()
    called: list[tuple[str, float]] = []
    clock.call_at(3, lambda: called.append(("late", clock.seconds())))
    cancel = clock.call_at(2, lambda: called.append(("never", clock.seconds())))
    clock.call_at(1, lambda: called.append(("early", clock.seconds())))
    cancel()
    clock.advance(10)
    assert called == [("early", 1), ("late", 3)]


def test_the_real_clock_calls_from_a_daemon_thread() -> None:
    clock = RealClock()
    made = threading.Event()
    daemons: list[bool] = []

    def call() -> None:
        daemons.append(threading.current_thread().daemon)
        made.set()

    clock.call_at(clock.seconds() + 0.001, call)
    assert made.wait(PATIENCE)
    assert daemons == [True]


def test_the_real_clock_skips_cancelled_calls() -> None:
    clock = RealClock()
    called, later = threading.Event(), threading.Event()
    clock.call_at(clock.seconds() + 0.05, called.set)()
    clock.call_at(clock.seconds() + 0.1, later.set)
    assert later.wait(PATIENCE)
    assert not called.is_set()


# --- what can go wrong --------------------------------------------------------


def test_an_unknown_scenario_lists_the_known_ones() -> None:
    with pytest.raises(UnknownScenario) as caught:
        demo_host("raining\x1b[31m")
    sentence = str(caught.value)
    assert "raining" in sentence and "\x1b" not in sentence
    assert [name for name in SCENARIOS if name not in sentence] == []


# --- swaps --------------------------------------------------------------------


def drivers(host: Host) -> dict[str, str | None]:
    return {f.address: f.driver for f in host.pci.read().functions if f.slot == "0000:01:00"}


def test_a_card_moves_there_and_back_step_by_step() -> None:
    clock = HeldClock()
    host = demo_host("desk", clock=clock)
    home = drivers(host)
    woken: list[float] = []
    host.swap.watch(lambda: woken.append(clock.seconds()))
    host.mover.begin(SwapRequest("bind", GUEST_CARD))
    assert (host.swap.read().state, host.swap.read().step) == ("running", 0)
    seen = []
    while not host.swap.read().ended:
        clock.advance(0.1)
        seen.append(drivers(host))
    assert woken[0] == 0
    assert len(woken) == 1 + len(host.swap.read().steps)
    assert set(drivers(host).values()) == {"vfio-pci"}
    assert any(None in each.values() for each in seen)
    assert card(host, GUEST_CARD) is None
    host.mover.begin(SwapRequest("unbind", GUEST_CARD))
    clock.advance(10)
    assert (host.swap.read().direction, host.swap.read().state) == ("unbind", "done")
    assert drivers(host) == home
    assert card(host, GUEST_CARD) is not None


def test_another_reading_of_the_same_host_sees_its_swaps() -> None:
    clock = HeldClock()
    host = demo_host("desk", clock=clock)
    assert host.reopen is not None
    other = host.reopen()
    woken: list[float] = []
    host.swap.watch(lambda: woken.append(clock.seconds()))
    other.close()
    host.mover.begin(SwapRequest("bind", GUEST_CARD))
    clock.advance(10)
    assert drivers(other) == drivers(host)
    assert woken != []


def test_programs_on_a_card_of_the_host_are_holders() -> None:
    host = demo_host("desk", clock=HeldClock())
    assert {h.name for h in host.inspector.holders([HOST_CARD]).holders} >= {"Xorg", "firefox"}
    assert host.inspector.holders([GUEST_CARD]).holders == ()


def test_a_missing_card_cannot_be_moved() -> None:
    with pytest.raises(HostError, match="its own cards only"):
        demo_host("desk", clock=HeldClock()).mover.begin(SwapRequest("bind", "0000:ff:00.0"))


# --- memory -------------------------------------------------------------------------


def test_a_running_guest_has_its_huge_pages() -> None:
    off, on = at("desk", 0).memory.read(), at("gaming", 0).memory.read()
    assert off.pools is not None and on.pools is not None
    assert [pool.free for pool in off.pools] == [8192, 8192]
    assert [pool.free for pool in on.pools] == [0, 0]
    assert (off.available_mib or 0) > 0


def test_a_machine_may_be_short_of_huge_pages() -> None:
    machine = replace(MACHINES["desk"].machine(1), pages=6144)
    guests = at("desk", 0).guests.read()
    win11 = next(domain for domain in guests.domains if domain.name == "win11")
    check = memory_checks.memory(win11, machine.memory(guests))
    assert (check.verdict, "6144 are free" in check.why) == ("fail", True)


def test_memory_is_read_while_libvirt_does_not_answer() -> None:
    assert at("fresh", 0).memory.read().pools


# --- stutter ------------------------------------------------------------------


def guest_cpus(scenario: str, seconds: float) -> GuestCpus:
    """The vCPUs of the guest that runs, as the rules see them."""
    host = at(scenario, seconds)
    seen = snapshot(host)
    host.set_demand(demand(assess(seen)))
    guest = assess(replace(seen, threads=host.threads.read())).guest
    assert guest is not None and guest.cpus is not None
    return guest.cpus


def test_one_vcpu_stutters_while_the_host_uses_its_core() -> None:
    waits = {}
    for second in range(70):
        cpus = guest_cpus("stutter", second)
        intruded = [cpu.number for cpu in cpus.cpus if "host" in (cpu.shared_with or ())]
        assert intruded in ([], [STUTTERS])
        worst = cpus.worst
        assert worst is not None and worst.wait_ms is not None
        if worst.wait_ms > WAIT_LOW_MS:
            assert worst.number == STUTTERS
        waits[second] = worst.wait_ms
    assert max(waits.values()) > WAIT_HIGH_MS
    assert min(waits.values()) < WAIT_LOW_MS


def test_the_pages_are_short_where_it_stutters() -> None:
    """The guest that runs has taken them all, so another one that wants some does not start."""
    for scenario, refused in (("stutter", True), ("gaming", False)):
        plan, _ = guest_plan_once(at(scenario, 0), Choice(), "start", "debian-build")
        found = [check.why for check in plan.refusals if check.id == "guest.memory"]
        assert found == ["“debian-build” needs 4096 huge pages of 2 MiB, 0 are free"] * refused


@pytest.mark.parametrize("second", [0, 20, 40, 60])
def test_no_vcpu_of_a_pinned_guest_waits_elsewhere(second: int) -> None:
    cpus = guest_cpus("gaming", second)
    assert all(cpu.shared_with == () and (cpu.wait_ms or 0) < 1 for cpu in cpus.cpus)


def test_threads_are_read_of_the_guest_in_demand_only() -> None:
    host = at("gaming", 0)
    with pytest.raises(NothingToRead):
        host.threads.read()
