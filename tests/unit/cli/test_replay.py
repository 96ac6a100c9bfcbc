"""``vfiotop replay``: what it opens, and how it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import recordings
from tests.recordings import GUEST, SWAP
from tui import config
from tui.cli import replay
from tui.cli.main import main
from tui.host import Host

Opened = list[tuple[Host, config.Config]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration names a card and a guest of this machine."""
    own = tmp_path / "config/vfiotop/config.toml"
    own.parent.mkdir(parents=True)
    own.write_text('guest_gpu = "0000:ff:00.0"\nguest = "mine"\ninterval = 5\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return own


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """What the screen was opened on."""
    found: Opened = []

    def open_screen(host: Host, settings: config.Config) -> int:
        found.append((host, settings))
        return 0

    monkeypatch.setattr(replay, "open_screen", open_screen)
    return found


def test_a_capture_is_opened_without_the_user_s_own_card(tmp_path: Path, opened: Opened) -> None:
    assert main(["replay", str(recordings.bug_report(tmp_path / "host"))]) == 0
    ((host, settings),) = opened
    assert host.readonly and host.history is not None
    assert (settings.guest_gpu, settings.guest, settings.interval) == (None, None, 5)


def test_a_history_alone_names_the_card_and_the_guest(tmp_path: Path, opened: Opened) -> None:
    folder = recordings.keep(tmp_path / "history", recordings.entries())
    assert main(["replay", str(folder)]) == 0
    ((_, settings),) = opened
    assert (settings.guest_gpu, settings.guest) == (SWAP.address, GUEST)


def test_a_configuration_that_is_named_holds(tmp_path: Path, opened: Opened, home: Path) -> None:
    root = recordings.recorded(tmp_path / "host")
    assert main(["replay", str(root), "--config", str(home)]) == 0
    ((_, settings),) = opened
    assert settings.guest == "mine"


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ((), 2, "FILE"),
        (("missing.tar.gz",), 1, "there is no missing.tar.gz; replay expects a capture"),
        (("x", "--demo", "desk"), 2, "--demo has no effect on `vfiotop replay`"),
        (("x", "--root", "/"), 2, "it shows the host in FILE; leave it out"),
    ],
)
def test_what_is_refused(
    words: tuple[str, ...], code: int, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", *words]) == code
    out, errors = capfd.readouterr()
    assert (out, errors.count("\n")) == ("", 1)
    assert why in errors


def test_a_capture_without_a_history_names_root(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = recordings.host(tmp_path / "host")
    assert main(["replay", str(root)]) == 1
    errors = capfd.readouterr().err
    assert errors.count("\n") == 1
    assert "has no history" in errors and f"`vfiotop --root {root}`" in errors


def test_without_a_terminal_it_is_wrong_usage(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(recordings.recorded(tmp_path / "host"))]) == 2
    assert "the screen needs a terminal" in capfd.readouterr().err
