"""``vfiotop metrics``: on standard output, and in a file for node_exporter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.cli.main import main


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def test_it_prints_openmetrics(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--demo", "idle"]) == 0
    text = capfd.readouterr().out
    assert "# TYPE vfiotop_card_owner stateset\n" in text
    assert text.endswith("# EOF\n")


def test_the_older_format_can_be_chosen(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--demo", "idle", "--format", "prometheus"]) == 0
    text = capfd.readouterr().out
    assert "# TYPE vfiotop_card_owner gauge\n" in text
    assert "# EOF" not in text


def test_a_file_is_replaced_in_the_format_of_node_exporter(tmp_path: Path) -> None:
    file = tmp_path / "vfiotop.prom"
    file.write_text("old")
    before = file.stat().st_ino
    assert main(["metrics", "--demo", "idle", "--output", str(file)]) == 0
    assert "# TYPE vfiotop_card_owner gauge\n" in file.read_text()
    assert file.stat().st_ino != before
    assert file.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.iterdir() if each.suffix != ""] == ["vfiotop.prom"]


def test_what_is_no_file_is_not_replaced(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "there").write_text("kept")
    link = tmp_path / "link.prom"
    link.symlink_to("there")
    for place in (link, tmp_path):
        assert main(["metrics", "--demo", "idle", "--output", str(place)]) == 1
        assert "is not a regular file" in capfd.readouterr().err
    assert link.is_symlink()


def test_a_folder_that_is_missing_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["metrics", "--demo", "idle", "--output", str(tmp_path / "no" / "x.prom")]) == 1
    assert "cannot be written: No such file or directory" in capfd.readouterr().err
