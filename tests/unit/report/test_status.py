"""What ``vfiotop status`` prints."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from textual.geometry import Size

from tests.unit.made import (
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
    CLOCK,
    AgentReading,
    CardReading,
    CardVitals,
    Check,
    CpuTopology,
    DomainSetup,
    Event,
    GpuProcess,
    GuestCard,
    GuestReport,
    GuestThreads,
    Holder,
    Holders,
    HostCpu,
    HostFacts,
    HostMemory,
    HostView,
    Inventory,
    Link,
    MemoryPart,
    Metrics,
    NvmlReading,
    PagePool,
    Pinning,
    QemuThread,
    Snapshot,
    SourceName,
    Swap,
    Unavailable,
    VcpuTime,
    Vitals,
    Watch,
)
from tui.model.watch import PendingReturn, WatchPolicy
from tui.report.status_json import as_json
from tui.report.status_text import as_text
from tui.rules.view import assess
from widgets.card import Card
from widgets.card_lines import card_lines
from widgets.card_zoom import zoomed_lines
from widgets.graph_grid import Times
from widgets.lines import Line

HOST, GUEST = "0000:01:00.0", "0000:02:00.0"

READING = CardReading(
    HOST,
    "nvml",
    Metrics(util_pct=12, mem_used_mib=1024, mem_total_mib=24576, temp_c=54, throttle=("power",)),
    processes=(GpuProcess(7, "Xorg", "graphics", 120.0),),
)


@pytest.fixture
def gaming() -> HostView:
    """The guest runs with its card on vfio-pci; NVML reads the host's."""
    return assess(
        snapshot(
            two_cards("vfio-pci"),
            (
                domain("win11", "02:00.0", "02:00.1", state="running", cpu_pct=34.0, agent=True),
                domain("nas"),
            ),
            vitals=Vitals((
                CardVitals(HOST, "active", "D0", Link(16.0, 16), "nvidia"),
                CardVitals(GUEST, "suspended", "D3cold", None, "vfio-pci"),
            )),
            nvml=NvmlReading("580.95", (READING,)),
        )
    )  # fmt: skip


METRICS = dict.fromkeys(
    (
        "util_pct", "mem_used_mib", "mem_total_mib", "temp_c", "temp_limit_c",
        "fan_pct", "power_w", "power_limit_w", "clock_mhz", "mem_clock_mhz", "pcie_gen",
        "pcie_width", "enc_pct", "dec_pct",
    ),
    (int, float, None),
)  # fmt: skip

SHAPE: dict[str, Any] = {
    "schema": int,
    "taken_at": str,
    "host": {
        "name": (str, None),
        "kernel": (str, None),
        "iommu": {"enabled": (bool, None), "kind": (str, None), "groups": int},
        "libvirt": {"uri": (str, None), "version": (str, None), "error": (str, None)},
        "cpus": ({"cores": [[int]], "isolated": [int], "nohz_full": [int]}, None),
    },
    "gpus": [{
        "address": str, "vendor": str, "device": str, "name": str, "role": str, "owner": str,
        "driver": (str, None), "iommu_group": (int, None), "companions": [str],
        "boot_vga": (bool, None), "runtime_status": (str, None),
        "nvidia": ({"family": (str, None), "brand": str, "form": (str, None)}, None),
        "source": (str, None), "age_s": (float, None),
        "metrics": (METRICS, None),
        "holders": ([{"pid": (int, None), "name": str, "what": str}], None),
    }],
    "groups": [{"id": int, "devices": [str]}],
    "viability": {},
    "guests": [{
        "name": str, "state": str, "allowed": bool, "hostdevs": ([str], None),
        "vcpus": (int, None), "cpu_pct": (float, None), "memory_mib": (float, None),
        "vcpu_cores": ({
            "vcpus": [{
                "number": int, "load_pct": (float, None), "wait_ms": (float, None),
                "asleep_pct": (float, None), "cpu": (int, None), "pinned": ([int], None),
                "shared_with": ([str], None), "host_pct": (float, None),
            }],
            "unread": int, "problem": (str, None), "host_pct": (float, None),
            "emulator": ({"load_pct": (float, None), "cpus": [int]}, None),
            "io": ({"load_pct": (float, None), "cpus": [int]}, None),
        }, None),
    }],
    "checks": [{
        "id": str, "subject": (str, None), "verdict": str, "why": str, "fix": (str, None),
    }],
    "swap": (None,),
    "usb": ([{
        "port": str, "bus": int, "number": int, "vendor": str, "product": str,
        "serial": (str, None), "name": str, "controller": (str, None), "state": str, "why": str,
        "guest": (str, None), "guest_uuid": (str, None),
        "attached": [{"kind": str, "name": str, "what": str, "in_use": bool}],
    }], None),
}  # fmt: skip
"""Schema 1: the keys that a program may rely on. Tuples are alternatives."""

VIABILITY: dict[str, Any] = {
    "viable": (bool, None), "moves": [str], "blockers": [{"address": str, "reason": str}],
}  # fmt: skip


def fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, tuple):
        return any(fits(value, one) for one in shape)
    if shape is None:
        return value is None
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            key in value and fits(value[key], inner) for key, inner in shape.items()
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(item, shape[0]) for item in value)
    return type(value) is shape


def test_the_schema_check_finds_errors() -> None:
    assert not fits({"a": 1}, {"a": str})
    assert not fits({}, {"a": (str, None)})
    assert not fits([1, "x"], [int])
    assert not fits(True, int)


def views() -> list[HostView]:
    off: Inventory = inventory(*card("01:00", None), groups=(), iommu_kind=None)
    dark = function("02:00.0", vendor="1002", name="Navi", unreadable=("driver", "iommu_group"))
    return [
        HostView(),
        assess(Snapshot()),
        assess(snapshot(off)),
        assess(snapshot(off, facts=HostFacts("atlas", "6.12", cpus=CpuTopology(((0, 1),), (1,))))),
        assess(snapshot(inventory(dark, function("00:00.0", SATA)))),
        assess(snapshot(two_cards(), (domain("vm", problem="unreadable"),))),
        assess(snapshot(two_cards(), nvml=NvmlReading(None, (replace(READING, lost="gone"),)))),
        replace(assess(Snapshot()), checks=(Check("host.linux", None, "pass", "Linux"),)),
    ]


def test_every_view_matches_schema_1(gaming: HostView) -> None:
    for view in (gaming, *views()):
        found = json.loads(json.dumps(as_json(view, NOON), allow_nan=False))
        for key, shape in SHAPE.items():
            assert fits(found[key], shape), (key, found[key])
        assert all(fits(one, VIABILITY) for one in found["viability"].values())
        assert set(found["viability"]) == {gpu["address"] for gpu in found["gpus"]}
        assert as_text(view)


def test_json_of_a_card_in_a_guest(gaming: HostView) -> None:
    found = as_json(gaming, NOON)
    gpu = found["gpus"][0]
    assert (gpu["address"], gpu["role"], gpu["owner"]) == (GUEST, "guest", "guest:win11")
    assert gpu["companions"] == ["0000:02:00.1"]
    assert (gpu["runtime_status"], gpu["power_state"]) == ("suspended", "D3cold")
    assert gpu["nvidia"] == {"family": "Ada", "brand": "geforce", "form": "desktop"}
    assert (gpu["source"], gpu["age_s"], gpu["metrics"], gpu["holders"]) == (None,) * 4
    assert gpu["no_reading"] == "no guest is there to be asked"
    assert found["viability"][GUEST] == {
        "viable": True, "moves": [GUEST, "0000:02:00.1"], "moved_at_start": [], "blockers": [],
        "reason": None,
    }  # fmt: skip
    assert found["guests"][0]["hostdevs"] == [GUEST, "0000:02:00.1"]
    assert [g["allowed"] for g in found["guests"]] == [True, False]


def vcpu_cores(**readings: Any) -> dict[str, Any] | None:
    """The key of the guest in the JSON, for a guest with two vCPUs."""
    times = (VcpuTime(0, 50.0, 31.0), VcpuTime(1))
    guest = domain("win11", "02:00.0", state="running", vcpu_times=times,
                   pinning=Pinning(((8,), None)))  # fmt: skip
    view = assess(snapshot(two_cards("vfio-pci"), (guest,), **readings))
    found: dict[str, Any] | None = as_json(view, NOON)["guests"][0]["vcpu_cores"]
    assert fits(json.loads(json.dumps(found)), SHAPE["guests"][0]["vcpu_cores"])
    return found


def test_json_of_the_vcpus_and_their_cores() -> None:
    threads = GuestThreads(
        "uuid-win11",
        (QemuThread("vcpu", 8, 0, 50.0), QemuThread("vcpu", 3, 1), QemuThread("emulator", 1)),
        (HostCpu(3), HostCpu(8, 90.0, 0.0)),
    )
    found = vcpu_cores(threads=threads)
    assert found is not None
    assert found["vcpus"] == [
        {"number": 0, "load_pct": 50.0, "wait_ms": 31.0, "asleep_pct": 46.9, "cpu": 8,
         "pinned": (8,), "shared_with": ("host",), "host_pct": 40.0},
        {"number": 1, "load_pct": None, "wait_ms": None, "asleep_pct": None, "cpu": 3,
         "pinned": None, "shared_with": None, "host_pct": None},
    ]  # fmt: skip
    assert (found["emulator"], found["io"]) == ({"load_pct": None, "cpus": ()}, None)


def test_json_of_vcpus_whose_threads_are_not_seen() -> None:
    found = vcpu_cores(threads=Unavailable("hidden", expected=True))
    assert found is not None
    assert (found["problem"], found["emulator"], found["host_pct"]) == ("hidden", None, None)
    assert [vcpu["shared_with"] for vcpu in found["vcpus"]] == [None, None]


def test_json_of_a_card_on_nvidia(gaming: HostView) -> None:
    read_at: dict[SourceName, datetime] = {"nvml": NOON - timedelta(seconds=1.5)}
    gpu = as_json(gaming, NOON, read_at=read_at)["gpus"][1]
    assert (gpu["source"], gpu["age_s"]) == ("nvml", 1.5)
    assert gpu["metrics"]["util_pct"] == 12
    assert gpu["metrics"]["fan_pct"] is None
    assert set(gpu["metrics"]) == set(Metrics.names()) - {"throttle"}
    assert gpu["throttle"] == ["power"]
    assert gpu["processes"] == [
        {"pid": 7, "name": "Xorg", "what": "graphics", "memory_mib": 120.0, "util_pct": None}
    ]


def test_a_reading_from_the_future_has_no_negative_age() -> None:
    ahead: dict[SourceName, datetime] = {"nvml": NOON + timedelta(seconds=9)}
    view = assess(snapshot(two_cards(), nvml=NvmlReading(None, (READING,))))
    gpus = as_json(view, NOON, read_at=ahead)["gpus"]
    assert [gpu["age_s"] for gpu in gpus] == [None, 0.0]


def test_host_and_groups(gaming: HostView) -> None:
    found = as_json(gaming, NOON)
    assert found["taken_at"] == "2026-01-02T12:00:00+00:00"
    assert found["host"] == {
        "name": "atlas",
        "kernel": "6.12.1",
        "iommu": {"enabled": True, "kind": "intel", "groups": 3},
        "libvirt": {"uri": "qemu:///system", "version": "11.3.0", "error": None},
        "nvidia_driver": "580.95",
        "memory": {"available_mib": 32768, "huge_pages": []},
        "kernel_log": {"readable": True, "error": None},
        "cpus": None,
    }
    assert [group["id"] for group in found["groups"]] == [1, 2, 3]
    assert found["groups"][0]["devices"] == [HOST, "0000:01:00.1"]


def test_blockers_and_functions_without_a_group() -> None:
    host = inventory(
        *card("01:00", 1),
        function("02:00.0", SATA, driver="ahci", iommu_group=1),
        function("03:00.0", SATA),
    )
    found = as_json(assess(snapshot(host)), NOON)
    assert found["viability"][HOST]["viable"] is False
    assert found["viability"][HOST]["blockers"] == [
        {"address": "0000:02:00.0", "reason": "used by the host (ahci)"}
    ]
    assert found["ungrouped"] == ["0000:03:00.0"]


def test_libvirt_does_not_answer() -> None:
    view = assess(snapshot(two_cards(), guests=Unavailable("refused")))
    assert as_json(view, NOON, "qemu:///system")["host"]["libvirt"] == {
        "uri": "qemu:///system", "version": None, "error": "refused",
    }  # fmt: skip
    assert as_json(view, NOON)["problems"] == [{"source": "guests", "why": "refused"}]


@pytest.mark.parametrize(
    ("unread", "told"),
    [
        (Unavailable("denied"), {"readable": False, "error": "denied"}),
        (Unavailable("none here", expected=True), {"readable": None, "error": None}),
    ],
)
def test_the_kernel_log_cannot_be_read(unread: Unavailable, told: dict[str, object]) -> None:
    view = assess(snapshot(two_cards(), kernel=unread))
    assert as_json(view, NOON)["host"]["kernel_log"] == told
    assert ("Kernel log denied\n" in as_text(view)) is (not unread.expected)


def test_a_card_newer_than_pci_ids_has_the_name_its_driver_gives() -> None:
    new = inventory(function("01:00.0", driver="nvidia", device="2bb1", name="10de:2bb1"))
    named = NvmlReading("590", (replace(READING, name="NVIDIA RTX PRO 6000"),))
    gpu = as_json(assess(snapshot(new, nvml=named)), NOON)["gpus"][0]
    assert gpu["name"] == "NVIDIA RTX PRO 6000"
    assert as_json(assess(snapshot(new)), NOON)["gpus"][0]["name"] == "10de:2bb1"


GAMING = """\
Host       atlas   Linux 6.12.1
IOMMU      on (intel), 3 groups
libvirt    qemu:///system   11.3.0
Memory     32.0 GiB available
NVIDIA     driver 580.95

Guest GPU  0000:02:00.0   AD102 [GeForce RTX 4090] (Ada, desktop)
  owner    guest:win11   driver vfio-pci   suspended D3cold
  readings –   no guest is there to be asked
  link     PCIe –   max –
  group    2   viable: moves as 0000:02:00.0 .1

Host GPU   0000:01:00.0   AD102 [GeForce RTX 4090] (Ada, desktop)
  owner    host   driver nvidia   active D0
  load     12 %   memory 1.0 of 24.0 GiB   encoder –   decoder –
  state    54 °C   fan –   – W   – MHz   memory – MHz   throttled: power
  used by  Xorg (7)
  link     PCIe 4.0 x16   max –
  group    1   viable: moves as 0000:01:00.0 .1

Guests     state     vCPUs  CPU   memory    agent      PCI devices
* win11    running   8      34 %  16.0 GiB  connected  0000:02:00.0 .1
  nas      shut off  8      –     16.0 GiB  –          none
* may have the guest GPU"""


def test_the_text(gaming: HostView) -> None:
    assert as_text(gaming) == GAMING


def test_the_text_says_what_makes_the_guest_stutter() -> None:
    times = (VcpuTime(0, 50.0, 3.2), VcpuTime(5, 97.0, 31.0))
    setup = DomainSetup((MemoryPart(16384.0, page_kib=2048),))
    pinning = Pinning(((8,), *(None,) * 4, (26,)))
    guest = domain("win11", "02:00.0", state="running", vcpu_times=times, setup=setup,
                   pinning=pinning, memory_used_mib=7270.0)  # fmt: skip
    pools = (PagePool(2048, 8192, 0), PagePool(2048, 8192, 0, node=0), PagePool(1 << 20, 0, 0))
    memory = HostMemory(available_mib=24576, pools=pools)
    view = assess(snapshot(two_cards("vfio-pci"), (guest, domain("nas")), memory=memory))
    text = as_text(view)
    assert "Memory     24.0 GiB available   0 of 8192 huge pages of 2 MiB free\n" in text
    assert (
        "\n\nGuest      win11\n"
        "  wait     31 ms/s at most (vCPU 5, core 26)\n"
        "  memory   7.1 of 16.0 GiB used   16.0 GiB of huge pages\n\n"
    ) in text
    off = replace(guest, state="shut off")
    assert "Guest      win11" not in as_text(assess(snapshot(two_cards("vfio-pci"), (off,))))


def test_the_text_names_blockers_and_problems() -> None:
    host = inventory(*card("01:00", 1), function("02:00.0", SATA, driver="ahci", iommu_group=1))
    view = assess(snapshot(host, guests=Unavailable("libvirtd does not answer")))
    text = as_text(view)
    assert "group    1   not viable: a device in the group stays with the host" in text
    assert "\n           0000:02:00.0   used by the host (ahci)\n" in text + "\n"
    assert "libvirt    libvirtd does not answer" in text
    assert "Guests" not in text


def test_a_libvirt_that_is_not_reached_has_one_row() -> None:
    view = assess(snapshot(two_cards(), guests=Unavailable("libvirtd does not answer")))
    text = as_text(replace(view, libvirt_uri="qemu:///system"))
    assert "libvirt    qemu:///system   libvirtd does not answer\n" in text
    assert text.count("libvirtd does not answer") == 1


def test_a_limit_that_is_not_known_is_left_out() -> None:
    metrics = Metrics(power_w=7.0, mem_used_mib=1024.0)
    reading = NvmlReading("580", (replace(READING, metrics=metrics),))
    text = as_text(assess(snapshot(two_cards(), nvml=reading)))
    assert "   7 W   " in text
    assert "memory 1.0 GiB   " in text


def test_the_text_of_a_lost_card() -> None:
    lost = NvmlReading("580", (replace(READING, lost="fell off the bus"),))
    text = as_text(assess(snapshot(two_cards(), nvml=lost)))
    assert "readings –   lost: fell off the bus" in text
    assert "12 %" not in text


def test_the_text_of_an_empty_host() -> None:
    text = as_text(assess(snapshot(inventory(groups=(), iommu_kind=None))))
    assert "No GPU was found." in text
    assert "IOMMU      off, or without groups" in text
    assert "No domain is defined." in text


def test_the_text_lists_a_limited_number_of_guests() -> None:
    domains = [domain(f"vm{n:02}") for n in range(30)]
    text = as_text(assess(snapshot(two_cards(), domains)))
    assert "vm11" in text
    assert "vm12" not in text
    assert "and 18 more" in text


# --- holders and swaps ----------------------------------------------------------


def test_holders_of_a_card() -> None:
    xorg = Holder(GUEST, 911, "Xorg", "/dev/nvidia1", "root")
    ours = Holder(GUEST, 912, "python3", "/dev/nvidia1", ours=True)

    def holders_of(holders: Holders | None) -> Any:
        view = assess(snapshot(two_cards()))
        return as_json(view, NOON, holders=holders)["gpus"][0]["holders"]

    assert [(h["pid"], h["name"], h["what"]) for h in holders_of(Holders((xorg, ours)))] == [
        (911, "Xorg", "/dev/nvidia1")
    ]
    assert holders_of(Holders((ours,))) == []
    assert holders_of(Holders((), uninspected=3)) is None  # nobody seen does not mean nobody there
    assert holders_of(Holders((), unlisted_reason="processes are hidden")) is None
    assert holders_of(Holders((ours,), unlisted_reason="processes are hidden")) is None
    assert len(holders_of(Holders((xorg,), unlisted_reason="processes are hidden"))) == 1
    assert len(holders_of(Holders((xorg,), uninspected=3))) == 1
    assert holders_of(None) is None


def test_a_swap() -> None:
    swap = Swap("7", "bind", GUEST, (GUEST,), "running", ("modprobe", "echo"), 1, NOON, NOON)
    view = assess(snapshot(two_cards(), swap=swap))
    told = as_json(view, NOON)
    assert told["swap"] == {
        "id": "7", "address": GUEST, "moves": [GUEST], "direction": "bind", "state": "running",
        "by": "user", "step": 1, "steps": ["modprobe", "echo"], "message": None,
        "interrupted": False,
        "began_at": NOON.isoformat(), "step_began_at": NOON.isoformat(),
    }  # fmt: skip
    assert told["gpus"][0]["owner"] == "moving"
    assert "Swap       bind 0000:02:00.0   running   step 2 of 2: echo" in as_text(view)
    gone = assess(snapshot(two_cards(), swap=replace(swap, runner_alive=False)))
    assert as_json(gone, NOON)["swap"]["interrupted"] is True
    assert "interrupted: `vfiotop recover`" in as_text(gone)
    assert as_json(assess(snapshot(two_cards())), NOON)["swap"] is None


UNBINDS = WatchPolicy(after_stop="unbind", at_boot="bind", pause_s=60.0)
RETURN = PendingReturn("a" * 32, GUEST, "win11", NOON + timedelta(seconds=27.5))


def watched(watch: Watch | Unavailable) -> HostView:
    return assess(snapshot(two_cards("vfio-pci"), watch=watch))


def row(view: HostView, label: str) -> str | None:
    """The text of the row with that label."""
    rows = (line for line in as_text(view).splitlines() if line.startswith(f"{label} "))
    return next((line.removeprefix(label).strip() for line in rows), None)


def test_json_of_the_watch() -> None:
    event = Event(NOON, GUEST, "stays on vfio-pci: busy", "failed", "watch", "`vfiotop unbind`")
    watch = Watch(True, True, UNBINDS, "/etc/vfiotop.toml", RETURN, True, (event,))
    assert as_json(watched(watch), NOON)["watch"] == {
        "running": True, "stopped": False, "acts": True, "file": "/etc/vfiotop.toml",
        "stays_awake": True,
        "policy": {"after_stop": "unbind", "at_boot": "bind", "pause_s": 60.0},
        "pending": {
            "id": "a" * 32, "address": GUEST, "guest": "win11", "due_in_s": 27.5, "reason": None,
        },
        "events": [{
            "at": NOON.isoformat(), "subject": GUEST, "text": "stays on vfio-pci: busy",
            "kind": "failed", "by": "watch", "fix": "`vfiotop unbind`",
        }],
    }  # fmt: skip
    late = as_json(watched(watch), NOON + timedelta(seconds=40))["watch"]
    assert late["pending"]["due_in_s"] == 0
    assert as_json(watched(Watch(True, True, UNBINDS)), NOON)["watch"]["pending"] is None


def test_a_host_without_a_watch_has_none_in_json_and_no_row() -> None:
    for reason in (Unavailable("no watch has run since boot", expected=True), Unavailable("torn")):
        assert as_json(watched(reason), NOON)["watch"] is None
    assert row(watched(Unavailable("no watch has run since boot", expected=True)), "Watch") is None
    assert row(watched(Unavailable("torn")), "Watch") == "torn"


@pytest.mark.parametrize(
    ("watch", "told"),
    [
        (Watch(True, True, UNBINDS), "unbinds after the guest, binds at boot"),
        (Watch(True, True, WatchPolicy(at_boot="bind")), "binds at boot"),
        (Watch(True, True, WatchPolicy()), "tells only"),
        (Watch(True, False, UNBINDS), "tells only"),
        (Watch(False, True, UNBINDS), "ended: nothing returns the card automatically now"),
    ],
)
def test_the_text_says_what_the_watch_does(watch: Watch, told: str) -> None:
    assert row(watched(watch), "Watch") == told


def test_the_text_says_when_the_card_returns() -> None:
    at = CLOCK.time_of_day(RETURN.due_at)
    returns = f"{GUEST} returns to the host at {at}: win11 has ended"
    watch = Watch(True, True, WatchPolicy(after_stop="unbind"), pending=RETURN)
    assert row(watched(watch), "Watch") == f"unbinds after the guest   {returns}"
    again = replace(watch, pending=replace(RETURN, reason="Xorg uses it"))
    told = f"unbinds after the guest   {returns}   refused before: Xorg uses it"
    assert row(watched(again), "Watch") == told


def test_a_card_that_is_half_bound() -> None:
    gpu, sound = card("02:00", 2, "vfio-pci", boot_vga=False)
    half = (gpu, replace(sound, driver="snd_hda_intel"))
    view = assess(snapshot(inventory(*card("01:00", 1, boot_vga=True), *half)))
    assert [g["half_bound"] for g in as_json(view, NOON)["gpus"]] == [True, False]
    assert "half bound: `vfiotop bind` completes the bind" in as_text(view)


def test_a_card_in_a_guest_with_the_guests_own_readings() -> None:
    card = GuestCard("10de", "2684", None, "RTX", Metrics(util_pct=97, temp_c=67))
    win11 = domain("win11", "02:00.0", "02:00.1", state="running", agent=True)
    says = GuestReport(win11.uuid, "572.83", (card,), taken_at=NOON - timedelta(seconds=4))
    view = assess(snapshot(two_cards("vfio-pci"), [win11], agent=AgentReading((says,))))
    gpu = as_json(view, NOON)["gpus"][0]
    assert (gpu["source"], gpu["age_s"], gpu["no_reading"]) == ("guest-agent", 4.0, None)
    assert (gpu["metrics"]["util_pct"], gpu["metrics"]["fan_pct"]) == (97, None)
    assert as_json(view, NOON)["guests"][0]["gpu_driver"] == "572.83"
    assert "97 %" in as_text(view) and "from guest" in as_text(view)


def test_remarks_of_the_guests_tools_are_shown_with_the_card() -> None:
    card = GuestCard("10de", "2684", None, "RTX", Metrics(util_pct=97, temp_c=67))
    win11 = domain("win11", "02:00.0", "02:00.1", state="running", agent=True)
    told = ("WARNING: infoROM is corrupted", "another one")
    says = GuestReport(win11.uuid, "572.83", (card,), taken_at=NOON, remarks=told)
    view = assess(snapshot(two_cards("vfio-pci"), [win11], agent=AgentReading((says,))))
    gpus = as_json(view, NOON)["gpus"]
    assert (gpus[0]["remarks"], gpus[1]["remarks"]) == (list(told), None)
    for remark in told:
        assert f"from guest: {remark}" in as_text(view)
    shown = Card(view.gpus[0], NOON)
    assert "! WARNING: infoROM is corrupted (1 more)" in drawn(card_lines(shown, 70, 16))
    details = drawn(zoomed_lines(shown, Size(80, 40), Times()).lines)
    assert all(remark in details for remark in told)


def drawn(lines: list[Line]) -> str:
    return "\n".join("".join(span.text for span in line) for line in lines)
