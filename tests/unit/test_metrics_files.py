"""The dashboard and the alerts: they ask for metrics that exist, by labels that those have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import NOON
from tui.host.demo.host import SCENARIOS, demo_host
from tui.model import CardReading, Gpu, HostView, Metrics, PendingReturn, Swap, Watch
from tui.model.watch import WatchPolicy
from tui.once import view_once
from tui.report.metrics import families
from tui.rules.roles import Choice

PACKAGING = Path(__file__).parents[2] / ".packaging"
DASHBOARD = json.loads((PACKAGING / "grafana-dashboard.json").read_text())
ALERTS = (PACKAGING / "vfiotop-alerts.yml").read_text()
CARD = "0000:01:00.0"


def expressions(value: Any) -> Iterator[str]:
    """Every query in a dashboard."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key in ("expr", "query") and isinstance(each, str):
                yield each
            else:
                yield from expressions(each)
    elif isinstance(value, list):
        for each in value:
            yield from expressions(each)


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """The names of all metrics, each with its labels."""
    views = [view_once(demo_host(name), Choice(), pause=lambda _: None) for name in SCENARIOS]
    pending = PendingReturn("1", CARD, "win11", NOON + timedelta(seconds=5))
    views.append(HostView(
        swap=Swap("1", "bind", CARD, (CARD,), "running", (), 0, NOON, NOON),
        watch=Watch(True, True, WatchPolicy(), pending=pending),
    ))  # fmt: skip
    views.append(throttled(views[0]))
    found: dict[str, set[str]] = {}
    for view in views:
        for family in families(view, NOON, readings={"pci": 1}):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def throttled(view: HostView) -> HostView:
    def hot(gpu: Gpu) -> Gpu:
        metrics = Metrics(throttle=("hot",))
        return replace(gpu, reading=CardReading(gpu.address, "nvml", metrics))

    return replace(view, gpus=tuple(map(hot, view.gpus)))


def asked(text: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics that an expression asks for, each with the labels in its braces. A name in
    braces, or after by, is a label."""
    plain = re.sub(r"(?:by|ignoring|on) \([^)]*\)", "", text)
    for name, labels in re.findall(r"\b(vfiotop_[a-z_]+)(?:\{([^}]*)\})?(?![a-z_]*[=!])", plain):
        yield name, set(re.findall(r"([a-z_]+)(?:=~|!=|=)", labels))


def test_the_dashboard_asks_for_what_there_is(known: dict[str, set[str]]) -> None:
    found = [pair for text in expressions(DASHBOARD) for pair in asked(text)]
    assert len(found) > 30
    for name, labels in found:
        assert name in known, name
        assert labels - {"instance"} <= known[name], name


def test_the_alerts_ask_for_what_there_is(known: dict[str, set[str]]) -> None:
    found = [pair for line in re.findall(r"expr: (.*)", ALERTS) for pair in asked(line)]
    assert len(found) >= 12
    for name, labels in found:
        assert name in known, name
        assert labels <= known[name], name


def test_every_panel_has_a_place_and_a_number_of_its_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    alerts = ALERTS.split("- alert: ")[1:]
    assert len(alerts) == 10
    assert [
        a for a in alerts if not {"summary:", "description:", "severity:"} <= set(a.split())
    ] == []
