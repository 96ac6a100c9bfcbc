"""For the tests of captured hosts through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.captured import Command, command


@pytest.fixture
def vfiotop(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    """The command line without the user's configuration and state."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    return command(capfd)
