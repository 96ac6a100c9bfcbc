"""From readings to the view that screens draw."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import (
    AUDIO,
    NOON,
    SATA,
    card,
    domain,
    function,
    inventory,
    snapshot,
    two_cards,
)
from tui.model import (
    NOT_READ_YET,
    CardReading,
    CardVitals,
    Inventory,
    Metrics,
    NvidiaModel,
    NvmlReading,
    Snapshot,
    Swap,
    SwapState,
    Unavailable,
    Vitals,
)
from tui.rules.events import changes
from tui.rules.roles import Choice
from tui.rules.view import assess

HOST, GUEST = "0000:01:00.0", "0000:02:00.0"


def test_nothing_read_yet_is_a_view_with_problems_only() -> None:
    view = assess(Snapshot())
    assert (view.facts, view.iommu_enabled, view.gpus, view.groups, view.guests) == (
        None, None, (), (), (),
    )  # fmt: skip
    assert [name for name, _ in view.problems] == [
        "facts", "pci", "vitals", "nvml", "drm", "guests", "threads", "agent", "swap", "usb",
        "kernel", "memory", "watch",
    ]  # fmt: skip
    assert view.problem("pci") == "not read yet"


def test_a_whole_host() -> None:
    domains = (domain("win11", "02:00.0", "02:00.1", state="running"), domain("nas"))
    view = assess(snapshot(two_cards("vfio-pci"), domains))
    assert view.problems == ()
    assert (view.iommu_enabled, view.iommu_kind, view.iommu_groups) == (True, "intel", 3)
    assert (view.libvirt_uri, view.libvirt_version) == ("qemu:///system", "11.3.0")
    assert [(g.address, g.role, str(g.owner)) for g in view.gpus] == [
        (GUEST, "guest", "guest:win11"), (HOST, "host", "host"),
    ]  # fmt: skip
    assert view.gpus[0].nvidia == NvidiaModel("Ada", "geforce", "desktop")
    assert [f.address for f in view.gpus[0].companions] == ["0000:02:00.1"]
    assert view.gpus[0].viability.viable is True
    assert [(g.domain.name, g.allowed) for g in view.guests] == [("win11", True), ("nas", False)]
    assert view.guest is not None


@pytest.mark.parametrize(
    ("enabled", "guests", "owner"),
    [
        (1, NOT_READ_YET, "unknown"),
        (None, NOT_READ_YET, "unknown"),
        (0, NOT_READ_YET, "vfio"),  # nobody has it open
        (1, Unavailable("libvirtd is not running"), "vfio"),
    ],
)
def test_before_libvirt_was_read_a_card_that_somebody_may_have_is_not_free(
    enabled: int | None, guests: Unavailable, owner: str
) -> None:
    vitals = Vitals((CardVitals(GUEST, driver="vfio-pci", enabled=enabled),))
    read = replace(snapshot(two_cards("vfio-pci")), vitals=vitals, guests=guests)
    assert str(assess(read).gpus[0].owner) == owner


def test_groups_are_kept_while_only_the_readings_of_cards_differ() -> None:
    before = snapshot(two_cards("vfio-pci"))
    seen = assess(before)
    load = CardReading(HOST, "nvml", Metrics(util_pct=91))
    busy = replace(before, nvml=NvmlReading("580.95.05", (load,)))
    assert assess(busy).gpus != seen.gpus
    assert assess(busy).groups is seen.groups
    moved = replace(before, pci=two_cards("nvidia"))
    assert assess(moved).groups != seen.groups


def test_the_choice_decides() -> None:
    view = assess(snapshot(two_cards(), (domain("a"),)), Choice(guest_gpu=HOST, guest="a"))
    assert [(g.address, g.role) for g in view.gpus] == [(HOST, "guest"), (GUEST, "host")]
    assert [g.allowed for g in view.guests] == [True]


@pytest.mark.parametrize("noiommu", [(), (1,), (1, 2)])
def test_groups_that_isolate_nothing_are_not_an_iommu(noiommu: tuple[int, ...]) -> None:
    """VFIO makes them where no IOMMU is on (drivers/vfio/group.c: enable_unsafe_noiommu_mode)."""
    host = inventory(*card("01:00", 1), *card("02:00", 2, "vfio-pci"), noiommu_groups=noiommu)
    view = assess(snapshot(host))
    assert view.iommu_enabled is (len(noiommu) < 2)
    assert view.iommu_groups == 2 - len(noiommu)


def test_an_iommu_that_is_off_is_not_one_that_was_not_read() -> None:
    off = inventory(*card("01:00", None), groups=(), iommu_kind=None)
    assert assess(snapshot(off)).iommu_enabled is False
    lost = inventory(*card("01:00", None), groups=(), groups_known=False)
    assert assess(snapshot(lost)).iommu_enabled is None
    gone = replace(snapshot(off), pci=Unavailable("sysfs is not mounted"))
    assert assess(gone).iommu_enabled is None
    assert assess(gone).problem("pci") == "sysfs is not mounted"


def test_order_of_groups_and_their_marks() -> None:
    host = inventory(
        *card("01:00", 20, boot_vga=True),
        *card("02:00", 30),
        *card("03:00", 25, "vfio-pci"),
        function("04:00.0", SATA, driver="ahci", iommu_group=30),
        function("05:00.0", SATA, driver="ahci", iommu_group=2),
        function("05:00.1", SATA, iommu_group=10, unreadable=("driver",)),
        function("00:00.0", "060000"),
    )
    view = assess(snapshot(host), Choice(guest_gpu=GUEST))
    assert [(g.id, g.role, g.marks) for g in view.groups] == [
        (30, "guest", ("gpu", "moves", "blocks")),
        (20, "host", ("gpu", "moves")),
        (25, "other", ("gpu", "moves")),
        (2, None, ("ok",)),
        (10, None, ("unknown",)),
        (None, None, ("ok",)),
    ]
    assert view.groups[0].reason("0000:04:00.0") == "used by the host (ahci)"


def test_next_to_a_blocker_harmless_functions_are_ok_and_unreadable_ones_unknown() -> None:
    host = inventory(
        *card("01:00", 20, boot_vga=True),
        *card("02:00", 30),
        function("04:00.0", SATA, driver="ahci", iommu_group=30),
        function("04:00.1", SATA, iommu_group=30, unreadable=("driver",)),
        function("04:00.2", SATA, iommu_group=30),
    )
    group = assess(snapshot(host), Choice(guest_gpu=GUEST)).groups[0]
    assert group.marks == ("gpu", "moves", "blocks", "unknown", "ok")


def test_two_gpus_in_one_group_are_seen_from_the_one_that_matters_more() -> None:
    host = inventory(*card("01:00", 1, boot_vga=True), *card("02:00", 1))
    group = assess(snapshot(host)).groups[0]
    assert (group.role, group.marks) == ("guest", ("blocks", "blocks", "gpu", "moves"))


def test_a_group_that_cannot_be_used_is_never_marked_as_fine() -> None:
    noiommu = inventory(*card("01:00", 0), noiommu_groups=(0,))
    group = assess(snapshot(noiommu)).groups[0]
    assert group.marks == ("blocks", "moves")
    assert "noiommu" in (group.reason(HOST) or "")
    unreadable = function("02:00.0", SATA, iommu_group=0, unreadable=("driver",))
    dark = inventory(*card("01:00", 0), unreadable)
    group = assess(snapshot(dark)).groups[0]
    assert group.marks == ("gpu", "moves", "unknown")
    assert group.reason("0000:02:00.0") == "its driver cannot be read"


def test_without_groups_all_functions_are_in_none() -> None:
    host = inventory(*card("01:00", None), groups=(), iommu_kind=None)
    view = assess(snapshot(host))
    assert [(g.id, g.marks) for g in view.groups] == [(None, ("gpu", "moves"))]
    assert view.groups[0].reasons == ()


def test_guests_are_ordered_allowed_then_active_then_by_name() -> None:
    domains = (
        domain("a"), domain("c", state="running"), domain("b", state="paused"),
        domain("z", "02:00.0"),
    )  # fmt: skip
    view = assess(snapshot(two_cards(), domains))
    assert [g.domain.name for g in view.guests] == ["z", "b", "c", "a"]


READING = CardReading(HOST, "nvml", Metrics(util_pct=12.0))


def test_a_listed_card_has_its_reading() -> None:
    gpu = assess(snapshot(two_cards(), nvml=NvmlReading("580", (READING,)))).gpu(HOST)
    assert gpu is not None
    assert (gpu.reading, gpu.no_reading) == (READING, None)


def test_a_lost_card_keeps_its_last_word() -> None:
    lost = CardReading(HOST, "nvml", lost="fell off the bus")
    gpu = assess(snapshot(two_cards(), nvml=NvmlReading("580", (lost,)))).gpu(HOST)
    assert gpu is not None
    assert gpu.reading == lost


def test_a_stale_reading_is_not_shown_for_a_card_on_vfio() -> None:
    stale = NvmlReading("580", (CardReading(GUEST, "nvml"),))
    gpu = assess(snapshot(two_cards("vfio-pci"), nvml=stale)).gpu(GUEST)
    assert gpu is not None
    assert (gpu.reading, gpu.no_reading) == (None, "on vfio-pci: the host cannot read it")


AWAKE, ASLEEP = Vitals((CardVitals(GUEST, "active"),)), Vitals((CardVitals(GUEST, "suspended"),))
RESTING = NvmlReading("580", (), released_idle=(GUEST,))
STATUSES = (
    ("suspending", "falling asleep"), ("resuming", "waking up"), ("error", "management failed"),
    ("unsupported", "the card may be asleep"), ("weird", "cannot tell whether it is awake"),
)  # fmt: skip
"""Other values of power/runtime_status: none of them means an awake card, or one that NVML does not
list."""
DEAD = Unavailable("NVML did not load: no libnvidia-ml.so.1")


@pytest.mark.parametrize(
    ("facts", "readings", "reason"),
    [
        ({"driver": None}, {}, "no driver"),
        ({"driver": None, "unreadable": ("driver",)}, {}, "driver cannot be read"),
        ({"driver": "nouveau"}, {}, "on nouveau: NVML needs"),
        ({"driver": "radeon", "vendor": "1002"}, {}, "on radeon, which reports no readings"),
        ({"driver": "amdgpu", "vendor": "1002"}, {"vitals": ASLEEP}, "asleep"),
        ({"driver": "nvidia"}, {}, "NVML does not list"),
        ({"driver": "nvidia"}, {"nvml": RESTING}, "idle: NVML has released it"),
        ({"driver": "nvidia"}, {"vitals": ASLEEP}, "asleep"),
        ({"driver": "nvidia"}, {"vitals": ASLEEP, "nvml": DEAD}, "asleep"),
        ({"driver": "nvidia"}, {"vitals": AWAKE, "nvml": DEAD}, "libnvidia-ml"),
        *(
            (
                {"driver": driver, "vendor": vendor},
                {"vitals": Vitals((CardVitals(GUEST, status),)), "nvml": NvmlReading("580", ())},
                words,
            )
            for driver, vendor in (("nvidia", "10de"), ("amdgpu", "1002"), ("xe", "8086"))
            for status, words in STATUSES
        ),
    ],
)
def test_why_a_card_has_no_reading(
    facts: dict[str, Any], readings: dict[str, Any], reason: str
) -> None:
    gpu = assess(snapshot(inventory(function("02:00.0", **facts)), **readings)).gpus[0]
    assert gpu.reading is None
    assert reason in (gpu.no_reading or "")


@pytest.mark.parametrize(
    ("state", "message", "words"),
    [
        ("running", None, "bind, step 2 of 2: unbind it"),
        ("undoing", None, "undoing the bind: unbind it"),
        (
            "undoing",
            "the kernel does not take it",
            "undoing the bind: the kernel does not take it",
        ),
    ],
)
def test_a_card_that_is_moved_tells_how_far_that_is(
    state: SwapState, message: str | None, words: str
) -> None:
    steps = ("load vfio-pci", "unbind it")
    swap = Swap("a", "bind", GUEST, (GUEST,), state, steps, 1, NOON, NOON, message)
    gpu = assess(snapshot(two_cards(), swap=swap)).gpu(GUEST)
    assert gpu is not None
    assert (str(gpu.owner), gpu.reading, gpu.no_reading) == ("moving", None, words)


def test_other_vendors_are_no_nvidia_model() -> None:
    host = inventory(function("02:00.0", vendor="1002", name="Navi 21"))
    assert assess(snapshot(host)).gpus[0].nvidia is None


def test_equal_snapshots_give_equal_views() -> None:
    assert assess(snapshot(two_cards())) == assess(snapshot(two_cards()))


def large_host(part: float = 1.0) -> Inventory:
    """8 GPUs, 256 functions, 96 groups, or a part of them."""
    count, functions, groups = int(8 * part), int(256 * part), int(96 * part)
    gpus = [f for n in range(count) for f in card(f"{n + 1:02x}:00", n, boot_vga=n == 0)]
    rest = [
        function(f"{0x20 + n // 8:02x}:00.{n % 8}", AUDIO, iommu_group=count + n % (groups - count))
        for n in range(functions - len(gpus))
    ]
    return inventory(*gpus, *rest)


def calls_of(assessed: Snapshot) -> int:
    """The number of function calls in an assessment, C functions included."""
    counted = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        assess(assessed)
    finally:
        sys.setprofile(None)
    return counted


def test_what_an_assessment_takes_grows_with_the_host_and_no_faster() -> None:
    domains = [domain(f"vm{n}", "02:00.0" if n == 0 else "7f:00.0") for n in range(100)]
    large = snapshot(large_host(), domains)
    half = snapshot(large_host(0.5), domains[:50])
    assert (len(assess(large).groups), len(assess(half).groups)) == (96, 48)
    assert calls_of(large) < 2.5 * calls_of(half)


def test_the_model_and_the_rules_load_neither_textual_nor_libvirt() -> None:
    code = (
        "import sys, tui.model, tui.rules.view, tui.rules.events, tui.report.status_json\n"
        "heavy = {'textual', 'rich', 'libvirt', 'pyudev', 'pynvml', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"


# --- rules that are checked all the time -------------------------------------------


def test_the_rules_are_looked_at_with_every_reading() -> None:
    running = domain("win11", "02:00.0", state="running")
    view = assess(snapshot(two_cards("vfio-pci"), (running,)))
    assert [(check.id, check.verdict) for check in view.checks] == [
        ("r465.one-vm", "pass"), ("r465.family", "pass"), ("host.not-shared", "pass"),
        ("host.two-gpus", "pass"),
    ]  # fmt: skip
    rival = domain("rival", "01:00.0", state="running", persistent=False)
    broken = assess(snapshot(two_cards("vfio-pci"), (running, rival)), Choice("0000:02:00.0"))
    assert {check.id for check in broken.checks if check.verdict == "fail"} == {"r465.one-vm"}
    told = [event for event in changes(view, broken, NOON) if "violates r465.one-vm" in event.text]
    assert [(event.kind, "“rival”" in event.text) for event in told] == [("failed", True)]
    assert not [e for e in changes(broken, broken, NOON) if "violates" in e.text]
    unread = assess(snapshot(two_cards("vfio-pci"), guests=Unavailable("libvirtd is away")))
    assert unread.checks[0].verdict == "unknown"
    assert assess(snapshot(inventory())).checks == ()
