"""Collects samples into the metric families of OpenMetrics, and writes them as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from prometheus_client import exposition
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from tui.process.output import printable, short

LABEL_LIMIT = 128
"""Maximum characters of a label's value. A guest may have any name."""

Labels = Mapping[str, object]
"""The labels of a series; those that are ``None`` are left out."""

Format = Literal["openmetrics", "prometheus"]
"""The text format: that of OpenMetrics 1.0, or the older one of Prometheus, which node_exporter
reads."""

CONTENT_TYPES: Mapping[Format, str] = {
    "openmetrics": openmetrics.CONTENT_TYPE_LATEST,
    "prometheus": exposition.CONTENT_TYPE_PLAIN_0_0_4,
}

_UNITS: Mapping[str, tuple[str, Callable[[float], float]]] = {
    "pct": ("ratio", lambda value: round(value / 100, 6)),
    "mib": ("bytes", lambda value: value * 1024 * 1024),
    "bps": ("bytes_per_second", float),
    "c": ("celsius", float),
    "w": ("watts", float),
    "mhz": ("hertz", lambda value: value * 1_000_000),
    "us": ("seconds", lambda value: round(value / 1_000_000, 6)),
    "ms": ("ratio", lambda value: round(value / 1000, 6)),  # milliseconds per second
}
"""The base unit for the unit suffix of a field's name, and the conversion to it."""


def in_base_unit(field: str, value: float | None) -> tuple[float | None, str]:
    """The value of a model field in its base unit, and that unit; empty if it has none."""
    unit, convert = _UNITS.get(field.rpartition("_")[2], ("", float))
    return (None if value is None else convert(value)), unit


class Families:
    """Metric families in the order of their first use. Of two series with the same name and labels,
    only the first one counts: a scrape with both would be rejected entirely."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._families: dict[str, Metric] = {}
        self._seen: set[tuple[str, ...]] = set()

    @property
    def all(self) -> Sequence[Metric]:
        """The families so far."""
        return tuple(self._families.values())

    def gauge(
        self, name: str, means: str, labels: Labels, value: float | None, unit: str = ""
    ) -> None:
        """Add a value that may fall; ``None`` adds nothing."""
        if value is not None and (family := self._family("gauge", name, means, labels, unit)):
            family.samples.append(Sample(family.name, _clean(labels), float(value)))

    def counter(self, name: str, means: str, labels: Labels, value: float) -> None:
        """Add a count that only grows."""
        if family := self._family("counter", name, means, labels):
            family.samples.append(Sample(f"{family.name}_total", _clean(labels), float(value)))

    def states(
        self, name: str, means: str, labels: Labels, states: Iterable[str], now: str
    ) -> None:
        """Add a state set whose current state is ``now``."""
        if family := self._family("stateset", name, means, labels):
            family.samples.extend(
                Sample(family.name, {**_clean(labels), family.name: state}, float(state == now))
                for state in states
            )

    def info(self, name: str, means: str, labels: Labels, facts: Labels) -> None:
        """Add facts as labels."""
        if family := self._family("info", name, means, labels):
            family.samples.append(Sample(f"{family.name}_info", _clean({**labels, **facts}), 1.0))

    def _family(
        self, kind: str, name: str, means: str, labels: Labels, unit: str = ""
    ) -> Metric | None:
        """The family for another series; ``None`` if it already has that series."""
        key = (name, *(f"{label}={value}" for label, value in _clean(labels).items()))
        if key in self._seen:
            return None
        self._seen.add(key)
        new = Metric(f"{self._prefix}_{name}", means, kind, unit)
        return self._families.setdefault(name, new)


def _clean(labels: Labels) -> dict[str, str]:
    """The labels that have a value, each on one line and of limited length."""
    return {
        name: short(printable(str(value)), LABEL_LIMIT)
        for name, value in labels.items()
        if value is not None
    }


class _Collected(Collector):
    """The collector that prometheus-client asks for families."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def as_text(families: Sequence[Metric], form: Format) -> bytes:
    """The families as text in UTF-8."""
    collected = _Collected(families)
    if form == "openmetrics":
        text: bytes = openmetrics.generate_latest(collected)  # type: ignore[no-untyped-call]
        return text
    return exposition.generate_latest(collected)
