"""The view as metrics: names, units, what is missing, and names that a guest may have."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as parse_classic

from tests.unit.made import NOON, domain, snapshot, two_cards
from tui.host.demo.host import SCENARIOS, demo_host
from tui.model import (
    CardReading,
    Check,
    Guest,
    HostView,
    Metrics,
    NvmlReading,
    PendingReturn,
    Swap,
    Watch,
)
from tui.model.watch import WatchPolicy
from tui.once import view_once
from tui.report.metric_families import LABEL_LIMIT, as_text, in_base_unit
from tui.report.metrics import CARD_VALUES, GUEST_LIMIT, families
from tui.rules.roles import Choice
from tui.rules.view import assess

CARD = "0000:01:00.0"
FULL = Metrics(
    util_pct=57, mem_used_mib=2, temp_c=61, fan_pct=0, power_w=71.5, clock_mhz=1905,
    pcie_gen=4, enc_latency_us=1500, throttle=("power cap",),
)  # fmt: skip

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(view: HostView) -> Series:
    """The series of a view, by name and labels, as a strict parser reads them."""
    text = as_text(families(view, NOON), "openmetrics").decode()
    parsed = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    samples = [sample for family in parsed for sample in family.samples]
    found = {(s.name, frozenset(s.labels.items())): s.value for s in samples}
    assert len(found) == len(samples)
    return found


def one(view: HostView, name: str, **labels: str) -> float | None:
    """The value of the series with these labels; ``None`` if there is no such series."""
    wanted = set(labels.items())
    found = [value for (n, has), value in series(view).items() if n == name and wanted <= has]
    assert len(found) <= 1
    return found[0] if found else None


def read(metrics: Metrics, **facts: Any) -> HostView:
    nvml = NvmlReading("580.95", (CardReading(CARD, "nvml", metrics, **facts),))
    return assess(snapshot(two_cards(), nvml=nvml), Choice())


def guest(name: str, **facts: Any) -> HostView:
    return HostView(guests=(Guest(domain(name, **facts), allowed=True),))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("utilization_ratio", 0.57),
        ("memory_used_bytes", 2097152),
        ("temperature_celsius", 61),
        ("fan_speed_ratio", 0),
        ("power_watts", 71.5),
        ("clock_hertz", 1.905e9),
        ("pcie_generation", 4),
        ("encoder_latency_seconds", 0.0015),
        ("throttled", 1),
        ("lost", 0),
    ],
)
def test_a_value_is_in_the_base_unit_that_its_name_says(name: str, value: float) -> None:
    assert one(read(FULL), f"vfiotop_card_{name}", address=CARD) == value


def test_what_is_missing_is_absent() -> None:
    names = {name for name, _ in series(read(Metrics(util_pct=0)))}
    assert "vfiotop_card_utilization_ratio" in names
    assert not any("temperature" in name or "throttled" in name for name in names)
    assert {name for name, _ in series(HostView())} == {"vfiotop_build_info"}


def test_a_card_that_cannot_be_read_has_no_values() -> None:
    view = read(FULL, lost="it has fallen off the bus")
    assert one(view, "vfiotop_card_lost", address=CARD) == 1
    assert one(view, "vfiotop_card_utilization_ratio", address=CARD) is None
    assert one(read(FULL, failed="busy"), "vfiotop_card_utilization_ratio", address=CARD) is None


def test_every_number_of_a_reading_has_a_name() -> None:
    assert {field for field, _, _ in CARD_VALUES} == set(Metrics.names()) - {"throttle"}


def test_a_state_set_has_one_state_that_holds() -> None:
    view = read(FULL)
    owners = {
        dict(labels)["vfiotop_card_owner"]: value
        for (name, labels), value in series(view).items()
        if name == "vfiotop_card_owner" and dict(labels)["address"] == CARD
    }
    assert [owner for owner, holds in owners.items() if holds] == ["host"]
    assert {"guest", "vfio", "moving", "stuck"} < set(owners)


def test_the_worst_of_checks_with_one_subject_counts() -> None:
    same = [Check("x", CARD, verdict, "") for verdict in ("pass", "fail", "warn")]
    view = HostView(checks=(*same, Check("x", None, "unknown", "")))
    label = "vfiotop_check_verdict"
    assert one(view, label, check="x", subject=CARD, vfiotop_check_verdict="fail") == 1
    assert one(view, label, check="x", subject=CARD, vfiotop_check_verdict="pass") == 0
    without = frozenset({("check", "x"), (label, "unknown")})
    assert series(view)[label, without] == 1


@pytest.mark.parametrize(
    "name", ['"} 1\nevil 1', "back\\slash", "a\u202eb", "\udc80", "ü–✓", "x" * 5000, "{}#"]
)
def test_a_name_of_a_guest_stays_in_its_label(name: str) -> None:
    found = series(guest(name))
    assert {metric for metric, _ in found if not metric.startswith("vfiotop_")} == set()
    shown = {dict(labels).get("guest") for _, labels in found} - {None}
    assert len(shown) == 1
    assert all(label.isprintable() and len(label) <= LABEL_LIMIT for label in shown if label)


def test_guests_have_series_up_to_a_limit_and_the_allowed_one_always() -> None:
    others = [Guest(domain(f"other-{n}"), allowed=False) for n in range(GUEST_LIMIT)]
    view = HostView(guests=(*others, Guest(domain("win11"), allowed=True)))
    vcpus = [dict(labels)["guest"] for name, labels in series(view) if name.endswith("_vcpus")]
    assert len(vcpus) == GUEST_LIMIT
    assert "win11" in vcpus


def test_a_guest_is_told_by_its_uuid_when_names_look_alike() -> None:
    twins = [Guest(domain("win11", uuid=f"uuid-{n}"), allowed=False) for n in range(2)]
    assert len([n for n, _ in series(HostView(guests=tuple(twins))) if n.endswith("_vcpus")]) == 2


def test_an_interrupted_swap_and_a_return_to_come() -> None:
    swap = Swap("1", "bind", CARD, (CARD,), "running", ("echo",), 0, NOON, NOON, runner_alive=False)
    pending = PendingReturn("1", CARD, "win11", NOON + timedelta(seconds=12))
    watch = Watch(running=True, acts=True, policy=WatchPolicy(), pending=pending)
    view = HostView(swap=swap, watch=watch)
    assert one(view, "vfiotop_swap_interrupted", address=CARD, direction="bind") == 1
    assert one(view, "vfiotop_swap_state", vfiotop_swap_state="running") == 1
    assert one(view, "vfiotop_watch_running") == 1
    assert one(view, "vfiotop_watch_return_in_seconds", address=CARD) == 12
    gone = replace(view, watch=replace(watch, running=False))
    assert one(gone, "vfiotop_watch_running") == 0
    assert one(gone, "vfiotop_watch_failed") == 1
    stopped = replace(gone, watch=replace(watch, running=False, stopped=True))
    assert one(stopped, "vfiotop_watch_failed") == 0
    assert one(gone, "vfiotop_watch_return_in_seconds", address=CARD) is None


def test_a_source_that_fails_is_down_and_one_that_is_not_expected_has_no_series() -> None:
    view = HostView(problems=(("guests", "no answer"), ("drm", "no such card")), expected=("drm",))
    assert one(view, "vfiotop_source_up", source="guests") == 0
    assert one(view, "vfiotop_source_up", source="drm") is None
    text = as_text(families(view, NOON, readings={"pci": 3}), "openmetrics").decode()
    assert 'vfiotop_readings_total{source="pci"} 3.0' in text
    assert 'vfiotop_source_up{source="pci"} 1.0' in text


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_both_formats_of_every_host_are_valid(scenario: str) -> None:
    view = view_once(demo_host(scenario), Choice(), pause=lambda _: None)
    assert series(view)
    text = as_text(families(view, NOON), "prometheus").decode()
    kinds = {family.type for family in parse_classic(text)}
    assert kinds == {"gauge"}


@pytest.mark.parametrize(
    ("field", "value", "result"),
    [
        ("memory_mib", None, (None, "bytes")),
        ("wait_ms", 20.0, (0.02, "ratio")),
        ("vcpus", 8, (8.0, "")),
        ("net_rx_bps", 1.5, (1.5, "bytes_per_second")),
        ("load_pct", 44.8, (0.448, "ratio")),
    ],
)
def test_the_unit_of_a_field_is_at_its_end(
    field: str, value: float | None, result: tuple[float | None, str]
) -> None:
    assert in_base_unit(field, value) == result
