"""What a sample changes: a reading equal to the last one changes nothing but its time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import get_args

import pytest
from msgspec.structs import replace

from tests.unit.made import NOON, domain, guests, two_cards
from tui.live import EVENTS_KEPT, GUEST_WAIT, Live, vcpu_key
from tui.model import (
    AgentReading,
    CardReading,
    CardVitals,
    DomainState,
    DrmReading,
    Event,
    GpuProcess,
    GuestCard,
    GuestReport,
    Guests,
    GuestThreads,
    Holder,
    Holders,
    HostDev,
    HostFacts,
    HostMemory,
    KernelLog,
    KernelMessage,
    Link,
    Metrics,
    MetricsSource,
    NvmlReading,
    PagePool,
    QemuThread,
    Reading,
    Sample,
    SourceName,
    Swap,
    Unavailable,
    UsbDevice,
    UsbReading,
    VcpuTime,
    Vitals,
    Watch,
)
from tui.model.watch import WatchPolicy
from tui.rules.leaving import WAY_OUT
from tui.rules.roles import Choice

HOST, GUEST = "0000:01:00.0", "0000:02:00.0"
LATER = NOON + timedelta(seconds=5)
CARD = GuestCard("10de", "2684", None, "RTX 4090", Metrics(util_pct=97))


def card(source: MetricsSource) -> CardReading:
    busy = Metrics(util_pct=12.0, temp_c=54, throttle=("power cap",))
    return CardReading(HOST, source, busy, "RTX 4090", (GpuProcess(7, "Xorg", "graphics", 120.0),))


READINGS: dict[SourceName, Callable[[], Reading]] = {
    "facts": lambda: HostFacts("atlas", "6.12", chassis=10),
    "pci": lambda: two_cards("vfio-pci"),
    "vitals": lambda: Vitals((CardVitals(GUEST, "active", "D0", Link(16.0, 16), "vfio-pci"),)),
    "nvml": lambda: NvmlReading("580.95.05", (card("nvml"),), released_idle=(GUEST,)),
    "drm": lambda: DrmReading((card("amdgpu"),)),
    "guests": lambda: guests(domain("win11", "02:00.0", state="running", agent=True)),
    "threads": lambda: GuestThreads("uuid-win11", (QemuThread("vcpu", 8, 0, 50.0),), ()),
    "agent": lambda: AgentReading((GuestReport("uuid-win11", "572.83", (CARD,), None, NOON),)),
    "swap": lambda: Swap("1", "bind", GUEST, (GUEST,), "done", ("unbind",), 1, NOON, NOON),
    "usb": lambda: UsbReading((UsbDevice("1-2", 3, "046d", "c08b", "Mouse"),)),
    "memory": lambda: HostMemory(8192, pools=(PagePool(2048, 512, 512),)),
    "kernel": lambda: KernelLog((KernelMessage(7, "aer", GUEST),)),
    "watch": lambda: Watch(True, True, WatchPolicy(), events=(Event(NOON, GUEST, "kept"),)),
}  # fmt: skip


@pytest.fixture
def live() -> Live:
    """Every source has been read at noon."""
    found = Live(Choice())
    for source, reading in READINGS.items():
        found.take(Sample(source, reading(), NOON))
    return found


def changes(live: Live, source: SourceName, reading: Reading) -> bool:
    """Whether a later sample changes what is on the screen."""
    view, events = live.view, live.events
    live.take(Sample(source, reading, LATER))
    return live.view is not view or live.events is not events


@pytest.mark.parametrize("source", get_args(SourceName))
def test_an_equal_reading_changes_its_time_only(live: Live, source: SourceName) -> None:
    reading = READINGS[source]()
    assert reading is not getattr(live.snapshot, source)
    assert not changes(live, source, reading)
    assert live.snapshot.read_at[source] == LATER
    assert set(live.snapshot.read_at.values()) == {NOON, LATER}


@pytest.mark.parametrize("source", get_args(SourceName))
def test_an_equal_reason_changes_its_time_only(live: Live, source: SourceName) -> None:
    assert changes(live, source, Unavailable("it is away"))
    assert not changes(live, source, Unavailable("it is away"))
    assert changes(live, source, Unavailable("it is away", expected=True))


@pytest.mark.parametrize(
    ("source", "reading"),
    [
        ("facts", HostFacts("atlas", "6.12", chassis=3)),
        ("facts", HostFacts("atlas", "6.12", chassis=10, captured=True)),
        ("guests", guests(replace(domain("win11", state="running", agent=True), hostdevs=(
            HostDev(GUEST, managed=False, rom=True),)))),
        ("agent", AgentReading((GuestReport("uuid-win11", "572.83", (CARD,), None, LATER),))),
    ],
)  # fmt: skip
def test_a_field_that_differs_is_shown(live: Live, source: SourceName, reading: Reading) -> None:
    assert changes(live, source, reading)


def test_what_is_new_is_returned_once(live: Live) -> None:
    log = KernelLog((KernelMessage(7, "aer", GUEST), KernelMessage(9, "off-bus", "0000:02:00")))
    changed = live.take(Sample("kernel", log, LATER))
    assert changed.events == live.events[:1]
    assert live.take(Sample("kernel", log, LATER)).events == ()
    assert live.view is changed.after is not changed.before


def test_samples_of_one_moment_are_judged_once(live: Live) -> None:
    view = live.view
    vitals = Vitals((CardVitals(GUEST, "suspended", "D3hot", Link(16.0, 16), "vfio-pci"),))
    off = guests(domain("win11", "02:00.0", state="shut off"))
    changed = live.take(Sample("vitals", vitals, LATER), Sample("guests", off, LATER))
    assert changed.before is view
    assert changed.after is live.view
    assert (live.snapshot.vitals, live.snapshot.guests) == (vitals, off)
    assert {live.snapshot.read_at[source] for source in ("vitals", "guests")} == {LATER}
    assert [event.text for event in changed.events if event.subject == "win11"]


def test_what_was_noted_or_heard_meanwhile_is_new_too(live: Live) -> None:
    noted, past = Event(LATER, "win11", "refused", "failed"), Event(NOON, GUEST, "unbound")
    live.note(noted)
    live.hear((past,))
    assert live.new_events() == (past, noted)
    live.note(noted)
    away = Sample("guests", Unavailable("libvirtd is not running"), LATER)
    assert [event.subject for event in live.take(away).events] == ["libvirt", "win11"]
    assert live.new_events() == ()


def test_what_is_new_does_not_depend_on_the_events_that_are_kept(live: Live) -> None:
    for number in range(EVENTS_KEPT):
        live.note(Event(NOON, GUEST, f"{number}"))
    live.new_events()
    live.note(Event(LATER, GUEST, "one more"))
    live.note(Event(LATER, GUEST, "one more"))
    assert len(live.new_events()) == 2


def test_a_new_owner_is_returned_once(live: Live) -> None:
    """An owner that cannot be read for a while is not a new one."""
    assert live.take(Sample("guests", READINGS["guests"](), LATER)).owners == frozenset()
    off = guests(domain("win11", "02:00.0", state="shut off"))
    assert live.take(Sample("guests", off, LATER)).owners == {GUEST}
    no_driver = replace(two_cards("vfio-pci"), functions=tuple(
        replace(each, driver=None) for each in two_cards("vfio-pci").functions
    ))  # fmt: skip
    assert GUEST in live.take(Sample("pci", no_driver, LATER)).owners
    assert live.take(Sample("vitals", Unavailable("no answer"), LATER)).owners == frozenset()
    assert live.view.guest_gpu is not None and live.view.guest_gpu.owner.kind == "unknown"
    assert live.take(Sample("vitals", READINGS["vitals"](), LATER)).owners == frozenset()


def test_the_first_owner_is_not_new() -> None:
    """A guest may be known later than its card."""
    live = Live(Choice(GUEST))
    for source in ("pci", "vitals", "swap", "guests"):
        sample = Sample(source, READINGS[source](), NOON)
        assert live.take(sample).owners == frozenset()
    assert live.view.guest_gpu is not None and live.view.guest_gpu.owner.kind == "guest"


QEMU = Holder(GUEST, 4711, "qemu-system-x86", "/dev/vfio/2", guest="win11")


def had(enabled: int, *users: Holder) -> Vitals:
    """The guest's card on vfio-pci, open in these processes; without any, no scan was made."""
    return Vitals((CardVitals(
        GUEST, "active", "D0", driver="vfio-pci", enabled=enabled,
        users=Holders(users) if users else None,
    ),))  # fmt: skip


def told(live: Live, source: SourceName, reading: Reading) -> list[str]:
    """The events about the guest's card; its flash is one as well."""
    changed = live.take(Sample(source, reading, LATER))
    flash = ["flash"] if GUEST in changed.owners else []
    return [event.text for event in changed.events if event.subject == GUEST] + flash


@pytest.mark.parametrize("off", [guests(), guests(domain("win11", "02:00.0"))])
@pytest.mark.parametrize("while_it_ran", [had(1), had(1, QEMU)])
def test_a_process_that_is_on_its_way_out_is_no_news(
    live: Live, while_it_ran: Vitals, off: Guests
) -> None:
    """libvirt reports a domain's end before its QEMU has released the card."""
    live.choose(Choice(GUEST))
    assert told(live, "vitals", while_it_ran) == []
    assert told(live, "guests", off) == ["released by win11", "flash"]
    assert told(live, "vitals", had(1, QEMU)) == []
    assert live.view.guest_gpu is not None and live.view.guest_gpu.taken_by == QEMU
    assert told(live, "vitals", had(1, QEMU, replace(QEMU, pid=4712))) == []
    assert told(live, "vitals", had(0)) == []
    assert told(live, "vitals", had(1, QEMU)) == ["in use by win11", "flash"], "another one"


def test_one_that_does_not_get_out_is_news(live: Live) -> None:
    """Its QEMU is stuck with the card, so nobody else can have the card."""
    live.choose(Choice(GUEST))
    assert told(live, "vitals", had(1, QEMU)) == []
    assert told(live, "guests", guests()) == ["released by win11", "flash"]
    for after, news in ((WAY_OUT / 2, []), (WAY_OUT, ["in use by win11"]), (2 * WAY_OUT, [])):
        changed = live.take(Sample("vitals", had(1, QEMU), LATER + after))
        assert [event.text for event in changed.events] == news
        assert changed.owners == ({GUEST} if news else frozenset())
    assert told(live, "vitals", had(0)) == ["released by win11", "flash"]


def test_while_libvirt_does_not_answer_nobody_is_on_its_way_out(live: Live) -> None:
    live.choose(Choice(GUEST))
    running, away = READINGS["guests"](), Unavailable("libvirtd is not running")
    assert told(live, "vitals", had(1, QEMU)) == []
    for reading in (away, running, away):
        assert told(live, "guests", reading) == []
    assert told(live, "guests", guests()) == ["flash"]


def test_another_process_is_news(live: Live) -> None:
    live.choose(Choice(GUEST))
    other = replace(QEMU, guest="other")
    assert told(live, "vitals", had(1)) == []
    assert told(live, "guests", guests()) == ["released by win11", "flash"]
    assert told(live, "vitals", had(1, other)) == ["in use by other", "flash"]
    assert told(live, "vitals", had(0)) == ["released by other", "flash"]


def test_a_process_that_is_on_its_way_in_is_news_once(live: Live) -> None:
    """QEMU opens the card before libvirt reports that the domain runs."""
    off = guests(domain("win11", "02:00.0"))
    assert told(live, "guests", off) == ["released by win11", "flash"]
    assert told(live, "vitals", had(0)) == []
    assert told(live, "vitals", had(1, QEMU)) == ["in use by win11", "flash"]
    assert told(live, "guests", READINGS["guests"]()) == []


def test_a_message_of_the_kernel_is_an_event_once(live: Live) -> None:
    before = live.events
    log = KernelLog((KernelMessage(7, "aer", GUEST), KernelMessage(9, "off-bus", "0000:02:00")))
    live.take(Sample("kernel", log, LATER))
    new, *rest = live.events
    assert (new.subject, new.at, new.by, tuple(rest)) == (GUEST, LATER, "kernel", before)
    live.take(Sample("kernel", KernelLog(log.messages[1:]), LATER))
    assert live.events == (new, *before)


def test_the_age_of_a_card_counts_from_its_last_reading(live: Live) -> None:
    gpu = live.view.gpu(HOST)
    assert gpu is not None and live.age(gpu, LATER) == 5.0
    assert not changes(live, "nvml", READINGS["nvml"]())
    assert live.age(gpu, LATER) == 0.0


def test_the_age_of_a_guests_card_counts_from_its_report(live: Live) -> None:
    gpu = live.view.gpu(GUEST)
    assert gpu is not None and gpu.reading is not None and gpu.reading.source == "guest-agent"
    assert not changes(live, "agent", READINGS["agent"]())
    assert live.age(gpu, LATER) == 5.0


def test_the_last_guests_are_kept_for_the_screen_and_not_for_the_rules(live: Live) -> None:
    known = live.view.guests
    assert known and live.last_guests == (known, NOON)
    live.take(Sample("guests", Unavailable("libvirtd is not running"), LATER))
    assert live.last_guests == (known, NOON)
    assert live.view.guests == () and isinstance(live.snapshot.guests, Unavailable)
    live.take(Sample("guests", guests(), LATER))
    assert live.last_guests == ((), LATER)


def test_the_last_guests_are_those_of_the_last_choice(live: Live) -> None:
    live.choose(Choice(guest="uuid-other"))
    assert live.last_guests is not None and live.last_guests.guests == live.view.guests


def ended_at(live: Live, state: DomainState, at: datetime = LATER) -> datetime | None:
    """When win11 ended, as far as it is known after it was seen in ``state``."""
    live.take(Sample("guests", guests(domain("win11", "02:00.0", state=state)), at))
    return live.ended_at.get("uuid-win11")


@pytest.mark.parametrize("state", ["shut off", "crashed"])
def test_the_end_of_a_guest_that_was_seen_running_is_known(live: Live, state: DomainState) -> None:
    assert ended_at(live, "running") is None
    assert ended_at(live, state) == LATER
    later = LATER + timedelta(minutes=5)
    assert ended_at(live, "shut off", later) == LATER
    assert ended_at(live, "running", later) is None


def test_a_crashed_guest_that_is_kept_has_not_ended(live: Live) -> None:
    assert ended_at(live, "running") is None
    kept = replace(domain("win11", "02:00.0", state="crashed"), preserved=True)
    live.take(Sample("guests", guests(kept), LATER))
    assert "uuid-win11" not in live.ended_at
    later = LATER + timedelta(minutes=5)
    assert ended_at(live, "shut off", later) == later


def test_the_end_of_a_guest_is_not_known_if_nobody_saw_it(live: Live) -> None:
    assert ended_at(Live(Choice()), "shut off") is None
    assert ended_at(live, "unknown") is None
    assert ended_at(live, "shut off") is None
    assert ended_at(live, "running") is None
    live.take(Sample("guests", Unavailable("libvirtd is not running"), LATER))
    assert ended_at(live, "shut off", LATER + timedelta(hours=1)) is None


def test_guests_that_are_gone_are_forgotten(live: Live) -> None:
    """A host of short-lived guests defines a thousand a day."""
    assert ended_at(live, "running") is None
    assert ended_at(live, "shut off") == LATER
    live.take(Sample("guests", Unavailable("libvirtd is not running"), LATER))
    assert live.ended_at
    live.take(Sample("guests", guests(domain("other", "02:00.0", state="shut off")), LATER))
    assert not live.ended_at


def test_a_source_that_does_not_answer_keeps_the_time_of_its_last_answer(live: Live) -> None:
    live.take(Sample("nvml", Unavailable("no answer since 12:00:00"), LATER), finished=False)
    assert live.snapshot.read_at["nvml"] == NOON


def stuttering(live: Live, *waits: float | None) -> None:
    """A reading of the guest each second, with the waits of its vCPU 1."""
    for number, ms in enumerate(waits):
        times = (VcpuTime(0, 50.0, 0.2), VcpuTime(1, 50.0, ms))
        guest = domain("win11", "02:00.0", state="running", agent=True, vcpu_times=times)
        live.take(Sample("guests", guests(guest), LATER + timedelta(seconds=2 * number)))


def test_the_waits_of_the_guest_are_kept_for_the_graphs(live: Live) -> None:
    stuttering(live, 0.4, 31.0, None)
    assert live.history.series(vcpu_key(1))[-3:] == (0.4, 31.0, None)
    assert live.history.series(GUEST_WAIT)[-3:] == (0.4, 31.0, 0.2)


def test_a_long_wait_is_an_event_and_stays_in_sight(live: Live) -> None:
    before = live.events
    stuttering(live, 0.4, 31.0, 0.4)
    at = LATER + timedelta(seconds=2)
    (event,) = live.events[: len(live.events) - len(before)]
    assert (event.at, event.text) == (at, "vCPU 1 waited over 20 ms/s")
    worst = live.waits.worst(at)
    assert worst is not None and (worst.vcpu, worst.ms, worst.at) == (1, 31.0, at)


def test_a_guest_that_is_gone_leaves_a_gap_in_the_waits_of_its_vcpus(live: Live) -> None:
    stuttering(live, 0.4)
    live.take(Sample("guests", Unavailable("libvirt is away"), LATER + timedelta(seconds=2)))
    assert live.history.series(vcpu_key(1))[-2:] == (0.4, None)


def test_the_graphs_of_a_guest_begin_with_it(live: Live) -> None:
    stuttering(live, 0.4, 31.0)
    win11 = live.view.guest
    assert win11 is not None
    live.take(Sample("guests", Unavailable("libvirt is away"), LATER + timedelta(seconds=4)))
    both = guests(win11.domain, domain("other"))
    live.take(Sample("guests", both, LATER + timedelta(seconds=6)))
    assert 31.0 in live.history.series(GUEST_WAIT)
    live.choose(Choice(guest="uuid-other"))
    assert live.history.series(GUEST_WAIT) == live.history.series(vcpu_key(1)) == ()
    assert live.waits.recent == ()


def test_what_the_watch_tells_is_told_once_and_at_its_time(live: Live) -> None:
    """Even if its record cannot be read for a while."""
    kept = Event(NOON, GUEST, "kept")
    assert live.events == (kept,)
    watch = Watch(True, True, WatchPolicy(), events=(Event(LATER, GUEST, "unbound"), kept))
    for reading in (Unavailable("torn"), watch, Unavailable("torn"), watch):
        live.take(Sample("watch", reading, LATER))
    told = [event for event in live.events if event.subject == GUEST]
    assert told == [*watch.events]


def test_a_change_that_is_seen_before_its_swap_is_the_swaps() -> None:
    live = Live(Choice(GUEST))
    live.take(Sample("pci", two_cards("vfio-pci"), NOON))
    live.take(Sample("swap", Unavailable("no card was moved", expected=True), NOON))
    live.take(Sample("pci", two_cards(), LATER))
    assert {event.by for event in live.events} == {"external"}
    swap = Swap("1", "unbind", GUEST, (GUEST,), "running", ("echo",), 0, LATER, LATER, by="watch")
    live.take(Sample("swap", replace(swap, began_at=LATER + timedelta(seconds=1)), LATER))
    assert "external" in {event.by for event in live.events}, "it had not begun"
    live.take(Sample("swap", replace(swap, id="2"), LATER))
    changed = [event.by for event in live.events if " → nvidia" in event.text]
    assert changed == ["watch"]
