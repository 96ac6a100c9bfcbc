"""Who may have the metrics, in which format, and that cards are read only while somebody asks."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.ui.rig import NOON, NVML, Rig
from tests.unit.watch import rig as watches
from tui.config import Config
from tui.model import Sample
from tui.session import CARD_SOURCES, Session
from tui.watch.exporter import ATTENDED_S, CACHE_S, FRESH_S, Exporter, accepted
from tui.watch.http import Request

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
TOKEN = "0123456789abcdef"


class Time:
    """The times of an exporter, as the test sets them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def exporter(time: Time) -> Exporter:
    return Exporter(time.now, clock=time.clock)


def get(target: str = "/metrics", method: str = "GET", **headers: str) -> Request:
    return Request(method, target, headers)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (PROMETHEUS_2, "openmetrics"),
        (PROMETHEUS_3, "openmetrics"),
        ("Application/OpenMetrics-Text; Version=1.0.0", "openmetrics"),
        ("application/openmetrics-text;version=1.0.0;q=0", "prometheus"),
        ("application/openmetrics-text;version=9.9", "prometheus"),
        ("text/plain", "prometheus"),
        ("*/*", "prometheus"),
        ("", "prometheus"),
        (";,;;=,", "prometheus"),
    ],
)
def test_the_client_chooses_the_format(accept: str, form: str, exporter: Exporter) -> None:
    assert accepted(accept) == form
    response = exporter.respond(get(accept=accept))
    assert response.status == 200 and response.body is not None
    assert response.content_type.startswith(
        "application/openmetrics" if form == "openmetrics" else "text/plain; version=0.0.4"
    )
    assert response.body.endswith(b"# EOF\n") == (form == "openmetrics")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/"), 404),
        (get("/metrics/"), 404),
        (get("/metrics?x=1"), 200),
        (get("//[", "GET"), 404),
        (get(method="POST"), 405),
        (get(method="HEAD"), 405),
        (get(host="localhost:9835"), 200),
        (get(host="[::1]:9835"), 200),
        (get(host="127.0.0.1"), 200),
        (get(host="evil.example"), 421),
        (get(host="127.0.0.1.evil.example:9835"), 421),
        (get(host=""), 421),
    ],
)
def test_only_metrics_are_there_and_only_under_a_name_of_this_machine(
    request_: Request, status: int, exporter: Exporter
) -> None:
    assert exporter.respond(request_).status == status


def test_over_a_socket_any_name_will_do(time: Time) -> None:
    assert Exporter(time.now, local=False).respond(get(host="vfiotop")).status == 200


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        ("", 401),
        ("Bearer ", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"Basic {TOKEN}", 401),
        ("Bearer ü" + TOKEN, 401),
    ],
)
def test_a_token_has_to_be_shown(authorization: str, status: int, time: Time) -> None:
    exporter = Exporter(time.now, TOKEN, clock=time.clock)
    response = exporter.respond(get(authorization=authorization))
    assert response.status == status
    assert exporter.attended == (status == 200)
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


def test_somebody_attends_until_nobody_has_asked_for_long(time: Time, exporter: Exporter) -> None:
    assert not exporter.attended
    exporter.respond(get("/other"))
    assert not exporter.attended
    exporter.respond(get())
    time.seconds = ATTENDED_S - 1
    assert exporter.attended
    time.seconds = ATTENDED_S + 1
    assert not exporter.attended


def test_a_text_is_made_once_a_second(time: Time, exporter: Exporter) -> None:
    first = exporter.respond(get()).body
    assert exporter.respond(get()).body is first
    time.seconds = CACHE_S
    assert exporter.respond(get()).body is not first


def test_values_that_are_not_read_any_more_are_left_out(time: Time, exporter: Exporter) -> None:
    rig = Rig()
    session = Session(rig.host, Config())
    for source, reading in (("pci", rig.pci), ("vitals", rig.vitals), ("guests", rig.guests)):
        session.take(Sample(source, reading.reading, NOON))  # type: ignore[arg-type]
    session.take(Sample("nvml", NVML, NOON))
    exporter.publish(session.live.view, session)
    assert b"vfiotop_card_utilization_ratio" in (exporter.respond(get()).body or b"")
    time.seconds = FRESH_S + 1
    late = exporter.respond(get()).body or b""
    assert b"vfiotop_card_utilization_ratio" not in late
    assert b"vfiotop_card_owner" in late
    assert b'vfiotop_readings_total{source="nvml"} 1.0' in late


def test_the_watch_reads_cards_only_while_somebody_asks(tmp_path: Path, time: Time) -> None:
    watch = watches.Rig(tmp_path / "run")
    exporter = Exporter(time.now, clock=time.clock)
    with watch.watching(exports=exporter):
        watch.look()
        watch.look()
        assert {n for n, s in watch.session.samplers.items() if s.paused} == set(CARD_SOURCES)
        text = exporter.respond(get()).body or b""
        assert b"vfiotop_watch_running 1.0" in text
        watch.look()
        watch.look()
        assert {n for n, s in watch.session.samplers.items() if s.paused} == set()
        time.seconds = ATTENDED_S + 1
        watch.look()
        watch.look()
        assert {n for n, s in watch.session.samplers.items() if s.paused} == set(CARD_SOURCES)


def test_a_return_to_come_is_in_the_metrics(tmp_path: Path, time: Time) -> None:
    watch = watches.Rig(tmp_path / "run")
    exporter = Exporter(time.now, clock=time.clock)
    with watch.watching(exports=exporter):
        watch.guest_runs_and_ends()
        watch.look()
        watch.look()
        text = exporter.respond(get()).body or b""
        assert f'vfiotop_watch_return_in_seconds{{address="{watches.CARD}"}}'.encode() in text
