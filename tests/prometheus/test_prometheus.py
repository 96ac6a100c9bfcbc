"""What Prometheus makes of our metrics: scraped, queried, linted, and in alerts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.made import NOON
from tui.cli.main import main
from tui.host.demo.host import SCENARIOS, demo_host
from tui.once import view_once
from tui.report.metric_families import as_text
from tui.report.metrics import families
from tui.rules.roles import Choice

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / os.environ["VFIOTOP_PROMETHEUS"] / "usr/bin"
RULES = ROOT / ".packaging/vfiotop-alerts.yml"
PATIENCE = 60.0
TOKEN = "0123456789abcdef"

Command = Sequence[str | Path]


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def promtool(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [PROGRAMS / "promtool", *arguments], input=data, capture_output=True, check=False
    )


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


@contextmanager
def running(command: Command, log: Path) -> Iterator[None]:
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as child:
        try:
            yield
            assert child.poll() is None, log.read_text()
        finally:
            child.send_signal(signal.SIGTERM)


def fetch(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
        return str(answer.read().decode())


def until(look: Callable[[], Any], log: Path) -> Any:
    """What ``look`` finds once it finds something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if found := look():
                return found
        except (OSError, ValueError):  # it does not listen yet
            pass
        threading.Event().wait(0.1)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_promtool_has_nothing_to_say_about_our_names(scenario: str) -> None:
    view = view_once(demo_host(scenario), Choice(), pause=lambda _: None)
    found = families(view, NOON, readings={"pci": 1})
    done = promtool("check", "metrics", data=as_text(found, "prometheus"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_alerts_are_rules_and_fire_when_they_should() -> None:
    done = promtool("check", "rules", str(RULES))
    assert done.returncode == 0 and b"10 rules found" in done.stdout, done
    done = promtool("test", "rules", str(ROOT / "tests/prometheus/alerts.yml"))
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


CONFIGURATION = """
global: {{scrape_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: vfiotop
    authorization: {{credentials: {token}}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def test_prometheus_scrapes_the_watch_and_answers_a_query(tmp_path: Path) -> None:
    served, asked = free_port(), free_port()
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    settings = tmp_path / "config.toml"
    settings.write_text(
        f'[watch]\nmetrics = "127.0.0.1:{served}"\nmetrics_token_file = "{token}"\n'
    )
    file = tmp_path / "prometheus.yml"
    file.write_text(CONFIGURATION.format(rules=RULES, port=served, token=TOKEN))
    log = tmp_path / "log"
    watch: Command = [
        sys.executable,
        "-m",
        "tui",
        "watch",
        "--demo",
        "gaming",
        "--config",
        settings,
    ]
    prometheus: Command = [
        PROGRAMS / "prometheus", f"--config.file={file}", f"--storage.tsdb.path={tmp_path / 'db'}",
        f"--web.listen-address=127.0.0.1:{asked}",
    ]  # fmt: skip

    def query(expression: str) -> list[dict[str, Any]]:
        path = f"/api/v1/query?query={urllib.parse.quote(expression)}"
        found: list[dict[str, Any]] = json.loads(fetch(asked, path))["data"]["result"]
        return found

    with running(watch, tmp_path / "watch.log"), running(prometheus, log):
        owners = until(lambda: query("vfiotop_card_owner == 1"), log)
        assert {
            (each["metric"]["address"], each["metric"]["vfiotop_card_owner"]) for each in owners
        } == {("0000:01:00.0", "guest"), ("0000:0a:00.0", "host")}
        # Cards are read from the first scrape on.
        hot = until(lambda: query("vfiotop_card_temperature_celsius > 20"), log)
        assert {each["metric"]["instance"] for each in hot} == {f"127.0.0.1:{served}"}
        (target,) = json.loads(fetch(asked, "/api/v1/targets"))["data"]["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        metadata = json.loads(fetch(asked, "/api/v1/metadata"))["data"]
        assert metadata["vfiotop_card_owner"][0]["type"] == "stateset"
        assert metadata["vfiotop_card_temperature_celsius"][0]["unit"] == "celsius"
        (group,) = json.loads(fetch(asked, "/api/v1/rules"))["data"]["groups"]
        assert {rule["health"] for rule in group["rules"]} <= {"ok", "unknown"}
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(served, "/metrics")


def test_node_exporter_serves_our_file(tmp_path: Path) -> None:
    folder, port, log = tmp_path / "textfile", free_port(), tmp_path / "log"
    folder.mkdir()
    assert main(["metrics", "--demo", "gaming", "--output", str(folder / "vfiotop.prom")]) == 0
    exporter: Command = [
        PROGRAMS / "prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}",
        "--collector.disable-defaults", "--collector.textfile",
        f"--collector.textfile.directory={folder}",
    ]  # fmt: skip
    with running(exporter, log):
        lines = until(lambda: fetch(port, "/metrics").splitlines(), log)
    assert "node_textfile_scrape_error 0" in lines
    ours = {line for line in lines if line.startswith("vfiotop_")}
    written = (folder / "vfiotop.prom").read_text().splitlines()
    assert len(ours) == len([line for line in written if not line.startswith("#")])
    assert any(line.startswith("vfiotop_card_temperature_celsius{") for line in ours)
