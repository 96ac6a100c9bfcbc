"""``vfiotop config``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tui import config
from tui.cli.main import main
from tui.config import Config


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of the configuration, with nothing in it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "vfiotop").mkdir()
    return tmp_path / "vfiotop"


def test_what_it_prints_is_a_configuration(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["config"]) == 0
    printed = capfd.readouterr()
    assert printed.err == ""
    (home / "config.toml").write_text(printed.out)
    assert config.load() == Config(file=home / "config.toml")


def test_options_stand_above_the_file(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (home / "config.toml").write_text("interval = 2\nguest = 'win11'\n")
    assert main(["config", "--interval", "3"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert "interval = 3" in lines and 'guest = "win11"' in lines


def test_as_json(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (home / "config.toml").write_text("[keys]\nbind = 'f2'\n")
    assert main(["config", "--json"]) == 0
    printed = json.loads(capfd.readouterr().out)
    assert (printed["schema"], printed["file"]) == (1, str(home / "config.toml"))
    assert printed["keys"]["bind"]["value"] == "f2"


def test_it_opens_no_host(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--root", "missing"]) == 0
    assert capfd.readouterr().err == ""


def test_a_configuration_with_an_error_is_not_printed(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (home / "config.toml").write_text("guset = 'win11'")
    assert main(["config"]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "unknown key “guset”" in printed.err
